"""What an answer of the bulk Ingest API says about each event. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any, cast

from payi_otel.delivery.retry import Verdict, classify, may_depend_on_content
from payi_otel.values import value


@value
class Answer:
    """An HTTP answer, or the error instead of one. `headers` has lower-case names."""

    status: int | None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    error: str | None = None
    timed_out: bool = False

    def json_object(self) -> dict[str, Any] | None:
        """The body as a JSON object, None when it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return None
        return cast("dict[str, Any]", value) if isinstance(value, dict) else None

    @property
    def code(self) -> str | None:
        """The API's error code, or the title of a ProblemDetails; never its message, which may quote data."""
        return _code(self.json_object() or {})

    @property
    def reason(self) -> str:
        """What happened, in a few words that hold nothing of the request."""
        if self.status is None:
            return self.error or "no answer"
        return f"HTTP {self.status}" + (f" {self.code}" if self.code else "")

    @property
    def may_depend_on_content(self) -> bool:
        """Whether a repeated failure like this may be one event's doing."""
        return may_depend_on_content(self.status, timed_out=self.timed_out)


@value
class BatchOutcome:
    """The fate of a batch: `verdict` of those not named in `rejected` (index → reason) or `repeat` (indexes)."""

    verdict: Verdict
    reason: str
    rejected: Mapping[int, str] = field(default_factory=dict[int, str])
    repeat: frozenset[int] = frozenset()


def read_batch_answer(answer: Answer, count: int) -> BatchOutcome:
    """Read the answer to a bulk request of `count` events.

    An answer that is not the API's own, which counts what it took, decides nothing about events: a login page with
    status 200 delivers nothing, and a 404 of a wrong address refuses nothing.
    """
    verdict = classify(answer.status)
    body = answer.json_object()
    if verdict == "delivered" and not isinstance((body or {}).get("ingest_count"), int):
        return BatchOutcome("retry", f"{answer.reason}, but not an answer of Pay-i")
    if answer.status in {404, 405} and answer.code is None:
        return BatchOutcome("retry", f"{answer.reason}: no Ingest API at this address")
    if verdict not in {"delivered", "permanent"} or body is None:
        return BatchOutcome(verdict, answer.reason)
    rejected, repeat, named = _item_errors(body, count)
    if verdict == "delivered":
        reported = max(_whole(body.get("error_count")), _whole(body.get("item_error_count")))
        if reported > named:
            reason = f"{answer.reason}, {reported - named} errors that name no event"
            return BatchOutcome("permanent", reason, rejected, repeat)
    elif named and _whole(body.get("ingest_count")) == count - named:
        verdict = "delivered"
    return BatchOutcome(verdict, answer.reason, rejected, repeat)


def _item_errors(body: Mapping[str, Any], count: int) -> tuple[dict[int, str], frozenset[int], int]:
    """Who is rejected and why, who is to be repeated, and how many events are named at all."""
    rejected: dict[int, str] = {}
    repeat: set[int] = set()
    named: set[int] = set()
    errors = body.get("errors")
    for item in cast("list[Any]", errors if isinstance(errors, list) else []):
        error = _mapping(item)
        index = error.get("item_index")
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
            continue
        named.add(index)
        detail = _mapping(error.get("xproxy_result"))
        status = detail.get("statusCode")
        code = _code(detail)
        if code is not None and "duplicate" in code:
            # Stored before: that is all we want.
            continue
        if isinstance(status, int) and classify(status) in {"retry", "auth"}:
            repeat.add(index)
        else:
            rejected[index] = f"HTTP {status}" + (f" {code}" if code else "") if status else code or "refused"
    return rejected, frozenset(repeat), len(named)


def _code(body: Mapping[str, Any]) -> str | None:
    error = _mapping(body.get("xproxy_error"))
    code = error.get("code") or body.get("title")
    return code[:80] if isinstance(code, str) and code else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
