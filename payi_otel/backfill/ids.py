"""Ids for events whose source gave them none: the same for the same event in every run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

PREFIX = "payi_import_"


def content_digest(body: Mapping[str, Any]) -> bytes:
    """A digest of what an event says, whatever the order of its fields and its place in the file."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:16]


def event_id(digest: bytes, occurrence: int) -> str:
    """The id of the `occurrence`-th event (from 1) that says this: two equal lines are two calls.

    >>> event_id(bytes(16), 1), event_id(bytes(16), 2)[-4:]
    ('payi_import_00000000000000000000000000000000', '00_2')
    """
    return f"{PREFIX}{digest.hex()}" + (f"_{occurrence}" if occurrence > 1 else "")
