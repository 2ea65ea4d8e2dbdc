"""Bodies of HTTP requests, decompressed up to a limit: a small body must not become a large one in memory."""

from __future__ import annotations

import zlib

_GZIP_WBITS, _ZLIB_WBITS, _RAW_WBITS = 31, 15, -15
# Each further one copies what is left: thousands of tiny ones would keep a core busy.
_MOST_GZIP_MEMBERS = 16
ENCODINGS = ("gzip", "deflate", "identity")


class BodyTooLarge(Exception):
    """The body is larger than the limit, as it was sent or decompressed."""


class BodyMalformed(ValueError):
    """The body is not what its headers say."""


def decompress(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The content of a body with this `Content-Encoding` (one of `ENCODINGS`, or empty), at most `max_bytes` long.

    Raises `BodyTooLarge` before more than the limit is in memory, and `BodyMalformed`.

    >>> import gzip
    >>> decompress(gzip.compress(b"spans"), "gzip", 100)
    b'spans'
    """
    if encoding == "gzip":
        return _gunzip(body, max_bytes)
    if encoding == "deflate":
        # By the book it is zlib's format; some clients send the bare stream that zlib wraps.
        is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        content, rest = _inflate(body, _ZLIB_WBITS if is_zlib else _RAW_WBITS, max_bytes)
        if rest:
            raise BodyMalformed(f"{len(rest)} bytes follow the compressed content")
        return content
    if len(body) > max_bytes:
        raise BodyTooLarge
    return body


def _gunzip(body: bytes, max_bytes: int) -> bytes:
    """All members of a gzip file; one is the rule, some are allowed."""
    content, rest = _inflate(body, _GZIP_WBITS, max_bytes)
    parts = [content]
    while rest:
        if len(parts) == _MOST_GZIP_MEMBERS:
            raise BodyMalformed(f"more than {_MOST_GZIP_MEMBERS} gzip members; send one")
        max_bytes -= len(content)
        content, rest = _inflate(rest, _GZIP_WBITS, max_bytes)
        parts.append(content)
    return b"".join(parts) if len(parts) > 1 else content


def _inflate(data: bytes, wbits: int, max_bytes: int) -> tuple[bytes, bytes]:
    """The first compressed stream in `data`, and what follows it."""
    inflater = zlib.decompressobj(wbits)
    try:
        # One more than allowed tells a body of just the limit from a larger one. 0 would mean no limit.
        content = inflater.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise BodyMalformed(f"not compressed as its content-encoding says: {error}") from None
    if len(content) > max_bytes:
        raise BodyTooLarge
    if not inflater.eof:
        raise BodyMalformed("the compressed content ends too early")
    return content, inflater.unused_data
