"""Every method the official client has, sync and async, and its own instrumentation, against this server."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx2
import payi
import pytest

from payi_otel.demo.provider import running_provider
from tests.server.conftest import stored
from tests.server.scenario import method_of, scenario

Fresh = Callable[[str], str]


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


def test_every_method(server: Any, fresh: Fresh) -> None:
    with payi.Payi(api_key=server.api_key, base_url=server.url, max_retries=0) as client:
        steps, answer, called = scenario(fresh("sync")), None, set[str]()
        while True:
            try:
                name, args, kwargs = steps.send(answer)
            except StopIteration:
                break
            answer = method_of(client, name)(*args, **kwargs)
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
            answer = await method_of(client, name)(*args, **kwargs)
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
