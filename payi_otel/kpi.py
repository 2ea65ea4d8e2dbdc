"""KPI scores: was it worth it? Scored where the outcome is known, delivered in the background.

>>> from payi_otel import define_kpi, score_kpi, track
>>> define_kpi("support_chat", "solved", "boolean", goal=0.8)  # doctest: +SKIP
>>> @track(use_case_name="support_chat")  # doctest: +SKIP
... def answer(question: str) -> None:
...     ...
...     score_kpi("solved", True)
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from opentelemetry import trace
from opentelemetry.context import get_current

from payi_otel.delivery.scores import KpiDefinition, KpiIncrement, KpiRequest, KpiScore
from payi_otel.faults import faults
from payi_otel.spans import semconv
from payi_otel.tracking.context import current
from payi_otel.version import VERSION

if TYPE_CHECKING:
    from payi_otel.delivery.worker import DeliveryWorker

KpiType = Literal["boolean", "number", "percentage", "likert5", "likert7", "likert10"]


class NoUseCaseError(ValueError):
    """A score was given outside of any use case instance, so nobody could tell what was scored."""


class ScoreHandle:
    """A score on its way. It may be ignored, awaited, or waited for.

    `reason` says why Pay-i refused it, None as long as it did not.

    >>> handle = score_kpi("solved", True)  # doctest: +SKIP
    >>> handle.wait(timeout_s=5.0), await handle  # doctest: +SKIP
    (True, True)
    """

    def __init__(self) -> None:
        self._future: Future[bool] = Future()
        # A running future cannot be cancelled: an awaiting task that is cancelled must not cancel the delivery.
        self._future.set_running_or_notify_cancel()
        self.reason: str | None = None

    def _settled(self, reason: str | None) -> None:
        self.reason = reason
        self._future.set_result(reason is None)

    @property
    def done(self) -> bool:
        """Whether Pay-i has accepted or refused it."""
        return self._future.done()

    def wait(self, timeout_s: float = 10.0) -> bool:
        """Block for up to `timeout_s` seconds; True if Pay-i has accepted it, False if refused or not in time."""
        try:
            return self._future.result(timeout_s)
        except FutureTimeoutError:
            return False

    def __await__(self) -> Generator[Any, None, bool]:
        """Wait in a coroutine until Pay-i has accepted (True) or refused it (False)."""
        return asyncio.wrap_future(self._future).__await__()


def score_kpi(
    kpi_name: str,
    score: bool | int | float,
    *,
    use_case_name: str | None = None,
    use_case_id: str | None = None,
) -> ScoreHandle:
    """Score a KPI of the current use case instance, or of the one named. Returns at once.

    Args:
        kpi_name: the KPI, as defined for the use case.
        score: boolean KPIs: True/False or 1/0; likertN: a number from 1 to N; others: any finite number. The type
            is checked where `define_kpi` ran in this process, else Pay-i checks it.
        use_case_name: the use case; the current one where left out.
        use_case_id: the instance; the current one where left out.

    Raises:
        NoUseCaseError: no use case instance is current and none was named.
        ValueError: the score is not possible for this KPI, or a name is empty.
        TypeError: the score is no number, or a name is no string.

    A `gen_ai.evaluation.result` log event tells the score to the application's own telemetry.

    >>> score_kpi("solved", True, use_case_name="support_chat", use_case_id="42")  # doctest: +SKIP
    """
    name, instance = _target(kpi_name, use_case_name, use_case_id)
    _check_number("score", score)
    kpi_type = _worker().kpi_types.get((name, kpi_name))
    if kpi_type is not None:
        _check_type(kpi_name, kpi_type, score)
    handle = _submit(KpiScore(name, instance, kpi_name, score))
    _emit_evaluation(name, instance, kpi_name, score)
    return handle


def increment_kpi(
    kpi_name: str,
    by: int | float = 1,
    *,
    use_case_name: str | None = None,
    use_case_id: str | None = None,
) -> ScoreHandle:
    """Add `by` to a KPI's score of the current use case instance, or of the one named. Returns at once.

    Increments of one process are applied one after another and none is lost. Pay-i has no increment of its own, so
    two processes that increment the same KPI of the same instance at the same moment may still overwrite each other.

    Raises as `score_kpi`.

    >>> increment_kpi("documents_read", by=3)  # doctest: +SKIP
    """
    name, instance = _target(kpi_name, use_case_name, use_case_id)
    _check_number("by", by)
    return _submit(KpiIncrement(name, instance, kpi_name, by))


def define_kpi(
    use_case_name: str, kpi_name: str, kpi_type: KpiType, goal: float, description: str = ""
) -> ScoreHandle:
    """Define a KPI of a use case; one that exists stays as it is and counts as success. Returns at once.

    Args:
        use_case_name: the use case, created if Pay-i does not know it yet.
        kpi_name: name of the KPI.
        kpi_type: "boolean", "number", "percentage", "likert5", "likert7" or "likert10".
        goal: the average to reach; for a boolean KPI the share of true, such as 0.8.
        description: what it measures.

    Raises:
        ValueError: `kpi_type` is not one of these, `goal` is not finite, or a name is empty.
        TypeError: a value has the wrong type.

    >>> define_kpi("support_chat", "satisfaction", "likert5", goal=4.2)  # doctest: +SKIP
    """
    _check_name("use_case_name", use_case_name)
    _check_name("kpi_name", kpi_name)
    if kpi_type not in get_args(KpiType):
        raise ValueError(f"kpi_type={kpi_type!r}: use one of {', '.join(get_args(KpiType))}")
    _check_number("goal", goal)
    _worker().kpi_types[use_case_name, kpi_name] = kpi_type
    return _submit(KpiDefinition(use_case_name, kpi_name, kpi_type, goal, description or kpi_name))


def _target(kpi_name: str, use_case_name: str | None, use_case_id: str | None) -> tuple[str, str]:
    """The instance to score: as told, else the current span's, else the current scope's."""
    _check_name("kpi_name", kpi_name)
    if use_case_name is not None:
        _check_name("use_case_name", use_case_name)
    if use_case_id is not None:
        _check_name("use_case_id", use_case_id)
    for known_name, known_id in _current_use_cases():
        name = use_case_name or known_name
        # An id belongs to its use case: of another one it would score a stranger.
        instance = use_case_id or (known_id if name == known_name else None)
        if name and instance:
            return name, instance
    if use_case_name and use_case_id:
        return use_case_name, use_case_id
    raise NoUseCaseError(
        f"kpi_name={kpi_name!r}: no use case instance to score; call it inside track() or track_context(), or pass"
        " use_case_name and use_case_id"
    )


def _current_use_cases() -> tuple[tuple[str | None, str | None], ...]:
    attributes = cast("dict[str, Any]", getattr(trace.get_current_span(), "attributes", None) or {})
    tracking = current()
    return (
        (attributes.get(semconv.USE_CASE_NAME), attributes.get(semconv.USE_CASE_ID)),
        (tracking.use_case_name, tracking.use_case_id),
    )


def _check_name(field: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{field}={value!r}: give a string")
    if not value:
        raise ValueError(f"{field}={value!r}: give a name that is not empty")


def _check_number(field: str, value: object) -> None:
    if not isinstance(value, (bool, int, float)):
        raise TypeError(f"{field}={value!r}: give a number or a boolean")
    if not math.isfinite(value):
        raise ValueError(f"{field}={value!r}: give a finite number")


def _check_type(kpi_name: str, kpi_type: str, score: float) -> None:
    if kpi_type == "boolean" and score not in (0, 1):
        raise ValueError(f"score={score!r}: KPI {kpi_name!r} is boolean; give True, False, 1 or 0")
    if kpi_type.startswith("likert"):
        highest = int(kpi_type.removeprefix("likert"))
        if isinstance(score, bool) or not 1 <= score <= highest:
            raise ValueError(
                f"score={score!r}: KPI {kpi_name!r} is {kpi_type}; give a number from 1 to {highest}"
            )


def _worker() -> DeliveryWorker:
    from payi_otel.bootstrap import ensure_worker

    return ensure_worker()


def _submit(item: KpiRequest) -> ScoreHandle:
    handle = ScoreHandle()
    _worker().submit_score(item, handle._settled)  # pyright: ignore[reportPrivateUsage]
    return handle


def _emit_evaluation(use_case_name: str, use_case_id: str, kpi_name: str, score: float) -> None:
    """Tell the application's log pipeline, on the worker thread: its processors may do I/O."""
    # The logs API has no public name yet. Imported here: a child that is forked while that thread imports would wait
    # for the module for ever.
    try:
        from opentelemetry._logs import SeverityNumber, get_logger
    except ImportError:
        return
    context = get_current()
    attributes = {
        semconv.GEN_AI_EVALUATION_NAME: kpi_name,
        semconv.GEN_AI_EVALUATION_SCORE: float(score),
        semconv.USE_CASE_NAME: use_case_name,
        semconv.USE_CASE_ID: use_case_id,
    }

    def emit() -> None:
        # In older versions it has no events: then there is none.
        with faults.guard("kpi.evaluation"), suppress(TypeError):
            get_logger(semconv.SCOPE, VERSION).emit(
                event_name="gen_ai.evaluation.result",
                severity_number=SeverityNumber.INFO,
                attributes=attributes,
                context=context,
            )

    _worker().defer(emit)
