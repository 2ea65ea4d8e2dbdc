"""Reports: built, shown, saved, downloaded."""

from __future__ import annotations

import csv
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Shots, assert_accessible
from tests.browser.data import FEATURES, REPORT, Month


def test_build_and_download(admin: Page, month: Month, shots: Shots, tmp_path: Path) -> None:
    admin.goto("/portal/reports?days=30")
    for name in ("Day", "Spend"):
        admin.get_by_role("checkbox", name=name, exact=True).uncheck()
    admin.get_by_role("checkbox", name="Failures").check()
    admin.get_by_role("button", name="Show").click()
    table = admin.get_by_role("region", name="The report")
    expect(table.get_by_role("row")).to_have_count(1 + len(FEATURES))
    expect(table.get_by_role("columnheader")).to_have_text(["Use Case", "Requests", "Failures"])
    assert_accessible(admin)
    shots.of(admin, "reports")
    with admin.expect_download() as downloading:
        admin.get_by_role("link", name="Download CSV").click()
    file = tmp_path / "report.csv"
    downloading.value.save_as(file)
    assert downloading.value.suggested_filename.startswith("report 20")
    lines = list(csv.DictReader(file.open(encoding="utf-8")))
    assert sorted(line["UseCase"] for line in lines) == sorted(feature.name for feature in FEATURES)
    assert sum(int(line["Requests"]) for line in lines) == month.calls


def test_save_open_delete(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/reports?days=7&pivots=Resource&values=Spend")
    admin.get_by_role("button", name="Save …").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".error")).to_have_text("Fill this in.")
    name = "Spend / model <b>?"
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("status")).to_have_text(f"Report {name} is saved.")
    expect(admin.get_by_role("heading", level=1)).to_have_text(name)
    expect(admin.get_by_role("checkbox", name="Resource")).to_be_checked()
    expect(admin.get_by_role("region", name="The report").get_by_role("columnheader")).to_have_text(
        ["Resource", "Spend"]
    )
    shots.of(admin, "report_saved")
    saved = admin.get_by_role("navigation", name="Saved reports")
    saved.get_by_role("link", name=REPORT).click()
    expect(admin.get_by_role("heading", level=1)).to_have_text(REPORT)
    saved.get_by_role("link", name=name).click()
    admin.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(admin.get_by_role("status")).to_have_text(f"Report {name} is deleted.")
    expect(saved.get_by_role("link", name=name)).to_have_count(0)


def test_a_line_for_each_request(admin: Page, month: Month) -> None:
    admin.goto("/portal/reports?days=30&pivots=Use+Case&values=Request%3A+ID&values=Request%3A+Latency")
    expect(admin.get_by_text("The first 200 lines; the CSV has all.")).to_be_visible()
    answer = admin.request.get(
        "/portal/reports/csv?days=30&pivots=Use+Case&values=Request%3A+ID&values=Request%3A+Latency"
    )
    assert len(answer.text().splitlines()) == 1 + month.calls


def test_who_may_only_read_downloads_but_does_not_save(reader: Page) -> None:
    reader.goto("/portal/reports")
    expect(reader.get_by_role("link", name="Download CSV")).to_be_visible()
    expect(reader.get_by_role("button", name="Save …")).to_have_count(0)
    token = reader.locator("input[name=csrf_token]").first.input_value()
    form = {"csrf_token": token, "name": "no", "values": "Spend"}
    assert reader.request.post("/portal/reports", form=form).status == 403


def test_wrong_columns_are_named(admin: Page) -> None:
    admin.goto("/portal/reports?values=Nothing")
    expect(admin.get_by_role("main")).to_contain_text("Values: 'Nothing' is not known; give one of Spend")
    admin.goto("/portal/reports?pivots=Day")
    expect(admin.get_by_role("main")).to_contain_text("none is chosen; choose at least one")
