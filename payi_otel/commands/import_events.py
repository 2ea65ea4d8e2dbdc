"""`payi-otel import`: sends events of the past from a file."""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, cast

from payi_otel.commands.shape import CommandError

if TYPE_CHECKING:
    from payi_otel.backfill.formats import FileFormat
    from payi_otel.backfill.progress import Progress
    from payi_otel.backfill.rejected import Rejected, RejectedFile
    from payi_otel.backfill.rows import Reader
    from payi_otel.backfill.run import Input
    from payi_otel.backfill.totals import Totals
    from payi_otel.commands.progress_bar import Bar
    from payi_otel.commands.shape import Subparsers
    from payi_otel.settings import Settings

ALL_STORED = 0
SOME_REJECTED = 1
STOPPED = 3
INTERRUPTED = 130

_SHOWN_REASONS = 10
_LONGEST_REASON = 500
_GIVE_UP_AFTER_S = 600.0


def add_to(subparsers: Subparsers) -> None:
    """Add the command `import`."""
    parser = subparsers.add_parser(
        "import",
        help="send events of the past from a file",
        description="Send events of the past: JSON lines or a JSON array of events in the shape of the bulk Ingest "
        "API, the official SDK's offline file, or CSV with a header; each as it is or as gzip. Run again after an "
        "interruption, it goes on where it was. The API key is read from PAYI_API_KEY.",
        epilog="Exit code: 0 all stored, 1 some rejected or the file is damaged, 2 it could not begin, "
        "3 stopped because Pay-i could not be reached or refused the key: run it again.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--format", choices=("jsonl", "json", "csv"), help="the format, where it is guessed wrong"
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="COLUMN=FIELD",
        help="a CSV column and its field, such as prompt_tokens=units.text.input or team=properties.team",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a field of all events that lack it, such as category=system.openai",
    )
    parser.add_argument(
        "--mapping", type=Path, metavar="FILE", help='the same in a JSON file: {"map": {...}, "set": {...}}'
    )
    parser.add_argument("--delimiter", help="what parts the cells of CSV, where it is guessed wrong")
    parser.add_argument("--dry-run", action="store_true", help="check everything, print totals, send nothing")
    parser.add_argument("--again", action="store_true", help="send a file again from its start")
    parser.add_argument("--base-url", metavar="URL", help="address of Pay-i (PAYI_BASE_URL)")
    parser.add_argument(
        "--rejected", type=Path, metavar="FILE", help="where rejected events go (FILE.rejected.jsonl)"
    )
    parser.add_argument(
        "--give-up-after",
        type=_seconds,
        default=_GIVE_UP_AFTER_S,
        metavar="SECONDS",
        help="stop when Pay-i has taken nothing for so long (%(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Import a file. The exit codes are those of the command's help."""
    from payi_otel.backfill.formats import detect_format, reader_for
    from payi_otel.backfill.mapping import BadMapping, parse_mapping
    from payi_otel.backfill.rows import FileDamaged
    from payi_otel.backfill.run import Input
    from payi_otel.backfill.source import Source
    from payi_otel.commands.progress_bar import log_beside, open_bar

    path = cast(Path, arguments.file)
    if not path.is_file():
        problem = "not a regular file; write its content to one" if path.exists() else "no such file"
        raise CommandError(f"{path}: {problem}")
    settings = _settings(arguments)
    try:
        mapping = parse_mapping(arguments.map, arguments.set, arguments.mapping)
        with Source(path) as source:
            file_format = cast("FileFormat | None", arguments.format) or detect_format(source)
            if mapping.pairs and file_format != "csv":
                raise BadMapping(f"--map {'='.join(mapping.pairs[0])}: the file is {file_format}, not CSV")
            reader = reader_for(source, file_format, mapping, _delimiter(arguments.delimiter))
            rows = Input(source, reader, mapping.default_fields())
            bar = open_bar(source.total_bytes, path.name, unit="B", scaled=True)
            try:
                with log_beside(bar):
                    _tell_ignored(reader, bar)
                    if arguments.dry_run:
                        return _dry_run(path, rows, bar)
                    meaning = (
                        file_format,
                        arguments.delimiter,
                        mapping.pairs,
                        sorted(mapping.defaults.items()),
                    )
                    return _import(arguments, rows, settings, repr(meaning), bar)
            finally:
                bar.close()
    except (BadMapping, FileDamaged) as error:
        raise CommandError(f"{path}: {error}") from None
    except sqlite3.Error as error:
        raise CommandError(f"{path}: its progress cannot be kept ({error}); set PAYI_OUTBOX_DIR") from None
    except OSError as error:
        raise CommandError(f"{error.filename or path}: {error.strerror or error}") from None


def _dry_run(path: Path, rows: Input, bar: Bar) -> int:
    from payi_otel.backfill.report import counted, describe
    from payi_otel.backfill.run import dry_run

    complaints = _Complaints(bar, "they are counted below")
    totals, damage = dry_run(rows, complaints, lambda: bar.show(rows.source.done_bytes))
    bar.close()
    print(f"{path}: {counted(totals.events, 'event')} right, {totals.rejected:,} wrong; nothing was sent")
    return _conclude(describe(totals), totals, damage, path)


def _import(arguments: argparse.Namespace, rows: Input, settings: Settings, meaning: str, bar: Bar) -> int:
    from payi_otel.backfill.progress import ImportRunning, Progress
    from payi_otel.backfill.rejected import RejectedFile
    from payi_otel.bootstrap import state_folder

    if not settings.api_key:
        raise CommandError("PAYI_API_KEY is not set; set it to the application's API key, or use --dry-run")
    state = state_folder(settings)
    if state is None:
        raise CommandError(
            "there is no home directory to keep the progress in; set PAYI_OUTBOX_DIR to a folder"
        )
    path = cast(Path, arguments.file)
    try:
        progress = Progress(state / "imports" / f"{_name(path, settings, meaning)}.db")
    except ImportRunning:
        raise CommandError(f"{path}: another process is importing it; wait until it has ended") from None
    rejects: RejectedFile | None = None
    try:
        if progress.finished_at is not None and not arguments.again:
            return _finished_before(path, progress)
        rejects = RejectedFile(
            arguments.rejected or path.with_name(f"{path.name}.rejected.jsonl"), progress.rejected_bytes
        )
        if arguments.again or not progress.begun:
            rejects.size = 0
            rejects.keep_earlier()
            progress.begin()
        elif progress.position.offset:
            done = f"{progress.totals.sent:,} stored, {progress.totals.rejected:,} rejected before"
            bar.say(f"{path}: goes on at line {progress.position.line:,} ({done})")
        return _send(path, rows, settings, arguments.give_up_after, progress, rejects, bar)
    finally:
        progress.close()
        if rejects is not None:
            rejects.close()


def _send(
    path: Path,
    rows: Input,
    settings: Settings,
    give_up_after_s: float,
    progress: Progress,
    rejects: RejectedFile,
    bar: Bar,
) -> int:
    from payi_otel.backfill.report import describe
    from payi_otel.backfill.run import BATCH_BYTES, send_all
    from payi_otel.backfill.sender import GaveUp, KeyRefused, Sender
    from payi_otel.delivery.config import DeliveryConfig
    from payi_otel.delivery.transport import Transport

    config = DeliveryConfig(
        api_key=settings.api_key, base_url=settings.base_url, timeout_s=settings.timeout_s
    )
    transport = Transport(config)
    told: set[str] = set()

    def waiting(reason: str, seconds: float) -> None:
        bar.show(rows.source.done_bytes, f"{reason}, again in {seconds:.0f} s")
        if reason not in told:
            told.add(reason)
            bar.say(f"{settings.base_url}: {reason}; trying again")

    sender = Sender(
        transport,
        timeout_s=settings.timeout_s,
        give_up_after_s=give_up_after_s,
        max_bytes=BATCH_BYTES,
        waiting=waiting,
    )
    complaints = _Complaints(bar, f"all are in {rejects.path}")
    bar.show(rows.source.done_bytes)
    try:
        damage = send_all(
            rows, sender, progress, rejects, complaints, lambda: bar.show(rows.source.done_bytes)
        )
    except GaveUp as error:
        return _stopped(path, progress, f"{settings.base_url}: {error}", STOPPED, bar)
    except KeyRefused as error:
        problem = f"{settings.base_url} refuses the API key ({error}); check PAYI_API_KEY"
        return _stopped(path, progress, problem, STOPPED, bar)
    except KeyboardInterrupt:
        return _stopped(path, progress, "interrupted", INTERRUPTED, bar)
    finally:
        transport.close()
    bar.close()
    totals = progress.totals
    print(f"{path}: {totals.sent:,} stored at {settings.base_url}, {totals.rejected:,} rejected")
    lines = describe(totals)
    if totals.rejected:
        lines.append(f"rejected   in {rejects.path}, with reasons; put right, that file can be imported")
    if rejects.moved_to is not None:
        lines.append(f"           what was there before is now {rejects.moved_to}")
    return _conclude(lines, totals, damage, path)


def _conclude(lines: Sequence[str], totals: Totals, damage: str | None, path: Path) -> int:
    for line in lines:
        print(f"  {line}")
    if damage is not None:
        print(f"payi-otel: {path}: {damage}", file=sys.stderr)
    return SOME_REJECTED if totals.rejected or damage is not None else ALL_STORED


def _stopped(path: Path, progress: Progress, problem: str, code: int, bar: Bar) -> int:
    bar.close()
    totals = progress.totals
    print(
        f"payi-otel: {path}: stopped at line {progress.position.line:,} ({totals.sent:,} stored, "
        f"{totals.rejected:,} rejected): {problem}. Run the same command to go on.",
        file=sys.stderr,
    )
    return code


def _finished_before(path: Path, progress: Progress) -> int:
    assert progress.finished_at is not None
    when = datetime.fromtimestamp(progress.finished_at, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    totals = progress.totals
    print(
        f"{path}: imported on {when}: {totals.sent:,} stored, {totals.rejected:,} rejected. "
        "Nothing was sent now; --again sends it again."
    )
    return SOME_REJECTED if totals.rejected else ALL_STORED


class _Complaints:
    """Prints the first rows that are wrong."""

    def __init__(self, bar: Bar, afterwards: str) -> None:
        self._bar = bar
        self._afterwards = afterwards
        self._count = 0

    def __call__(self, row: Rejected) -> None:
        self._count += 1
        if self._count <= _SHOWN_REASONS:
            self._bar.say(f"line {row.line:,}: {row.reason[:_LONGEST_REASON]}")
        elif self._count == _SHOWN_REASONS + 1:
            self._bar.say(f"further wrong lines are not shown; {self._afterwards}")


def _tell_ignored(reader: Reader, bar: Bar) -> None:
    from payi_otel.backfill.csv_rows import CsvTable

    if isinstance(reader, CsvTable) and reader.columns.ignored:
        bar.say(f"columns that go nowhere, for want of --map: {', '.join(reader.columns.ignored)}")


def _name(path: Path, settings: Settings, meaning: str) -> str:
    from payi_otel.backfill.source import fingerprint

    # With the key: another application's import of the same file is another import.
    text = "\0".join((fingerprint(path), settings.base_url, settings.api_key or "", meaning))
    return f"import-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _settings(arguments: argparse.Namespace) -> Settings:
    from payi_otel.settings import Settings, SettingsError

    try:
        return Settings.from_arguments({"base_url": arguments.base_url})
    except SettingsError as error:
        raise CommandError(str(error)) from None


def _delimiter(text: str | None) -> str | None:
    if text in {"tab", "\\t"}:
        return "\t"
    if text is not None and len(text) != 1:
        raise CommandError(f"--delimiter {text!r}: give one character, or 'tab'")
    return text


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise ValueError
    return seconds
