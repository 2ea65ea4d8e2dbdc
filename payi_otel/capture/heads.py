"""What is kept of requests and responses of the HTTP libraries until the call is read.

Not their own objects: those are some thirty each, which Python's garbage collector would walk through again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Headers = Mapping[bytes, bytes]
"""Headers by lower-case name. A dictionary of bytes alone, which the garbage collector leaves out."""


def headers_of(response: Any) -> Headers:
    """The headers of a response."""
    return {name.lower(): value for name, value in response.headers.raw}


def content_of(message: Any) -> bytes | None:
    """The body of a request or response, None where it was not read: both libraries then raise RuntimeErrors of theirs.

    A request's body was not where it is streamed, as that of an upload.
    """
    try:
        return message.content
    except RuntimeError:
        return None
