"""The first page."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Shots, assert_accessible


def test_the_month(admin: Page, shots: Shots) -> None:
    admin.goto("/portal/?days=30")
    expect(admin.get_by_role("heading", level=1)).to_have_text("Overview")
    assert_accessible(admin)
    shots.of(admin, "overview")
