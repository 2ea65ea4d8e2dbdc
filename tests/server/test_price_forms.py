"""What the form of prices takes, and what it says of the rest."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from starlette.datastructures import FormData

from payi_otel.server.portal.price_forms import begin, read_prices, rows_of
from payi_otel.server.pricing_custom import UnitPrice

BERLIN = timezone(timedelta(hours=2))
GOOD = {"category": "acme", "resource": "m", "unit_0": "text", "input_0": "0.15", "output_0": "0.6"}


def test_prices_of_tokens_are_for_a_million() -> None:
    form, wanted = read_prices(FormData({**GOOD, "unit_2": "page", "input_2": "$0.01"}), BERLIN)
    assert form.errors == {}
    assert wanted is not None
    assert wanted.units == {
        "text": UnitPrice(Decimal("0.00000015"), Decimal("0.0000006")),
        "page": UnitPrice(Decimal("0.01"), None),
    }
    assert wanted.start == datetime(1970, 1, 1, tzinfo=timezone.utc)


def test_a_day_begins_in_the_viewer_s_zone() -> None:
    _, wanted = read_prices(FormData({**GOOD, "start": "2026-03-01"}), BERLIN)
    assert wanted is not None
    assert wanted.start == datetime(2026, 2, 28, 22, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"category": " "}, "category", "Fill this in."),
        ({"resource": "x" * 201}, "resource", "at most 200"),
        ({"input_0": "cheap"}, "input_0", "Write a price"),
        ({"input_0": "-1"}, "input_0", "Write a price"),
        ({"input_0": "nan"}, "input_0", "Write a price"),
        ({"input_0": "1e400"}, "input_0", "Write a price"),
        ({"unit_0": ""}, "unit_0", "Say which unit"),
        ({"unit_1": "text", "input_1": "1"}, "unit_1", "above already"),
        ({"input_0": "", "output_0": ""}, "unit_0", "Give a unit"),
        ({"start": "tomorrow"}, "start", "Write a day"),
        ({"start": "0001-01-01"}, "start", "Write a day"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(change: dict[str, str], field: str, said: str) -> None:
    form, wanted = read_prices(FormData({**GOOD, **change}), BERLIN)
    assert wanted is None
    assert list(form.errors) == [field]
    assert said in form.errors[field]


def test_the_form_begins_with_what_is_known() -> None:
    form = begin("acme", "m", ["text", "page"], {"page": UnitPrice(Decimal("0.01"), None)})
    assert (form.text("unit_1"), form.text("input_1"), form.text("output_1")) == ("page", "0.01", "")
    assert form.text("unit_0") == "text"
    assert list(rows_of(form)) == [0, 1, 2]
    assert len(rows_of(begin("acme", "m", [f"u{number}" for number in range(5)], {}))) == 6
