"""What a process pays before its first call, in modules loaded and in code compiled at run time: never in time."""

from __future__ import annotations

import json
import subprocess
import sys

# Needed by the threads that deliver, for spans of other instrumentations, by a client of Pay-i's API, or by the
# server: never by `payi_instrument()`.
HEAVY = {
    "httpx2",
    "httpx",
    "openai",
    "anthropic",
    "pydantic",
    "sqlalchemy",
    "starlette",
    "grpc",
    "sqlite3",
    "multiprocessing",
    "opentelemetry.instrumentation",
    "payi_otel.client",
    "payi_otel.server",
    "payi_otel.gateway",
    "payi_otel.demo",
    "payi_otel.backfill",
    "payi_otel.doctor",
    "payi_otel.spans.foreign.translate",
}
# Each class that `dataclasses` makes compiles its methods: a frozen one that can be compared six of them, and they
# were half of what starting took.
MOST_COMPILED = 39
PROGRAM = """
import builtins, json, sys
import opentelemetry.sdk.trace.export

before, compiled, run = set(sys.modules), 0, builtins.exec

def count(source, *rest, **more):
    global compiled
    compiled += isinstance(source, str)
    return run(source, *rest, **more)

builtins.exec = count
import payi_otel
payi_otel.payi_instrument(api_key="k", base_url="http://127.0.0.1:9", config={"exit_timeout_s": 0.1})
print(json.dumps({"loaded": sorted(set(sys.modules) - before), "compiled": compiled}))
"""


def test_starting_loads_and_compiles_little(tmp_path, monkeypatch):
    monkeypatch.setenv("PAYI_OUTBOX_DIR", str(tmp_path))
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    told = json.loads(printed.splitlines()[-1])
    assert not HEAVY & set(told["loaded"])
    assert told["compiled"] <= MOST_COMPILED
