"""What a type checker must know about both clients; checked by test_client_typing.py, never run."""

# An expected error that does not come is an error, too.
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from typing_extensions import assert_type

from payi_otel.client import AsyncPage, AsyncPayi, Page, Payi
from payi_otel.client.results import BulkIngestResponse, KpiDefinition, Limit, UseCase


def blocking(client: Payi) -> None:
    assert_type(client.use_cases.create("u", timeout=3.0), UseCase)
    assert_type(client.use_cases.kpis.update("k", use_case_id="i", score=True), None)
    assert_type(client.limits.list(), Page[Limit])
    for limit in client.limits.list(limit=5):
        assert_type(limit, Limit)
    assert_type(client.with_options(max_retries=0), Payi)
    client.use_cases.create(nam="u")  # pyright: ignore[reportCallIssue]
    client.use_cases.create(7)  # pyright: ignore[reportArgumentType]


async def awaited(client: AsyncPayi) -> None:
    await assert_type(client.use_cases.create("u"), Coroutine[Any, Any, UseCase])
    kpi = await client.use_cases.definitions.kpis.create(
        "u", name="k", description="d", kpi_type="boolean", goal=0.5
    )
    assert_type(kpi, KpiDefinition)
    assert_type(await client.limits.list(), AsyncPage[Limit])
    async for limit in client.limits.list():
        assert_type(limit, Limit)
    events = [{"category": "c", "units": {"text": {"input": 1}}}]
    assert_type(await client.ingest.bulk_upsert(events=events), BulkIngestResponse)
    assert_type(client.with_options(timeout=None), AsyncPayi)
    await client.use_cases.definitions.kpis.create(
        "u",
        name="k",
        description="d",
        kpi_type="likert3",  # pyright: ignore[reportArgumentType]
        goal=0.5,
    )
