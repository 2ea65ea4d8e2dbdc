"""The application of the fault tests: makes calls with both SDKs when told to, a command in JSON per line.

`{"do": "call", "count": 3, "user_id": "u"}` makes calls; `submit` hands events to the delivery without a call, `per_s` of
them a second; `resolve` with a `mode` sets what becomes of the name `FAULTY_HOST`: it `fails`, `hangs` or `works`; `look`
does nothing. Each answers a line with the ids of the responses, the ledger, how often the name was looked up since it was
set, and the memory. The end of the input is the end of the program.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import time
import uuid
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import anthropic
import openai

import payi_otel
from payi_otel.bootstrap import ensure_ledger, ensure_worker
from payi_otel.spans.event import IngestEvent

FAULTY_HOST = "pay-i.example"
PROMPT = "the secret prompt"
ASK = [{"role": "user", "content": PROMPT}]


class FaultyResolver:
    """The system's resolver, with one name that fails, hangs or works."""

    def __init__(self) -> None:
        self._resolve = socket.getaddrinfo
        self._answers = threading.Event()
        self._fails = False
        self.set("works")

    def set(self, mode: str) -> None:
        """What becomes of `FAULTY_HOST` from now on."""
        self.lookups = 0
        self._fails = mode == "fails"
        if mode == "hangs":
            self._answers.clear()
        else:
            self._answers.set()

    def __call__(self, host: Any, *args: Any, **kwargs: Any) -> Any:
        if host in {FAULTY_HOST, FAULTY_HOST.encode()}:
            self.lookups += 1
            self._answers.wait()
            if self._fails:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = "127.0.0.1"
        return self._resolve(host, *args, **kwargs)


class Caller:
    """Makes calls: plain and streamed ones of both vendors in turn."""

    def __init__(self, provider_url: str) -> None:
        self._openai = openai.OpenAI(api_key="k", base_url=f"{provider_url}/v1")
        self._anthropic = anthropic.Anthropic(api_key="k", base_url=provider_url)
        self._made = 0

    def call(self) -> str:
        """One call; the provider's id of its response."""
        self._made += 1
        kind = self._made % 3
        if kind == 0:
            message = self._anthropic.messages.create(model="claude-haiku-4-5", max_tokens=20, messages=ASK)
            return message.id
        if kind == 1:
            return self._openai.chat.completions.create(model="gpt-4o-mini", messages=ASK).id
        stream = self._openai.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
        return [chunk.id for chunk in stream][-1]

    def close(self) -> None:
        """Close the connections."""
        self._openai.close()
        self._anthropic.close()


def submit(count: int, per_s: float) -> None:
    """Hand events to the delivery at this pace."""
    worker, ledger = ensure_worker(), ensure_ledger()
    began = time.monotonic()
    for number in range(count):
        ahead_s = number / per_s - (time.monotonic() - began)
        if ahead_s > 0.01:
            time.sleep(ahead_s)
        ledger.saw()
        worker.submit_event(
            IngestEvent(
                {
                    "provider_response_id": f"resp_{uuid.uuid4().hex}",
                    "category": "system.openai",
                    "resource": "gpt-4o-mini",
                    "units": {"text": {"input": 1200, "output": 350}},
                    "event_timestamp": datetime.now(timezone.utc),
                    "use_case_name": os.environ["PAYI_USE_CASE_NAME"],
                    "use_case_id": f"instance-{number % 50}",
                    "user_id": f"user-{number % 1000}",
                }
            )
        )


def memory() -> dict[str, int]:
    """Memory in bytes: what is resident now, and the most so far. Empty where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return {}
    told = {
        name: int(rest.split()[0]) * 1024
        for name, _, rest in (line.partition(":") for line in lines)
        if rest.endswith(" kB")
    }
    return {"resident": told["VmRSS"], "most_resident": told["VmHWM"]}


def main() -> None:
    """Follow the commands."""
    logging.basicConfig(level=logging.DEBUG, format="%(created)f %(name)s %(levelname)s %(message)s")
    # The vendors' own debug lines hold prompts.
    for name in ("openai", "anthropic"):
        logging.getLogger(name).setLevel(logging.INFO)
    resolver = FaultyResolver()
    socket.getaddrinfo = resolver
    payi_otel.payi_instrument()
    caller = Caller(os.environ["PROVIDER_URL"])
    for line in sys.stdin:
        command = json.loads(line)
        ids: list[str] = []
        if command["do"] == "call":
            with payi_otel.track_context(user_id=command["user_id"]):
                ids = [caller.call() for _ in range(command["count"])]
        elif command["do"] == "submit":
            submit(command["count"], command["per_s"])
        elif command["do"] == "resolve":
            resolver.set(command["mode"])
        told = {"ids": ids, "status": asdict(payi_otel.status()), "lookups": resolver.lookups}
        print(json.dumps(told | memory()), flush=True)


if __name__ == "__main__":
    main()
