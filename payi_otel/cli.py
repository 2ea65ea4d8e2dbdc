"""The command `payi-otel`: each command is a module of `payi_otel.commands` with `add_to(subparsers)`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import cast

from payi_otel.commands import (
    demo,
    doctor,
    gateway,
    import_events,
    keys,
    outbox,
    reprice,
    retention,
    serve,
    settings,
    users,
)
from payi_otel.commands.shape import CommandError, Run
from payi_otel.version import VERSION

_COMMANDS = (serve, keys, users, reprice, retention, gateway, demo, import_events, outbox, doctor, settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; `arguments` are those of the process where left out. Returns the exit code.

    >>> main(["serve", "--port", "8742"])  # doctest: +SKIP
    0
    """
    parser = build_parser()
    chosen = parser.parse_args(arguments)
    try:
        return cast(Run, chosen.run)(chosen)
    except CommandError as error:
        parser.exit(2, f"payi-otel: {error}\n")
    except KeyboardInterrupt:
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; what it reads has the chosen command's `run`.

    >>> build_parser().parse_args(["serve", "--port", "8742"]).port
    8742
    """
    parser = argparse.ArgumentParser(
        prog="payi-otel", description="What GenAI features cost and whether they were worth it."
    )
    parser.add_argument("--version", action="version", version=f"payi-otel {VERSION}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="command")
    for command in _COMMANDS:
        command.add_to(subparsers)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
