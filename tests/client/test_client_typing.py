"""A type checker sees plain results on `Payi` and coroutines on `AsyncPayi`."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(importlib.util.find_spec("pyright") is None, reason="pyright is not installed")
def test_types_of_both_clients() -> None:
    sample = Path(__file__).with_name("typed.py")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", str(sample)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    report = json.loads(done.stdout)
    assert [item["message"] for item in report["generalDiagnostics"]] == []
    assert report["summary"]["filesAnalyzed"] == 1
