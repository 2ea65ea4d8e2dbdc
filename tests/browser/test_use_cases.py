"""Use cases: the list, and what one cost over time, by what, in instances and in requests."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Shots, assert_accessible, settled
from tests.browser.data import FEATURES, Month


def test_the_list(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/use-cases?days=30")
    settled(admin)
    table = admin.get_by_role("region", name="Use cases")
    expect(table.get_by_role("row")).to_have_count(len(FEATURES) + 1)
    row = table.get_by_role("row").filter(has=admin.get_by_role("link", name="support_chat", exact=True))
    expect(row).to_contain_text(re.compile(r"\$\d"))
    expect(row).to_contain_text(re.compile(r"solved.*of 60 %"))
    expect(row).to_contain_text("saved")
    assert_accessible(admin)
    shots.of(admin, "use_cases")


def test_sorting_and_finding_are_in_the_address(admin: Page) -> None:
    admin.goto("/portal/use-cases?days=30")
    admin.get_by_label("Sort by").select_option("name")
    admin.get_by_role("button", name="Show").click()
    expect(admin).to_have_url(re.compile("sort=name"))
    settled(admin)
    names = admin.get_by_role("region", name="Use cases").locator("tbody th a").all_inner_texts()
    assert names == sorted(feature.name for feature in FEATURES)
    admin.get_by_label("Find").fill("manuals")
    admin.keyboard.press("Enter")
    expect(admin.locator("tbody th a")).to_have_text(["document_index"])
    admin.goto("/portal/use-cases?q=nothing-like-it")
    expect(admin.get_by_text("No use case has “nothing-like-it”")).to_be_visible()


def test_one_use_case(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/use-cases?days=30")
    settled(admin)
    admin.get_by_role("link", name="support_chat", exact=True).click()
    expect(admin.get_by_role("heading", level=1)).to_have_text(re.compile("^support_chat"))
    settled(admin)
    expect(admin.get_by_text("Value generated")).to_be_visible()
    for title in (
        "Spend by version",
        "Calls",
        "Latency",
        "Tokens",
        "Spend by step",
        "Spend by user",
        "Spend by tier",
    ):
        expect(admin.get_by_role("figure").filter(has_text=title).first).to_be_visible()
    # The version that began within the time is marked.
    spend = admin.get_by_role("figure").filter(has_text="Spend by version")
    expect(spend.locator(".annotation-text", has_text="v2")).to_have_count(1)
    versions = admin.get_by_role("region", name="By version")
    expect(versions.get_by_role("row")).to_have_count(3)
    expect(versions).to_contain_text(re.compile(r"\d ms|\d s"))
    assert_accessible(admin)
    shots.of(admin, "use_case")
    admin.locator("select[name=version]").select_option("2")
    admin.get_by_role("button", name="Show").click()
    expect(admin).to_have_url(re.compile("version=2"))
    settled(admin)
    expect(admin.get_by_role("region", name="By version").get_by_role("row")).to_have_count(2)


def test_a_time_without_calls_says_what_to_do(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/use-cases/support_chat?from=2020-01-01&to=2020-01-31")
    expect(admin.get_by_role("heading", name="No calls in this time")).to_be_visible()
    assert_accessible(admin)
    shots.of(admin, "use_case_empty")
    admin.goto("/portal/use-cases/support_chat/instances?from=2020-01-01&to=2020-01-31")
    expect(admin.get_by_text("No instance began in this time")).to_be_visible()
    admin.goto("/portal/use-cases/support_chat/requests?from=2020-01-01&to=2020-01-31")
    expect(admin.get_by_text("No request of this time fits")).to_be_visible()


def test_instances(admin: Page, month: Month, shots: Shots) -> None:
    admin.goto("/portal/use-cases/support_chat/instances?days=30")
    table = admin.get_by_role("region", name="Instances")
    expect(table.get_by_role("row")).to_have_count(51)
    assert_accessible(admin)
    shots.of(admin, "use_case_instances", full=False)
    first = table.locator("tbody th").first.inner_text()
    admin.get_by_role("link", name="Next page").click()
    expect(table.locator("tbody th").first).not_to_have_text(first)
    admin.get_by_label("Find").fill("chat-01-")
    admin.get_by_label("tier").select_option("gold")
    admin.get_by_role("button", name="Show").click()
    expect(admin).to_have_url(re.compile("property.tier=gold"))
    for row in table.locator("tbody tr").all():
        expect(row).to_contain_text("support_chat-01-")
        expect(row).to_contain_text("gold")
    admin.goto("/portal/use-cases/support_chat/instances?q=nowhere")
    expect(admin.get_by_text(re.compile(r"None of the \d+ instances"))).to_be_visible()


def test_one_instance_and_one_of_its_requests(admin: Page, month: Month, shots: Shots) -> None:
    admin.goto(f"/portal/use-cases/support_chat/instances/{month.instances['support_chat']}")
    calls = admin.get_by_role("region", name="Calls")
    expect(calls.get_by_role("row")).to_have_count(3)
    expect(calls).to_contain_text("understand")
    for said in ("solved", "satisfaction", "tier", "region"):
        expect(admin.get_by_role("rowheader", name=said).first).to_be_visible()
    assert_accessible(admin)
    shots.of(admin, "use_case_instance")
    calls.get_by_role("link", name="answer").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text(re.compile("^Request of"))
    units = admin.get_by_role("region", name="Units")
    expect(units.get_by_role("row", name=re.compile("^text input"))).to_contain_text(re.compile(r"\$0\.\d+"))
    # What was said is text, whatever it looks like.
    expect(admin.get_by_text("Here it is. <b>Not bold</b> & done.")).to_be_visible()
    assert_accessible(admin)
    headers = admin.get_by_role("heading", name="Headers of the response").locator("..")
    expect(headers).to_contain_text("req_8f21")
    expect(headers).to_contain_text("(withheld)")
    expect(headers).not_to_contain_text("session=abc")
    shots.of(admin, "use_case_request")


def test_requests(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/use-cases/research_brief/requests?days=30")
    table = admin.get_by_role("region", name="Requests")
    expect(table.get_by_role("row")).to_have_count(51)
    assert_accessible(admin)
    shots.of(admin, "use_case_requests", full=False)
    admin.get_by_label("failed only").check()
    admin.get_by_role("button", name="Show").click()
    expect(admin).to_have_url(re.compile("failed=1"))
    for row in table.locator("tbody tr").all():
        expect(row).to_contain_text("429")
    admin.goto("/portal/use-cases/research_brief/requests?days=30&q=write")
    for row in table.locator("tbody tr").all():
        expect(row).to_contain_text("write")


def test_a_reader_sees_no_buttons_that_would_be_refused(reader: Page) -> None:
    reader.goto("/portal/use-cases/support_chat/configuration")
    expect(reader.get_by_role("heading", name="Key Performance Indicators")).to_be_visible()
    expect(reader.get_by_role("button", name="+ KPI")).to_have_count(0)
    expect(reader.get_by_role("button", name="Delete use case")).to_have_count(0)
    expect(reader.get_by_label("Actions for solved")).to_have_count(0)


def test_an_unknown_use_case_is_an_error_in_words(admin: Page) -> None:
    admin.goto("/portal/use-cases/nobody")
    expect(admin.get_by_role("heading", level=1)).to_have_text("Not found")
    expect(admin.get_by_text("'nobody' is not defined")).to_be_visible()
