"""What instrumentation may not do to the process: leave patches behind, keep it alive, change how it ends."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import payi_otel
from tests.support.ingest_sink import IngestSink, running_sink
from tests.support.vendor import running_vendor
from tests.transparency.provider import Provider

ROOT = Path(__file__).resolve().parents[2]
PATCHED_MODULES = (
    "openai._base_client",
    "openai._streaming",
    "openai._legacy_response",
    "openai._response",
    "anthropic._base_client",
    "anthropic._streaming",
    "anthropic._response",
)
WEBSOCKET_MODULES = (
    "openai.resources.responses.responses",
    "openai.resources.realtime.realtime",
    "openai.resources.beta.realtime.realtime",
    "openai.resources.beta.responses.responses",
)


def attributes_of(modules: list[ModuleType]) -> dict[str, Any]:
    """Every attribute of every class and of the modules themselves, by dotted name."""
    found: dict[str, Any] = {}
    for module in modules:
        found |= {f"{module.__name__}.{name}": value for name, value in vars(module).items()}
        for class_name, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ == module.__name__:
                found |= {
                    f"{module.__name__}.{class_name}.{name}": value for name, value in vars(cls).items()
                }
    return found


def present(names: tuple[str, ...]) -> list[ModuleType]:
    modules: list[ModuleType] = []
    for name in names:
        try:
            modules.append(importlib.import_module(name))
        except ImportError:
            continue
    return modules


def test_uninstrument_gives_back_the_very_same_objects() -> None:
    modules = present(PATCHED_MODULES + WEBSOCKET_MODULES)
    before = attributes_of(modules)
    for _ in range(2):
        with running_sink() as sink:
            payi_otel.payi_instrument(api_key="k", base_url=sink.url)
            during = attributes_of(modules)
            payi_otel.uninstrument()
        after = attributes_of(modules)
        assert after.keys() == before.keys()
        assert [name for name, value in before.items() if after[name] is not value] == []
        changed = {name for name, value in before.items() if during[name] is not value}
        assert "openai._base_client.SyncAPIClient.request" in changed
        assert "anthropic._base_client.AsyncAPIClient.request" in changed
        assert not [name for name in changed if "Stream.__next__" in name]


PROGRAMS: dict[str, str] = {
    "an open OpenAI stream": """
import openai
stream = openai.OpenAI(api_key="k", base_url=VENDOR + "/v1").chat.completions.create(
    model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
print(next(stream).choices[0].delta)
""",
    "an open Anthropic stream": """
import anthropic
stream = anthropic.Anthropic(api_key="k", base_url=VENDOR).messages.create(
    model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}], stream=True)
print(next(stream).type)
""",
    "an open asynchronous stream": """
import asyncio, openai
async def main():
    global stream
    # asyncio closes what is left of a response's generators in the order of their addresses, and for some
    # orders it complains, instrumented or not.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    client = openai.AsyncOpenAI(api_key="k", base_url=VENDOR + "/v1")
    stream = await client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
    print((await stream.__anext__()).choices[0].delta)
asyncio.run(main())
""",
    "sys.exit in the loop body": """
import sys, openai
for chunk in openai.OpenAI(api_key="k", base_url=VENDOR + "/v1").chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}], stream=True):
    sys.exit(7)
""",
    "an exception nobody catches": """
import openai
for chunk in openai.OpenAI(api_key="k", base_url=VENDOR + "/v1").chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}], stream=True):
    raise LookupError("of the application")
""",
    "a call at module level": """
import openai
print(openai.OpenAI(api_key="k", base_url=VENDOR + "/v1").chat.completions.create(
    model="m", messages=[{"role": "user", "content": "hi"}]).choices[0].message.content)
""",
}
INSTRUMENT = """
import payi_otel
payi_otel.payi_instrument(api_key="k", base_url={sink!r}, config={{"use_case_name": "exit"}})
"""


def run(program: str, vendor_url: str, sink: IngestSink | None, folder: Path) -> tuple[int, str, list[str]]:
    """Exit code, standard output and the error lines of a Python process."""
    # One line either way: what comes after keeps its line numbers.
    start = INSTRUMENT.format(sink=sink.url).strip().replace("\n", "; ") if sink is not None else "pass"
    path = folder / "program.py"
    path.write_text(f"VENDOR = {vendor_url!r}\n{start}\n{program}")
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "PAYI_OUTBOX_DIR": str(folder)},
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


@pytest.mark.parametrize("ending", PROGRAMS)
def test_a_process_ends_as_it_would_and_its_call_is_reported(ending: str, tmp_path: Path) -> None:
    with running_vendor(Provider().respond) as vendor, running_sink() as sink:
        bare = run(PROGRAMS[ending], vendor.url, None, tmp_path)
        instrumented = run(PROGRAMS[ending], vendor.url, sink, tmp_path)
        events = list(sink.events.values())
    # asyncio closes the SDK's nested generators in any order at the end of a loop, and complains about some of
    # them or none, bare as well: what it prints there is nobody's promise.
    compared = 2 if "asynchronous" in ending else 3
    assert instrumented[:compared] == bare[:compared]
    assert len(events) == 1
    assert events[0]["use_case_name"] == "exit"
    assert events[0]["units"]["text"]["input"] > 0
