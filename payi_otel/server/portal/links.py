"""Addresses of the portal that are printed rather than followed from a page."""

from __future__ import annotations

from urllib.parse import quote

PATH = "/portal"


def link_path(token: str) -> str:
    """Where whoever has a sign-in link's token gets in.

    >>> link_path("abc")
    '/portal/sign-in/link?token=abc'
    """
    return f"{PATH}/sign-in/link?token={quote(token, safe='')}"
