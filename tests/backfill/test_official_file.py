"""The file that the official SDK writes offline, imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from payi_otel.demo.provider import running_provider
from tests.backfill.conftest import Import, Stored

APP = """
from openai import APIConnectionError, OpenAI
from payi.lib.instrument import payi_instrument, track_context

payi_instrument(
    config={
        "offline_instrumentation": {"file_name": "offline.json"},
        "user_id": "jane",
        "limit_ids": ["a"],
        "request_properties": {"team": "red"},
    }
)
client = OpenAI()
call = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
with track_context(
    use_case_name="chat", use_case_id="run-1", use_case_version=2, use_case_step="plan",
    account_name="acme", resource_scope="region", use_case_properties={"tier": "gold"},
):
    client.chat.completions.create(**call)
    for _ in client.chat.completions.create(**call, stream=True):
        pass
try:
    OpenAI(base_url="http://127.0.0.1:9/v1", max_retries=0).chat.completions.create(**call)
except APIConnectionError:
    pass
"""


def test_everything_in_it_arrives(run_import: Import, server: Stored, tmp_path: Path) -> None:
    (tmp_path / "my app (1).py").write_text(APP)
    with running_provider() as provider:
        subprocess.run(
            [sys.executable, "my app (1).py"],
            cwd=tmp_path,
            env={**os.environ, "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": provider.openai_base_url},
            check=True,
            timeout=120,
        )
    path = tmp_path / "offline.json"
    written = json.loads(path.read_text())
    done = run_import(path)
    assert done.code == 0
    # The SDK names a use case after the program; not every such name is one that Pay-i takes.
    assert "'my_app_(1)' is recorded as 'my_app__1_'" in done.err
    stored = {item["provider_response_id"]: item for item in server.events()}
    assert len(stored) == len(written) == 3
    for item in written:
        found = stored[item["provider_response_id"]]
        same = ("category", "resource", "http_status_code", "user_id", "limit_ids", "end_to_end_latency_ms")
        assert {name: found[name] for name in same} == {name: item[name] for name in same}
        assert found["properties"]["team"] == "red"
        sent = {name: {"input": 0, "output": 0} | counts for name, counts in item["units"].items()}
        assert found["units"] == sent
    plain, streamed = (stored[item["provider_response_id"]] for item in written[:2])
    for found in (plain, streamed):
        assert found["use_case_name"] == "chat"
        assert (found["use_case_id"], found["use_case_version"], found["use_case_step"]) == (
            "run-1",
            2,
            "plan",
        )
        assert (found["account_name"], found["resource_scope"]) == ("acme", "region")
        assert found["cost"]["total"]["base"] > 0
    failed = stored[written[2]["provider_response_id"]]
    assert failed["use_case_name"] == "my_app__1_"
    assert failed["http_status_code"] == 299
    assert failed["properties"]["system.failure"] == "APIConnectionError"
