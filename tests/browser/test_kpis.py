"""The list of KPIs, the dashboard of each type, and comparisons."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Opened, Portal, Shots, assert_accessible, settled
from tests.browser.data import FEATURES
from tests.browser.kpi_data import CLICKS, IMAGE_AD, SATISFACTION, VALUE, send_guide


@pytest.fixture(scope="module")
def guide(portal: Portal) -> None:
    """The guide's example on the shared server."""
    send_guide(portal.server, portal.month.now)


def tile(page: Page, label: str) -> str:
    """What a tile says."""
    settled(page)
    return page.locator(".tile", has=page.get_by_text(label, exact=True)).inner_text()


def kpi_path(use_case: str, kpi: str) -> str:
    return f"/portal/kpis/{use_case}/{quote(kpi, safe='')}"


@pytest.mark.usefixtures("guide")
def test_the_list(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/kpis?days=30")
    expect(admin.get_by_role("heading", level=1)).to_have_text("KPIs")
    settled(admin)
    row = admin.get_by_role("row", name=CLICKS)
    expect(row).to_contain_text("5.23 %")
    expect(row).to_contain_text("104.65 %")
    expect(row).to_contain_text(IMAGE_AD)
    for feature in FEATURES:
        for kpi in feature.kpis:
            expect(admin.get_by_role("link", name=kpi.name, exact=True)).to_have_count(1)
    assert_accessible(admin)
    shots.of(admin, "kpis")


@pytest.mark.usefixtures("guide")
def test_the_list_is_searched_and_opened_with_the_keyboard(admin: Page) -> None:
    admin.goto("/portal/kpis?days=30")
    admin.get_by_label("Find").fill("image")
    admin.keyboard.press("Enter")
    admin.wait_for_url("**q=image**")
    settled(admin)
    expect(admin.get_by_role("region", name="KPIs").locator("tbody tr")).to_have_count(3)
    admin.get_by_role("link", name=SATISFACTION).focus()
    admin.keyboard.press("Enter")
    expect(admin.get_by_role("heading", level=1)).to_have_text(SATISFACTION)
    admin.goto("/portal/kpis?days=30&q=nothing-like-it")
    expect(admin.get_by_role("heading", name="No KPI of this name")).to_be_visible()


@pytest.mark.usefixtures("guide")
@pytest.mark.parametrize(
    ("kpi", "average", "goal", "shot"),
    [
        (CLICKS, "5.23 %", "goal 5 %", "kpi_boolean_guide"),
        (VALUE, "$12.47", "goal $10.00", "kpi_money_guide"),
        (SATISFACTION, "3.85 / 5", "goal 3.50 / 5", "kpi_likert_guide"),
    ],
)
def test_the_guide_s_examples(
    kpi: str, average: str, goal: str, shot: str, admin: Page, shots: Shots
) -> None:
    admin.goto(f"{kpi_path(IMAGE_AD, kpi)}?days=30")
    said = tile(admin, "Average")
    assert average in said
    assert goal in said
    assert "reached" in tile(admin, "Goal met")
    assert_accessible(admin)
    shots.of(admin, shot)


@pytest.mark.parametrize(("feature", "kpi"), [(feature, kpi) for feature in FEATURES for kpi in feature.kpis])
def test_a_dashboard_of_each_type(feature: object, kpi: object, admin: Page, shots: Shots) -> None:
    name, use_case = kpi.name, feature.name  # type: ignore[attr-defined]
    admin.goto(f"{kpi_path(use_case, name)}?days=30")
    expect(admin.get_by_role("heading", level=1)).to_have_text(name)
    for label in ("Average", "Goal met", "Trend", "Use cases reviewed", "Successes", "Cost per success"):
        assert len(tile(admin, label).splitlines()) >= 2
        assert tile(admin, label).splitlines()[1] != "-"
    expect(admin.locator("figure.chart .main-svg").first).to_be_visible()
    assert_accessible(admin)
    shots.of(admin, f"kpi_{kpi.kpi_type}_{name}")  # type: ignore[attr-defined]


def test_filters_are_in_the_address(admin: Page) -> None:
    """A version and a property narrow the numbers down, and the link says so."""
    admin.goto("/portal/kpis/support_chat/solved?days=30")
    everything = tile(admin, "Successes")
    admin.get_by_role("combobox", name="Version").select_option("2")
    admin.get_by_role("combobox", name="tier").select_option("silver")
    admin.get_by_role("button", name="Show").click()
    admin.wait_for_url("**version=2**property.tier=silver**")
    assert tile(admin, "Successes") != everything
    expect(admin.get_by_role("combobox", name="tier")).to_have_value("silver")
    expect(admin.get_by_role("rowheader", name="Version 1")).to_have_count(0)
    admin.get_by_role("link", name="7 days").click()
    admin.wait_for_url("**days=7**")
    assert "version=2" in admin.url


def test_no_scores_in_a_time(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/kpis/support_chat/solved?from=2020-01-01&to=2020-01-31")
    expect(admin.get_by_role("heading", name="No scores here")).to_be_visible()
    assert_accessible(admin)
    shots.of(admin, "kpi_without_scores")


def test_an_unknown_kpi_is_said_in_words(admin: Page) -> None:
    answer = admin.goto("/portal/kpis/support_chat/nobody-made-it")
    assert answer is not None
    assert answer.status == 404
    expect(admin.get_by_text("nobody-made-it")).to_be_visible()


def test_no_kpis_yet(open_page: Opened, own_server: object, shots: Shots) -> None:
    page = open_page(own_server.url)  # type: ignore[attr-defined]
    page.goto("/portal/sign-in")
    page.get_by_label("API key").fill(own_server.api_key)  # type: ignore[attr-defined]
    page.get_by_role("button", name="Sign in with the key").click()
    page.wait_for_url("**/portal/")
    page.goto("/portal/kpis")
    expect(page.get_by_role("heading", name="No KPIs yet")).to_be_visible()
    assert_accessible(page)
    shots.of(page, "kpis_none")
    page.goto("/portal/kpis/compare")
    expect(page.get_by_role("heading", name="Nothing to compare yet")).to_be_visible()


def test_comparing_use_cases(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/kpis/compare?days=30")
    expect(admin.get_by_role("row", name="support_chat").first).to_be_visible()
    assert_accessible(admin)
    shots.of(admin, "kpis_compared")
    admin.get_by_label("KPI").select_option("quality")
    admin.get_by_role("button", name="Show").click()
    admin.wait_for_url("**name=quality**")
    settled(admin)
    expect(admin.locator("tbody tr").filter(has_text="support_chat")).to_have_count(0)


def test_comparing_with_the_time_before(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/kpis/support_chat/solved?days=10")
    admin.get_by_role("link", name="Compare with the time before").click()
    row = admin.get_by_role("row", name="Average")
    expect(row.first).to_contain_text("points")
    assert_accessible(admin)
    shots.of(admin, "kpi_periods")


def test_comparing_versions(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/kpis/compare?by=versions&kpi=support_chat/satisfaction&days=30&before=1&after=2")
    expect(admin.get_by_role("columnheader", name="Version 1").first).to_be_visible()
    expect(admin.get_by_role("row", name="Cost per success")).to_contain_text("$")
    assert_accessible(admin)
    shots.of(admin, "kpi_versions")
    admin.goto("/portal/kpis/compare?by=versions&kpi=translation/fluency&days=30")
    expect(admin.get_by_role("heading", name="Only one version yet")).to_be_visible()


def test_a_reader_sees_kpis(reader: Page) -> None:
    reader.goto("/portal/kpis?days=30")
    settled(reader)
    expect(reader.get_by_role("link", name="solved", exact=True)).to_be_visible()
