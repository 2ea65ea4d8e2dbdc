from __future__ import annotations

import logging
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.spans import semconv
from payi_otel.tracking.context import EMPTY, TrackingContext, current, nest, set_process_defaults
from payi_otel.tracking.naming import default_use_case_name, valid_use_case_name
from payi_otel.tracking.scopes import track_context

from .nesting_model import expected

PARENT: dict[str, Any] = {
    "use_case_name": "outer",
    "use_case_id": "outer-id",
    "use_case_version": 2,
    "use_case_step": "outer-step",
    "use_case_properties": {"tier": "gold", "region": "eu"},
    "request_properties": {"page": "home", "ab": "a"},
    "limit_ids": ["l2", "l1"],
    "user_id": "jane",
    "account_name": "acme",
    "price_as_category": "cat",
    "price_as_resource": "res",
    "resource_scope": "global",
    "log_prompt_and_response": False,
    "proxy": True,
}


def facts(tracking: TrackingContext) -> dict[str, Any]:
    return {
        "use_case_name": tracking.use_case_name,
        "use_case_id": tracking.use_case_id,
        "use_case_version": tracking.use_case_version,
        "use_case_step": tracking.use_case_step,
        "use_case_properties": dict(tracking.use_case_properties),
        "request_properties": dict(tracking.request_properties),
        "limit_ids": list(tracking.limit_ids),
        "user_id": tracking.user_id,
        "account_name": tracking.account_name,
        "price_as_category": tracking.price_as_category,
        "price_as_resource": tracking.price_as_resource,
        "resource_scope": tracking.resource_scope,
        "log_prompt_and_response": tracking.log_prompt_and_response,
        "proxy": tracking.proxy,
    }


NO_USE_CASE = {
    "use_case_name": None,
    "use_case_id": None,
    "use_case_version": None,
    "use_case_step": None,
    "use_case_properties": {},
}

TABLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("nothing given inherits everything", {}, {}),
    ("id alone", {"use_case_id": "x"}, {"use_case_id": "x"}),
    ("version alone", {"use_case_version": 3}, {"use_case_version": 3}),
    ("step alone", {"use_case_step": "s"}, {"use_case_step": "s"}),
    ("same name keeps the id", {"use_case_name": "outer"}, {}),
    ("same name, other id", {"use_case_name": "outer", "use_case_id": "x"}, {"use_case_id": "x"}),
    (
        "other name with an id starts afresh",
        {"use_case_name": "inner", "use_case_id": "x"},
        {**NO_USE_CASE, "use_case_name": "inner", "use_case_id": "x"},
    ),
    (
        "other name, id left to Pay-i",
        {
            "use_case_name": "inner",
            "use_case_id": "",
            "use_case_step": "s",
            "use_case_properties": {"k": "v"},
        },
        {**NO_USE_CASE, "use_case_name": "inner", "use_case_step": "s", "use_case_properties": {"k": "v"}},
    ),
    (
        "empty name clears all, whatever else is given",
        {"use_case_name": "", "use_case_id": "x", "use_case_version": 9, "use_case_properties": {"k": "v"}},
        NO_USE_CASE,
    ),
    ("empty id", {"use_case_id": ""}, {"use_case_id": None}),
    ("empty step", {"use_case_step": ""}, {"use_case_step": None}),
    (
        "use case properties merge, inner keys win",
        {"use_case_properties": {"tier": None, "new": "n"}},
        {"use_case_properties": {"tier": None, "region": "eu", "new": "n"}},
    ),
    ("use case properties clear", {"use_case_properties": {}}, {"use_case_properties": {}}),
    (
        "request properties merge",
        {"request_properties": {"ab": "b"}},
        {"request_properties": {"page": "home", "ab": "b"}},
    ),
    ("request properties clear", {"request_properties": {}}, {"request_properties": {}}),
    ("limits unite in the order of naming", {"limit_ids": ["l0", "l1"]}, {"limit_ids": ["l2", "l1", "l0"]}),
    ("limits clear", {"limit_ids": []}, {"limit_ids": []}),
    ("blank limits say nothing", {"limit_ids": [" "]}, {}),
    *[
        (f"{name} replaces", {name: "x"}, {name: "x"})
        for name in ("user_id", "account_name", "price_as_category", "price_as_resource", "resource_scope")
    ],
    *[
        (f"{name} clears", {name: ""}, {name: None})
        for name in ("user_id", "account_name", "price_as_category", "price_as_resource", "resource_scope")
    ],
    ("logging again", {"log_prompt_and_response": True}, {"log_prompt_and_response": True}),
    ("no proxy", {"proxy": False}, {"proxy": False}),
]


