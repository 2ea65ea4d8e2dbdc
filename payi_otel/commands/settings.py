"""`payi-otel settings`: the table of all settings, which is docs/settings.md."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from payi_otel.settings import Settings

if TYPE_CHECKING:
    from payi_otel.commands.shape import Subparsers

_HEAD = """# Settings

Written by `payi-otel settings`; change `payi_otel/settings.py` instead.

A setting is given as `payi_instrument(config={"name": value})`, or as an environment variable, which code overrules.
`opentelemetry-instrument` takes every variable as a flag as well: `--payi_use_case_name chat`, or
`OTEL_PAYI_USE_CASE_NAME=chat`, is `PAYI_USE_CASE_NAME=chat`. Flags are `true` or `false`, lists are separated by
commas. `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` sets `capture_content`, and `OTEL_SDK_DISABLED=true`
switches everything off.

| Setting | Environment variable | Default | What it does |
|---|---|---|---|
"""


def add_to(subparsers: Subparsers) -> None:
    """Add the command `settings`."""
    parser = subparsers.add_parser("settings", help="print the table of all settings, in Markdown")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    print(table(), end="")
    return 0


def table() -> str:
    """The Markdown page of all settings, in the order of `Settings`.

    >>> table().startswith("# Settings")
    True
    """
    rows = [
        f"| `{setting.name}` | {_variable(setting.metadata)} | {_default(setting)} | {setting.metadata['help']} |\n"
        for setting in fields(Settings)
    ]
    return _HEAD + "".join(rows)


def _variable(metadata: Mapping[str, Any]) -> str:
    return f"`{metadata['env']}`" if "env" in metadata else ""


def _default(setting: Any) -> str:
    value = setting.default_factory() if setting.default is MISSING else setting.default
    if value is None or value in ((), {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
