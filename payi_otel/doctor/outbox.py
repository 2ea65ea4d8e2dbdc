"""The outbox of this machine: where it is, what waits in it, what Pay-i refused."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from payi_otel.bootstrap import state_folder
from payi_otel.delivery.dead import DeadLetters
from payi_otel.delivery.folder import OutboxFolder, destination_folder
from payi_otel.delivery.glance import glance
from payi_otel.doctor.findings import Finding
from payi_otel.settings import Settings


def look_at_outbox(settings: Settings) -> Iterator[Finding]:
    """Whether events can be kept on disk, and which are kept there."""
    if settings.durability == "memory":
        yield Finding("note", "outbox", "PAYI_DURABILITY=memory: events are lost if the process is killed")
        return
    if settings.api_key is None and settings.state_dir is None:
        yield Finding(
            "note", "outbox", "without a key every program has one of its own: payi-otel outbox list"
        )
        return
    folder = _folder(settings)
    if folder is None:
        yield Finding("problem", "outbox", "no home directory; set PAYI_OUTBOX_DIR to a folder that stays")
        return
    place = _nearest(folder)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        text = f"{folder} cannot be written; set PAYI_OUTBOX_DIR. Until then events wait in memory only"
        yield Finding("problem", "outbox", text)
        return
    try:
        files, dead = glance(OutboxFolder(folder)), DeadLetters(folder).count()
    except (OSError, sqlite3.Error) as error:
        yield Finding("problem", "outbox", f"{folder} cannot be read ({error})")
        return
    waiting = sum(file.entries for file in files)
    left = sum(file.entries for file in files if file.orphan)
    yield Finding("ok", "outbox", f"{folder}, {waiting} waiting")
    if left:
        text = f"{left} of a process that is gone; the next process sends them, or payi-otel outbox flush"
        yield Finding("note", "outbox", text)
    if dead:
        yield Finding("problem", "outbox", f"{dead} refused by Pay-i; see payi-otel outbox list")


def _folder(settings: Settings) -> Path | None:
    if settings.state_dir is not None:
        return Path(settings.state_dir)
    state = state_folder(settings)
    if state is None:
        return None
    return destination_folder(state, settings.base_url, settings.api_key, program="")


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
