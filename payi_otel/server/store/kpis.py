"""KPI definitions and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from payi_otel.server.errors import ApiError
from payi_otel.server.store.engine import insert_new
from payi_otel.server.store.instances import Instance
from payi_otel.server.store.pages import Page, PageRequest, fetch_page
from payi_otel.server.store.schema import kpi_scores, kpis
from payi_otel.server.store.schema_instances import instance_sums
from payi_otel.server.store.use_cases import UseCase

_LIKERT = {"likert5": 5, "likert7": 7, "likert10": 10}


@dataclass(frozen=True, slots=True)
class Kpi:
    """What is measured about each instance of a use case, and the average to reach."""

    id: int
    name: str
    description: str
    kpi_type: str
    goal: float
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Score:
    """The current score of one KPI of one instance; None once it was cleared."""

    kpi_name: str
    kpi_type: str
    score: float | None
    created_at: datetime
    updated_at: datetime


def checked_score(kpi: Kpi, score: bool | float | None) -> float | None:
    """`score` as a number if the KPI's type takes it; raises `ApiError`."""
    if score is None:
        return None
    if kpi.kpi_type == "boolean":
        if score not in (0, 1):
            raise _bad_score(kpi, score, "give true, false, 1 or 0")
    elif isinstance(score, bool):
        raise _bad_score(kpi, score, "give a number")
    elif kpi.kpi_type in _LIKERT and not 1 <= score <= _LIKERT[kpi.kpi_type]:
        raise _bad_score(kpi, score, f"give a number from 1 to {_LIKERT[kpi.kpi_type]}")
    return float(score)


def find(connection: Connection, use_case: int, name: str) -> Kpi | None:
    """A KPI of a use case by name."""
    row = connection.execute(select(kpis).where(kpis.c.use_case == use_case, kpis.c.name == name)).first()
    return None if row is None else _read(row)


def get(connection: Connection, use_case: int, name: str) -> Kpi:
    """A KPI of a use case by name; raises `ApiError` 404 without one."""
    found = find(connection, use_case, name)
    if found is None:
        raise not_found(name)
    return found


def not_found(name: str) -> ApiError:
    """The error for a KPI nobody has defined. The API has no stable code for it."""
    return ApiError(404, "kpi_not_found", f"kpi_name: {name!r} is not defined; create it first")


def define(
    connection: Connection,
    use_case: UseCase,
    name: str,
    now: datetime,
    *,
    description: str,
    kpi_type: str,
    goal: float,
) -> Kpi:
    """Create a KPI; one that exists stays as it is."""
    values = {
        "use_case": use_case.id,
        "name": name,
        "description": description,
        "kpi_type": kpi_type,
        "goal": goal,
        "created_at": now,
        "updated_at": now,
    }
    insert_new(connection, kpis, values, ("use_case", "name"))
    return get(connection, use_case.id, name)


def change(
    connection: Connection, kpi: Kpi, now: datetime, description: str | None, goal: float | None
) -> None:
    """Set the description or the goal; None leaves it."""
    values = {"description": description, "goal": goal, "updated_at": now}
    given = {name: value for name, value in values.items() if value is not None}
    connection.execute(update(kpis).where(kpis.c.id == kpi.id).values(**given))


def remove(connection: Connection, kpi: Kpi) -> None:
    """Delete a KPI with its scores."""
    connection.execute(delete(kpis).where(kpis.c.id == kpi.id))


def page(
    connection: Connection, use_case: UseCase, wanted: PageRequest, name: str | None = None
) -> Page[Kpi]:
    """The KPIs of a use case, optionally the one called `name`."""
    statement = select(kpis).where(kpis.c.use_case == use_case.id)
    if name:
        statement = statement.where(kpis.c.name == name)
    return fetch_page(connection, statement, kpis.c.id, wanted, _read)


def set_score(
    connection: Connection, kpi: Kpi, instance: Instance, score: float | None, now: datetime
) -> None:
    """Set the score of a KPI for an instance, replacing an earlier one."""
    began_at = connection.execute(
        select(instance_sums.c.began_at).where(instance_sums.c.instance == instance.id)
    ).scalar_one_or_none()
    values = {
        "kpi": kpi.id,
        "instance": instance.id,
        "score": score,
        "at": began_at or now,
        "version": instance.type_version,
        "created_at": now,
        "updated_at": now,
    }
    if insert_new(connection, kpi_scores, values, ("kpi", "instance")) is None:
        connection.execute(
            update(kpi_scores)
            .where(kpi_scores.c.kpi == kpi.id, kpi_scores.c.instance == instance.id)
            .values(score=score, updated_at=now)
        )


def scores_page(
    connection: Connection, found: Sequence[Instance], wanted: PageRequest, name: str | None = None
) -> Page[Score]:
    """The scores of instances, optionally of the KPI called `name`."""
    statement = (
        select(kpi_scores, kpis.c.name, kpis.c.kpi_type)
        .join_from(kpi_scores, kpis)
        .where(kpi_scores.c.instance.in_([instance.id for instance in found]))
    )
    if name:
        statement = statement.where(kpis.c.name == name)
    return fetch_page(connection, statement, kpi_scores.c.id, wanted, _read_score)


def _bad_score(kpi: Kpi, score: float, fix: str) -> ApiError:
    return ApiError(400, "invalid_kpi_score", f"score: {score!r} does not suit {kpi.kpi_type!r}; {fix}")


def _read(row: Row[Any]) -> Kpi:
    return Kpi(
        id=row.id,
        name=row.name,
        description=row.description,
        kpi_type=row.kpi_type,
        goal=row.goal,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _read_score(row: Row[Any]) -> Score:
    return Score(row.name, row.kpi_type, row.score, row.created_at, row.updated_at)
