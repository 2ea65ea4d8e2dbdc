"""Who may send: the gateway's own keys, apart from the Pay-i key it delivers with."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

_BEARER = "bearer "


class GatewayKeys:
    """The keys that are let in. Without any, everybody is.

    >>> keys = GatewayKeys(["k-1", "k-2"])
    >>> keys.admit(authorization="Bearer k-2", api_key=None)
    True
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def admit(self, *, authorization: str | None, api_key: str | None) -> bool:
        """Whether the sender's `Authorization: Bearer` or `xProxy-api-key` header holds one of the keys."""
        if not self._digests:
            return True
        given = given_key(authorization=authorization, api_key=api_key)
        if given is None:
            return False
        # Digests of one length, all of them compared in full: the time tells nothing about any key.
        digest = _digest(given)
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def given_key(*, authorization: str | None, api_key: str | None) -> str | None:
    """The key that a sender shows, in Pay-i's own header before any other; None where there is none.

    >>> given_key(authorization="Bearer k-1", api_key=None)
    'k-1'
    """
    if api_key is None and authorization is not None and authorization[: len(_BEARER)].lower() == _BEARER:
        api_key = authorization[len(_BEARER) :].strip()
    return api_key or None


def read_keys(path: Path) -> list[str]:
    """The keys in a file, one per line; empty lines and lines that start with # are passed over.

    Raises `OSError`, and ValueError when there is no key in it.
    """
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ValueError(f"{path}: no key in it; write one per line")
    return keys


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
