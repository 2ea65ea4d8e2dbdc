"""What a process pays before its first call: prints the CPU seconds of an import and of instrumenting.

    python -m peers.start CONTENDER

The import is what comes on top of OpenTelemetry's SDK, instrumenting what comes on top of both provider SDKs.
"""

from __future__ import annotations

import json
import os
import sys
import time

import opentelemetry.sdk.trace.export

from peers.setups import SETUPS


def main() -> None:
    """Measure once."""
    assert opentelemetry.sdk.trace.export is not None
    os.environ["ANTHROPIC_OPEN_TELEMETRY"] = "false"
    began = time.process_time()
    instrument = SETUPS[sys.argv[1]]()
    imported = time.process_time() - began
    # Lazily imported parts as well, since every application comes to need them.
    import anthropic.resources.messages
    import openai.resources.chat.completions

    assert anthropic.resources.messages is not None
    assert openai.resources.chat.completions is not None
    began = time.process_time()
    instrument("http://127.0.0.1:9")
    print(json.dumps({"import": imported, "instrument": time.process_time() - began}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
