"""What stands in for a call's span where the application has no tracer: nobody would see it, and a span is dear."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanContext
from opentelemetry.util.types import AttributeValue

from payi_otel.spans.event import IngestEvent
from payi_otel.spans.foreign.collector import foreign_spans
from payi_otel.spans.reader import read_attributes


class Unseen:
    """The attributes of a call, and its place among the spans of others.

    It has what we use of a span; `end` makes the event and gives it to `deliver`.
    """

    __slots__ = ("_attributes", "_parent", "_start_ns", "deliver")

    def __init__(self, start_ns: int, deliver: Callable[[IngestEvent], object]) -> None:
        self.deliver = deliver
        self._start_ns = start_ns
        self._attributes: dict[str, Any] = {}
        parent = trace.get_current_span().get_span_context()
        self._parent: SpanContext | None = parent if parent.is_valid else None

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """As `Span.set_attributes`."""
        self._attributes.update(attributes)

    def set_status(self, status: object) -> None:
        """The event has its status among the attributes."""

    def end(self, end_time: int) -> None:
        """Make the event; `end_time` is Unix time in nanoseconds."""
        event = read_attributes(self._attributes, self._start_ns)
        if event is None:
            return
        self.deliver(event)
        parent = self._parent
        # Random, as OpenTelemetry's own: only that they differ matters.
        trace_id = parent.trace_id if parent is not None else random.getrandbits(128)
        context = SpanContext(trace_id, random.getrandbits(64), is_remote=False)
        foreign_spans().sent_ours(event, context, parent, end_time)
