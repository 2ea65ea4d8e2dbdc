"""The calls of calls.json, made with the Python SDKs. Imports nothing of ours: it also runs where we are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Call = dict[str, Any]


def calls(*sdks: str) -> list[Call]:
    """The calls of these SDKs, in the order in which a prompt cache must see them."""
    table = json.loads((Path(__file__).parent / "calls.json").read_text())
    text = json.dumps(table["long_prompt"] * table["long_prompt_repeated"])
    made = json.loads(json.dumps(table["calls"]).replace('"LONG"', text))
    return [call for call in made if call["sdk"] in sdks]


def caller(openai_url: str, anthropic_url: str) -> Callable[[Call], None]:
    """A function that makes one call and reads its answer to the end; errors that were asked for are swallowed."""
    clients: dict[str, Any] = {}

    def client(sdk: str) -> Any:
        if sdk not in clients:
            if sdk == "openai":
                import openai

                clients[sdk] = openai.OpenAI(api_key="k", base_url=openai_url, max_retries=0)
            else:
                import anthropic

                clients[sdk] = anthropic.Anthropic(api_key="k", base_url=anthropic_url, max_retries=0)
        return clients[sdk]

    def make(call: Call) -> None:
        vendor = client(call["sdk"])
        method = {
            "chat": lambda: vendor.chat.completions.create,
            "responses": lambda: vendor.responses.create,
            "embeddings": lambda: vendor.embeddings.create,
            "messages": lambda: vendor.messages.create,
        }[call["api"]]()
        try:
            answer = method(**call["body"])
        except Exception as error:
            if not call.get("fails") or getattr(error, "status_code", None) != 429:
                raise
            return
        if call["body"].get("stream"):
            for _ in answer:
                pass

    return make
