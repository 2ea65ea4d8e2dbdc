"""Headers without their secrets: what a sender tells of a provider's request and response, fit to be stored."""

from __future__ import annotations

import re
from collections.abc import Iterable

WITHHELD = "(withheld)"

# Whole words: `x-api-key` has one, `x-ratelimit-remaining-tokens` has not.
_SECRET_NAME = re.compile(
    r"(?i)(?<![a-z0-9])"
    r"(apikey|assertion|auth|authorization|cookie2?|credentials?|jwt|key|passwd|password|secret|session|sid"
    r"|signature|token)(?![a-z0-9])"
)
_SECRET_VALUE = re.compile(r"(?i)^(bearer|basic|digest|sk-|pk-|xox|gh[pousr]_|eyj)")


def without_secrets(headers: Iterable[tuple[str, str | None]]) -> list[dict[str, str | None]]:
    """Headers as JSON, with the values of those that may hold a credential replaced.

    >>> without_secrets([("x-api-key", "sk-1"), ("x-request-id", "req_1")])
    [{'name': 'x-api-key', 'value': '(withheld)'}, {'name': 'x-request-id', 'value': 'req_1'}]
    """
    return [
        {"name": name, "value": WITHHELD if value and _may_be_secret(name, value) else value}
        for name, value in headers
    ]


def _may_be_secret(name: str, value: str) -> bool:
    return bool(_SECRET_NAME.search(name) or _SECRET_VALUE.match(value.strip()))
