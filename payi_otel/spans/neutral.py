"""A finished span apart from where it came from: the SDK in this process, or OTLP from another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from payi_otel.values import value


@value
class SpanEvent:
    """Something that happened during a span; `time_ns` is Unix time in nanoseconds."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any]


@value
class SpanData:
    """A finished span.

    Ids are lower-case hex, 32 and 16 digits. `kind` is "INTERNAL", "SERVER", "CLIENT", "PRODUCER" or "CONSUMER",
    `status_code` "UNSET", "OK" or "ERROR". `start_ns` and `end_ns` are Unix time in nanoseconds. Attribute values
    are strings, numbers, booleans, and sequences or mappings of them.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    scope_name: str
    scope_version: str
    status_code: str
    status_message: str
    events: tuple[SpanEvent, ...]


def span_data(span: ReadableSpan) -> SpanData:
    """The neutral form of an ended span of the SDK.

    >>> span_data(span).scope_name  # doctest: +SKIP
    'opentelemetry.instrumentation.genai.openai'
    """
    context, parent, scope = span.get_span_context(), span.parent, span.instrumentation_scope
    return SpanData(
        trace_id=f"{context.trace_id:032x}" if context is not None else "",
        span_id=f"{context.span_id:016x}" if context is not None else "",
        parent_span_id=f"{parent.span_id:016x}" if parent is not None else None,
        name=span.name,
        kind=span.kind.name,
        start_ns=span.start_time or 0,
        end_ns=span.end_time or 0,
        attributes=dict(span.attributes or {}),
        resource=dict(span.resource.attributes),
        scope_name=scope.name if scope is not None else "",
        scope_version=(scope.version or "") if scope is not None else "",
        status_code=span.status.status_code.name,
        status_message=span.status.description or "",
        events=tuple(
            SpanEvent(event.name, event.timestamp, dict(event.attributes or {})) for event in span.events
        ),
    )
