"""Ids made of content."""

from __future__ import annotations

from payi_otel.backfill.ids import content_digest, event_id
from tests.backfill.conftest import event


def test_the_id_of_an_event_never_changes() -> None:
    # A new version that made other ids would store what older ones have stored a second time.
    assert event_id(content_digest(event()), 1) == "payi_import_de5989004190d68f030db28cc0d8d7ac"


def test_what_is_said_decides_not_its_order() -> None:
    turned = dict(reversed(event(properties={"a": "1", "b": "2"}).items()))
    turned["properties"] = {"b": "2", "a": "1"}
    assert content_digest(turned) == content_digest(event(properties={"a": "1", "b": "2"}))
    assert content_digest(event(user_id="a")) != content_digest(event(user_id="b"))


def test_half_an_emoji_has_an_id() -> None:
    assert content_digest(event(user_id="\ud83d"))
