"""A call without a span, where the application has no tracer: nobody would see it, and a span is dear."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.trace import SpanContext

from payi_otel.spans.event import IngestEvent
from payi_otel.spans.foreign.collector import foreign_spans
from payi_otel.spans.reader import read_attributes

UNSEEN: Final = object()
"""Stands in for the span of such a call."""


def deliver_unseen(
    attributes: Mapping[str, Any], start_ns: int, end_ns: int, deliver: Callable[[IngestEvent], object]
) -> None:
    """Make the event of what the span's attributes would be, and give it to `deliver`. Times are Unix time, ns."""
    event = read_attributes(attributes, start_ns)
    if event is None:
        return
    deliver(event)
    # Random, as OpenTelemetry's own: only that they differ matters. Around it there can be no span of this process.
    context = SpanContext(random.getrandbits(128), random.getrandbits(64), is_remote=False)
    foreign_spans().sent_ours(event, context, None, end_ns)
