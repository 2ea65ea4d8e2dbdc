"""A file, gzip or not, read forward from any position."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from pathlib import Path
from types import TracebackType

_GZIP_MAGIC = b"\x1f\x8b"
_SAMPLE_BYTES = 64 * 1024


class SourceDamaged(Exception):
    """The compressed data is cut or wrong."""


class Source:
    """The content of a file, unpacked where it is gzip.

    Raises `OSError` where the file cannot be opened, and `SourceDamaged` from every reading method where its gzip
    data is cut or wrong.

    >>> with Source(Path("events.jsonl.gz")) as source:  # doctest: +SKIP
    ...     source.readline(1000)
    """

    def __init__(self, path: Path) -> None:
        self._raw = path.open("rb")
        self.total_bytes = path.stat().st_size
        packed = self._raw.read(2) == _GZIP_MAGIC
        self._raw.seek(0)
        self._content = gzip.GzipFile(fileobj=self._raw) if packed else self._raw

    @property
    def done_bytes(self) -> int:
        """Bytes of the file itself that are read, of `total_bytes`."""
        return min(self._raw.tell(), self.total_bytes)

    def seek(self, offset: int) -> None:
        """Go to a position of the content."""
        try:
            self._content.seek(offset)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SourceDamaged(str(error)) from None

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty at the end."""
        try:
            return self._content.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SourceDamaged(str(error)) from None

    def readline(self, limit: int) -> bytes:
        """A line with its end, or `limit` bytes of a longer one; empty at the end."""
        try:
            return self._content.readline(limit)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SourceDamaged(str(error)) from None

    def close(self) -> None:
        """Close the file."""
        self._content.close()
        self._raw.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def fingerprint(path: Path) -> str:
    """Tells one version of a file from another without reading it all: size, time of change, both ends."""
    status = path.stat()
    digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode())
    with path.open("rb") as file:
        digest.update(file.read(_SAMPLE_BYTES))
        file.seek(-min(status.st_size, _SAMPLE_BYTES), io.SEEK_END)
        digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
