"""The page about faults has a row for each."""

from __future__ import annotations

from tests.faults.table import PATH, expected_names, row_names


def test_the_page_has_a_row_for_each_fault() -> None:
    assert row_names(PATH.read_text()) == expected_names()
