"""Sampling decides what the user's backends see, never what is billed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState

if TYPE_CHECKING:
    from opentelemetry.util.types import Attributes


class RecordingSampler(Sampler):
    """Asks the user's sampler, and records only (never exports) what that drops.

    The SDK's own AlwaysRecordSampler loses the attributes given at span start, because samplers return none
    with a drop; here the span keeps them.
    """

    def __init__(self, wrapped: Sampler) -> None:
        self.wrapped = wrapped

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """The wrapped sampler's result, with DROP turned into RECORD_ONLY."""
        result = self.wrapped.should_sample(parent_context, trace_id, name, kind, attributes, links)
        if result.decision is Decision.DROP:
            return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)
        return result

    def get_description(self) -> str:
        """A name for logs."""
        return f"RecordingSampler({self.wrapped.get_description()})"


def declarative_sampler(**_: Any) -> Sampler:
    """The sampler `payi` of a declarative configuration: parent-based, always on, recording what it drops."""
    return RecordingSampler(ParentBased(ALWAYS_ON))
