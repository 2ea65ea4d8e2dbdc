"""`payi-otel doctor`: what is wrong, or that nothing is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from payi_otel.settings import Settings, SettingsError

if TYPE_CHECKING:
    from payi_otel.commands.shape import Subparsers
    from payi_otel.doctor.findings import Finding


def add_to(subparsers: Subparsers) -> None:
    """Add the command `doctor`."""
    parser = subparsers.add_parser(
        "doctor",
        help="check key, SDKs, OpenTelemetry and outbox",
        description="Checks this environment. Under opentelemetry-instrument it sees what that configures: "
        "opentelemetry-instrument payi-otel doctor. Exits with 1 where something is wrong.",
    )
    parser.add_argument("--send", action="store_true", help="send one test event of one token")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 if one of them is a problem."""
    from payi_otel.doctor.findings import report

    findings = examine(send=arguments.send)
    print(report(findings))
    return int(any(finding.level == "problem" for finding in findings))


def examine(*, send: bool = False) -> list[Finding]:
    """Look at everything; `send` gives Pay-i one test event.

    >>> examine()  # doctest: +SKIP
    [Finding(level='ok', topic='settings', text='valid'), ...]
    """
    from payi_otel.doctor.findings import Finding
    from payi_otel.doctor.outbox import look_at_outbox
    from payi_otel.doctor.pipeline import look_at_pipeline
    from payi_otel.doctor.sdks import look_at_other_instrumentations, look_at_sdks
    from payi_otel.doctor.service import look_at_service

    findings = [*look_at_sdks(), *look_at_other_instrumentations(), *look_at_pipeline()]
    try:
        settings = Settings.from_arguments()
    except SettingsError as error:
        return [Finding("problem", "settings", str(error)), *findings]
    return [
        Finding("ok", "settings", "valid; payi-otel settings lists them all"),
        *look_at_service(settings, send=send),
        *findings,
        *look_at_outbox(settings),
    ]
