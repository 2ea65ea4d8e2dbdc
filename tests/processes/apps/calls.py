"""What the programs here do: billed calls with a real SDK.

A bare run, which is one without a Pay-i key, makes none: it only shows how the program ends without payi_otel.
"""

import ctypes
import os

IS_BARE = "PAYI_API_KEY" not in os.environ
_QUESTION = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is left at the end?"}]}


def instrument() -> None:
    """Use payi_otel."""
    if not IS_BARE:
        from payi_otel import payi_instrument

        payi_instrument()


def ask(times: int = 1) -> None:
    """So many calls."""
    if IS_BARE:
        return
    with _client() as client:
        for _ in range(times):
            client.chat.completions.create(**_QUESTION)


def leave_stream_open() -> None:
    """One call whose stream is read no further than its first event."""
    if IS_BARE:
        return
    client = _client()
    stream = client.chat.completions.create(**_QUESTION, stream=True)
    next(stream)
    # Open until the process is gone: Python 3.13.0 crashes, also without payi_otel, when it closes such a stream at exit.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object((client, stream)))


def _client():
    import openai

    # One per use: pooled connections must not be carried over a fork.
    return openai.OpenAI(default_headers={"x-run": os.environ["RUN"]}, max_retries=0)