@pytest.mark.parametrize(("arguments", "changed"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_nesting_table(arguments: dict[str, Any], changed: dict[str, Any]) -> None:
    parent = nest(EMPTY, **PARENT)
    assert facts(parent) == PARENT
    assert facts(nest(parent, **arguments)) == {**PARENT, **changed}
    assert facts(parent) == PARENT


def test_use_case_facts_without_any_use_case_are_ignored() -> None:
    inner = nest(
        nest(EMPTY, user_id="jane"),
        use_case_id="x",
        use_case_version=1,
        use_case_step="s",
        use_case_properties={"k": "v"},
    )
    assert facts(inner) == {**facts(EMPTY), "user_id": "jane"}


def test_d18_another_use_case_inherits_no_version_step_or_properties() -> None:
    inner = nest(nest(EMPTY, **PARENT), use_case_name="inner")
    assert facts(inner) == {
        **PARENT,
        **NO_USE_CASE,
        "use_case_name": "inner",
        "use_case_id": inner.use_case_id,
    }
    assert uuid.UUID(inner.use_case_id).version == 4


texts = st.sampled_from([None, "", "a", "b"])
property_maps = st.one_of(
    st.none(), st.dictionaries(st.sampled_from("kl"), st.sampled_from([None, "1", "2"]), max_size=2)
)
switches = st.sampled_from([None, True, False])
scope_arguments = st.fixed_dictionaries(
    {},
    optional={
        "use_case_name": texts,
        "use_case_id": texts,
        "use_case_version": st.sampled_from([None, 1, 2]),
        "use_case_step": texts,
        "use_case_properties": property_maps,
        "request_properties": property_maps,
        "limit_ids": st.one_of(st.none(), st.lists(st.sampled_from("xyz"), max_size=2)),
        "user_id": texts,
        "account_name": texts,
        "price_as_category": texts,
        "price_as_resource": texts,
        "resource_scope": texts,
        "log_prompt_and_response": switches,
        "proxy": switches,
    },
)
trees = st.recursive(
    st.tuples(scope_arguments, st.just([])),
    lambda children: st.tuples(scope_arguments, st.lists(children, max_size=3)),
    max_leaves=8,
)


@given(trees)
def test_random_nesting_trees_follow_the_model(tree: tuple[dict[str, Any], list[Any]]) -> None:
    made_up: dict[Any, str | None] = {}

    def visit(
        node: tuple[dict[str, Any], list[Any]], path: list[dict[str, Any]], place: tuple[int, ...]
    ) -> None:
        arguments, children = node
        path = [*path, arguments]
        with track_context(**arguments) as tracking:
            assert current() == tracking
            want = expected(path)
            if isinstance(want["use_case_id"], tuple):
                # An id that was made up belongs to the scope that made it up: same scope, same id.
                maker = place[: want["use_case_id"][1] + 1]
                want["use_case_id"] = made_up.setdefault(maker, tracking.use_case_id)
                assert uuid.UUID(tracking.use_case_id).version == 4
            got = facts(tracking)
            got["limit_ids"] = set(got["limit_ids"])
            assert got == want
            for number, child in enumerate(children):
                visit(child, path, (*place, number))
                assert current() == tracking

    visit(tree, [], (0,))
    assert current() is EMPTY
    assert len(set(made_up.values())) == len(made_up)


def test_attributes_carry_every_fact_under_its_public_name() -> None:
    tracking = nest(EMPTY, **{**PARENT, "use_case_properties": {"tier": None}})
    assert dict(tracking.attributes) == {
        "payi.use_case_name": "outer",
        "payi.use_case_id": "outer-id",
        "payi.use_case_version": 2,
        "payi.use_case_step": "outer-step",
        "payi.use_case_properties.tier": (),
        "payi.request_properties.page": "home",
        "payi.request_properties.ab": "a",
        "payi.limit_ids": ("l2", "l1"),
        "payi.user_id": "jane",
        "payi.account_name": "acme",
        "payi.price_as.category": "cat",
        "payi.price_as.resource": "res",
        "payi.resource_scope": "global",
        "payi.proxy": True,
    }
    assert semconv.USE_CASE_NAME in tracking.attributes
    assert dict(EMPTY.attributes) == {}


def test_process_defaults_are_the_outermost_scope_of_every_thread() -> None:
    set_process_defaults(nest(EMPTY, use_case_name="app", use_case_id="1", user_id="nobody"))
    assert current().use_case_id == "1"
    with track_context(user_id="jane", use_case_step="s"):
        assert (current().use_case_id, current().user_id, current().use_case_step) == ("1", "jane", "s")
    with track_context(use_case_name=""):
        assert (current().use_case_name, current().user_id) == (None, "nobody")
    set_process_defaults(None)
    assert current() is EMPTY


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"user_id": 7}, TypeError, "user_id must be a string, got int 7; pass user_id=str"),
        ({"use_case_name": b"x"}, TypeError, "use_case_name must be a string, got bytes"),
        ({"use_case_version": "2"}, TypeError, "use_case_version must be an integer, got str '2'"),
        ({"use_case_version": True}, TypeError, "use_case_version must be an integer, got bool True"),
        ({"use_case_version": 0}, ValueError, "use_case_version must be from 1 to 2147483647, got 0"),
        (
            {"limit_ids": "abc"},
            TypeError,
            "limit_ids must be a list of strings, got str 'abc'; pass limit_ids=",
        ),
        ({"limit_ids": [1]}, TypeError, "limit_ids must be a list of strings"),
        ({"request_properties": "a"}, TypeError, "request_properties must be a mapping"),
        (
            {"request_properties": {"a": [1]}},
            TypeError,
            r"request_properties\['a'\] must be a string.*got list \[1\]",
        ),
        ({"request_properties": {"": "a"}}, TypeError, "request_properties has the key ''"),
        ({"use_case_properties": {3: "a"}}, TypeError, "use_case_properties has the key 3"),
        ({"proxy": 1}, TypeError, "proxy must be True, False or None, got int 1"),
        ({"usecase_name": "x"}, TypeError, "has no argument 'usecase_name'; use one of"),
    ],
)
def test_wrong_arguments_are_named_with_value_and_fix(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        track_context(**arguments)
    assert str(raised.value).startswith("track_context()")


def test_numbers_become_text_and_none_stays_a_value() -> None:
    properties = {"int": 1, "bool": True, "float": 0.5, "none": None, "text": "t"}
    tracking = nest(EMPTY, use_case_name="u", use_case_properties=properties, request_properties=properties)
    wanted = {"int": "1", "bool": "True", "float": "0.5", "none": None, "text": "t"}
    assert dict(tracking.use_case_properties) == dict(tracking.request_properties) == wanted
    properties["text"] = "changed later"
    assert dict(tracking.request_properties) == wanted


def test_unusable_names_are_repaired_with_one_warning_each(caplog: pytest.LogCaptureFixture) -> None:
    valid_use_case_name.cache_clear()
    with caplog.at_level(logging.WARNING, "payi_otel.tracking"):
        for _ in range(3):
            assert nest(EMPTY, use_case_name="Chat Bot!").use_case_name == "Chat_Bot_"
        assert nest(EMPTY, use_case_name="ü" + "x" * 70).use_case_name == "_" + "x" * 63
    assert [record.args[0] for record in caplog.records] == ["Chat Bot!", "ü" + "x" * 70]


@given(st.text(min_size=1))
def test_repaired_names_are_valid_and_stay_as_they_are(name: str) -> None:
    repaired = valid_use_case_name(name)
    assert 1 <= len(repaired) <= 64
    assert all(character.isascii() and (character.isalnum() or character in "._-") for character in repaired)
    assert valid_use_case_name(repaired) == repaired


@pytest.mark.parametrize(
    ("filename", "name"),
    [("/srv/My App.py", "my_app"), ("worker", "worker"), ("<stdin>", "_stdin_"), ("a/b/Main.PY", "main")],
)
def test_default_use_case_name_is_the_callers_file(
    filename: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert default_use_case_name(filename) == name
    assert caplog.records == [], "nobody chose this name, so its repair is no news"
