"""Changing all of a KPI, its name and type included, as the portal offers it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select, update

from payi_otel.server.errors import ApiError
from payi_otel.server.store.kpis import Kpi, checked_score, find
from payi_otel.server.store.schema import kpi_scores, kpis
from payi_otel.server.store.use_cases import UseCase

_HIGHEST_GOALS = {"boolean": 1.0, "percentage": 100.0, "likert5": 5.0, "likert7": 7.0, "likert10": 10.0}
_GOALS = {
    "boolean": "give the share of true to reach, from 0 to 1: 0.25 for 25 %",
    "percentage": "give a percentage from 0 to 100",
}


def checked_goal(kpi_type: str, goal: float) -> float:
    """`goal` if it fits the type; raises `ApiError`."""
    highest = _HIGHEST_GOALS.get(kpi_type)
    lowest = 1.0 if kpi_type.startswith("likert") else 0.0
    if highest is not None and not lowest <= goal <= highest:
        fix = _GOALS.get(kpi_type, f"give an average from {lowest:g} to {highest:g}")
        raise ApiError(400, "invalid_kpi_goal", f"goal: {fix}")
    return goal


def get_by_id(connection: Connection, use_case: UseCase, kpi_id: int) -> Kpi:
    """A KPI of a use case by row id, which stays when its name changes; raises `ApiError` 404 without one."""
    name = connection.execute(
        select(kpis.c.name).where(kpis.c.use_case == use_case.id, kpis.c.id == kpi_id)
    ).scalar_one_or_none()
    found = None if name is None else find(connection, use_case.id, name)
    if found is None:
        raise ApiError(404, "kpi_not_found", "This KPI is not there any more; reload the page")
    return found


def redefine(
    connection: Connection,
    use_case: UseCase,
    kpi: Kpi,
    now: datetime,
    *,
    name: str,
    description: str,
    kpi_type: str,
    goal: float,
) -> None:
    """Set name, description, type and goal. Raises `ApiError` for a name that another KPI has, for a goal that does
    not fit the type, and for a type that scores which are there do not fit.
    """
    checked_goal(kpi_type, goal)
    other = find(connection, use_case.id, name)
    if other is not None and other.id != kpi.id:
        raise name_taken(name)
    if kpi_type != kpi.kpi_type:
        _check_scores(connection, kpi, kpi_type)
    values = {"name": name, "description": description, "kpi_type": kpi_type, "goal": goal, "updated_at": now}
    connection.execute(update(kpis).where(kpis.c.id == kpi.id).values(**values))


def name_taken(name: str) -> ApiError:
    """The error for a name that another KPI of the use case has."""
    return ApiError(400, "kpi_name_taken", f"name: {name} is another KPI's; give a new name")


def _check_scores(connection: Connection, kpi: Kpi, kpi_type: str) -> None:
    as_new = Kpi(kpi.id, kpi.name, "", kpi_type, kpi.goal, kpi.created_at, kpi.updated_at)
    score = kpi_scores.c.score
    mine = (kpi_scores.c.kpi == kpi.id, score.is_not(None))
    row = connection.execute(
        select(
            func.count().label("number"), func.min(score).label("least"), func.max(score).label("most")
        ).where(*mine)
    ).one()
    if not row.number:
        return
    fits = True
    try:
        checked_score(as_new, row.least)
        checked_score(as_new, row.most)
    except ApiError:
        fits = False
    if kpi_type == "boolean":
        fits = (
            fits
            and not connection.execute(select(score).where(*mine, score.not_in([0.0, 1.0])).limit(1)).all()
        )
    if not fits:
        message = f"kpi_type: it has scores from {row.least:g} to {row.most:g}, which do not fit; "
        raise ApiError(400, "kpi_type_taken", message + "make a new KPI for the new type")
