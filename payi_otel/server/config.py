"""What the server needs to know to start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_MAX_BODY_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Settings of one server process.

    `database_path`: SQLite file, made if missing. `api_key`: a key that is valid from now on; None leaves the keys
    as they are, and makes a first one where there is none. `max_body_bytes`: larger requests get HTTP 413.

    >>> ServerConfig(Path("payi.db")).key_path.name
    'payi.db.key'
    """

    database_path: Path
    api_key: str | None = None
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES

    @property
    def key_path(self) -> Path:
        """Where a key that the server made is written, readable by its owner only."""
        return self.database_path.with_name(self.database_path.name + ".key")
