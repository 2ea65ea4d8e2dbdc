"""Calls as spans: started when the request leaves, completed and ended when it is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from payi_otel.faults import faults
from payi_otel.providers import catalog
from payi_otel.providers.model import Exchange, Reading, Surface
from payi_otel.providers.reading import read, read_batch_line
from payi_otel.spans import semconv
from payi_otel.spans.event import IngestEvent
from payi_otel.spans.metrics import ClientMetrics
from payi_otel.spans.unseen import UNSEEN, deliver_unseen
from payi_otel.spans.writer import CallFacts, call_attributes, event_id_of, reading_attributes

if TYPE_CHECKING:
    from payi_otel.capture.call import Call
    from payi_otel.capture.owners import Owners
    from payi_otel.delivery.ledger import Ledger
    from payi_otel.delivery.worker import DeliveryWorker
    from payi_otel.settings import Settings
    from payi_otel.spans.provider import TracerSource
    from payi_otel.tracking.context import TrackingContext

# Not a request for inference: no span unless late usage turns up in the answer.
_SILENT_SURFACES = frozenset({"responses.retrieve", "batch.create", "batch.retrieve", "batch.results"})
# What these cost is in the answer or nowhere, and it is billed at once: it may be read a little later.
_PLAIN_SURFACES = frozenset({"chat", "completion", "messages", "complete", "embeddings", "moderation"})


class SpanRecorder:
    """Implements `capture.call.Recorder` on OpenTelemetry."""

    def __init__(
        self,
        source: TracerSource,
        settings: Settings,
        ledger: Ledger,
        owners: Owners,
        worker: DeliveryWorker,
    ) -> None:
        self._source = source
        self._settings = settings
        self._ledger = ledger
        self._owners = owners
        self._worker = worker
        self._metrics = ClientMetrics()
        # Bound once: an object less for each call that waits.
        self._make_events = self._events

    def defer(self, work: Callable[[], None]) -> None:
        """Run `work` on the delivery thread."""
        self._worker.defer(work)

    def started(self, call: Call) -> None:
        """Start the call's span, in the trace of whatever span is current."""
        if call.exchange.is_stream:
            # Should a finalizer end it, the thread that does the work is there: it cannot be started then.
            self._worker.wake()
        if call.exchange.surface in _SILENT_SURFACES:
            return
        call.record = span = self._start(call.exchange, call.tracking, call.started_wall_ns)
        if span is not UNSEEN and span.is_recording():
            # Spans of the SDK and of the HTTP library become children.
            call.context = trace.set_span_in_context(span)

    def _start(
        self, exchange: Exchange, tracking: TrackingContext, start_ns: int, parent: Span | None = None
    ) -> Any:
        """A span, or `UNSEEN`."""
        tracer = self._source.tracer()
        if tracer is None:
            return UNSEEN
        attributes = call_attributes(exchange, tracking)
        model = attributes.get(semconv.GEN_AI_REQUEST_MODEL, "")
        return tracer.start_span(
            f"{attributes[semconv.GEN_AI_OPERATION]} {model}".strip(),
            context=trace.set_span_in_context(parent) if parent is not None else None,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=start_ns,
            record_exception=False,
            set_status_on_exception=False,
        )

    def finished(self, call: Call) -> None:
        """Write what the call cost and end its span."""
        surface = call.exchange.surface
        if self._may_wait(call, surface):
            self._ledger.saw()
            self._worker.submit_later(self._make_events, call, call.held_bytes)
            return
        if call.unpriced:
            self._end_unpriced(call)
            return
        if surface in {"batch.create", "batch.retrieve"}:
            self._remember_batch(call)
            return
        if surface == "batch.results":
            return
        readings = self._read(call)
        first = readings[0]
        if surface == "responses.retrieve":
            self._finish_late(call, readings)
        elif first.pending:
            self._remember(f"response:{first.response_id}", call.tracking)
            self._end_unpriced(call)
        else:
            if surface == "responses" and first.usage_source == "provider":
                # Asking for it again must not bill it again.
                self._owners.first_time(f"response:{first.response_id}")
            self._write(call, readings, call.tracking)

    def _may_wait(self, call: Call, surface: Surface) -> bool:
        """Whether nobody can tell if the answer is read now, or a moment later on a thread of ours."""
        return (
            call.record is UNSEEN
            and call.error is None
            and not call.unpriced
            and surface in _PLAIN_SURFACES
            and self._metrics.is_idle
        )

    def _events(self, call: Call) -> list[IngestEvent]:
        """The events of a call whose answer was left unread until now."""
        events: list[IngestEvent] = []
        self._write(call, self._read(call), call.tracking, events.append)
        return events

    def _read(self, call: Call) -> tuple[Reading, ...]:
        body = call.response_body()
        failed = call.outcome in {"error", "cancelled"}
        # After a 200 the provider was at work, and bills for it: that is estimated.
        if failed and body is None and call.status != 200:
            return (Reading(units={}, usage_source="none"),)
        if body is None and call.response_text is not None:
            body = {"text": call.response_text}
        complete = not call.exchange.is_stream or call.outcome == "ok"
        readings = read(call.exchange, body, complete=complete)
        for reading in readings:
            if reading.usage_source == "estimated":
                # Estimates need the whole request; what was sent cannot have been changed by the caller since.
                return read(call.exchange_as_sent(), body, complete=complete)
        return readings

    def _finish_late(self, call: Call, readings: tuple[Reading, ...]) -> None:
        """A background response was asked for: billed when its usage is first known, to who started it."""
        first = readings[0]
        body = call.response_body() or {}
        key = f"response:{first.response_id}"
        owner = self._owners.find(key)
        if first.pending or first.usage_source != "provider" or not (owner or body.get("background")):
            return
        if self._owners.first_time(key):
            tracking = owner or call.tracking
            call.record = self._start(call.exchange, tracking, call.started_wall_ns)
            self._write(call, readings, tracking)

    def _remember(self, key: str, tracking: TrackingContext) -> None:
        self._owners.remember(key, tracking)
        self._worker.defer(lambda: self._owners.save(key))

    def _remember_batch(self, call: Call) -> None:
        body = call.body or {}
        batch_id = body.get("id")
        if not isinstance(batch_id, str):
            return
        key = f"batch:{batch_id}"
        if call.exchange.surface == "batch.create":
            self._remember(key, call.tracking)
        owner = self._owners.find(key)
        for name in ("output_file_id", "error_file_id"):
            file_id = body.get(name)
            if owner is not None and isinstance(file_id, str):
                self._remember(f"batch:{file_id}", owner)

    def batch_line(self, call: Call, line: Mapping[str, Any]) -> None:
        """Bill one result of a batch, later: a results file may hold thousands."""
        self._worker.defer(lambda: self._write_batch_line(call, line))

    def _write_batch_line(self, call: Call, line: Mapping[str, Any]) -> None:
        with faults.guard("spans.batch_line"):
            reading = read_batch_line(call.exchange, line)
            if reading is None:
                return
            parts = call.exchange.path.strip("/").split("/")
            batch = parts[-2] if len(parts) > 1 else ""
            event_id = event_id_of(reading) if reading.response_id else f"{batch}:{line.get('custom_id')}"
            if not self._owners.first_time(f"batch-result:{event_id}"):
                return
            tracking = self._owners.find(f"batch:{batch}") or call.tracking
            exchange = replace(call.exchange, request={"model": reading.model} if reading.model else {})
            span = self._start(exchange, tracking, call.started_wall_ns)
            self._end(span, call, replace(reading, response_id=event_id), tracking, exchange)

    def _write(
        self,
        call: Call,
        readings: tuple[Reading, ...],
        tracking: TrackingContext,
        deliver: Callable[[IngestEvent], object] | None = None,
    ) -> None:
        """Write the passes of a call. `deliver` takes the events of one that waited, and was counted before."""
        span = call.record
        for reading in readings[1:]:
            exchange = replace(call.exchange, request={**call.exchange.request, "model": reading.model})
            extra = UNSEEN
            if span is not UNSEEN:
                extra = self._start(exchange, tracking, call.started_wall_ns, parent=span)
            self._end(
                extra,
                call,
                replace(reading, response_id=reading.response_id or readings[0].response_id),
                tracking,
                exchange,
                deliver,
            )
        self._end(span, call, readings[0], tracking, call.exchange, deliver, is_counted=deliver is not None)

    def _end(
        self,
        span: Any,
        call: Call,
        reading: Reading,
        tracking: TrackingContext,
        exchange: Exchange,
        deliver: Callable[[IngestEvent], object] | None = None,
        *,
        is_counted: bool = False,
    ) -> None:
        settings = self._settings
        content = settings.capture_content and tracking.log_prompt_and_response is not False
        facts = CallFacts.of(call, exchange, with_content=content)
        price = catalog.price_key(
            exchange,
            reading.model,
            served_deployment=call.header(b"x-ms-deployment-name"),
            host_mappings=settings.host_mappings,
            model_mappings=settings.model_mappings.get(exchange.sdk, ()),
            price_as_category=tracking.price_as_category,
            price_as_resource=tracking.price_as_resource,
            resource_scope=tracking.resource_scope,
            reading_scope=reading.resource_scope,
        )
        told = reading_attributes(
            facts, reading, price, with_content=content, keep_inline_data=settings.instrument_inline_data
        )
        if not is_counted:
            self._ledger.saw()
        estimated, unpriced = reading.usage_source == "estimated", price.resource == catalog.UNKNOWN_RESOURCE
        if estimated or unpriced:
            self._ledger.judged(estimated=estimated, unpriced=unpriced)
        self._metrics.record(facts, reading)
        if span is UNSEEN:
            attributes = {**call_attributes(exchange, tracking), **told}
            deliver_unseen(
                attributes, call.started_wall_ns, call.ended_wall_ns, deliver or self._worker.submit_event
            )
            return
        span.set_attributes(told)
        if facts.failure is not None or (facts.status or 0) >= 400:
            span.set_status(Status(StatusCode.ERROR, facts.failure))
        span.end(end_time=call.ended_wall_ns)

    def _end_unpriced(self, call: Call) -> None:
        span = call.record
        if span is not None and span is not UNSEEN:
            span.set_attributes({semconv.UNPRICED: True, semconv.OUTCOME: call.outcome or "ok"})
            span.end(end_time=call.ended_wall_ns)
