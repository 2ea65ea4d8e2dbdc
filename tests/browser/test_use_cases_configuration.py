"""A use case's configuration: its KPIs, description, logging, limits of instances, versions, and its end."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx2
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Portal, Shots, assert_accessible


@pytest.fixture
def configured(admin: Page, portal: Portal) -> Callable[[str], Page]:
    """The configuration of a new use case of this name."""

    def opened(name: str) -> Page:
        with httpx2.Client(
            base_url=portal.url, headers={"xProxy-api-key": portal.server.api_key}, timeout=60
        ) as http:
            body = {"name": name, "description": "Made by a test"}
            assert http.post("/api/v1/use_cases/definitions", json=body).status_code == 201
        admin.goto(f"/portal/use-cases/{name}/configuration")
        return admin

    return opened


def dialog_of(page: Page, title: str) -> Locator:
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text(title)
    return dialog


def test_configuration(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/use-cases/support_chat/configuration")
    expect(admin.get_by_role("row", name=re.compile("^solved"))).to_contain_text("Boolean")
    expect(admin.get_by_role("row", name=re.compile("^satisfaction"))).to_contain_text("4.00 / 5")
    expect(admin.get_by_text("Prompts and responses are kept")).to_be_visible()
    assert_accessible(admin)
    shots.of(admin, "use_case_configuration")
    admin.get_by_label("Actions for satisfaction").click()
    expect(admin.get_by_role("button", name="Edit", exact=True).first).to_be_visible()
    assert_accessible(admin)
    admin.screenshot(path=shots.path("use_case_configuration_menu"))


def test_a_kpi_by_the_keyboard_alone(configured: Callable[[str], Page]) -> None:
    page = configured("keyboard_case")
    button = page.get_by_role("button", name="+ KPI")
    button.focus()
    page.keyboard.press("Enter")
    dialog = dialog_of(page, "New Use Case KPI")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Deflection Rate")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(dialog.get_by_label("Goal")).to_be_focused()
    page.keyboard.type("0.25")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("KPI Deflection Rate is created.")
    expect(page.get_by_role("row", name=re.compile("Deflection Rate"))).to_contain_text("25 %")
    page.get_by_role("button", name="+ KPI").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    # The three-dot menu as well.
    page.get_by_label("Actions for Deflection Rate").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    dialog_of(page, "Edit Use Case KPI")


@pytest.mark.parametrize(
    ("kpi_type", "wrong", "said", "right", "shown"),
    [
        ("Boolean", "25", "Give the share of true to reach, from 0 to 1: 0.25 for 25 %.", "0.25", "25 %"),
        ("Number", "ten", "Write a number, 12.5 for example.", "10", "10"),
        ("Percentage", "101", "Give a percentage from 0 to 100.", "87.5", "87.5 %"),
        ("Likert (5)", "6", "Give an average from 1 to 5.", "3.5", "3.50 / 5"),
        ("Likert (7)", "0", "Give an average from 1 to 7.", "5", "5.00 / 7"),
        ("Likert (10)", "11", "Give an average from 1 to 10.", "8", "8.00 / 10"),
    ],
)
def test_goals_fit_their_type(
    configured: Callable[[str], Page], kpi_type: str, wrong: str, said: str, right: str, shown: str
) -> None:
    page = configured("goal_" + re.sub(r"\W+", "", kpi_type))
    page.get_by_role("button", name="+ KPI").click()
    dialog = dialog_of(page, "New Use Case KPI")
    dialog.get_by_label("Name").fill("quality")
    dialog.get_by_label("Type").select_option(kpi_type)
    dialog.get_by_label("Goal").fill(wrong)
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.locator(".error")).to_have_text([said])
    expect(dialog.get_by_label("Goal")).to_be_focused()
    expect(dialog.get_by_label("Type")).to_have_value(re.compile(r"\w+"))
    dialog.get_by_label("Goal").fill(right)
    dialog.get_by_role("button", name="Create").click()
    row = page.get_by_role("row", name=re.compile("^quality"))
    expect(row).to_contain_text(kpi_type)
    expect(row).to_contain_text(shown)


def test_the_hint_follows_the_type(configured: Callable[[str], Page], shots: Shots) -> None:
    page = configured("hint_case")
    page.get_by_role("button", name="+ KPI").click()
    dialog = dialog_of(page, "New Use Case KPI")
    expect(dialog.get_by_text("The share of true to reach")).to_be_visible()
    dialog.get_by_label("Goal").fill("4")
    dialog.get_by_label("Type").select_option("Likert (5)")
    expect(dialog.get_by_text("The average to reach, 1 to 5.")).to_be_visible()
    expect(dialog.get_by_label("Goal")).to_have_value("4")
    assert_accessible(page)
    shots.of(page, "use_case_kpi_new", full=False)
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.locator(".error")).to_have_text(["Fill this in."])
    assert_accessible(page)
    shots.of(page, "use_case_kpi_errors", full=False)


def test_edit_and_delete_a_kpi(configured: Callable[[str], Page], portal: Portal, shots: Shots) -> None:
    page = configured("edit_case")
    with httpx2.Client(
        base_url=portal.url, headers={"xProxy-api-key": portal.server.api_key}, timeout=60
    ) as http:
        path = "/api/v1/use_cases/definitions/edit_case/kpis"
        for name in ("speed / quality", "other"):
            body = {"name": name, "description": "", "kpi_type": "number", "goal": 10}
            assert http.post(path, json=body).status_code == 200
        http.post("/api/v1/use_cases/instances/edit_case")
        instance = http.post("/api/v1/use_cases/instances/edit_case").json()["use_case_id"]
        score = f"/api/v1/use_cases/instances/edit_case/{instance}/kpis/other"
        assert http.put(score, json={"score": 250}).status_code == 200
    page.reload()
    page.get_by_label("Actions for speed / quality").click()
    page.get_by_role("row", name="speed / quality").get_by_role("button", name="Edit").click()
    dialog = dialog_of(page, "Edit Use Case KPI")
    expect(dialog.get_by_label("Name")).to_have_value("speed / quality")
    expect(dialog.get_by_label("Goal")).to_have_value("10")
    dialog.get_by_label("Name").fill("other")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".error")).to_have_text(["Other is another KPI's; give a new name."])
    dialog.get_by_label("Name").fill("tempo")
    dialog.get_by_label("Type").select_option("Likert (7)")
    dialog.get_by_label("Goal").fill("6")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("KPI tempo is changed.")
    expect(page.get_by_role("row", name=re.compile("^tempo"))).to_contain_text("6.00 / 7")
    # A score that is there must fit.
    page.get_by_label("Actions for other").click()
    page.get_by_role("row", name=re.compile("^other")).get_by_role("button", name="Edit").click()
    dialog.get_by_label("Type").select_option("Likert (5)")
    dialog.get_by_label("Goal").fill("4")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".error")).to_contain_text(["It has scores from 250 to 250, which do not fit"])
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_label("Actions for tempo").click()
    page.get_by_role("row", name=re.compile("^tempo")).get_by_role("button", name="Delete").click()
    dialog_of(page, "Delete tempo?")
    shots.of(page, "use_case_kpi_delete", full=False)
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_have_text("KPI tempo is deleted.")
    expect(page.get_by_role("row", name=re.compile("^tempo"))).to_have_count(0)


def test_a_hint_that_arrives_late_leaves_the_focus_where_it_is(configured: Callable[[str], Page]) -> None:
    page = configured("late_hint_case")
    held: list[Route] = []
    page.route("**/kpis/goal*", lambda route: held.append(route))
    page.get_by_role("button", name="+ KPI").click()
    dialog = dialog_of(page, "New Use Case KPI")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_label("Name")).to_be_focused()
    with page.expect_request("**/kpis/goal*"):
        dialog.get_by_label("Type").select_option("Likert (7)")
    dialog.get_by_label("Goal").focus()
    held.pop().continue_()
    expect(dialog.get_by_text("The average to reach, 1 to 7.")).to_be_visible()
    expect(dialog.get_by_label("Goal")).to_be_focused()


def test_description_logging_limit_and_version(configured: Callable[[str], Page], shots: Shots) -> None:
    page = configured("settings_case")
    page.get_by_role("button", name="Edit").click()
    dialog = dialog_of(page, "Edit use case")
    dialog.get_by_label("Description").fill("Sums up <documents>")
    dialog.get_by_label("Prompts and responses").select_option("keep them")
    assert_accessible(page)
    shots.of(page, "use_case_edit", full=False)
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Use case settings_case is changed.")
    expect(page.get_by_text("Sums up <documents>").first).to_be_visible()
    expect(page.get_by_text("Prompts and responses are kept")).to_be_visible()

    page.get_by_role("button", name="Set", exact=True).click()
    dialog = dialog_of(page, "Limit of each instance")
    dialog.get_by_label("Maximum, in").fill("0")
    dialog.get_by_label("Warn").fill("100")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".error")).to_have_text(["Give more than 0.", "Give at most 99."])
    assert_accessible(page)
    shots.of(page, "use_case_limit", full=False)
    dialog.get_by_label("Maximum, in").fill("2.50")
    dialog.get_by_label("Warn").fill("80")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Each new instance may spend $2.50")).to_contain_text("It warns from 80 % on.")
    page.get_by_role("button", name="Remove").click()
    dialog_of(page, "Give new instances no limit?").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("New instances get no limit of their own.")).to_be_visible()

    page.get_by_role("button", name="Increment version").click()
    dialog = dialog_of(page, "Begin version 2?")
    shots.of(page, "use_case_version", full=False)
    dialog.get_by_role("button", name="Increment version").click()
    expect(page.get_by_role("status")).to_have_text("New instances are of version 2 now.")


def test_create_and_delete_a_use_case(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/use-cases")
    admin.get_by_role("button", name="+ Use case").click()
    dialog = dialog_of(admin, "New use case")
    dialog.get_by_label("Name").fill("not a name")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.locator(".error")).to_contain_text(["give 1 to 64 letters, digits"])
    dialog.get_by_label("Name").fill("support_chat")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.locator(".error")).to_have_text(["Support_chat is there already; give another name."])
    assert_accessible(admin)
    shots.of(admin, "use_case_new", full=False)
    dialog.get_by_label("Name").fill("short_lived")
    dialog.get_by_role("button", name="Create").click()
    expect(admin).to_have_url(re.compile("/use-cases/short_lived/configuration"))
    expect(admin.get_by_text("None yet. A KPI says")).to_be_visible()
    admin.get_by_role("button", name="Delete use case").click()
    dialog = dialog_of(admin, "Delete short_lived?")
    dialog.get_by_label("Write its name").fill("short")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.locator(".error")).to_have_text(["Write short_lived, as it is spelled here."])
    shots.of(admin, "use_case_delete", full=False)
    dialog.get_by_label("Write its name").fill("short_lived")
    dialog.get_by_role("button", name="Delete").click()
    expect(admin.get_by_role("status").first).to_contain_text("short_lived is deleted")
    admin.goto("/portal/use-cases/short_lived/configuration")
    expect(admin.get_by_role("heading", level=1)).to_have_text("Not found")
