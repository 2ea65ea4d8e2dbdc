"""Applications and keys: made, shown once, replaced, deleted; and who may."""

from __future__ import annotations

import uuid

import httpx2
import pytest
from playwright.sync_api import Page, expect

from payi_otel.server.portal.guard import hash_password
from payi_otel.server.store.engine import Store
from payi_otel.server.store.users import ADMIN, add_user
from tests.browser.conftest import Opened, Portal, Shots, assert_accessible

OWNER, PASSWORD = "owner", "sees every application"


@pytest.fixture
def owner(portal: Portal, open_page: Opened) -> Page:
    """An admin who sees every application."""
    name = f"{OWNER}-{uuid.uuid4().hex[:8]}"
    store = Store(portal.database)
    with store.write() as connection:
        add_user(connection, name, hash_password(PASSWORD), ADMIN, None, portal.month.now)
    store.close()
    page = open_page(portal.url)
    page.goto("/portal/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/portal/")
    return page


def status(portal: Portal, key: str) -> int:
    """What the API answers to a key."""
    with httpx2.Client(base_url=portal.url, headers={"xProxy-api-key": key}, timeout=60) as http:
        return http.get("/api/v1/use_cases/definitions").status_code


def test_a_key_s_life(owner: Page, portal: Portal, shots: Shots) -> None:
    """A new application's key is shown once, works, is replaced, and deleted."""
    name = f"shop-{uuid.uuid4().hex[:8]}"
    owner.goto("/portal/applications")
    owner.get_by_role("button", name="+ Application").focus()
    owner.keyboard.press("Enter")
    dialog = owner.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    owner.keyboard.press("Enter")
    expect(dialog.get_by_text("Fill this in.")).to_be_visible()
    expect(dialog.get_by_label("Name")).to_be_focused()
    owner.keyboard.type(name)
    shots.of(owner, "application_new", full=False)
    owner.keyboard.press("Enter")
    first = dialog.get_by_label("The key").input_value()
    assert first.startswith("sk-payi-app-")
    assert_accessible(owner)
    dialog.get_by_label("The key").evaluate("one => { one.value = 'sk-payi-app-example' }")
    shots.of(owner, "application_key", full=False)
    dialog.get_by_role("link", name="Done").click()
    row = owner.get_by_role("row", name=name)
    expect(row).to_contain_text("since")
    assert first not in owner.content()
    assert status(portal, first) == 200

    row.get_by_role("button", name="Make key 2").click()
    dialog.get_by_role("button", name="Make").click()
    second = dialog.get_by_label("The key").input_value()
    dialog.get_by_role("link", name="Done").click()
    assert (status(portal, first), status(portal, second)) == (200, 200)

    row.get_by_role("button", name="Replace key 1").click()
    assert_accessible(owner)
    shots.of(owner, "application_replace", full=False)
    dialog.get_by_role("button", name="Replace").click()
    third = dialog.get_by_label("The key").input_value()
    dialog.get_by_role("link", name="Done").click()
    assert [status(portal, key) for key in (first, second, third)] == [401, 200, 200]

    row.get_by_role("button", name="Delete key 2").click()
    expect(dialog).not_to_contain_text("the only key")
    dialog.get_by_role("button", name="Delete").click()
    expect(owner.get_by_role("status")).to_contain_text("is deleted")
    assert [status(portal, key) for key in (second, third)] == [401, 200]
    row.get_by_role("button", name="Delete key 1").click()
    expect(dialog).to_contain_text("the only key")
    owner.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    assert status(portal, third) == 200
    assert_accessible(owner)
    shots.of(owner, "applications")


def test_a_name_is_taken_once(owner: Page) -> None:
    owner.goto("/portal/applications")
    owner.get_by_role("button", name="+ Application").click()
    dialog = owner.get_by_role("dialog")
    dialog.get_by_label("Name").fill("default")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_text("There is one of this name already.")).to_be_visible()


def test_who_signed_in_by_key_sees_its_application_alone(owner: Page, admin: Page) -> None:
    name = f"other-{uuid.uuid4().hex[:8]}"
    owner.goto("/portal/applications")
    owner.get_by_role("button", name="+ Application").click()
    owner.get_by_role("dialog").get_by_label("Name").fill(name)
    owner.get_by_role("dialog").get_by_role("button", name="Create").click()
    owner.get_by_role("dialog").get_by_role("link", name="Done").click()
    path = (
        owner.get_by_role("row", name=name)
        .get_by_role("button", name="Make key 2")
        .get_attribute("data-hx-get")
    )
    assert path is not None
    admin.goto("/portal/applications")
    expect(admin.get_by_role("row", name="default")).to_be_visible()
    expect(admin.get_by_role("row", name=name)).to_have_count(0)
    expect(admin.get_by_role("button", name="+ Application")).to_have_count(0)
    token = admin.locator("[name=csrf_token]").first.get_attribute("value") or ""
    assert admin.request.post(path, form={"csrf_token": token}).status == 404
    made = admin.request.post("/portal/applications", form={"csrf_token": token, "name": "mine"})
    assert made.status == 403


def test_a_reader_makes_no_keys(reader: Page, shots: Shots) -> None:
    reader.goto("/portal/applications")
    expect(reader.get_by_text("Only an admin can make")).to_be_visible()
    expect(reader.get_by_role("button", name="Replace key 1")).to_have_count(0)
    token = reader.locator("[name=csrf_token]").first.get_attribute("value") or ""
    refused = reader.request.post("/portal/applications/1/keys/2/replace", form={"csrf_token": token})
    assert refused.status == 403
    assert_accessible(reader)
    shots.of(reader, "applications_reader")
