"""The demo as its reader runs it, and what the command says when it cannot run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from payi_otel.cli import main
from payi_otel.delivery.ledger import Status
from payi_otel.demo.app import KPIS
from payi_otel.demo.main import problems_of
from payi_otel.demo.report import KpiResult, UseCaseResult, ledger_line, use_case_table

REPOSITORY = Path(__file__).parents[2]
SUPPORT = UseCaseResult(
    name="support_chat",
    instances=3,
    calls=6,
    input_tokens=1200,
    output_tokens=340,
    cost=0.0004,
    kpis=(
        KpiResult("solved", "boolean", 0.75, 0.6),
        KpiResult("satisfaction", "likert5", 3.5, 4.0),
        KpiResult("unscored", "number", None, 1.0),
    ),
)
DELIVERED = Status(seen=6, delivered=6)


def test_the_demo_runs_and_finds_that_everything_arrived() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PAYI_", "OTEL_"))}
    done = subprocess.run(
        [sys.executable, "-m", "payi_otel.cli", "demo"],
        env=clean,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    for name in {kpi.use_case_name for kpi in KPIS}:
        assert float(rows[name][5]) > 0
    assert rows["support_chat"][1:3] == ["3", "6"]
    assert rows["research_brief"][1:3] == ["2", "10"]
    assert re.search(r"solved +0\.67 +0\.6 +met", done.stdout)
    assert re.search(r"satisfaction +3\.67 +4 +missed", done.stdout)
    assert "seen=25  delivered=25  queued=0  estimated=1  rejected=0  dropped=0" in done.stdout
    assert "Everything arrived" in done.stdout


def test_the_table_shows_each_kpi_against_its_goal() -> None:
    lines = use_case_table([SUPPORT]).splitlines()
    assert lines[2].split() == [
        "support_chat",
        "3",
        "6",
        "1,200",
        "340",
        "0.000400",
        "solved",
        "0.75",
        "0.6",
        "met",
    ]
    assert lines[3].split() == ["satisfaction", "3.5", "4", "missed"]
    assert lines[4].split() == ["unscored", "-", "1", "no", "score"]
    assert lines[5].split() == ["total", "3", "6", "1,200", "340", "0.000400"]


def test_the_ledger_line_tells_what_was_lost() -> None:
    line = ledger_line(Status(seen=2, delivered=1, rejected=1, last_rejection="invalid units"))
    assert (
        line
        == "seen=2  delivered=1  queued=0  estimated=0  rejected=1  last_rejection=invalid units  dropped=0"
    )


@pytest.mark.parametrize(
    ("results", "status", "flushed", "problem"),
    [
        ([SUPPORT], DELIVERED, False, "the server did not accept everything in time"),
        ([SUPPORT], Status(seen=6, delivered=5), True, "6 calls were seen and 5 delivered"),
        ([SUPPORT], Status(), True, "0 calls were seen and 0 delivered"),
        ([SUPPORT], Status(seen=6, delivered=6, rejected=1, last_rejection="bad"), True, "lost: bad"),
        ([SUPPORT], Status(seen=6, delivered=6, failures={"capture": 1}), True, "{'capture': 1}"),
        ([], DELIVERED, True, "use case support_chat never arrived"),
        ([replace(SUPPORT, cost=0.0)], DELIVERED, True, "cost nothing"),
        ([replace(SUPPORT, kpis=())], DELIVERED, True, "KPI solved of support_chat"),
    ],
)
def test_the_demo_names_what_is_missing(
    results: list[UseCaseResult], status: Status, flushed: bool, problem: str
) -> None:
    assert problems_of(["support_chat"], [SUPPORT], DELIVERED, True, None) == []
    assert any(problem in found for found in problems_of(["support_chat"], results, status, flushed, None))


def test_live_without_a_key_says_which_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "--live"])
    assert stopped.value.code == 2
    assert "set OPENAI_API_KEY or ANTHROPIC_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(SystemExit) as stopped:
        main([command])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert "needs sqlalchemy" in message
    assert 'pip install "payi-otel[server]"' in message


def test_without_a_command_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert "required: command" in capsys.readouterr().err
