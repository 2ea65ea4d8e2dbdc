"""What the commands share: the form of a command, its error, and the check that an extra is installed."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore[reportPrivateUsage]

Run = Callable[[argparse.Namespace], int]
"""Runs a command with its parsed arguments and returns the exit code."""

SERVER_MODULES = (
    "fastapi",
    "uvicorn",
    "sqlalchemy",
    "alembic",
    "psycopg",
    "genai_prices",
    "simpleeval",
    "jinja2",
    "plotly",
    "argon2",
    "python_multipart",
)


class CommandError(Exception):
    """A command cannot run. The message says what is wrong and what to do; the exit code is 2."""


def port(text: str) -> int:
    """The type of a port among the arguments: 0, a free one, to 65535.

    >>> port("8742")
    8742
    """
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError(text)
    return number


def require(modules: Sequence[str], *, install: str, purpose: str) -> None:
    """Check that modules can be imported.

    Raises `CommandError` that names what is missing and the `install` command that brings it.

    >>> require(["argparse"], install="pip install nothing", purpose="this")
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandError(f"{purpose} needs {', '.join(missing)}, not installed here; run: {install}")
