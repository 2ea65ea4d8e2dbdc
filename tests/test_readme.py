"""The quickstart of the README does what it says, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from payi_otel.demo.provider import running_provider
from payi_otel.demo.report import read_summary

ROOT = Path(__file__).resolve().parents[1]


def test_the_quickstart_brings_a_cost_and_a_score(tmp_path):
    pytest.importorskip("fastapi", reason="the server extra is not installed")
    from payi_otel.server.main import background_server

    (code,) = re.findall(
        r"```python\n(from openai import OpenAI\n.*?)```", (ROOT / "README.md").read_text(), re.S
    )
    (tmp_path / "app.py").write_text(code)
    with background_server() as server, running_provider() as provider:
        done = subprocess.run(
            [sys.executable, "app.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                **os.environ,
                "OPENAI_API_KEY": "k",
                "OPENAI_BASE_URL": provider.openai_base_url,
                "PAYI_API_KEY": server.api_key,
                "PAYI_BASE_URL": server.url,
                "PAYI_OUTBOX_DIR": str(tmp_path),
                "PYTHONPATH": str(ROOT),
            },
        )
        assert (done.returncode, done.stderr) == (0, "")
        (use_case,) = read_summary(server.url, server.api_key)
        assert (use_case.name, use_case.calls) == ("support_chat", 1)
        assert use_case.cost > 0
        (kpi,) = use_case.kpis
        assert (kpi.name, kpi.goal, kpi.average) == ("resolved", 0.8, 1.0)
