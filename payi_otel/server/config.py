"""What the server needs to know to start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_MAX_BODY_BYTES = 32 * 1024 * 1024
DEFAULT_REQUESTS_PER_SECOND = 1000.0


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Settings of one server process.

    `database`: the path of a SQLite file, made if missing, or the URL of a PostgreSQL database. `api_key`: a key
    that is valid from now on; None leaves the keys as they are, and makes a first one where there is none.
    `max_body_bytes`: larger requests get HTTP 413. `requests_per_second`: of one key at this process, more get HTTP
    429; 0 is no limit. `provider_hosts`: hosts the proxy may call besides the vendors' own, `*.example.com` for all
    below. `private_providers`: whether it may call addresses of private networks.

    >>> ServerConfig(Path("payi.db")).key_path.name
    'payi.db.key'
    """

    database: str | Path
    api_key: str | None = None
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    requests_per_second: float = DEFAULT_REQUESTS_PER_SECOND
    provider_hosts: tuple[str, ...] = ()
    private_providers: bool = False

    @property
    def key_path(self) -> Path:
        """Where a key that the server made is written, readable by its owner only."""
        if "://" in str(self.database):
            return Path("payi.key").resolve()
        path = Path(self.database)
        return path.with_name(path.name + ".key")
