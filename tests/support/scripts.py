"""A script in a fresh process, beside a vendor and a Pay-i on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from payi_otel.demo.provider import FakeProvider, running_provider
from tests.support.ingest_sink import IngestSink, running_sink


@dataclass(frozen=True, slots=True)
class Ran:
    """What a script has left: what the vendor and Pay-i got, and what it printed to standard error."""

    vendor: FakeProvider
    sink: IngestSink
    stderr: str


def run_script(prelude: str, script: str, outbox: Path, **environment: str) -> Ran:
    """Run a script, which finds the vendor's address in VENDOR; it must end well."""
    with running_provider() as vendor, running_sink() as sink:
        done = subprocess.run(
            [sys.executable, "-c", prelude + textwrap.dedent(script)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={
                **os.environ,
                "VENDOR": vendor.url,
                "PAYI_API_KEY": "k",
                "PAYI_BASE_URL": sink.url,
                "PAYI_OUTBOX_DIR": str(outbox),
                "PYTHONPATH": str(Path.cwd()),
                **environment,
            },
        )
        assert done.returncode == 0, done.stderr
        return Ran(vendor, sink, done.stderr)
