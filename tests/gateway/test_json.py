"""What the gateway writes is what every other way into the outbox writes, byte by byte."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from payi_otel.delivery.intake import plain_json
from payi_otel.gateway.outbox import fast_json

# Half an emoji, control characters and numbers of any size among them.
TEXTS = st.text(st.characters())
# When a span began, as the reader has it: in UTC, with or without a part of a second.
TIMES = st.datetimes(timezones=st.just(timezone.utc)) | st.integers(0, 2**34).map(
    lambda second: datetime.fromtimestamp(second, timezone.utc)
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | TIMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


@given(st.dictionaries(TEXTS, VALUES, max_size=6))
def test_both_write_the_same(body: dict[str, Any]) -> None:
    assert fast_json(body) == plain_json(body)


def test_a_time_is_text_in_iso_8601() -> None:
    at = datetime(2026, 11, 21, 9, 30, tzinfo=timezone.utc)
    for write in (fast_json, plain_json):
        assert write({"at": at}) == b'{"at":"2026-11-21T09:30:00+00:00"}'
        assert write({"at": at.replace(microsecond=7)}) == b'{"at":"2026-11-21T09:30:00.000007+00:00"}'


def test_half_an_emoji_and_large_numbers() -> None:
    assert fast_json({"text": "\ud83d", "count": 2**70}) == b'{"text":"?","count":1180591620717411303424}'
