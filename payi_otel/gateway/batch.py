"""What the decoders make of an OTLP request, whatever its encoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from payi_otel.spans.neutral import SpanData

T = TypeVar("T")

Signal = Literal["traces", "logs"]

KINDS = ("INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
"""Span kinds by their OTLP number; unspecified is to be read as internal."""
STATUS_CODES = ("UNSET", "OK", "ERROR")
"""Status codes by their OTLP number."""


class Malformed(ValueError):
    """The request as a whole cannot be read."""


@dataclass(frozen=True, slots=True)
class LogData:
    """A log record that is an event. `time_ns` is Unix time in nanoseconds, ids are lower-case hex or empty."""

    event_name: str
    time_ns: int
    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """The readable items of a request, why others were refused, and what was left out of readable ones."""

    items: list[T] = field(default_factory=list[T])
    refused: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])


SpanBatch = Batch[SpanData]
LogBatch = Batch[LogData]


def named(number: int, names: tuple[str, ...]) -> str:
    """The name of an enum's number; what a newer protocol may add reads as unspecified."""
    return names[number] if 0 <= number < len(names) else names[0]


def check_ids(trace_id: bytes, span_id: bytes) -> None:
    """Raise ValueError unless the ids have their lengths and are not all zero."""
    if len(trace_id) != 16 or not any(trace_id):
        raise ValueError("trace_id: not 16 bytes, or all zero")
    if len(span_id) != 8 or not any(span_id):
        raise ValueError("span_id: not 8 bytes, or all zero")
