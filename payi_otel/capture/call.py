"""One billed request, from its start to its single finish."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast
from weakref import ReferenceType

from payi_otel.capture.decoding import parse_body
from payi_otel.capture.heads import Headers
from payi_otel.faults import faults
from payi_otel.providers.assembly import Assembler, assembler_for
from payi_otel.providers.model import Exchange, Outcome
from payi_otel.registry import registry

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from payi_otel.capture.injection import UsageGate
    from payi_otel.tracking.context import TrackingContext


_NO_HEADERS: Headers = {}


class Recorder(Protocol):
    """What capture reports to. The span writer implements it; tests may implement their own."""

    def started(self, call: Call) -> None:
        """A request is about to leave."""
        ...

    def finished(self, call: Call) -> None:
        """The request is over; called once per call."""
        ...

    def batch_line(self, call: Call, line: Mapping[str, Any]) -> None:
        """A line of a batch's results was read."""
        ...

    def defer(self, work: Callable[[], None]) -> None:
        """Run `work` soon on a thread of ours; safe inside a finalizer."""
        ...


class Call:
    """State of one billed request, shared by the sync and async hooks.

    `record` and `context` belong to the recorder: what it keeps of the call, and the OpenTelemetry context the
    SDK is to run in. `is_whole` says that the response was read at once, its head and body together. Times are
    `time.time_ns()` for the span and `time.perf_counter_ns()` for durations.
    """

    __slots__ = (
        "__weakref__",
        "_body",
        "_finishing",
        "_pid",
        "_text",
        "assembler",
        "content",
        "context",
        "ended_ns",
        "error",
        "exchange",
        "first_chunk_ns",
        "first_content_ns",
        "gate",
        "headers",
        "is_hop",
        "is_whole",
        "outcome",
        "record",
        "recorder",
        "retries",
        "sdk_iterator",
        "sent",
        "started_ns",
        "started_wall_ns",
        "status",
        "tracking",
        "unpriced",
    )

    def __init__(
        self, exchange: Exchange, tracking: TrackingContext, recorder: Recorder, *, is_hop: bool = False
    ) -> None:
        self.exchange = exchange
        self.tracking = tracking
        self.recorder = recorder
        self.is_hop = is_hop
        self.started_wall_ns = time.time_ns()
        self.started_ns = time.perf_counter_ns()
        self.ended_ns: int | None = None
        self.first_chunk_ns: int | None = None
        self.first_content_ns: int | None = None
        self.status: int | None = None
        self.headers = _NO_HEADERS
        self.retries = 0
        self.sent: bytes | None = None
        self.content: bytes | None = None
        self._body: Mapping[str, Any] | None = None
        self._text: str | None = None
        self.assembler: Assembler | None = assembler_for(exchange) if exchange.is_stream else None
        self.gate: UsageGate | None = None
        self.sdk_iterator: ReferenceType[Any] | None = None
        self.unpriced = False
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self.record: Any = None
        self.context: Context | None = None
        self.is_whole = False
        # One byte for whoever takes it first. Unlike a list it is nothing for the garbage collector to look at.
        self._finishing = bytearray(1)
        self._pid = os.getpid()

    @property
    def done(self) -> bool:
        """True once the call was finished, by whoever came first."""
        return not self._finishing

    @property
    def is_being_read(self) -> bool:
        """True while the SDK's own stream parser is running: it reads the body, and will tell the true end."""
        iterator = self.sdk_iterator() if self.sdk_iterator is not None else None
        return bool(getattr(iterator, "gi_running", False) or getattr(iterator, "ag_running", False))

    def start(self) -> None:
        """Tell the recorder that the request leaves now."""
        try:
            self.recorder.started(self)
        except Exception as error:
            faults.report("capture.start", error)

    def responded(self, status: int, headers: Headers, retries: int, sent: bytes | None) -> None:
        """The response head arrived; `sent` is the body of the request."""
        self.status, self.headers, self.retries, self.sent = status, headers, retries, sent
        if self.exchange.is_stream:
            registry.open_calls[id(self)] = self

    def header(self, name: bytes) -> str:
        """A header of the response by its lower-case name, empty where it has none."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value else ""

    def observe(self, item: Any) -> None:
        """Take one stream event: an SDK model or the parsed JSON of a raw line."""
        if self.first_chunk_ns is None:
            self.first_chunk_ns = time.perf_counter_ns()
        assembler = self.expect_events()
        try:
            assembler.feed(item)
            if self.first_content_ns is None and assembler.has_content:
                self.first_content_ns = time.perf_counter_ns()
        except Exception as error:
            faults.report("capture.stream_event", error)

    def expect_events(self) -> Assembler:
        """What folds the events of this response."""
        assembler = self.assembler
        if assembler is None:
            # Speech streams as events when its request says so, which the SDK does not treat as a stream.
            assembler = self.assembler = assembler_for(self.exchange)
        return assembler

    @property
    def usage_known(self) -> bool:
        """True when the provider has told the final usage of this stream."""
        return self.assembler is not None and self.assembler.has_usage

    def finish(self, outcome: Outcome, error: BaseException | None = None) -> None:
        """End the call: the first caller wins, later ones change nothing. Never raises."""
        if self._claim(outcome, error):
            self._complete()

    def finish_later(self, outcome: Outcome) -> None:
        """As `finish`, from a finalizer: the end is noted now, the work is done on a thread of ours.

        A finalizer may interrupt any code of this thread, also code that holds a lock of the OpenTelemetry
        SDK, so a span must not be ended here.
        """
        if self._claim(outcome, None):
            self.recorder.defer(self._complete)

    def _claim(self, outcome: Outcome, error: BaseException | None) -> bool:
        try:
            self._finishing.pop()
        except IndexError:
            return False
        if self.exchange.is_stream:
            registry.open_calls.pop(id(self), None)
        # A call that was open at a fork belongs to the parent: the child's copy must not be billed again.
        if self._pid != os.getpid():
            return False
        self.ended_ns = time.perf_counter_ns()
        self.outcome = "ok" if outcome in {"closed_early", "dropped"} and self.usage_known else outcome
        self.error = error
        return True

    def _complete(self) -> None:
        try:
            self.recorder.finished(self)
        except Exception as error:
            faults.report("capture.finish", error)

    def _read_content(self) -> None:
        content, self.content = self.content or b"", None
        try:
            parsed = parse_body(content, self.header(b"content-type"))
        except Exception as error:
            faults.report("capture.response", error)
            return
        if issubclass(type(parsed), dict):
            self._body = parsed
        elif isinstance(parsed, str):
            self._text = parsed

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The JSON of the response, None where there is none."""
        if self.content is not None:
            self._read_content()
        return self._body

    @body.setter
    def body(self, body: Mapping[str, Any]) -> None:
        self._body = body

    @property
    def response_text(self) -> str | None:
        """The response where it is text, or the failure's."""
        if self.content is not None:
            self._read_content()
        return self._text

    @response_text.setter
    def response_text(self, text: str | None) -> None:
        self._text = text

    @property
    def held_bytes(self) -> int:
        """How much of the request and of the response this holds on to."""
        return len(self.sent or b"") + len(self.content or b"")

    def response_body(self) -> Mapping[str, Any] | None:
        """The response as one JSON object, folded from the stream where it streamed; None before any of it came."""
        body = self.body
        if body is not None or self.assembler is None or self.first_chunk_ns is None:
            return body
        return self.assembler.body()

    def exchange_as_sent(self) -> Exchange:
        """The exchange with the JSON that left the process, which no one can change any more."""
        try:
            request = json.loads(self.sent or b"")
        except ValueError:
            # Multipart uploads and other bodies that are no JSON: what the caller passed is all there is.
            return self.exchange
        return replace(self.exchange, request={**self.exchange.request, **cast("dict[str, Any]", request)})

    @property
    def ended_wall_ns(self) -> int:
        """When it was over, in Unix time; nanoseconds."""
        return self.started_wall_ns + (self.ended_ns or self.started_ns) - self.started_ns

    def elapsed_ms(self, until_ns: int | None) -> int | None:
        """Milliseconds from the start to `until_ns` (a `perf_counter_ns`), None when that never came."""
        return None if until_ns is None else max(0, (until_ns - self.started_ns) // 1_000_000)


def finish_open_calls() -> None:
    """End every stream that is still open at interpreter exit, so that what it used is billed."""
    for call in list(registry.open_calls.values()):
        call.finish("dropped")
