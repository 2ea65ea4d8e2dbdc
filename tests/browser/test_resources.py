"""Resources and prices: categories, versions, pricing what has no price, and pricing calls anew."""

from __future__ import annotations

import uuid

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Portal, Shots, assert_accessible
from tests.browser.data import UNPRICED

CATEGORY = "example.lab"


@pytest.fixture
def model(portal: Portal) -> str:
    """A model that nobody priced, with three calls."""
    name = f"lab-{uuid.uuid4().hex[:8]}"
    events = [
        {
            "category": CATEGORY,
            "resource": name,
            "units": {"text": {"input": 1_000_000, "output": 500_000}, "page": {"input": 3, "output": 0}},
            "provider_response_id": f"{name}-{number}",
            "use_case_name": "lab",
        }
        for number in range(3)
    ]
    headers = {"xProxy-api-key": portal.server.api_key}
    with httpx2.Client(base_url=portal.url, headers=headers, timeout=60) as http:
        assert http.post("/api/v1/ingest/bulk", json=events).status_code == 200
    return name


def cost(portal: Portal, model: str) -> float:
    headers = {"xProxy-api-key": portal.server.api_key}
    with httpx2.Client(base_url=portal.url, headers=headers, timeout=60) as http:
        items = http.get("/api/v1/local/events", params={"use_case_name": "lab", "limit": 1000}).json()[
            "items"
        ]
    return round(sum(item["cost"]["total"]["base"] for item in items if item["resource"] == model), 6)


def test_the_categories(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/resources")
    expect(admin.get_by_role("heading", level=1)).to_have_text("Resources and prices")
    expect(admin.get_by_role("row", name=UNPRICED)).to_contain_text("system.openai")
    expect(admin.get_by_role("row", name="example.inhouse")).to_contain_text("your own")
    expect(admin.get_by_role("row", name="system.anthropic")).to_contain_text("managed")
    assert_accessible(admin)
    shots.of(admin, "resources")


def test_a_category_s_resources(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/resources/system.openai")
    admin.get_by_label("Find").fill("gpt-4o-mini")
    admin.keyboard.press("Enter")
    admin.wait_for_url("**q=gpt-4o-mini**")
    row = admin.get_by_role("row", name="gpt-4o-mini").first
    expect(row).to_contain_text("$0.15 per million")
    assert_accessible(admin)
    shots.of(admin, "resource_category")
    admin.goto("/portal/resources/system.openai?q=nothing-like-it")
    expect(admin.get_by_role("heading", name="No resource of this name")).to_be_visible()


def test_pricing_what_has_no_price(admin: Page, portal: Portal, model: str, shots: Shots) -> None:
    """From the list of unpriced models through the dialog, with the keyboard, to calls that cost what they should."""
    assert cost(portal, model) == 0
    admin.goto("/portal/resources")
    button = admin.get_by_role("row", name=model).get_by_role("button", name="Set a price")
    button.focus()
    admin.keyboard.press("Enter")
    dialog = admin.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text(f"Prices of {model}")
    # The units its calls had are there already.
    expect(dialog.locator("[name=unit_1]")).to_have_value("page")
    expect(dialog.locator("[name=unit_0]")).to_have_value("text")
    assert_accessible(admin)
    shots.of(admin, "price_new", full=False)
    dialog.locator("[name=input_0]").fill("cheap")
    admin.keyboard.press("Enter")
    expect(dialog.get_by_text("Write a price")).to_be_visible()
    expect(dialog.locator("[name=input_0]")).to_be_focused()
    assert_accessible(admin)
    shots.of(admin, "price_refused", full=False)
    dialog.locator("[name=input_0]").fill("2")
    dialog.locator("[name=output_0]").fill("8")
    dialog.locator("[name=input_1]").fill("0.05")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("heading")).to_have_text("Price stored calls anew?")
    expect(dialog).to_contain_text("3 stored calls")
    assert_accessible(admin)
    shots.of(admin, "price_saved", full=False)
    expect(dialog.get_by_role("button", name="Price anew")).to_be_focused()
    admin.keyboard.press("Enter")
    expect(dialog.get_by_role("heading")).to_have_text("Priced anew")
    # Each call: 2 + 4 dollars for its tokens, 3 pages at 5 cents.
    expect(dialog).to_contain_text("$18.45 more")
    shots.of(admin, "price_done", full=False)
    dialog.get_by_role("link", name="Done").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text(model)
    assert cost(portal, model) == 18.45
    expect(admin.get_by_role("row", name="Your own")).to_contain_text("input $2.00 per million")
    expect(admin.get_by_role("row", name="Your own")).to_contain_text("input $0.05 each")
    assert_accessible(admin)
    shots.of(admin, "resource")
    admin.goto("/portal/resources")
    expect(admin.get_by_role("row", name=model)).to_have_count(0)


def test_a_new_version_and_its_end(admin: Page, portal: Portal, model: str) -> None:
    admin.goto(f"/portal/resources/{CATEGORY}/{model}")
    dialog = admin.get_by_role("dialog")
    for price in ("1", "3"):
        admin.get_by_role("button", name="Set a price").or_(
            admin.get_by_role("button", name="New version")
        ).click()
        dialog.locator("[name=input_0]").fill(price)
        dialog.get_by_role("button", name="Save").click()
        dialog.get_by_role("link", name="Not now").click()
        expect(dialog).not_to_be_visible()
    expect(admin.get_by_role("row", name="Your own")).to_have_count(2)
    expect(admin.get_by_role("row", name="active")).to_contain_text("$3.00 per million")
    admin.get_by_role("row", name="active").get_by_label("Actions for").click()
    admin.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(admin.get_by_role("status")).to_contain_text("is deleted")
    admin.goto(f"/portal/resources/{CATEGORY}/{model}")
    expect(admin.get_by_role("row", name="active")).to_contain_text("$1.00 per million")
    # Escape closes a dialog and leaves everything as it is.
    admin.get_by_role("button", name="New version").click()
    expect(dialog.get_by_role("heading")).to_be_visible()
    admin.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()


def test_a_resource_from_nothing(admin: Page) -> None:
    admin.goto("/portal/resources")
    admin.get_by_role("button", name="+ Resource").click()
    dialog = admin.get_by_role("dialog")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Fill this in.")).to_have_count(2)
    name = f"new-{uuid.uuid4().hex[:8]}/v1"
    dialog.get_by_label("Category").fill(CATEGORY)
    dialog.get_by_label("Resource").fill(name)
    dialog.locator("[name=output_0]").fill("0.5")
    dialog.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text(name)
    expect(admin.get_by_role("row", name="Your own")).to_contain_text("output $0.50 per million")


def test_a_reader_changes_no_price(reader: Page, model: str) -> None:
    reader.goto("/portal/resources")
    expect(reader.get_by_role("row", name=model)).to_be_visible()
    expect(reader.get_by_role("button", name="Set a price")).to_have_count(0)
    refused = reader.request.post("/portal/prices", form={"category": CATEGORY, "resource": model})
    assert refused.status == 403
