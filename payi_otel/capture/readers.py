"""What looks at a body that the caller reads as bytes or lines, without changing what arrives."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from payi_otel.faults import faults

if TYPE_CHECKING:
    from payi_otel.capture.call import Call

# Above this a body is passed on unread: it can only be media, whose usage is estimated.
_MAX_KEPT_BYTES = 64 * 1024 * 1024
_NULL_USAGE = re.compile(rb',\s*"usage"\s*:\s*null')


class BodyReader(Protocol):
    """Sees every piece of a body; returns what the caller gets in its place."""

    def feed(self, data: bytes) -> bytes:
        """Take one piece as it came from the network."""
        ...

    def end(self) -> bytes:
        """The body is complete; returns what was held back."""
        ...


def reader_for(call: Call, decoded: Callable[[bytes], bytes]) -> BodyReader:
    """The reader for this response, by its content type and encoding."""
    content_type = call.header(b"content-type").lower()
    encoding = call.header(b"content-encoding").lower() or "identity"
    if call.exchange.surface == "batch.results":
        return LineReader(encoding, batch_lines(call))
    if "event-stream" in content_type and encoding in _CODECS:
        filters = _UsageFilter(call)
        return LineReader(encoding, filters.line, rewrite=call.gate is not None)
    if "json" in content_type or content_type.startswith("text/") or "event-stream" in content_type:
        return WholeReader(call, decoded)
    return Unread()


class Unread:
    """Media: nothing in it tells what it cost."""

    def feed(self, data: bytes) -> bytes:
        """Pass it on."""
        return data

    def end(self) -> bytes:
        """Nothing was held back."""
        return b""


class WholeReader:
    """Keeps a copy of a JSON or text body and reads it when it is complete."""

    def __init__(self, call: Call, decoded: Callable[[bytes], bytes]) -> None:
        self._call = call
        self._decoded = decoded
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """Keep a copy."""
        self._size += len(data)
        if self._size <= _MAX_KEPT_BYTES:
            self._pieces.append(data)
        else:
            self._pieces.clear()
        return data

    def end(self) -> bytes:
        """Read the body."""
        with faults.guard("capture.body"):
            take_body(self._call, self._decoded(b"".join(self._pieces)))
        return b""


def take_body(call: Call, content: bytes) -> None:
    """Give a call the complete body of its response; JSON and text are read when somebody asks for them."""
    if call.exchange.surface == "batch.results":
        lines = LineReader("identity", batch_lines(call))
    elif b"event-stream" in call.headers.get(b"content-type", b""):
        lines = LineReader("identity", _UsageFilter(call).line)
    else:
        call.content = content
        return
    lines.feed(content)
    lines.end()


class _UsageFilter:
    """Feeds the events of an SSE body to the call, and takes out what is there only because we asked."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._drop_blank = False

    def line(self, line: bytes) -> bytes:
        """Take one line with its end; returns the line the caller gets."""
        if not line.startswith(b"data:"):
            if self._drop_blank and not line.strip():
                self._drop_blank = False
                return b""
            return line
        try:
            event = json.loads(line[5:])
        except ValueError:
            return line
        if not isinstance(event, dict):
            return line
        fields = cast("dict[str, Any]", event)
        self._call.observe(fields)
        if self._call.gate is None:
            return line
        if fields.get("usage") is None:
            return _NULL_USAGE.sub(b"", line, count=1) if "usage" in fields else line
        if fields.get("choices"):
            return line
        self._drop_blank = True
        return b""


def batch_lines(call: Call) -> Callable[[bytes], bytes]:
    """A line function for `LineReader` that gives each line of a batch's results to the recorder."""

    def line(line: bytes) -> bytes:
        try:
            entry = json.loads(line) if line.strip() else None
        except ValueError:
            entry = None
        if isinstance(entry, dict):
            call.recorder.batch_line(call, cast("dict[str, Any]", entry))
        return line

    return line


class LineReader:
    """Cuts a body into lines. With `rewrite`, the caller gets what `on_line` returns, compressed as it came.

    A line is held back until it is complete only when lines are rewritten.
    """

    def __init__(self, encoding: str, on_line: Callable[[bytes], bytes], *, rewrite: bool = False) -> None:
        codec = _CODECS.get(encoding, _CODECS["identity"])
        self._inflate = zlib.decompressobj(codec.inflate_bits) if codec.inflate_bits else None
        self._deflate = zlib.compressobj(wbits=codec.deflate_bits) if codec.deflate_bits and rewrite else None
        self._on_line = on_line
        self._rewrite = rewrite
        self._rest = b""
        self._broken = False

    def feed(self, data: bytes) -> bytes:
        """Take one piece of the body."""
        if self._broken:
            return data
        try:
            kept = self._lines(self._inflate.decompress(data) if self._inflate else data, final=False)
        except Exception as error:
            self._broken = True
            faults.report("capture.body_lines", error)
            return data
        if not self._rewrite:
            return data
        if self._deflate is None or not kept:
            return kept
        return self._deflate.compress(kept) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """Take the last line, which may have no end."""
        if self._broken:
            return b""
        with faults.guard("capture.body_lines"):
            kept = self._lines(self._inflate.flush() if self._inflate else b"", final=True)
            if self._rewrite and self._deflate is not None:
                return self._deflate.compress(kept) + self._deflate.flush()
            return kept if self._rewrite else b""
        return b""

    def _lines(self, data: bytes, *, final: bool) -> bytes:
        block = self._rest + data
        cut = len(block) if final else block.rfind(b"\n") + 1
        self._rest = block[cut:]
        return b"".join([self._on_line(line) for line in block[:cut].splitlines(keepends=True)])


class _Codec:
    __slots__ = ("deflate_bits", "inflate_bits")

    def __init__(self, inflate_bits: int = 0, deflate_bits: int = 0) -> None:
        self.inflate_bits = inflate_bits
        self.deflate_bits = deflate_bits


# Window bits of zlib: 16 + 15 is gzip, 15 is what HTTP calls deflate.
_CODECS = {"identity": _Codec(), "": _Codec(), "gzip": _Codec(31, 31), "deflate": _Codec(15, 15)}
