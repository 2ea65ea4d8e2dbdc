"""What the fake models say, and how many tokens that is: both follow from the request alone."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from payi_otel.demo.wire import Json, items, mapping

_SNAPSHOTS = {
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "o4-mini": "o4-mini-2025-04-16",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
}
_ADVICE = (
    "The short answer is yes, provided the order was placed before noon.",
    "I looked at the open cases and found three that match, the oldest from last week.",
    "Keep the change small, measure it for a week, and roll it back if the numbers fall.",
    "Nothing in the log explains it, so the next step is to ask the carrier.",
    "Two of the sources agree; the third is older and was written before the change.",
)


def snapshot(model: str) -> str:
    """The dated name a vendor answers with when an alias was asked for.

    >>> snapshot("gpt-4o-mini")
    'gpt-4o-mini-2024-07-18'
    """
    return _SNAPSHOTS.get(model, model)


def tokens(text: str) -> int:
    """The number of tokens of a text, four characters each.

    >>> tokens("Hello, world")
    3
    """
    return math.ceil(len(text) / 4)


def reply_to(prompt: str, max_tokens: int | None = None) -> tuple[str, bool]:
    """The answer to a prompt, and whether `max_tokens` cut it.

    >>> reply_to("Where is my parcel?") == reply_to("Where is my parcel?")
    True
    """
    start = sum(prompt.encode()) % len(_ADVICE)
    sentences = [_ADVICE[(start + i) % len(_ADVICE)] for i in range(1 + len(prompt) % 3)]
    text = f"About “{' '.join(prompt.split())[-60:]}”: " + " ".join(sentences)
    if max_tokens is not None and tokens(text) > max_tokens:
        return text[: max_tokens * 4], True
    return text, False


def pieces(text: str) -> list[str]:
    """The parts in which a stream sends a text: they join to the text.

    >>> pieces("a few words")
    ['a ', 'few ', 'words']
    """
    return re.findall(r"\S+\s*|\s+", text)


def text_of(content: Any) -> str:
    """All text in a message's content, whichever vendor's form it has."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        part = mapping(content)
        inner = part.get("text", part.get("content", part.get("output", part.get("arguments", ""))))
        return text_of(inner) or json.dumps(part.get("input", ""))
    return " ".join(text_of(part) for part in items(content))


def example_of(schema: Any) -> Any:
    """A value that satisfies a JSON schema, for tool arguments and structured answers.

    >>> example_of({"type": "object", "properties": {"city": {"type": "string"}}})
    {'city': 'Lisbon'}
    """
    return _example(mapping(schema), mapping(mapping(schema).get("$defs")))


def _example(schema: Json, definitions: Json) -> Any:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _example(mapping(definitions.get(reference.rsplit("/", 1)[-1])), definitions)
    choices = items(schema.get("enum")) or items(schema.get("anyOf"))
    if choices:
        return _example(mapping(choices[0]), definitions) if isinstance(choices[0], dict) else choices[0]
    kind = schema.get("type")
    if kind == "array":
        return [_example(mapping(schema.get("items")), definitions)]
    if kind == "integer":
        return 3
    if kind == "number":
        return 2.5
    if kind == "boolean":
        return True
    if kind == "string":
        return "Lisbon"
    properties = mapping(schema.get("properties"))
    return {name: _example(mapping(part), definitions) for name, part in properties.items()}
