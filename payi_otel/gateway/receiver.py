"""What happens to a decoded request, over HTTP or gRPC: convert, leave out duplicates, store, then acknowledge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from payi_otel.delivery.scores import KpiScore
from payi_otel.faults import faults
from payi_otel.gateway import otlp_json, protobuf
from payi_otel.gateway.batch import LogBatch, Signal, SpanBatch
from payi_otel.gateway.evaluations import EVALUATION_EVENT, NoScore, score_of_log, scores_of_span
from payi_otel.gateway.known import KnownCalls
from payi_otel.spans.event import IngestEvent
from payi_otel.spans.foreign.sightings import Place
from payi_otel.spans.reader import events_of

Encoding = Literal["protobuf", "json"]

# OpenTelemetry's Python exporter gives up at once when asked to wait longer than its own 10 seconds.
RETRY_AFTER_S = 3
_MOST_REASONS = 5
_LONGEST_REASON = 200


class Full(Exception):
    """There is no room for the request now; the sender is to repeat it later."""


class Sink(Protocol):
    """Where the events and scores of a sender go. `known` are the calls it was given before."""

    @property
    def known(self) -> KnownCalls: ...

    def store(self, items: Sequence[IngestEvent | KpiScore]) -> Sequence[str]:
        """Put items where they survive the end of this process; why some of them never will be there.

        Raises `Full` when not all the others are there: then all of them come again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that was taken: how many of its items were refused for good, and what is to be said of it."""

    refused: int = 0
    message: str = ""


class Receiver:
    """Turns requests into what a sink stores.

    >>> accepted = Receiver().receive("traces", "protobuf", body, sink)  # doctest: +SKIP
    >>> accepted.refused  # doctest: +SKIP
    0
    """

    def receive(self, signal: Signal, encoding: Encoding, message: bytes, sink: Sink) -> Accepted:
        """Take one uncompressed request; what it holds is stored when this returns.

        Raises `Malformed` when the request cannot be read at all, and `Full` when the sink could not store it.
        """
        decoder = protobuf if encoding == "protobuf" else otlp_json
        if signal == "traces":
            return self._take_spans(decoder.decode_spans(message), sink)
        return self._take_logs(decoder.decode_logs(message), sink)

    def _take_spans(self, batch: SpanBatch, sink: Sink) -> Accepted:
        refused, warnings = list(batch.refused), list(batch.warnings)
        seen: list[tuple[IngestEvent, Place]] = []
        scores: list[KpiScore] = []
        for span in batch.items:
            try:
                event = events_of(span)
            except Exception as error:
                # Attributes that contradict what their names promise. The message may quote them.
                faults.report("gateway.span", error)
                refused.append(f"span: its attributes make no event ({type(error).__name__})")
                continue
            if event is not None:
                seen.append((event, Place.of(span)))
            if span.events:
                found, wrong = scores_of_span(span, sink.known.use_case_of)
                scores.extend(found)
                warnings.extend(wrong)
        refused.extend(_store(seen, scores, sink))
        return _accepted(refused, warnings)

    def _take_logs(self, batch: LogBatch, sink: Sink) -> Accepted:
        refused = list(batch.refused)
        scores: list[KpiScore] = []
        for log in batch.items:
            if log.event_name == EVALUATION_EVENT:
                try:
                    scores.append(score_of_log(log, sink.known.use_case_of))
                except NoScore as error:
                    refused.append(str(error))
        refused.extend(_store([], scores, sink))
        return _accepted(refused, batch.warnings)


def _store(
    seen: Sequence[tuple[IngestEvent, Place]], scores: Sequence[KpiScore], sink: Sink
) -> Sequence[str]:
    """Store what is new; why some of it was refused."""
    refused: list[str] = []

    def store(events: Sequence[IngestEvent]) -> None:
        if events or scores:
            refused.extend(sink.store([*events, *scores]))

    sink.known.pass_on(seen, store)
    return refused


def _accepted(refused: Sequence[str], warnings: Sequence[str]) -> Accepted:
    """Few words of each kind: thousands of spans may fail for one reason."""
    counts = Counter(reason[:_LONGEST_REASON] for reason in [*refused, *warnings])
    parts = [f"{count} x {reason}" for reason, count in counts.most_common(_MOST_REASONS)]
    if len(counts) > _MOST_REASONS:
        parts.append(f"and {len(counts) - _MOST_REASONS} other reasons")
    return Accepted(len(refused), "; ".join(parts))
