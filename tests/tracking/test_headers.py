from __future__ import annotations

import base64
import json
import logging
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payi_otel.tracking.context import EMPTY, TrackingContext, nest
from payi_otel.tracking.headers import create_headers, proxy_headers, split_headers

CONTEXT: dict[str, Any] = {
    "use_case_name": "ctx",
    "use_case_id": "ctx-id",
    "use_case_version": 2,
    "use_case_step": "ctx-step",
    "use_case_properties": {"k": "ctx", "other": "ctx"},
    "request_properties": {"r": "ctx", "other": "ctx"},
    "limit_ids": ["l1", "l2"],
    "user_id": "ctx-user",
    "account_name": "ctx-account",
    "price_as_category": "ctx-category",
    "price_as_resource": "ctx-resource",
    "resource_scope": "global",
}
PARENT = nest(EMPTY, **CONTEXT)

# What callers pass for "no value"; openai has a marker of its own for it since 1.98.
LEFT_OUT = getattr(openai, "omit", openai.NOT_GIVEN)


def split(headers: dict[str, Any], context: TrackingContext = PARENT) -> TrackingContext:
    remaining, tracking = split_headers(headers, context)
    assert not [name for name in remaining if name.lower().startswith("xproxy-")]
    return tracking


def test_create_headers_writes_each_argument_under_its_public_name() -> None:
    assert create_headers(**CONTEXT, log_prompt_and_response=False) == {
        "xProxy-Limit-IDs": "l1,l2",
        "xProxy-User-ID": "ctx-user",
        "xProxy-Account-Name": "ctx-account",
        "xProxy-UseCase-Name": "ctx",
        "xProxy-UseCase-ID": "ctx-id",
        "xProxy-UseCase-Version": "2",
        "xProxy-UseCase-Step": "ctx-step",
        "xProxy-UseCase-Properties": '{"k":"ctx","other":"ctx"}',
        "xProxy-Request-Properties": '{"r":"ctx","other":"ctx"}',
        "xProxy-PriceAs-Category": "ctx-category",
        "xProxy-PriceAs-Resource": "ctx-resource",
        "xProxy-Resource-Scope": "global",
        "xProxy-Logging-Disable": "True",
    }


def test_create_headers_leaves_out_what_is_unset_or_empty() -> None:
    assert create_headers() == {}
    assert (
        create_headers(
            limit_ids=[" "], user_id="", use_case_name="", request_properties={}, log_prompt_and_response=True
        )
        == {}
    )


def test_create_headers_refuses_what_it_cannot_say() -> None:
    with pytest.raises(TypeError, match=r"create_headers\(\) has no argument 'proxy'"):
        create_headers(proxy=True)
    with pytest.raises(TypeError, match=r"create_headers\(\): limit_ids must be a list"):
        create_headers(limit_ids="abc")  # type: ignore[arg-type]


TABLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("none of ours", {"X-Other": "1"}, {}),
    ("user replaces", {"xProxy-User-ID": "u"}, {"user_id": "u"}),
    ("empty user removes", {"xProxy-User-ID": ""}, {"user_id": None}),
    ("account replaces", {"xProxy-Account-Name": "a"}, {"account_name": "a"}),
    ("limits replace and are not merged", {"xProxy-Limit-IDs": " l3 ,,l3"}, {"limit_ids": ("l3",)}),
    ("empty limits remove", {"xProxy-Limit-IDs": ""}, {"limit_ids": ()}),
    (
        "request properties replace",
        {"xProxy-Request-Properties": '{"n":1}'},
        {"request_properties": {"n": "1"}},
    ),
    ("empty request properties remove", {"xProxy-Request-Properties": ""}, {"request_properties": {}}),
    (
        "use case properties replace",
        {"xProxy-UseCase-Properties": '{"n":null}'},
        {"use_case_properties": {"n": None}},
    ),
    (
        "price as",
        {"xProxy-PriceAs-Resource": "r", "xProxy-Resource-Scope": ""},
        {"price_as_resource": "r", "resource_scope": None},
    ),
    ("logging", {"xProxy-Logging-Disable": "True"}, {"log_prompt_and_response": False}),
    ("D.57: logging not disabled", {"xProxy-Logging-Disable": "False"}, {}),
    ("logging by presence", {"xProxy-Logging-Disable": ""}, {"log_prompt_and_response": False}),
    (
        "the context's name, no id",
        {"xProxy-UseCase-Name": "ctx"},
        {"use_case_id": None, "use_case_version": None, "use_case_step": None},
    ),
    (
        "another name starts afresh",
        {"xProxy-UseCase-Name": "new", "xProxy-UseCase-Step": "s"},
        {
            "use_case_name": "new",
            "use_case_id": None,
            "use_case_version": None,
            "use_case_step": "s",
            "use_case_properties": {},
        },
    ),
    (
        "another name with properties",
        {"xProxy-UseCase-Name": "a b", "xProxy-UseCase-Properties": '{"n":"v"}'},
        {
            "use_case_name": "a_b",
            "use_case_id": None,
            "use_case_version": None,
            "use_case_step": None,
            "use_case_properties": {"n": "v"},
        },
    ),
    (
        "empty name clears the use case",
        {"xProxy-UseCase-Name": "", "xProxy-UseCase-ID": "x"},
        {
            "use_case_name": None,
            "use_case_id": None,
            "use_case_version": None,
            "use_case_step": None,
            "use_case_properties": {},
        },
    ),
    (
        "empty version and step",
        {"xProxy-UseCase-Version": "", "xProxy-UseCase-Step": ""},
        {"use_case_version": None, "use_case_step": None},
    ),
    (
        "legacy names",
        {"xProxy-Experience-Name": "e", "xProxy-Experience-Id": "1", "xProxy-Budget-IDs": "b"},
        {
            "use_case_name": "e",
            "use_case_id": "1",
            "use_case_version": None,
            "use_case_step": None,
            "use_case_properties": {},
            "limit_ids": ("b",),
        },
    ),
    (
        "new names win over legacy ones",
        {"xProxy-Budget-IDs": "old", "xProxy-Limit-IDs": "new"},
        {"limit_ids": ("new",)},
    ),
    (
        "request tags",
        {"xProxy-Request-Tags": "a,b"},
        {"request_properties": {"request_tags": "a,b", "r": "ctx", "other": "ctx"}},
    ),
    ("values the SDK leaves out", {"xProxy-User-ID": LEFT_OUT, "xProxy-Account-Name": None}, {}),
    ("a version as a number", {"xProxy-UseCase-Version": 7}, {"use_case_version": 7}),
]


@pytest.mark.parametrize(("headers", "changed"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_headers_table(headers: dict[str, Any], changed: dict[str, Any]) -> None:
    tracking = split(headers)
    names = TrackingContext.__slots__
    before = {name: getattr(PARENT, name) for name in names if name != "attributes"}
    assert {name: getattr(tracking, name) for name in before} == {**before, **changed}


def test_d19_explicit_id_version_and_step_win_over_the_context() -> None:
    tracking = split({"xProxy-UseCase-ID": "x", "xProxy-UseCase-Version": "9", "xProxy-UseCase-Step": "s"})
    assert (tracking.use_case_name, tracking.use_case_id) == ("ctx", "x")
    assert (tracking.use_case_version, tracking.use_case_step) == (9, "s")


def test_d20_header_names_match_in_any_case_and_never_reach_the_vendor() -> None:
    remaining, tracking = split_headers(
        {"xproxy-user-id": "u", "XPROXY-USECASE-ID": "i", "Authorization": "Bearer k"}, PARENT
    )
    assert (tracking.user_id, tracking.use_case_id) == ("u", "i")
    assert remaining == {"Authorization": "Bearer k"}


def test_unknown_headers_of_ours_are_dropped_and_forwards_unwrapped() -> None:
    headers = {
        "xProxy-Api-Key": "secret",
        "xproxy-new-thing": "1",
        "xProxy-Provider-BaseUri": "https://x",
        "A": "b",
    }
    assert split_headers(headers, EMPTY) == ({"A": "b"}, EMPTY)
    forwards = {"xProxy-Forward-X-Trace": "1", "xproxy-forward-a": "2", "xProxy-Forward-": "3", "A": "b"}
    assert split_headers(forwards, EMPTY) == ({"A": "b", "X-Trace": "1"}, EMPTY)


def test_proxied_calls_keep_what_only_the_proxy_understands() -> None:
    headers = {"xProxy-Provider-BaseUri": "https://x", "xProxy-Forward-A": "1", "xProxy-User-ID": "u"}
    remaining, tracking = split_headers(headers, EMPTY, proxied=True)
    assert remaining == {"xProxy-Provider-BaseUri": "https://x", "xProxy-Forward-A": "1"}
    assert proxy_headers(tracking) == {"xProxy-User-ID": "u"}


def test_a_call_without_headers_of_ours_keeps_its_context_object() -> None:
    assert split_headers(None, PARENT) == ({}, PARENT)
    assert split_headers({"A": "b"}, PARENT)[1] is PARENT


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("xProxy-UseCase-Version", "two"),
        ("xProxy-UseCase-Version", "0"),
        ("xProxy-UseCase-Version", "9" * 5000),
        ("xProxy-Request-Properties", "{not json"),
        ("xProxy-Request-Properties", "[1]"),
        ("xProxy-UseCase-Properties", "[" * 100_000),
    ],
)
def test_unreadable_values_are_logged_and_ignored(
    caplog: pytest.LogCaptureFixture, header: str, value: str
) -> None:
    with caplog.at_level(logging.WARNING, "payi_otel.tracking"):
        assert split({header: value}) == PARENT
    assert [record.args[0] for record in caplog.records] == [header]


