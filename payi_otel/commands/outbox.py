"""`payi-otel outbox`: what waits for delivery, what Pay-i refused, and what to do about it."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from payi_otel.commands.shape import CommandError, Run

if TYPE_CHECKING:
    from payi_otel.commands.shape import Subparsers
    from payi_otel.delivery.dead import DeadLetter
    from payi_otel.delivery.glance import Glance
    from payi_otel.delivery.outbox import Entry
    from payi_otel.settings import Settings

_SHOWN_IDS = 5
_FLUSH_TIMEOUT_S = 300.0
_CHUNK = 500


def add_to(subparsers: Subparsers) -> None:
    """Add the command `outbox`."""
    parser = subparsers.add_parser(
        "outbox",
        help="show, deliver, retry or export what waits and what Pay-i refused",
        description="What waits for delivery on this machine, and what Pay-i refused (dead letters). The folder is "
        "--folder, or PAYI_OUTBOX_DIR, or the one of PAYI_API_KEY and PAYI_BASE_URL in the state folder.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="action")

    action = _action(actions, "list", "outbox files, and dead letters by reason", _list)
    action.add_argument("--json", action="store_true", help="as JSON, with every id")

    action = _action(actions, "flush", "deliver what processes that are gone have left", _flush)
    action.add_argument(
        "--timeout",
        type=_seconds,
        default=_FLUSH_TIMEOUT_S,
        metavar="SECONDS",
        help="how long to try (%(default)s)",
    )

    action = _action(actions, "retry", "put dead letters back for delivery", _retry)
    which = action.add_mutually_exclusive_group(required=True)
    _add_selection(which)
    which.add_argument("--all", action="store_true", help="all of them")

    action = _action(actions, "export", "write dead letters to a file that `payi-otel import` reads", _export)
    action.add_argument("file", type=Path, metavar="FILE")
    which = action.add_mutually_exclusive_group()
    _add_selection(which)
    which.add_argument("--all", action="store_true", help="also what processes that are gone have left")

    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run an action; its exit code."""
    try:
        return cast(Run, arguments.action)(arguments)
    except sqlite3.Error as error:
        raise CommandError(f"the outbox cannot be used: {error}") from None
    except OSError as error:
        raise CommandError(f"{error.filename or 'the outbox'}: {error.strerror or error}") from None


def _action(actions: Subparsers, name: str, purpose: str, action: Run) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=purpose)
    parser.add_argument("--folder", type=Path, metavar="PATH", help="the outbox folder")
    parser.set_defaults(action=action)
    return parser


def _add_selection(group: Any) -> None:
    group.add_argument("--id", action="append", metavar="ID", help="those with this id; may be repeated")
    group.add_argument("--reason", metavar="TEXT", help="those whose reason contains this")


# list


def _list(arguments: argparse.Namespace) -> int:
    found = [_look(folder) for folder in _all_folders(arguments)]
    if arguments.json:
        print(json.dumps(found, indent=2))
        return 0
    if not any(folder["files"] or folder["dead_letters"] for folder in found):
        print("nothing waits, and no dead letters")
    for folder in found:
        if folder["files"] or folder["dead_letters"] or folder["corrupt"]:
            _print_folder(folder)
    return 0


def _look(path: Path) -> dict[str, Any]:
    from payi_otel.delivery.dead import DeadLetters
    from payi_otel.delivery.folder import OutboxFolder
    from payi_otel.delivery.glance import glance

    ids: dict[str, list[str]] = defaultdict(list)
    for letter in DeadLetters(path).list():
        ids[letter.reason].append(letter.id)
    by_count = sorted(ids.items(), key=lambda item: -len(item[1]))
    return {
        "folder": str(path),
        "files": [_described(file) for file in glance(OutboxFolder(path))],
        "dead_letters": [{"reason": reason, "count": len(some), "ids": some} for reason, some in by_count],
        "corrupt": sorted(file.name for file in path.glob("*.corrupt")),
    }


def _described(file: Glance) -> dict[str, Any]:
    oldest = file.oldest_s
    return {
        "file": file.path.name,
        "pid": file.pid,
        "owner": "gone" if file.orphan else "alive",
        "entries": file.entries,
        "bytes": file.bytes,
        "oldest": None if oldest is None else datetime.fromtimestamp(oldest, timezone.utc).isoformat(),
        "problem": file.problem,
    }


def _print_folder(folder: dict[str, Any]) -> None:
    print(folder["folder"])
    for file in folder["files"]:
        what = file["problem"] or f"{file['entries']:,} waiting, {file['bytes']:,} bytes"
        since = f", oldest since {file['oldest'][:19]}Z" if file["oldest"] else ""
        print(f"  {file['file']}  process {file['pid']} {file['owner']}: {what}{since}")
    for name in folder["corrupt"]:
        print(f"  {name}  set aside as corrupt; what could be read of it was saved")
    total = sum(group["count"] for group in folder["dead_letters"])
    if total:
        print(f"  dead letters: {total:,}")
    for group in folder["dead_letters"]:
        shown = ", ".join(group["ids"][:_SHOWN_IDS])
        more = f", and {group['count'] - _SHOWN_IDS:,} more" if group["count"] > _SHOWN_IDS else ""
        print(f"    {group['count']:,}x {group['reason']}: {shown}{more}")


# flush, retry, export


