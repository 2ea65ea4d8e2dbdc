"""What the editor of value policies takes, and what it says of instances."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from starlette.datastructures import FormData

from payi_otel.server.portal.value_forms import begin, errors_in_words, outcomes, read_policy
from payi_otel.server.store.value_preview import LatestInstance
from payi_otel.server.store.values import Policy
from payi_otel.server.value import METRICS, Facts, kpis_in

GOOD = {"money": "kpis['solved'] * wage - cost", "time": "", "constants": "wage = 4.5\n\n  bonus=-1e3 "}


def instance(**scores: float | None) -> LatestInstance:
    metrics = {**dict.fromkeys(METRICS, 0.0), "cost": 0.5}
    return LatestInstance("one", datetime(2026, 1, 1, tzinfo=timezone.utc), Facts(scores, metrics))


def test_a_policy_as_it_is_written() -> None:
    form, policy = read_policy(FormData(GOOD), ["solved"])
    assert form.errors == {}
    assert policy == Policy(GOOD["money"], None, {"wage": 4.5, "bonus": -1000.0})
    assert policy is not None
    again = begin(policy)
    assert (again.text("money"), again.text("time")) == (GOOD["money"], "")
    assert read_policy(FormData(again.values), ["solved"])[1] == policy


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"money": "", "time": ""}, "money", "at least one"),
        ({"money": "1 +"}, "money", "Not an expression"),
        ({"money": "wages"}, "money", "'wages' is not known"),
        ({"money": "kpis['liked']"}, "money", "'liked' is no KPI of this use case; it has solved"),
        ({"time": "__import__('os')"}, "time", "only min, max"),
        ({"constants": "wage 4.5"}, "constants", "write a name and a number"),
        ({"constants": "wage = much"}, "constants", "write a name and a number"),
        ({"constants": "wage = inf"}, "constants", "write a name and a number"),
        ({"constants": "wage = 4.5\ncost = 1"}, "constants", "the name is taken"),
        ({"constants": "wage = 4.5\nWage = 1"}, "constants", "small letters"),
        ({"constants": "wage = 4.5\nwage = 5"}, "constants", "twice"),
    ],
)
def test_mistakes_are_said_at_their_field(change: dict[str, str], field: str, said: str) -> None:
    form, policy = read_policy(FormData({**GOOD, **change}), ["solved"])
    assert policy is None
    assert said.casefold() in form.errors[field].casefold()
    assert any(said.casefold() in one.casefold() for one in errors_in_words(form))


def test_where_no_kpi_is_defined() -> None:
    form, _ = read_policy(FormData(GOOD), [])
    assert "define it first" in form.errors["money"]


def test_values_and_why_there_are_none() -> None:
    policy = Policy("kpis['solved'] * 4 - cost", "10 / kpis['turns']", {})
    found = outcomes(
        policy, [instance(solved=1, turns=2), instance(solved=1), instance(turns=0), instance(solved=None)]
    )
    assert [(one.money, one.time, one.why) for one in found] == [
        (3.5, 5.0, ""),
        (3.5, None, "no score of turns"),
        (None, None, "no score of solved; no number comes of it, a division by 0 for example"),
        (None, None, "no score of solved; no score of turns"),
    ]


def test_the_kpis_of_an_expression() -> None:
    assert sorted(kpis_in("kpis['b'] + kpis['a'] * kpis['b'] if kpis['c'] else 1")) == ["a", "b", "c"]
    assert kpis_in("cost * 2") == []
