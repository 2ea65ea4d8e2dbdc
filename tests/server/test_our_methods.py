"""Every method of our own client, sync and async, against this server."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import httpx2
import pytest

from payi_otel.client import APIStatusError, AsyncPayi, Payi
from tests.server.scenario import UNITS, Step, method_of, scenario

Fresh = Callable[[str], str]
NOT_SERVED = {"ingest.copilot.licensing", "ingest.copilot.transcripts"}


def methods(client: Any) -> set[str]:
    """The names of all methods that send a request."""
    found: set[str] = set()

    def walk(resource: Any, prefix: str) -> None:
        for name in dir(resource):
            if name.startswith("_") or name == "sender":
                continue
            value = getattr(resource, name)
            if callable(value):
                found.update([prefix + name] if prefix else [])
            elif type(value).__module__.startswith("payi_otel.client"):
                walk(value, f"{prefix}{name}.")

    walk(client, "")
    return found


def own(name: str, report: str) -> Generator[Step, Any, None]:
    """What the official client of today has no methods for."""

    def step(method: str, *args: Any, **kwargs: Any) -> Step:
        return method, args, kwargs

    experiences = f"{name}.e"
    made = yield step("experiences.types.create", name=experiences, description="d")
    assert made.name == experiences
    assert (yield step("experiences.types.list", name=experiences)).items[0].name == experiences
    assert (yield step("experiences.types.update", experiences, description="e")) is not None
    assert (yield step("experiences.types.retrieve", experiences)).description == "e"
    limited = yield step("experiences.types.limit_config.create", experiences, max=1)
    assert limited.limit_config.max == 1
    one = yield step("experiences.create", experiences)
    assert one.limit_id
    yield step("experiences.properties.create", one.experience_id, properties={"a": "b"})
    found = yield step("experiences.retrieve", one.experience_id)
    assert (found.experience_id, found.limit_id) == (one.experience_id, one.limit_id)
    yield step("experiences.delete", one.experience_id)
    yield step("experiences.types.limit_config.delete", experiences)
    yield step("experiences.types.delete", experiences)

    event = {"category": "system.openai", "resource": "gpt-4o-mini", "units": UNITS, "use_case_name": name}
    sent = [{**event, "provider_response_id": f"{name}-own", "use_case_id": "own"}]
    assert (yield step("ingest.bulk_upsert", events=sent)).ingest_count == 1
    assert (yield step("ingest.bulk_upsert", events=sent)).ingest_count == 1
    assert (yield step("use_cases.definitions.increment_version", name)).type_version == 2
    kpi = {"description": "d", "goal": 0.5, "kpi_type": "boolean", "name": "solved"}
    yield step("use_cases.definitions.kpis.create", name, **kpi)
    yield step("use_cases.kpis.create", kpi_name="solved", use_case_id="own", score=True)
    scores = yield step("use_cases.kpis.list", "own", use_case_name=name)
    assert [item.score for item in scores.items] == [1]
    yield step("use_cases.kpis.delete", "solved", use_case_id="own")
    yield step("use_cases.properties.create", "own", properties={"a": "b"})
    value = yield step("use_cases.value", "own", use_case_name=name)
    assert (value.money, value.time) == (None, None)
    # Twice sent, once counted.
    assert f"{name},1,0.75" in str((yield step("reports.retrieve", report)))
    transcript = {"conversation_id": "c", "transcript_id": "t", "created_on": "2026-10-01T00:00:00Z"}
    yield step("ingest.copilot.transcripts", transcript=transcript)
    resource = {"resourceId": "r", "metadata": {"FeatureName": "f"}}
    yield step("ingest.copilot.licensing", billing_date_utc="2026-10-01", resource=resource)


@pytest.fixture
def report(http: httpx2.Client, fresh: Fresh) -> str:
    name = fresh("report")
    body = {"pivots": ["Use Case"], "values": ["Requests", "Spend"]}
    assert http.put(f"/api/v1/local/reports/{name}", json=body).status_code == 200
    return name


def test_every_method(server: Any, fresh: Fresh, report: str) -> None:
    called: set[str] = set()
    with Payi(api_key=server.api_key, base_url=server.url, max_retries=0) as client:
        for steps in (scenario(fresh("ours")), own(fresh("own"), report)):
            answer: Any = None
            while (step := _next(steps, answer)) is not None:
                name, args, kwargs = step
                called.add(name)
                try:
                    answer = method_of(client, name)(*args, **kwargs)
                except APIStatusError as error:
                    answer = _expected(error, name)
        assert methods(client) - called == set()


async def test_every_method_async(server: Any, fresh: Fresh, report: str) -> None:
    called: set[str] = set()
    async with AsyncPayi(api_key=server.api_key, base_url=server.url, max_retries=0) as client:
        for steps in (scenario(fresh("ours")), own(fresh("own"), report)):
            answer: Any = None
            while (step := _next(steps, answer)) is not None:
                name, args, kwargs = step
                called.add(name)
                try:
                    answer = await method_of(client, name)(*args, **kwargs)
                except APIStatusError as error:
                    answer = _expected(error, name)
        assert methods(client) - called == set()


def _next(steps: Generator[Step, Any, None], answer: Any) -> Step | None:
    try:
        return steps.send(answer)
    except StopIteration:
        return None


def _expected(error: APIStatusError, name: str) -> None:
    """Copilot ingest alone is refused."""
    if name not in NOT_SERVED:
        raise error
    assert error.status_code == 501
