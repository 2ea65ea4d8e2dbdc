"""Value policies: the list, the editor with its preview, and what it says of mistakes."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Shots, assert_accessible, settled


def test_the_list(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/values")
    expect(admin.get_by_role("row", name="support_chat")).to_contain_text('kpis["solved"] * wage - cost')
    expect(admin.get_by_role("link", name="Write the policy of autocomplete")).to_be_visible()
    assert_accessible(admin)
    shots.of(admin, "values")


def test_the_preview_shows_values_and_why_there_are_none(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/values/support_chat")
    preview = admin.get_by_role("region", name="Preview", exact=True)
    expect(preview.locator("tbody tr")).to_have_count(20)
    expect(preview.get_by_text("no score of solved").first).to_be_visible()
    expect(preview.locator("tbody")).to_contain_text("12 min")
    assert_accessible(admin)
    shots.of(admin, "value_policy")
    # It follows what is written.
    admin.get_by_label("Value generated").fill("requests * price")
    expect(admin.get_by_text("Value generated: 'price' is not known")).to_be_visible()
    admin.get_by_label("Constants").fill("price = 7\nwage = 4.5")
    expect(admin.get_by_text("Value of these")).to_be_visible()
    expect(preview.locator("tbody")).to_contain_text("$14.00")


def test_mistakes_are_said_in_words(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/values/autocomplete")
    settled(admin)
    expect(admin.get_by_text("Write an expression above")).to_be_visible()
    said = {
        "kpis['nobody']": "'nobody' is no KPI of this use case; it has accepted",
        "().__class__": "Attribute is not allowed",
        "1 +": "Not an expression",
    }
    for expression, words in said.items():
        admin.get_by_label("Value generated").fill(expression)
        expect(admin.locator("#preview")).to_contain_text(words)
    admin.get_by_label("Constants").fill("cost = 3")
    admin.get_by_role("button", name="Save").click()
    expect(admin.locator("#e-constants")).to_contain_text("the name is taken")
    expect(admin.locator("#e-money")).to_contain_text("Not an expression")
    assert_accessible(admin)
    shots.of(admin, "value_mistakes")


def test_writing_and_removing_a_policy_with_the_keyboard(admin: Page) -> None:
    admin.goto("/portal/values")
    admin.get_by_role("link", name="Write the policy of translation").focus()
    admin.keyboard.press("Enter")
    expect(admin.get_by_role("heading", level=1)).to_have_text("Value of translation")
    admin.get_by_label("Time saved").focus()
    admin.keyboard.type("kpis['fluency'] * pages")
    admin.keyboard.press("Tab")
    admin.keyboard.type("pages = 2")
    expect(admin.get_by_text("Time saved by these")).to_be_visible()
    admin.get_by_role("button", name="Save").focus()
    admin.keyboard.press("Enter")
    expect(admin.get_by_role("status")).to_contain_text("is saved")
    expect(admin.get_by_role("row", name="translation")).to_contain_text("kpis['fluency'] * pages")
    admin.get_by_role("link", name="Edit the policy of translation").click()
    expect(admin.get_by_label("Constants")).to_have_value("pages = 2")
    admin.get_by_role("button", name="Remove").click()
    admin.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(admin.get_by_role("status")).to_contain_text("no value policy any more")
    expect(admin.get_by_role("link", name="Write the policy of translation")).to_be_visible()


def test_a_reader_may_try_but_not_save(reader: Page) -> None:
    reader.goto("/portal/values/support_chat")
    expect(reader.get_by_role("region", name="Preview", exact=True).locator("tbody tr")).to_have_count(20)
    expect(reader.get_by_role("button", name="Save")).to_have_count(0)
    assert reader.request.post("/portal/values/support_chat", form={"money": "1"}).status == 403
