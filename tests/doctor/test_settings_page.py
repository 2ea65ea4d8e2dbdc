"""docs/settings.md is what the settings are."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from payi_otel import otel_environment
from payi_otel.cli import main
from payi_otel.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_the_command_s_output(capsys):
    assert main(["settings"]) == 0
    assert PAGE.read_text() == capsys.readouterr().out, "run: payi-otel settings > docs/settings.md"


def test_every_setting_is_explained():
    assert all(setting.metadata.get("help") for setting in fields(Settings))


def test_every_variable_is_a_flag_of_opentelemetry_instrument():
    flags = {name for name in dir(otel_environment) if name.startswith("OTEL_")}
    assert flags == {f"OTEL_{name}" for name in Settings.variables().values()}


def test_a_flag_is_the_variable_under_another_name():
    assert Settings.from_arguments(environ={"OTEL_PAYI_USER_ID": "jane"}).user_id == "jane"
    both = {"OTEL_PAYI_USER_ID": "jane", "PAYI_USER_ID": "john"}
    assert Settings.from_arguments(environ=both).user_id == "john"
