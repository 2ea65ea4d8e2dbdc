"""`payi-otel demo`: the server, fake providers and an app with both SDKs, then a table of cost and KPIs."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from payi_otel.commands.shape import SERVER_MODULES, CommandError, require

if TYPE_CHECKING:
    from payi_otel.commands.shape import Subparsers

_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")


def add_to(subparsers: Subparsers) -> None:
    """Add the command `demo`."""
    parser = subparsers.add_parser("demo", help="run everything once on loopback and print what it cost")
    parser.add_argument(
        "--live",
        action="store_true",
        help=f"talk to the vendors with {' and/or '.join(_KEYS)}, which costs a few cents",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo. The exit code is 1 if anything that was expected did not arrive."""
    install = 'pip install "payi-otel[server]" openai anthropic'
    require((*SERVER_MODULES, "openai", "anthropic"), install=install, purpose="the demo")
    live = bool(arguments.live)
    if live and not any(os.environ.get(key) for key in _KEYS):
        raise CommandError(f"--live: set {' or '.join(_KEYS)}, or leave --live out to use the fake providers")
    from payi_otel.demo.main import run_demo

    return run_demo(live=live)