def _flush(arguments: argparse.Namespace) -> int:
    from payi_otel.commands.outbox_flush import flush

    settings = _settings()
    if not settings.api_key:
        raise CommandError(
            "PAYI_API_KEY is not set; set it to the key of the application that made the events"
        )
    return flush(_one_folder(arguments), settings, arguments.timeout)


def _retry(arguments: argparse.Namespace) -> int:
    from payi_otel.commands.progress_bar import open_bar
    from payi_otel.delivery.dead import DeadLetters
    from payi_otel.delivery.disk import DiskFile
    from payi_otel.delivery.folder import OutboxFolder
    from payi_otel.delivery.outbox import Stored

    folder = _one_folder(arguments)
    dead = DeadLetters(folder)
    letters = _selected(dead.list(), arguments)
    if not letters:
        print(f"{folder}: no such dead letters")
        return 0
    claimed = OutboxFolder(folder).claim_new()
    try:
        file = DiskFile(claimed)
        bar = open_bar(len(letters), "put back", unit="", scaled=False)
        try:
            now = time.time()
            for start in range(0, len(letters), _CHUNK):
                some = letters[start : start + _CHUNK]
                entries = dead.read(some)
                file.append([Stored(number, entry, now) for number, entry in enumerate(entries, start)])
                # Not before they are in the outbox: a crash in between delivers them twice under one id.
                dead.remove([letter.number for letter in some])
                bar.show(start + len(some))
        finally:
            bar.close()
            file.close()
    finally:
        # Nobody's now, so the next process takes it up.
        claimed.release()
    print(
        f"{folder}: {len(letters):,} put back; the next process of the application delivers them within a "
        "minute, or `payi-otel outbox flush` now"
    )
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from payi_otel.commands.progress_bar import open_bar
    from payi_otel.delivery.dead import DeadLetters
    from payi_otel.delivery.folder import OutboxFolder
    from payi_otel.delivery.glance import left_behind

    folder = _one_folder(arguments)
    path = cast(Path, arguments.file)
    letters = _selected(DeadLetters(folder).list(), arguments)
    try:
        # Its owner's only: prompts may be in it.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise CommandError(f"{path}: exists; give another name or remove it") from None
    events = others = 0
    left = left_behind(OutboxFolder(folder)) if arguments.all else 0
    bar = open_bar(len(letters) + left, "export", unit="", scaled=False)
    try:
        with os.fdopen(fd, "wb") as file:
            for entry in _entries(folder, letters, orphans=arguments.all):
                if entry.kind == "event":
                    file.write(entry.payload + b"\n")
                    events += 1
                else:
                    others += 1
                bar.show(events + others)
    finally:
        bar.close()
    print(f"{path}: {events:,} events; `payi-otel import {path}` sends them")
    if others:
        print(
            f"{others:,} KPI scores are not exported; `payi-otel outbox retry` sends those", file=sys.stderr
        )
    return 0


def _entries(folder: Path, letters: Sequence[DeadLetter], *, orphans: bool) -> Iterator[Entry]:
    from payi_otel.delivery.dead import DeadLetters
    from payi_otel.delivery.folder import OutboxFolder
    from payi_otel.delivery.glance import read_entries

    dead = DeadLetters(folder)
    for start in range(0, len(letters), _CHUNK):
        yield from dead.read(letters[start : start + _CHUNK])
    if orphans:
        # Claimed, so that nobody delivers and removes them meanwhile.
        for claimed in OutboxFolder(folder).orphans():
            try:
                yield from read_entries(claimed.path)
            except (sqlite3.Error, ValueError) as error:
                print(
                    f"{claimed.path}: {error}; `payi-otel outbox flush` saves what can still be read",
                    file=sys.stderr,
                )
            finally:
                claimed.release()


def _selected(letters: Sequence[DeadLetter], arguments: argparse.Namespace) -> Sequence[DeadLetter]:
    if arguments.id:
        return [letter for letter in letters if letter.id in arguments.id]
    if arguments.reason:
        return [letter for letter in letters if arguments.reason in letter.reason]
    return letters


# Which folder


def _all_folders(arguments: argparse.Namespace) -> list[Path]:
    from payi_otel.bootstrap import state_folder

    settings = _settings()
    state = state_folder(settings)
    if arguments.folder is not None or settings.state_dir is not None or state is None:
        return [_one_folder(arguments)]
    return sorted(path for path in state.glob("outbox-*") if path.is_dir())


def _one_folder(arguments: argparse.Namespace) -> Path:
    from payi_otel.bootstrap import state_folder
    from payi_otel.delivery.folder import destination_folder

    settings = _settings()
    state = state_folder(settings)
    if arguments.folder is not None:
        if not arguments.folder.is_dir():
            raise CommandError(
                f"--folder {arguments.folder}: no such folder; `payi-otel outbox list` shows them"
            )
        return arguments.folder
    if state is None:
        raise CommandError("there is no home directory to look in; set PAYI_OUTBOX_DIR or give --folder")
    if settings.state_dir is not None:
        return state
    if settings.api_key is None:
        raise CommandError(
            "which folder? Set PAYI_API_KEY or PAYI_OUTBOX_DIR as for the application, or give --folder; "
            "`payi-otel outbox list` shows them"
        )
    return destination_folder(state, settings.base_url, settings.api_key, program="")


def _settings() -> Settings:
    from payi_otel.settings import Settings, SettingsError

    try:
        return Settings.from_arguments()
    except SettingsError as error:
        raise CommandError(str(error)) from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise ValueError
    return seconds
