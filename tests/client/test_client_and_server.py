"""Client and self-hosted server together: what the one sends, the other keeps and gives back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from payi_otel.client import AsyncPayi, AuthenticationError, BadRequestError, NotFoundError, Payi

WHEN = datetime(2026, 10, 5, 12, 30, tzinfo=timezone.utc)
EVENT: dict[str, Any] = {
    "category": "system.openai",
    "resource": "gpt-4o",
    "units": {"text": {"input": 1_000_000, "output": 1_000_000}},
    "event_timestamp": WHEN,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    # Here, so that without the server only these tests fail, not the collection of all.
    from payi_otel.server.main import background_server

    with background_server() as running:
        yield running


@pytest.fixture
def payi(server: Any) -> Iterator[Payi]:
    with Payi(api_key=server.api_key, base_url=server.url) as client:
        yield client


def test_definitions(payi: Payi) -> None:
    made = payi.use_cases.definitions.create(name="defined", description="first")
    assert (made.name, made.description, made.type_version) == ("defined", "first", 1)
    assert payi.use_cases.definitions.create(name="defined", description="first").type_version == 1
    payi.use_cases.definitions.update("defined", description="second")
    assert payi.use_cases.definitions.increment_version("defined").type_version == 2
    read = payi.use_cases.definitions.retrieve("defined")
    assert (read.description, read.type_version) == ("second", 2)
    payi.use_cases.definitions.delete("defined")
    with pytest.raises(NotFoundError):
        payi.use_cases.definitions.retrieve("defined")


def test_lists_over_several_pages(payi: Payi) -> None:
    for index in range(5):
        payi.use_cases.definitions.kpis.create(
            "paged", name=f"k{index}", description="d", kpi_type="number", goal=index
        )
    first = payi.use_cases.definitions.kpis.list("paged", limit=2)
    assert len(first.items) == 2
    assert sorted(kpi.name for kpi in first) == ["k0", "k1", "k2", "k3", "k4"]
    assert [kpi.goal for kpi in payi.use_cases.definitions.kpis.list("paged", kpi_name="k3")] == [3]


def test_kpi_definition_life(payi: Payi) -> None:
    kpis = payi.use_cases.definitions.kpis
    kpis.create("life", name="Conversion $ Value", description="d", kpi_type="number", goal=10)
    kpis.update("Conversion $ Value", use_case_name="life", goal=0)
    assert kpis.retrieve("Conversion $ Value", use_case_name="life").goal == 0
    kpis.delete("Conversion $ Value", use_case_name="life")
    assert list(kpis.list("life")) == []


@pytest.mark.parametrize("kpi_name", ["Conversion $ Value", "50% of 1/2", "Zufriedenheit ü", "a?b#c&d=e+f"])
@pytest.mark.parametrize("use_case_id", ["plain", "ticket/42 ü?", "50%25", "http://a/b"])
def test_names_and_ids_with_special_characters(kpi_name: str, use_case_id: str, payi: Payi) -> None:
    payi.use_cases.definitions.kpis.create(
        "special", name=kpi_name, description="d", kpi_type="number", goal=1
    )
    payi.ingest.units(**EVENT, use_case_name="special", use_case_id=use_case_id)
    payi.use_cases.kpis.update(kpi_name, use_case_name="special", use_case_id=use_case_id, score=2.5)
    assert {
        item.kpi_name: item.score for item in payi.use_cases.kpis.list(use_case_id, use_case_name="special")
    }[kpi_name] == 2.5
    payi.use_cases.kpis.create(kpi_name, use_case_id=use_case_id, score=3)
    (score,) = payi.use_cases.kpis.list(use_case_id, kpi_name=kpi_name)
    assert score.score == 3
    payi.use_cases.kpis.delete(kpi_name, use_case_name="special", use_case_id=use_case_id)
    left = [item.kpi_name for item in payi.use_cases.kpis.list(use_case_id) if item.score is not None]
    assert kpi_name not in left


def test_instance_life(payi: Payi) -> None:
    made = payi.use_cases.create("instances", use_case_id="mine")
    assert (made.use_case_id, made.use_case_name) == ("mine", "instances")
    payi.use_cases.properties.create("mine", property_name="tier", value="gold")
    payi.use_cases.properties.update("mine", use_case_name="instances", properties={"region": None, "n": 3})
    assert payi.use_cases.retrieve("mine").use_case_name == "instances"
    assert payi.use_cases.retrieve("mine", use_case_name="instances").use_case_id == "mine"
    payi.use_cases.delete("mine", use_case_name="instances")
    with pytest.raises(NotFoundError):
        payi.use_cases.retrieve("mine", use_case_name="instances")


def test_ingest_and_its_result(payi: Payi) -> None:
    answer = payi.ingest.units(
        **EVENT,
        provider_response_id="chatcmpl-client-1",
        use_case_name="answers",
        use_case_step="draft",
        user_id="Jürgen 😀",
        account_name="Müller & Co",
        properties={"a": 1},
    )
    result = answer.xproxy_result
    assert answer.event_timestamp == WHEN
    assert (result.use_case_name, result.use_case_step) == ("answers", "draft")
    assert result.use_case_id
    assert (result.user_id, result.account_name) == ("Jürgen 😀", "Müller & Co")
    assert result.cost is not None
    # gpt-4o: 2.50 and 10 dollars for a million.
    assert (result.cost.input.base, result.cost.output.base, result.cost.total.base) == (2.5, 10.0, 12.5)
    assert result.duplicate_request is not True
    again = payi.ingest.units(**EVENT, provider_response_id="chatcmpl-client-1", use_case_name="answers")
    assert again.xproxy_result.duplicate_request is True
    by_request = payi.requests.request_id.result.retrieve(answer.request_id)
    by_response = payi.requests.response_id.result.retrieve("chatcmpl-client-1", category="system.openai")
    assert by_request.xproxy_result.use_case_id == by_response.xproxy_result.use_case_id == result.use_case_id
    payi.requests.request_id.properties.update(answer.request_id, properties={"b": "2", "a": None})
    payi.requests.response_id.properties.update(
        "chatcmpl-client-1", category="system.openai", properties={"c": "3"}
    )


def test_bulk(payi: Payi) -> None:
    events = [
        {**EVENT, "provider_response_id": f"bulk-{index}", "use_case_name": "bulk"} for index in range(3)
    ]
    assert payi.ingest.bulk_upsert(events=events).ingest_count == 3
    again = payi.ingest.bulk_upsert(events=events)
    assert (again.error_count, again.errors) == (0, ())
    result = payi.requests.response_id.result.retrieve("bulk-1", category="system.openai").xproxy_result
    assert result.use_case_name == "bulk"


def test_experiences(payi: Payi) -> None:
    payi.experiences.types.create(name="experienced", description="d")
    assert payi.experiences.types.retrieve("experienced").description == "d"
    made = payi.experiences.create("experienced")
    payi.experiences.properties.create(made.experience_id, properties={"tier": "gold"})
    assert payi.experiences.retrieve(made.experience_id).experience_name == "experienced"


async def test_async(server: Any) -> None:
    async with AsyncPayi(api_key=server.api_key, base_url=server.url) as client:
        await client.use_cases.definitions.kpis.create(
            "awaited", kpi_name="k", description="d", kpi_type="likert5", goal=4
        )
        instance = await client.use_cases.create("awaited")
        await client.use_cases.kpis.create("k", use_case_id=instance.use_case_id, score=4.5)
        scores = [item.score async for item in client.use_cases.kpis.list(instance.use_case_id)]
    assert scores == [4.5]


def test_refusals(payi: Payi) -> None:
    with pytest.raises(AuthenticationError) as unknown:
        payi.with_options(api_key="sk-wrong").use_cases.definitions.retrieve("answers")
    assert unknown.value.code == "invalid_api_key"
    with pytest.raises(NotFoundError) as missing:
        payi.use_cases.definitions.retrieve("nobody-made-this")
    assert missing.value.code == "use_case_not_found"
    payi.use_cases.definitions.kpis.create("refused", name="b", description="d", kpi_type="boolean", goal=1)
    instance = payi.use_cases.create("refused")
    with pytest.raises(BadRequestError) as wrong:
        payi.use_cases.kpis.update("b", use_case_name="refused", use_case_id=instance.use_case_id, score=7)
    assert "7" in wrong.value.message
