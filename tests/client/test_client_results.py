"""Answers as dataclasses: tolerant of what is new, exact about what is known."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone

import pytest

from payi_otel.client.results import IngestResponse, KpiScore, Limit, ResourceVersion, UseCase, XproxyResult
from tests.client.cases import LIMIT, VERSION


def test_nested_values_are_typed() -> None:
    limit = Limit.from_json(LIMIT)
    assert limit.totals.cost.total.base == 0.3
    assert limit.totals.requests.blocked_external == 1
    assert limit.limit_creation_timestamp == datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=timezone.utc)
    assert limit.extra == {}
    version = ResourceVersion.from_json(VERSION)
    assert version.units["text"].output_price == 2e-6


def test_unknown_fields_are_kept() -> None:
    use_case = UseCase.from_json({"use_case_id": "i", "new": {"a": 1}})
    assert use_case.extra == {"new": {"a": 1}}


def test_an_optional_field_of_another_type_does_not_spoil_the_rest() -> None:
    use_case = UseCase.from_json({"use_case_id": "i", "type_version": "latest", "limit_id": None})
    assert (use_case.type_version, use_case.limit_id, use_case.extra) == (
        None,
        None,
        {"type_version": "latest"},
    )
    result = XproxyResult.from_json(
        {"limits": {"l": {"state": "paused"}}, "cost": {"total": "free"}, "warnings": None}
    )
    assert result.limits["l"].state == "paused"
    assert result.cost is not None
    assert result.cost.extra == {"total": "free"}
    assert result.warnings == ()


def test_costs_as_strings_of_the_older_api() -> None:
    result = XproxyResult.from_json({"cost": {"currency": "USD", "total": {"base": "0.0125"}}})
    assert result.cost is not None
    assert result.cost.total.base == 0.0125


@pytest.mark.parametrize("score", [True, 0, 3.89, None])
def test_scores_keep_their_kind(score: object) -> None:
    read = KpiScore.from_json({"kpi_name": "k", "score": score}).score
    assert read == score
    assert isinstance(read, bool) == isinstance(score, bool)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=timezone.utc)),
        ("2026-01-01T00:00:00.5+00:00", datetime(2026, 1, 1, 0, 0, 0, 500000, tzinfo=timezone.utc)),
        ("2026-01-01T00:00:00.1234567", datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=timezone.utc)),
        ("yesterday", None),
    ],
)
def test_timestamps(text: str, expected: datetime | None) -> None:
    read = IngestResponse.from_json({"request_id": "q", "xproxy_result": {}, "event_timestamp": text})
    assert read.event_timestamp == expected
    assert ("event_timestamp" in read.extra) == (expected is None)


def test_results_are_frozen_and_slotted() -> None:
    use_case = UseCase(use_case_id="i")
    with pytest.raises(dataclasses.FrozenInstanceError):
        use_case.use_case_id = "j"  # pyright: ignore[reportAttributeAccessIssue]
    assert not hasattr(use_case, "__dict__")
