"""Response bodies into JSON, without parsing megabytes of vectors to find one number."""

from __future__ import annotations

import json
import re
from typing import Any

_DECODER = json.JSONDecoder()
# How an object begins, in the encoding that all providers use.
_UTF_8 = frozenset({b'{"', b"{\n", b"{ "})
_LARGE_BYTES = 128 * 1024
_HEAD_FIELDS = re.compile(rb'"(id|model|object|created)"\s*:\s*("(?:[^"\\]|\\.)*"|\d+)')


def parse_body(content: bytes, content_type: str) -> Any:
    """The body as JSON, as text where it is text, None where it is neither.

    Of a large body that names `usage` once, only the small fields around it are read.
    """
    if "json" in content_type or content[:1] in {b"{", b"["}:
        if len(content) > _LARGE_BYTES:
            slim = _slim(content)
            if slim is not None:
                return slim
        try:
            if content[:2] not in _UTF_8:
                return json.loads(content)
            # The same, without its look for the encoding, and at six options, before it starts.
            return _DECODER.decode(content.decode("utf-8", "surrogatepass"))
        except ValueError:
            return None
    if content_type.startswith("text/"):
        return content.decode("utf-8", errors="replace")
    return None


def _slim(content: bytes) -> dict[str, Any] | None:
    """`usage`, `id` and `model` of an embeddings or image answer; None when that is not safe."""
    if b'"embedding"' not in content and b'"b64_json"' not in content:
        return None
    at = content.rfind(b'"usage"')
    if at < 0 or content.count(b'"usage"') > 1:
        return None
    colon = content.find(b":", at)
    try:
        usage, _ = json.JSONDecoder().raw_decode(content[colon + 1 : colon + 4096].lstrip().decode())
    except ValueError:
        return None
    fields: dict[str, Any] = {"usage": usage}
    for part in (content[:2048], content[-2048:]):
        for name, value in _HEAD_FIELDS.findall(part):
            fields.setdefault(name.decode(), json.loads(value))
    return fields
