"""Use case names: which characters Pay-i accepts, and the default name."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from pathlib import PurePath

logger = logging.getLogger("payi_otel.tracking")

MAX_NAME_LENGTH = 64

_INVALID = re.compile(r"[^A-Za-z0-9._-]")


# Remembering the repairs is also what keeps the warning to one per name; the bound is for names that are
# built from user input.
@lru_cache(maxsize=1024)
def valid_use_case_name(name: str) -> str:
    """The name as Pay-i accepts it: each character but letters, digits, `.`, `-`, `_` becomes `_`, cut at 64.

    A repaired name is logged once, because a dashboard then shows another name than the code.

        >>> valid_use_case_name("Chat Bot")
        'Chat_Bot'
    """
    repaired = _INVALID.sub("_", name)[:MAX_NAME_LENGTH]
    if repaired != name:
        logger.warning(
            "use_case_name %r is recorded as %r: only letters, digits, '.', '-', '_', and %d of them",
            name,
            repaired,
            MAX_NAME_LENGTH,
        )
    return repaired


def default_use_case_name(filename: str) -> str:
    """The use case name of a program that names none: the file name of its caller.

    Nobody chose it, so its repair is not logged: `python -c` has the file name `<string>`.

    >>> default_use_case_name("/srv/app/My Service.py")
    'my_service'
    >>> default_use_case_name("<string>")
    '_string_'
    """
    name = PurePath(filename).name.lower().removesuffix(".py")
    return _INVALID.sub("_", name)[:MAX_NAME_LENGTH]
