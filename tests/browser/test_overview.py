"""The first page, and what every page shares: menu, theme, time zone, what happens without a server."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import httpx2
from playwright.sync_api import Page, expect

from payi_otel.server.main import RunningServer, background_server
from payi_otel.server.portal import formats
from tests.browser.conftest import Opened, Portal, Shots, assert_accessible, settled
from tests.browser.data import FEATURES, NEARLY_SPENT, OVERRUN, UNPRICED, Month


def _tile(page: Page, label: str) -> str:
    tile = page.locator(".tile").filter(has=page.get_by_text(label, exact=True))
    return tile.locator("dd").first.inner_text().split()[0]


def _sign_in(page: Page, server: RunningServer) -> None:
    page.goto("/portal/sign-in")
    page.get_by_label("API key").fill(server.api_key)
    page.get_by_role("button", name="Sign in with the key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_the_month(admin: Page, portal: Portal, month: Month, shots: Shots) -> None:
    admin.goto("/portal/?days=30")
    settled(admin)
    headers = {"xProxy-api-key": portal.server.api_key}
    told = httpx2.get(f"{portal.url}/api/v1/local/summary", headers=headers).json()["use_cases"]
    assert _tile(admin, "Spend") == formats.money(sum(one["cost"] for one in told))
    assert _tile(admin, "Calls") == formats.compact(month.calls)
    assert _tile(admin, "Failures") == str(sum(one["failures"] for one in told))
    for label in ("Typical latency", "Slow latency", "First token"):
        assert re.fullmatch(r"[\d.]+", _tile(admin, label)), label
    titles = admin.locator("figcaption")
    expect(titles).to_have_text(
        [
            *("Spend", "Calls", "Latency", "Tokens"),
            *(f"Top {what}s by spend" for what in ("use case", "resource", "user", "account")),
        ]
    )
    needing = admin.get_by_role("region", name="What needs a look")
    expect(needing.get_by_role("link", name=NEARLY_SPENT)).to_be_visible()
    expect(needing.get_by_role("link", name=OVERRUN)).to_be_visible()
    expect(needing.get_by_role("row", name=UNPRICED)).to_be_visible()
    expect(needing.get_by_text(f"no price for '{UNPRICED}'")).to_be_visible()
    assert_accessible(admin)
    shots.of(admin, "overview")


def test_every_chart_has_its_numbers_as_a_table(admin: Page) -> None:
    admin.goto("/portal/?days=7")
    settled(admin)
    spend = admin.locator("figure").filter(has=admin.get_by_text("Spend", exact=True)).first
    spend.get_by_text("Show as a table").click()
    expect(spend.get_by_role("row")).to_have_count(8)
    tops = admin.locator("figure").filter(has=admin.get_by_text("Top use cases by spend"))
    tops.get_by_text("Show as a table").click()
    expect(tops.get_by_role("row")).to_have_count(1 + min(5, len(FEATURES)))
    expect(tops.get_by_role("columnheader")).to_have_text(["Use case", "US dollars"])
    tops.get_by_role("link", name="research_brief").click()
    expect(admin).to_have_url(re.compile("/portal/use-cases/research_brief$"))


def test_a_click_on_a_bar_leads_to_its_page(admin: Page) -> None:
    admin.goto("/portal/?days=30")
    settled(admin)
    tops = admin.locator("figure").filter(has=admin.get_by_text("Top use cases by spend"))
    tops.locator(".nsewdrag").scroll_into_view_if_needed()
    bar = tops.locator(".bars .point path").first.bounding_box()
    assert bar is not None
    admin.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    expect(admin).to_have_url(re.compile("/portal/use-cases/research_brief$"))


def test_times_are_in_the_address(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/")
    expect(admin.get_by_role("link", name="30 days")).to_have_attribute("aria-current", "true")
    admin.get_by_role("link", name="7 days").click()
    expect(admin).to_have_url(re.compile(r"\?days=7$"))
    first = admin.get_by_label("From").input_value()
    admin.get_by_label("to", exact=True).fill(first)
    admin.get_by_role("button", name="Show", exact=True).click()
    expect(admin.locator("figure .xtitle").first).to_have_text("hour")
    query = parse_qs(urlsplit(admin.url).query)
    assert query == {"from": [first], "to": [first]}
    shots.of(admin, "overview_day")
    admin.goto("/portal/?from=2026-03-01&to=2026-02-01")
    expect(admin.get_by_role("main")).to_contain_text("give a day that is not before 2026-03-01")


def test_an_empty_server_says_what_to_do_next(
    open_page: Opened, own_server: RunningServer, shots: Shots
) -> None:
    page = open_page(own_server.url)
    _sign_in(page, own_server)
    expect(page.get_by_role("heading", name="No calls in this time")).to_be_visible()
    expect(page.locator("pre")).to_contain_text(f'base_url="{own_server.url}"')
    assert_accessible(page)
    shots.of(page, "overview_empty")
    page.goto("/portal/limits")
    expect(page.get_by_role("heading", name="No limits yet")).to_be_visible()
    assert_accessible(page)
    shots.of(page, "limits_empty")
    page.goto("/portal/reports")
    expect(page.get_by_text("Nothing in this time.")).to_be_visible()


def test_the_menu_on_a_phone(admin: Page, shots: Shots) -> None:
    admin.set_viewport_size({"width": 390, "height": 800})
    admin.goto("/portal/limits")
    menu = admin.get_by_role("navigation", name="Pages")
    expect(menu).to_be_hidden()
    admin.get_by_role("button", name="Menu").press("Enter")
    expect(menu.get_by_role("link", name="Limits")).to_have_attribute("aria-current", "page")
    assert_accessible(admin)
    admin.screenshot(path=shots.path("menu_phone"))
    menu.get_by_role("link", name="Overview").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text("Overview")


def test_the_theme_is_remembered(admin: Page) -> None:
    admin.emulate_media(color_scheme="light")
    admin.goto("/portal/")
    settled(admin)
    background = "getComputedStyle(document.body).backgroundColor"
    grid = "getComputedStyle(document.querySelector('.ygrid')).stroke"
    light, light_grid = admin.evaluate(background), admin.evaluate(grid)
    admin.get_by_role("button", name="Switch between light and dark").click()
    assert admin.evaluate(background) != light
    assert admin.evaluate(grid) != light_grid
    admin.reload()
    assert admin.evaluate(background) != light
    admin.get_by_role("button", name="Switch between light and dark").click()
    assert admin.evaluate(background) == light


def test_times_are_those_of_the_viewer(admin: Page, month: Month) -> None:
    admin.goto("/portal/")
    settled(admin)
    assert {cookie["name"]: cookie["value"] for cookie in admin.context.cookies()}["payi-zone"] == (
        "Europe/Berlin"
    )
    told = admin.locator("time").first
    utc = told.get_attribute("datetime") or ""
    browsers = admin.evaluate(
        "at => new Date(at).toLocaleTimeString('en-GB', {hour: '2-digit', minute: '2-digit'})", utc
    )
    expect(told).to_contain_text(browsers)


def test_from_the_keyboard_alone(admin: Page) -> None:
    admin.goto("/portal/limits")
    admin.keyboard.press("Tab")
    skip = admin.get_by_role("link", name="To the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    admin.keyboard.press("Enter")
    expect(admin.get_by_role("main")).to_be_focused()
    admin.get_by_role("button", name="+ Limit").press("Enter")
    dialog = admin.get_by_role("dialog")
    expect(dialog).to_be_visible()
    admin.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(admin.get_by_role("button", name="+ Limit")).to_be_focused()


def test_a_server_that_is_gone_is_said(open_page: Opened) -> None:
    with background_server() as server:
        page = open_page(server.url)
        _sign_in(page, server)
        page.goto("/portal/limits")
    page.get_by_role("button", name="+ Limit").click()
    expect(page.get_by_role("alert")).to_contain_text("The server did not answer.")


def test_nothing_comes_from_elsewhere(admin: Page, portal: Portal) -> None:
    asked: list[str] = []
    admin.on("request", lambda request: asked.append(request.url))
    admin.goto("/portal/")
    settled(admin)
    assert asked
    assert {url for url in asked if not url.startswith((portal.url, "data:"))} == set()
