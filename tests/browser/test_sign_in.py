"""Who gets in, how, and what they may do."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from playwright.sync_api import Page, expect

from payi_otel.server.main import RunningServer
from payi_otel.server.portal.links import link_path
from payi_otel.server.store.engine import Store
from payi_otel.server.store.keys import ensure_application
from payi_otel.server.store.users import add_link
from tests.browser.conftest import PASSWORD, READER, Opened, Portal, Shots, assert_accessible


def test_the_page_and_back_to_where_one_was_going(visitor: Page, portal: Portal, shots: Shots) -> None:
    visitor.goto("/portal/limits?q=gold")
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert_accessible(visitor)
    shots.of(visitor, "sign_in")
    visitor.get_by_label("API key").fill("sk-payi-app-wrong")
    visitor.get_by_role("button", name="Sign in with the key").click()
    expect(visitor.get_by_role("alert")).to_contain_text("This key is not valid.")
    shots.of(visitor, "sign_in_refused")
    visitor.get_by_label("API key").fill(portal.server.api_key)
    visitor.get_by_role("button", name="Sign in with the key").click()
    expect(visitor).to_have_url(f"{portal.url}/portal/limits?q=gold")
    cookies = {cookie["name"]: cookie for cookie in visitor.context.cookies()}
    session = next(cookie for name, cookie in cookies.items() if name.startswith("payi-session"))
    assert (session["httpOnly"], session["sameSite"], session["path"]) == (True, "Lax", "/portal")
    assert session["value"].encode() not in portal.database.read_bytes()


def test_a_user_signs_in_and_out(visitor: Page) -> None:
    visitor.goto("/portal/sign-in")
    visitor.get_by_label("Name").fill(READER)
    visitor.get_by_label("Password").fill("not this one")
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("alert")).to_have_text("Name or password is wrong.")
    expect(visitor.get_by_label("Name")).to_have_value(READER)
    visitor.get_by_label("Password").fill(PASSWORD)
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Overview")
    stolen = visitor.context.cookies()
    visitor.locator(".who summary").click()
    expect(visitor.get_by_text(f"Signed in as {READER}, read-only")).to_be_visible()
    visitor.get_by_role("button", name="Sign out").click()
    expect(visitor.get_by_role("status")).to_have_text("You are signed out.")
    # The server forgot the session; the cookie alone is worth nothing.
    visitor.context.add_cookies(stolen)  # type: ignore[arg-type]
    visitor.goto("/portal/")
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_a_link_signs_in_once_with_one_click(open_page: Opened, portal: Portal) -> None:
    store = Store(portal.database)
    with store.write() as connection:
        add_link(connection, "one-click", datetime.now(timezone.utc))
        ensure_application(connection, "second team", datetime.now(timezone.utc))
    store.close()
    page = open_page(portal.url)
    page.goto(link_path("one-click"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    assert "one-click" not in page.url
    # A second click of somebody who is in harms nobody; somebody else does not get in.
    page.goto(link_path("one-click"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    other = open_page(portal.url)
    other.goto(link_path("one-click"))
    expect(other.get_by_role("alert")).to_contain_text("This link was used before or is too old.")
    page.locator(".who summary").click()
    page.get_by_role("link", name="Show another application").click()
    page.get_by_role("button", name="Show second team").click()
    expect(page.locator(".who-name")).to_have_text("second team")
    expect(page.get_by_role("heading", name="No calls in this time")).to_be_visible()


def test_a_key_sees_its_own_application_only(admin: Page) -> None:
    admin.goto("/portal/application")
    expect(admin.get_by_role("main")).to_contain_text("sees default only")


def test_guessing_is_slowed_down(open_page: Opened, own_server: RunningServer) -> None:
    page = open_page(own_server.url)
    page.goto("/portal/sign-in")
    # Ten at once, then one every six seconds: a slow machine has to guess more often until it is too fast.
    for _ in range(100):
        page.get_by_label("API key").fill("sk-guess")
        with page.expect_navigation():
            page.get_by_role("button", name="Sign in with the key").click()
        if "Too many attempts. Try again in" in page.get_by_role("alert").inner_text():
            break
    else:
        raise AssertionError("a hundred guesses in a row")


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "/portal/\\evil", "/elsewhere"]
)
def test_nobody_is_sent_to_another_site(visitor: Page, portal: Portal, target: str) -> None:
    visitor.goto("/portal/sign-in")
    visitor.locator("input[name=next]").first.evaluate("(field, value) => { field.value = value }", target)
    visitor.locator("input[name=next]").last.evaluate("(field, value) => { field.value = value }", target)
    visitor.get_by_label("API key").fill(portal.server.api_key)
    visitor.get_by_role("button", name="Sign in with the key").click()
    expect(visitor).to_have_url(f"{portal.url}/portal/")


def test_a_post_without_its_token_changes_nothing(admin: Page, visitor: Page) -> None:
    admin.goto("/portal/limits")
    for form in ({}, {"csrf_token": "0" * 64}, {"csrf_token": "ünï"}):
        answer = admin.request.post("/portal/limits", form={**form, "name": "Forged", "max": "1"})
        assert answer.status == 403
        assert "does not come from this page" in answer.text()
    admin.reload()
    expect(admin.get_by_role("row", name="Forged")).to_have_count(0)
    visitor.goto("/portal/sign-in")
    answer = visitor.request.post("/portal/sign-in", form={"key": "sk-any", "csrf_token": "wrong"})
    assert answer.status == 403


def test_headers(visitor: Page) -> None:
    headers = visitor.request.get("/portal/sign-in").headers
    policy = headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_a_form_too_large_is_refused(visitor: Page) -> None:
    answer = visitor.request.post("/portal/sign-in", form={"key": "x" * 300_000})
    assert answer.status == 413
    assert "larger than" in answer.text()


def test_errors_are_pages(admin: Page, shots: Shots) -> None:
    answer = admin.goto("/portal/nothing/here")
    assert answer is not None
    assert answer.status == 404
    expect(admin.get_by_role("heading", level=1)).to_have_text("Not found")
    assert_accessible(admin)
    shots.of(admin, "not_found")
    admin.get_by_role("link", name="To the overview").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text("Overview")
    admin.goto("/portal/?from=yesterday")
    expect(admin.get_by_role("main")).to_contain_text("From: 'yesterday' cannot be used; write a day like")


def test_the_root_leads_to_the_portal(visitor: Page) -> None:
    visitor.goto("/")
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Sign in")
