"""`gen_ai.evaluation.result`, an event of a span or a log record → a KPI score."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from payi_otel.delivery.scores import KpiScore
from payi_otel.gateway.batch import LogData
from payi_otel.spans import semconv
from payi_otel.spans.neutral import SpanData

EVALUATION_EVENT = "gen_ai.evaluation.result"
SCORE_LABEL = "gen_ai.evaluation.score.label"
_LABELS = {"pass": True, "passed": True, "true": True, "fail": False, "failed": False, "false": False}

UseCase = tuple[str, str]
"""(use case name, use case id)"""
UseCaseOf = Callable[[str], "UseCase | None"]
"""The use case instance of the call with this response id, where that is known."""


class NoScore(ValueError):
    """An evaluation that names no KPI, no use case instance or no score. The message says which, and the fix."""


def scores_of_span(span: SpanData, use_case_of: UseCaseOf) -> tuple[list[KpiScore], list[str]]:
    """The scores among a span's events, and why others of its evaluations are none."""
    scores: list[KpiScore] = []
    refused: list[str] = []
    for event in span.events:
        if event.name == EVALUATION_EVENT:
            try:
                scores.append(_score((event.attributes, span.attributes, span.resource), use_case_of))
            except NoScore as error:
                refused.append(str(error))
    return scores, refused


def score_of_log(log: LogData, use_case_of: UseCaseOf) -> KpiScore:
    """The score that a log record tells.

    Raises `NoScore`.

    >>> named = {"gen_ai.evaluation.name": "solved", "gen_ai.evaluation.score.value": 1.0}
    >>> scope = {"payi.use_case_name": "support_chat", "payi.use_case_id": "42"}
    >>> score_of_log(LogData(EVALUATION_EVENT, 0, "", "", {**named, **scope}, {}), lambda _: None)
    KpiScore(use_case_name='support_chat', use_case_id='42', kpi_name='solved', score=1.0)
    """
    return _score((log.attributes, log.resource), use_case_of)


def _score(places: tuple[Mapping[str, Any], ...], use_case_of: UseCaseOf) -> KpiScore:
    own = places[0]
    kpi_name = own.get(semconv.GEN_AI_EVALUATION_NAME)
    if not kpi_name:
        raise NoScore(f"evaluation without a name; set {semconv.GEN_AI_EVALUATION_NAME}")
    name, instance = _use_case(places, use_case_of)
    return KpiScore(name, instance, str(kpi_name), _value(own))


def _use_case(places: tuple[Mapping[str, Any], ...], use_case_of: UseCaseOf) -> UseCase:
    """Of the evaluation, else of its span or resource, else of the call that was evaluated."""
    for attributes in places:
        name, instance = attributes.get(semconv.USE_CASE_NAME), attributes.get(semconv.USE_CASE_ID)
        if name and instance:
            return str(name), str(instance)
    for attributes in places:
        response_id = attributes.get(semconv.GEN_AI_RESPONSE_ID)
        found = use_case_of(str(response_id)) if response_id else None
        if found is not None:
            return found
    raise NoScore(
        f"evaluation without a use case; set {semconv.USE_CASE_NAME} and {semconv.USE_CASE_ID}, or "
        f"{semconv.GEN_AI_RESPONSE_ID} of a call seen before"
    )


def _value(attributes: Mapping[str, Any]) -> bool | int | float:
    value = attributes.get(semconv.GEN_AI_EVALUATION_SCORE)
    if isinstance(value, (bool, int, float)) and math.isfinite(value):
        return value
    label = attributes.get(SCORE_LABEL)
    if value is None and isinstance(label, str) and label.lower() in _LABELS:
        return _LABELS[label.lower()]
    raise NoScore(
        f"evaluation without a finite number; set {semconv.GEN_AI_EVALUATION_SCORE}, or {SCORE_LABEL} to pass or fail"
    )
