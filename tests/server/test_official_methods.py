"""Every method the official client has, sync and async, and its own instrumentation, against this server."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from typing import Any

import httpx2
import payi
import pytest

from payi_otel.demo.provider import running_provider
from tests.server.conftest import stored

Fresh = Callable[[str], str]
Step = tuple[str, tuple[Any, ...], dict[str, Any]]
UNITS: Any = {"text": {"input": 1_000_000, "output": 1_000_000}}


def methods(client: Any) -> set[str]:
    """The names of all methods that send a request."""
    found: set[str] = set()

    def walk(resource: Any, prefix: str) -> None:
        for name in dir(resource):
            if name.startswith(("_", "with_")):
                continue
            value = getattr(resource, name)
            if type(value).__module__.startswith("payi.resources"):
                walk(value, f"{prefix}{name}.")
            elif inspect.ismethod(value) and prefix:
                found.add(prefix + name)

    walk(client, "")
    return found


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


def _method(client: Any, name: str) -> Any:
    for part in name.split("."):
        client = getattr(client, part)
    return client


def test_every_method(server: Any, fresh: Fresh) -> None:
    with payi.Payi(api_key=server.api_key, base_url=server.url, max_retries=0) as client:
        steps, answer, called = scenario(fresh("sync")), None, set[str]()
        while True:
            try:
                name, args, kwargs = steps.send(answer)
            except StopIteration:
                break
            answer = _method(client, name)(*args, **kwargs)
            called.add(name)
        assert methods(client) - called == set()


async def test_every_method_async(server: Any, fresh: Fresh) -> None:
    async with payi.AsyncPayi(api_key=server.api_key, base_url=server.url, max_retries=0) as client:
        steps, answer, called = scenario(fresh("async")), None, set[str]()
        while True:
            try:
                name, args, kwargs = steps.send(answer)
            except StopIteration:
                break
            answer = await _method(client, name)(*args, **kwargs)
            called.add(name)
        assert methods(client) - called == set()


PROGRAM = """
import os
import openai, payi
from payi.lib.instrument import payi_instrument, track_context

client = payi.Payi(api_key=os.environ["KEY"], base_url=os.environ["SERVER"])
payi_instrument(payi=client)
with track_context(use_case_name=os.environ["NAME"], use_case_id="one"):
    openai.OpenAI(api_key="k", base_url=os.environ["VENDOR"]).chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}]
    )
"""


def test_its_own_instrumentation(server: Any, http: httpx2.Client, fresh: Fresh) -> None:
    name = fresh("instrumented")
    with running_provider() as provider:
        environment = {
            "KEY": server.api_key,
            "SERVER": server.url,
            "VENDOR": provider.openai_base_url,
            "NAME": name,
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    (event,) = stored(http, name)
    assert (event["use_case_id"], event["resource"]) == ("one", "gpt-4o-mini")
    assert event["cost"]["total"]["base"] == pytest.approx(
        event["units"]["text"]["input"] * 0.15e-6 + event["units"]["text"]["output"] * 0.60e-6
    )