AWKWARD = ["Zoë", "日本", "a\nb", "50%25", "UTF-8''x", " padded ", "tab\there", "a,b", "\x7f", "💰"]


@pytest.mark.parametrize("value", AWKWARD)
def test_d21_any_text_travels_in_a_header(value: str) -> None:
    headers = create_headers(user_id=value, account_name=value, use_case_id=value, limit_ids=[value, "l"])
    sent = httpx2.Request("POST", "https://vendor.example", headers=headers).headers
    tracking = split(dict(sent), EMPTY)
    assert (tracking.user_id, tracking.account_name, tracking.use_case_id) == (value, value, value)
    assert tracking.limit_ids == (value.strip(), "l")


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
stripped = words.map(str.strip).filter(bool)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "user_id": words,
            "account_name": words,
            "use_case_id": words,
            "use_case_step": words,
            "price_as_category": words,
            "price_as_resource": words,
            "resource_scope": words,
            "use_case_version": st.integers(1, 2**31 - 1),
            "limit_ids": st.lists(stripped, min_size=1, max_size=3, unique=True),
            "use_case_properties": st.dictionaries(
                words, st.one_of(st.none(), words), min_size=1, max_size=3
            ),
            "request_properties": st.dictionaries(words, st.one_of(st.none(), words), min_size=1, max_size=3),
            "log_prompt_and_response": st.just(False),
        },
    )
)
def test_d21_created_headers_are_plain_ascii_and_read_back_as_given(arguments: dict[str, Any]) -> None:
    arguments["use_case_name"] = "u"
    headers = create_headers(**arguments)
    for value in headers.values():
        assert value.isascii()
        assert value.isprintable()
        assert value == value.strip()
    wanted = nest(EMPTY, **{"use_case_id": "", **arguments})
    assert split(headers, EMPTY) == wanted
    # Headers may change the case of their names and the proxy spelling of properties on the way, nothing else.
    assert split({name.upper(): value for name, value in headers.items()}, EMPTY) == wanted
    assert set(proxy_headers(wanted)) == set(headers)


def test_plain_values_are_sent_as_they_are() -> None:
    assert create_headers(user_id="jane@example.com 100%")["xProxy-User-ID"] == "jane@example.com 100%"


def test_proxy_headers_carry_properties_as_base64_of_json() -> None:
    headers = proxy_headers(nest(PARENT, log_prompt_and_response=False))
    decoded = {
        name: json.loads(base64.b64decode(headers.pop(name)))
        for name in ("xProxy-UseCase-Properties", "xProxy-Request-Properties")
    }
    assert decoded == {
        "xProxy-UseCase-Properties": CONTEXT["use_case_properties"],
        "xProxy-Request-Properties": CONTEXT["request_properties"],
    }
    assert headers == {
        name: value
        for name, value in create_headers(**CONTEXT, log_prompt_and_response=False).items()
        if not name.endswith("Properties")
    }
    assert proxy_headers(EMPTY) == {}
