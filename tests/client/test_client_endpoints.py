"""Every endpoint's method, path, query and body, on both clients."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from payi_otel.client import AsyncPayi, Payi
from payi_otel.client.endpoint import Resource, endpoint, pages
from tests.client.cases import Case
from tests.client.conftest import KEY
from tests.client.endpoints import CASES
from tests.client.scripted import Answer, ScriptedServer

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
def test_endpoint_on_the_wire(case: Case, service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(case.reply))
    case.call(client)
    assert_as_documented(case, service)


@every_case
async def test_endpoint_on_the_wire_async(
    case: Case, service: ScriptedServer, async_client: AsyncPayi
) -> None:
    service.answer(Answer(case.reply))
    await case.call(async_client)
    assert_as_documented(case, service)


def assert_as_documented(case: Case, service: ScriptedServer) -> None:
    (seen,) = service.seen
    assert (seen.method, seen.path, dict(seen.query), seen.body) == (
        case.method,
        case.path,
        dict(case.query),
        case.body,
    )
    assert seen.headers["xproxy-api-key"] == KEY
    assert seen.headers["user-agent"].startswith("payi-otel/")
    assert ("content-type" in seen.headers) == (case.body is not None)


@every_case
def test_sync_and_async_give_equal_results(case: Case, service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(case.reply))
    value = case.call(client)
    if case.reply == b"":
        assert value is None
    elif isinstance(case.reply, list):
        assert isinstance(value, tuple)
        assert len(value) == len(case.reply)
    elif isinstance(case.reply, dict) and "items" in case.reply:
        assert len(list(value)) == len(case.reply["items"])
    else:
        assert type(value).__module__ == "payi_otel.client.results"


def test_every_method_of_the_client_is_in_the_table(client: Payi) -> None:
    assert set(methods(client)) == {case.name for case in CASES}


def methods(owner: Any, prefix: str = "") -> Iterator[str]:
    for name in dir(type(owner)):
        member = inspect.getattr_static(type(owner), name)
        if isinstance(member, (endpoint, pages)):
            yield prefix + name
        elif isinstance(member, property) and not name.startswith("_"):
            value = getattr(owner, name)
            if isinstance(value, Resource):
                yield from methods(value, f"{prefix}{name}.")


def test_methods_keep_their_documentation_and_signature(client: Payi, async_client: AsyncPayi) -> None:
    for payi in (client, async_client):
        method = payi.use_cases.kpis.update
        assert method.__name__ == "update"
        assert "None clears it" in (method.__doc__ or "")
        assert list(inspect.signature(method).parameters)[:2] == ["kpi_name", "use_case_id"]
    assert "None clears it" in (type(client.use_cases.kpis).update.__doc__ or "")


def test_ingest_sends_attribution_as_headers(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer({"request_id": "q", "xproxy_result": {}}))
    client.ingest.units(
        category="c",
        units={"text": {"input": 1, "output": 2}},
        use_case_name="u",
        use_case_id="i",
        use_case_version=3,
        use_case_step="s",
        user_id="Jürgen",
        account_name="a",
        limit_ids=["l1", " l2 ", ""],
        request_tags=["t"],
        resource_scope="datazone.us",
        disable_logging=True,
    )
    headers = service.seen[0].headers
    sent = {name: headers[f"xproxy-{name}"] for name in ATTRIBUTION}
    sent["user-id"] = sent["user-id"].encode("latin-1").decode("utf-8")
    assert sent == ATTRIBUTION


ATTRIBUTION = {
    "usecase-name": "u",
    "usecase-id": "i",
    "usecase-version": "3",
    "usecase-step": "s",
    "user-id": "Jürgen",
    "account-name": "a",
    "limit-ids": "l1,l2",
    "request-tags": "t",
    "resource-scope": "datazone.us",
    "logging-disable": "True",
}


def test_ingest_without_response_id_still_carries_an_id_to_count_once(
    service: ScriptedServer, client: Payi
) -> None:
    service.answer(
        Answer(status=503, headers={"retry-after-ms": "1"}), Answer({"request_id": "q", "xproxy_result": {}})
    )
    client.ingest.units(category="c", units={"text": {"input": 1}})
    client.ingest.units(category="c", units={"text": {"input": 1}})
    first, again, other = (seen.query["id"] for seen in service.seen)
    assert first == again != other
    assert first.startswith("payi_")
    assert "provider_response_id" not in service.seen[0].body


def test_logging_switch_is_absent_unless_disabled(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer({"request_id": "q", "xproxy_result": {}}))
    client.ingest.units(category="c", units={}, disable_logging=False)
    assert "xproxy-logging-disable" not in service.seen[0].headers


def test_score_asks_for_any_content_type(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer())
    client.use_cases.kpis.update("k", use_case_name="u", use_case_id="i", score=1)
    assert service.seen[0].headers["accept"] == "*/*"


def test_definition_update_without_a_body_gives_none(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(status=204))
    assert client.use_cases.definitions.update("u", description="d") is None


def test_experience_reads_the_use_case_answer(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer({"use_case_id": "i", "use_case_name": "u", "limit_id": "l"}))
    experience = client.experiences.create("u")
    assert (experience.experience_id, experience.experience_name, experience.limit_id) == ("i", "u", "l")


def test_report_rows(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer('user,cost\r\n"Jürgen, J",0.2\r\n'.encode(), headers={"Content-Type": "text/csv"}))
    assert client.reports.retrieve("r").rows() == [{"user": "Jürgen, J", "cost": "0.2"}]
