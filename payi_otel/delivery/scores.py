"""KPI scores, increments and definitions: as entries of the outbox, and as requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, cast
from urllib.parse import quote, urlencode

from payi_otel.delivery.answers import Answer
from payi_otel.delivery.outbox import Entry, EntryKind
from payi_otel.delivery.retry import classify
from payi_otel.values import value

Request = Callable[[str, str, "bytes | None"], Answer]
"""Sends (method, path, JSON body)."""


@value
class KpiScore:
    """The score of one KPI of one use case instance."""

    use_case_name: str
    use_case_id: str
    kpi_name: str
    score: bool | int | float | None


@value
class KpiIncrement:
    """An amount to add to the score of one KPI of one use case instance."""

    use_case_name: str
    use_case_id: str
    kpi_name: str
    by: int | float


@value
class KpiDefinition:
    """A KPI of a use case."""

    use_case_name: str
    kpi_name: str
    kpi_type: str
    goal: float
    description: str


KpiRequest = KpiScore | KpiIncrement | KpiDefinition

Settled = Callable[["str | None"], None]
"""Told when a score is settled: None when Pay-i has it, else why it never will."""


class Waiters:
    """Who wants to know what becomes of a score, by its key in the outbox."""

    def __init__(self) -> None:
        self._settled: dict[int, Settled] = {}

    def expect(self, key: int, settled: Settled) -> None:
        """`settled` waits for this entry."""
        self._settled[key] = settled

    def settle(self, key: int, reason: str | None) -> None:
        """Tell who waits for this entry, if anybody."""
        settled = self._settled.pop(key, None)
        if settled is not None:
            settled(reason)


def to_entry(item: KpiRequest) -> Entry:
    """The outbox entry of a KPI request."""
    payload = json.dumps(asdict(item), allow_nan=False).encode()
    if isinstance(item, KpiDefinition):
        return Entry("definition", f"{item.use_case_name}/{item.kpi_name}", payload)
    kind: EntryKind = "score" if isinstance(item, KpiScore) else "increment"
    return Entry(kind, f"{item.use_case_name}/{item.use_case_id}/{item.kpi_name}", payload)


class ScoreSender:
    """Turns entries into requests. It remembers what an unanswered increment was to reach."""

    def __init__(self) -> None:
        self._targets: dict[int, float] = {}

    def send(self, key: int, entry: Entry, request: Request) -> Answer:
        """Deliver one entry; the answer of its last request."""
        data = cast("dict[str, Any]", json.loads(entry.payload))
        if entry.kind == "definition":
            return _define(data, request)
        path = _path("instances", data["use_case_name"], data["use_case_id"], "kpis")
        if entry.kind == "score":
            return request("PUT", f"{path}/{_quote(data['kpi_name'])}", _json({"score": data["score"]}))
        return self._increment(key, path, data, request)

    def forget(self, key: int) -> None:
        """The entry is settled."""
        self._targets.pop(key, None)

    def _increment(self, key: int, path: str, data: dict[str, Any], request: Request) -> Answer:
        """Read, add, write. The API has no increment, so another process may still come in between.

        A repeat after a lost answer must not add twice: the score is where it was to be, or it is not.
        """
        answer, current = _read_score(path, data["kpi_name"], request)
        if classify(answer.status) not in {"delivered", "permanent"}:
            return answer
        if key in self._targets and current == self._targets[key]:
            return answer
        target = current + data["by"]
        self._targets[key] = target
        return request("PUT", f"{path}/{_quote(data['kpi_name'])}", _json({"score": target}))


def _read_score(path: str, kpi_name: str, request: Request) -> tuple[Answer, float]:
    """The score so far, 0 where there is none: the write then tells whether the KPI exists."""
    query = {"kpi_name": kpi_name}
    while True:
        answer = request("GET", f"{path}?{urlencode(query)}", None)
        page = answer.json_object() or {}
        for item in cast("list[dict[str, Any]]", page.get("items") or []):
            if item.get("kpi_name") == kpi_name:
                return answer, item.get("score") or 0
        cursor = page.get("cursor")
        if (
            classify(answer.status) != "delivered"
            or not isinstance(cursor, str)
            or cursor == query.get("cursor")
        ):
            return answer, 0
        query["cursor"] = cursor


def _define(data: dict[str, Any], request: Request) -> Answer:
    """Create the KPI, and its use case first where nothing has used that yet. One that exists is a success."""
    path = _path("definitions", data["use_case_name"], "kpis")
    body = {
        "name": data["kpi_name"],
        "description": data["description"],
        "kpi_type": data["kpi_type"],
        "goal": data["goal"],
    }
    answer = request("POST", path, _json(body))
    if answer.status == 404:
        use_case = {"name": data["use_case_name"], "description": data["use_case_name"]}
        created = request("POST", _path("definitions"), _json(use_case))
        if classify(created.status) != "delivered" and not _exists(created):
            return created
        answer = request("POST", path, _json(body))
    return Answer(200, headers=answer.headers) if _exists(answer) else answer


def _exists(answer: Answer) -> bool:
    return answer.status == 409 or (answer.status == 400 and "exist" in (answer.code or ""))


def _path(*parts: str) -> str:
    return "/api/v1/use_cases/" + "/".join(_quote(part) for part in parts)


def _quote(part: str) -> str:
    return quote(part, safe="")


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, allow_nan=False).encode()
