"""The official `payi` client against this server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import payi
import pytest

Fresh = Callable[[str], str]
WHEN = datetime(2026, 10, 5, tzinfo=timezone.utc)
UNITS: Any = {"text": {"input": 1_000_000, "output": 1_000_000}}


@pytest.fixture
def client(server: Any) -> Iterator[payi.Payi]:
    with payi.Payi(api_key=server.api_key, base_url=server.url) as official:
        yield official


def ingest(client: payi.Payi, **more: Any) -> Any:
    return client.ingest.units(
        category="system.openai", resource="gpt-4o-mini", units=UNITS, event_timestamp=WHEN, **more
    )


def test_ingest_and_its_result(client: payi.Payi, fresh: Fresh) -> None:
    name, response_id = fresh("official"), fresh("resp")
    more = {"use_case_name": name, "user_id": "jane", "account_name": "acme", "properties": {"n": "1"}}
    answer = ingest(client, provider_response_id=response_id, limit_ids=["a"], **more)
    result = answer.xproxy_result
    assert answer.event_timestamp == WHEN
    assert (result.use_case_name, result.user_id, result.account_name) == (name, "jane", "acme")
    assert (result.cost.input.base, result.cost.output.base, result.cost.total.base) == (0.15, 0.6, 0.75)
    again = ingest(client, provider_response_id=response_id, **more)
    assert again.xproxy_result.duplicate_request is True
    assert again.request_id == answer.request_id
    by_request = client.requests.request_id.result.retrieve(answer.request_id)
    by_response = client.requests.response_id.result.retrieve(response_id, category="system.openai")
    assert by_request.xproxy_result.use_case_id == by_response.xproxy_result.use_case_id == result.use_case_id
    changed = client.requests.request_id.properties.update(answer.request_id, properties={"n": "2"})
    assert changed is not None
    client.requests.response_id.properties.update(
        response_id, category="system.openai", properties={"m": "3"}
    )


def test_bulk(client: payi.Payi, fresh: Fresh) -> None:
    good: Any = {
        "category": "system.openai",
        "resource": "gpt-4o-mini",
        "units": UNITS,
        "event_timestamp": WHEN,
        "provider_response_id": fresh("bulk"),
        "use_case_name": fresh("bulk"),
        "scope": "global",
    }
    bad: Any = {**good, "event_timestamp": datetime.now(timezone.utc) + timedelta(days=1)}
    answer = client.ingest.bulk(events=[good, bad])
    assert (answer.ingest_count, answer.total_count) == (1, 2)
    assert answer.errors is not None
    assert [error.item_index for error in answer.errors] == [1]
    with pytest.raises(payi.BadRequestError):
        client.ingest.bulk(events=[bad])


def test_definitions_and_pages(client: payi.Payi, fresh: Fresh) -> None:
    names = [fresh("listed") for _ in range(5)]
    for name in names:
        made = client.use_cases.definitions.create(name=name, description="d")
        assert (made.name, made.type_version) == (name, 1)
    listed = [definition.name for definition in client.use_cases.definitions.list(limit=2)]
    assert len(listed) == len(set(listed))
    assert set(names) <= set(listed)
    (alone,) = client.use_cases.definitions.list(use_case_name=names[0])
    assert alone.name == names[0]
    client.use_cases.definitions.update(names[0], description="new")
    assert client.use_cases.definitions.version.increment(names[0]).type_version == 2
    assert client.use_cases.definitions.retrieve(names[0]).description == "new"
    client.use_cases.definitions.delete(names[0])
    with pytest.raises(payi.NotFoundError):
        client.use_cases.definitions.retrieve(names[0])


def test_kpis(client: payi.Payi, fresh: Fresh) -> None:
    use_case = fresh("scores")
    kpis = client.use_cases.definitions.kpis
    kpis.create(use_case, name="Deflection Rate", description="d", kpi_type="boolean", goal=0.25)
    kpis.create(use_case, name="Satisfaction", description="d", kpi_type="likert5", goal=3.5)
    kpis.update("Satisfaction", use_case_name=use_case, goal=4)
    assert kpis.retrieve("Satisfaction", use_case_name=use_case).goal == 4
    instance = client.use_cases.create(use_case)
    where: Any = {"use_case_name": use_case, "use_case_id": instance.use_case_id}
    client.use_cases.kpis.update("Deflection Rate", score=True, **where)
    client.use_cases.kpis.update("Satisfaction", score=4.8, **where)
    scores = {
        item.kpi_name: item.score
        for item in client.use_cases.kpis.list(instance.use_case_id, use_case_name=use_case, limit=1)
    }
    assert scores == {"Deflection Rate": 1, "Satisfaction": 4.8}
    with pytest.raises(payi.BadRequestError):
        client.use_cases.kpis.update("Satisfaction", score=9, **where)
    with pytest.raises(payi.NotFoundError):
        client.use_cases.kpis.update("Other", score=1, **where)
    kpis.delete("Satisfaction", use_case_name=use_case)
    assert [kpi.name for kpi in kpis.list(use_case)] == ["Deflection Rate"]


def test_instances(client: payi.Payi, fresh: Fresh) -> None:
    name = fresh("instances")
    made = client.use_cases.create(name)
    client.use_cases.properties.update(made.use_case_id, use_case_name=name, properties={"a": "1"})
    assert client.use_cases.retrieve(made.use_case_id, use_case_name=name).use_case_id == made.use_case_id
    client.use_cases.delete(made.use_case_id, use_case_name=name)
    with pytest.raises(payi.NotFoundError):
        client.use_cases.retrieve(made.use_case_id, use_case_name=name)


def test_refusals_are_not_retried(client: payi.Payi) -> None:
    with pytest.raises(payi.AuthenticationError) as wrong_key:
        client.with_options(api_key="sk-wrong").use_cases.definitions.retrieve("any")
    with pytest.raises(payi.BadRequestError) as wrong_name:
        ingest(client, use_case_name="two words")
    for refusal, status in ((wrong_key, 401), (wrong_name, 400)):
        assert refusal.value.status_code == status
        assert refusal.value.response.headers["x-should-retry"] == "false"
        assert refusal.value.response.request.headers["x-stainless-retry-count"] == "0"


async def test_async(server: Any, fresh: Fresh) -> None:
    async with payi.AsyncPayi(api_key=server.api_key, base_url=server.url) as official:
        answer = await official.ingest.units(
            category="system.openai", resource="gpt-4o-mini", units=UNITS, use_case_name=fresh("async")
        )
    assert answer.xproxy_result.cost is not None
