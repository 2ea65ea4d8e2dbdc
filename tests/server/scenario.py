"""What a client of Pay-i can do, one step after the other: each method, and what it must answer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

Step = tuple[str, tuple[Any, ...], dict[str, Any]]
UNITS: Any = {"text": {"input": 1_000_000, "output": 1_000_000}}


def method_of(client: Any, name: str) -> Any:
    """A method by its dotted name."""
    for part in name.split("."):
        client = getattr(client, part)
    return client


def scenario(name: str) -> Generator[Step, Any, None]:
    """Steps of method, arguments, keywords; each gets what the method has answered."""

    def step(method: str, *args: Any, **kwargs: Any) -> Step:
        return method, args, kwargs

    limit = yield step(
        "limits.create", limit_name=name, max=10, limit_id=name, threshold=0.9, properties={"a": "b"}
    )
    assert limit.limit.totals.requests.total == 0
    units = yield step(
        "ingest.units", category="system.openai", resource="gpt-4o-mini", units=UNITS, use_case_name=name,
        use_case_id="one", limit_ids=[name], provider_response_id=name,
    )  # fmt: skip
    assert units.xproxy_result.limits[name].state == "ok"
    bulk = yield step("ingest.bulk", events=[{"category": "c", "units": UNITS, "use_case_name": name}])
    assert bulk.ingest_count == 1
    limit = yield step("limits.retrieve", name)
    assert (limit.limit.totals.cost.total.base, limit.limit.totals.requests.ok) == (0.75, 1)
    limit = yield step("limits.update", name, max=20)
    assert limit.limit.max == 20
    page = yield step("limits.list", limit_name=name)
    assert [item.limit_id for item in page.items] == [name]
    changed = yield step("limits.properties.update", name, properties={"a": None})
    assert changed[0].limit.limit_id == name
    closed = yield step("limits.reset", name)
    assert closed.limit_history.totals.cost.total.base == 0.75
    assert (yield step("limits.delete", name)).request_id

    version = yield step(
        "categories.resources.create", "m", category=name, units={"text": {"input_price": 1}}
    )
    where = {"category": name, "resource": "m"}
    assert (yield step("categories.resources.retrieve", version.resource_id, **where)).units[
        "text"
    ].input_price == 1
    assert len((yield step("categories.resources.list", "m", category=name, active=True)).items) == 1
    assert len((yield step("categories.list_resources", name)).items) == 1
    assert (yield step("categories.list", limit=1)).items
    assert (yield step("categories.resources.delete", version.resource_id, **where)).resource == "m"
    for resource in ("m", "n"):
        yield step("categories.resources.create", resource, category=name, units={"text": {"input_price": 1}})
    assert len((yield step("categories.delete_resource", "m", category=name))) == 1
    assert len((yield step("categories.delete", name))) == 1

    defined = yield step(
        "use_cases.definitions.create", name=f"{name}.d", description="d", limit_config={"max": 1}
    )
    assert defined.limit_config.max == 1
    assert (yield step("use_cases.definitions.limit_config.delete", f"{name}.d")).limit_config is None
    assert (yield step("use_cases.definitions.limit_config.create", f"{name}.d", max=2)).limit_config.max == 2
    assert (yield step("use_cases.definitions.update", f"{name}.d", description="e")) is not None
    assert (yield step("use_cases.definitions.retrieve", f"{name}.d")).description == "e"
    assert (yield step("use_cases.definitions.version.increment", f"{name}.d")).type_version == 2
    assert len((yield step("use_cases.definitions.list", use_case_name=f"{name}.d")).items) == 1
    kpi = {"description": "d", "goal": 0.5, "kpi_type": "boolean", "name": "solved"}
    assert (yield step("use_cases.definitions.kpis.create", f"{name}.d", **kpi)).name == "solved"
    here = {"use_case_name": f"{name}.d"}
    yield step("use_cases.definitions.kpis.update", "solved", goal=0.6, **here)
    assert (yield step("use_cases.definitions.kpis.retrieve", "solved", **here)).goal == 0.6
    assert len((yield step("use_cases.definitions.kpis.list", f"{name}.d")).items) == 1
    instance = yield step("use_cases.create", f"{name}.d")
    assert instance.limit_id
    yield step("use_cases.kpis.update", "solved", use_case_id=instance.use_case_id, score=True, **here)
    scores = yield step("use_cases.kpis.list", instance.use_case_id, **here)
    assert [item.score for item in scores.items] == [1]
    yield step("use_cases.properties.update", instance.use_case_id, properties={"a": "b"}, **here)
    assert (yield step("use_cases.retrieve", instance.use_case_id, **here)).limit_id == instance.limit_id
    yield step("use_cases.delete", instance.use_case_id, **here)
    yield step("use_cases.definitions.kpis.delete", "solved", **here)
    yield step("use_cases.definitions.delete", f"{name}.d")

    by_request = yield step("requests.request_id.result.retrieve", units.request_id)
    by_response = yield step("requests.response_id.result.retrieve", name, category="system.openai")
    assert by_request.xproxy_result.cost == by_response.xproxy_result.cost
    yield step("requests.request_id.properties.update", units.request_id, properties={"a": "b"})
    yield step(
        "requests.response_id.properties.update", name, category="system.openai", properties={"a": "b"}
    )
