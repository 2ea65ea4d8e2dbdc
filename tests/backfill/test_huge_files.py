"""Memory does not grow with the file."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backfill.conftest import event
from tests.support.ingest_sink import IngestSink

PEAK = """
import resource, sys
from payi_otel.cli import main
code = main(sys.argv[1:])
print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1))
"""
ALLOWED_KB = 15_000


def peak_kb(path: Path, state: Path, *arguments: str) -> int:
    """The most memory an import of the file has taken."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, "import", str(path), *arguments],
        env={**os.environ, "PAYI_OUTBOX_DIR": str(state)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    code, peak = done.stdout.splitlines()[-1].split()
    assert code == "0"
    return int(peak)


def write(path: Path, form: str, count: int) -> Path:
    """A gzip file of events without ids, no two of them equal."""
    with gzip.open(path, "wt", compresslevel=1) as file:
        if form == "csv":
            file.write("category,units.text.input,event_timestamp,user_id,properties.note\n")
        for number in range(count):
            if form == "csv":
                file.write(f"system.openai,{number},2026-10-05T12:00:00Z,u{number},{'x' * 300}\n")
            else:
                text = json.dumps(event(user_id=f"u{number}", properties={"note": "x" * 300}))
                start = "[" if number == 0 else ","
                file.write(f"{start}{text}\n" if form == "array" else f"{text}\n")
        if form == "array":
            file.write("]")
    return path


@pytest.mark.parametrize("form", ["lines", "array", "csv"])
def test_checking_a_file_forty_times_as_large_takes_no_more_memory(tmp_path: Path, form: str) -> None:
    small = peak_kb(write(tmp_path / "small", form, 1_000), tmp_path, "--dry-run")
    large = peak_kb(write(tmp_path / "large", form, 40_000), tmp_path, "--dry-run")
    assert large - small < ALLOWED_KB


def test_sending_one_neither(sink: IngestSink, tmp_path: Path) -> None:
    small = peak_kb(write(tmp_path / "small", "lines", 1_000), tmp_path)
    large = peak_kb(write(tmp_path / "large", "lines", 40_000), tmp_path)
    assert len(sink.events) == 40_000
    assert large - small < ALLOWED_KB
