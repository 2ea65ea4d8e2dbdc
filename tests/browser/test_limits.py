"""Limits: the list, one limit, and the dialogs that create, change, reset and delete."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Shots, assert_accessible
from tests.browser.data import BLOCKING, NEARLY_SPENT, OVERRUN, Month


def _menu(page: Page, name: str, action: str) -> None:
    page.get_by_label(f"Actions for {name}").click()
    page.get_by_role("row", name=name).get_by_role("button", name=action).click()


def test_the_list(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/limits")
    rows = {name: admin.get_by_role("row", name=name) for name in (NEARLY_SPENT, OVERRUN, BLOCKING)}
    expect(rows[NEARLY_SPENT]).to_contain_text("above the warning")
    expect(rows[OVERRUN]).to_contain_text("above the maximum")
    expect(rows[BLOCKING]).to_contain_text("within")
    expect(rows[BLOCKING]).to_contain_text("blocked")
    assert_accessible(admin)
    shots.of(admin, "limits")
    admin.get_by_label(f"Actions for {BLOCKING}").click()
    expect(admin.get_by_role("button", name="Reset")).to_be_in_viewport()
    assert_accessible(admin)
    admin.screenshot(path=shots.path("limits_menu"))
    admin.keyboard.press("Escape")
    expect(admin.get_by_role("button", name="Reset")).to_be_hidden()


def test_finding_by_name(admin: Page) -> None:
    admin.goto("/portal/limits")
    admin.get_by_label("Find").fill("gold")
    admin.get_by_role("button", name="Find").click()
    expect(admin).to_have_url(re.compile("q=gold"))
    expect(admin.get_by_role("row")).to_have_count(2)
    admin.goto("/portal/limits?q=100%25")
    expect(admin.get_by_text("No limit has “100%” in its name.")).to_be_visible()


def test_one_limit(admin: Page, month: Month, shots: Shots) -> None:
    admin.goto("/portal/limits")
    admin.get_by_role("link", name=NEARLY_SPENT).click()
    expect(admin).to_have_url(re.compile(month.limits[NEARLY_SPENT]))
    expect(admin.get_by_text("of the maximum")).to_contain_text(re.compile(r"8\d(\.\d+)? %"))
    expect(admin.get_by_role("region", name="History").get_by_role("row")).to_have_count(2)
    assert_accessible(admin)
    shots.of(admin, "limit")


def test_create_edit_reset_delete(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/limits")
    admin.get_by_role("button", name="+ Limit").click()
    dialog = admin.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("New limit")
    expect(dialog.get_by_label("Name")).to_be_focused()
    # Everything wrong at once: each field says what is.
    dialog.get_by_label("Maximum, in").fill("a lot")
    dialog.get_by_label("Warn").fill("30")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.locator(".error")).to_have_text(
        ["Fill this in.", "Write a number, 12.50 for example.", "Give at least 75."]
    )
    expect(dialog.get_by_label("Maximum, in")).to_have_value("a lot")
    assert_accessible(admin)
    shots.of(admin, "limit_new_errors", full=False)
    dialog.get_by_label("Name").fill("Dialog's limit")
    dialog.get_by_label("Maximum, in").fill("12.50")
    dialog.get_by_label("Warn").fill("80")
    dialog.get_by_label("Id").fill("by-dialog")
    # The keyboard alone is enough.
    admin.keyboard.press("Enter")
    expect(admin.get_by_role("status")).to_have_text("Limit Dialog's limit is created.")
    row = admin.get_by_role("row", name="Dialog's limit")
    expect(row).to_contain_text("$0.00 / $12.50")

    _menu(admin, "Dialog's limit", "Edit")
    dialog.get_by_label("Name").fill(NEARLY_SPENT)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".error")).to_contain_text("another limit's")
    dialog.get_by_label("Name").fill("Renamed limit")
    dialog.get_by_label("Maximum, in").fill("20")
    dialog.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("row", name="Renamed limit")).to_contain_text("$0.00 / $20.00")

    _menu(admin, "Renamed limit", "Reset")
    expect(dialog).to_contain_text("A new period begins")
    shots.of(admin, "limit_reset", full=False)
    dialog.get_by_role("button", name="Reset").click()
    expect(admin.get_by_role("status")).to_contain_text("is reset")
    admin.get_by_role("link", name="Renamed limit").click()
    expect(admin.get_by_role("region", name="History").get_by_role("row")).to_have_count(3)

    admin.goto("/portal/limits")
    _menu(admin, "Renamed limit", "Delete")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    _menu(admin, "Renamed limit", "Delete")
    dialog.get_by_role("button", name="Delete").click()
    expect(admin.get_by_role("status")).to_have_text("Limit Renamed limit is deleted.")
    expect(admin.get_by_role("row", name="Renamed limit")).to_have_count(0)


def test_who_may_only_read_sees_no_buttons(reader: Page, month: Month) -> None:
    reader.goto("/portal/limits")
    expect(reader.get_by_role("row", name=NEARLY_SPENT)).to_be_visible()
    expect(reader.get_by_role("button", name="+ Limit")).to_have_count(0)
    expect(reader.locator(".row-menu")).to_have_count(0)
    token = reader.locator("input[name=csrf_token]").first.input_value()
    path = f"/portal/limits/{month.limits[BLOCKING]}/delete"
    answer = reader.request.post(path, form={"csrf_token": token})
    assert answer.status == 403
    assert "may only read" in answer.text()
    reader.reload()
    expect(reader.get_by_role("row", name=BLOCKING)).to_be_visible()
