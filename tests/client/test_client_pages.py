"""Lists follow their cursor."""

from __future__ import annotations

import pytest

from payi_otel.client import APIResponseValidationError, AsyncPayi, Payi
from tests.client.scripted import Answer, ScriptedServer

PAGES = (
    Answer({"items": [{"category": "a"}, {"category": "b"}], "cursor": "2", "request_id": "q1"}),
    Answer({"items": [], "cursor": "3", "request_id": "q2"}),
    Answer({"items": [{"category": "c"}], "cursor": None, "request_id": "q3"}),
)


def test_iteration_follows_the_cursor_and_keeps_the_query(service: ScriptedServer, client: Payi) -> None:
    service.answer(*PAGES)
    names = [item.category for item in client.categories.list(active=True, limit=2)]
    assert names == ["a", "b", "c"]
    assert [dict(seen.query) for seen in service.seen] == [
        {"Active": "true", "limit": "2"},
        {"Active": "true", "limit": "2", "cursor": "2"},
        {"Active": "true", "limit": "2", "cursor": "3"},
    ]


async def test_async_iteration_follows_the_cursor(service: ScriptedServer, async_client: AsyncPayi) -> None:
    service.answer(*PAGES)
    assert [item.category async for item in async_client.categories.list()] == ["a", "b", "c"]
    assert [seen.query.get("cursor") for seen in service.seen] == [None, "2", "3"]


def test_pages_one_by_one(service: ScriptedServer, client: Payi) -> None:
    service.answer(*PAGES)
    first = client.categories.list()
    assert len(service.seen) == 1
    assert [item.category for item in first.items] == ["a", "b"]
    assert (first.cursor, first.request_id, first.has_next_page()) == ("2", "q1", True)
    second = first.next_page()
    assert second is not None
    third = second.next_page()
    assert third is not None
    assert (third.has_next_page(), third.next_page()) == (False, None)


async def test_async_pages_one_by_one(service: ScriptedServer, async_client: AsyncPayi) -> None:
    service.answer(*PAGES)
    first = await async_client.categories.list()
    assert [item.category for item in first.items] == ["a", "b"]
    second = await first.next_page()
    assert second is not None
    assert second.items == ()


def test_iterating_a_page_twice_gives_the_same(service: ScriptedServer, client: Payi) -> None:
    service.answer(PAGES[0], PAGES[2], PAGES[2])
    page = client.categories.list()
    assert list(page) == list(page)


def test_a_page_that_leads_to_itself_does_not_loop(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer({"items": [], "cursor": "same"}))
    with pytest.raises(APIResponseValidationError, match="leads to itself"):
        list(client.categories.list())
    assert len(service.seen) == 2


def test_an_answer_without_items_is_named(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer({"data": []}))
    with pytest.raises(APIResponseValidationError, match="items"):
        client.limits.list()
