"""The samples of Pay-i's own guides, and the argument names of its earlier versions."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from payi_otel.tracking.context import EMPTY, current, nest
from payi_otel.tracking.headers import create_headers, split_headers
from payi_otel.tracking.scopes import get_context, track, track_context


def inference_call() -> tuple[str | None, str | None]:
    return current().use_case_name, current().use_case_id


def test_guide_automatic_ids() -> None:
    def make_inference_call() -> Any:
        with track_context(use_case_name="quickstart_usecase"):
            first = inference_call()
            assert inference_call() == first
            return first

    @track(use_case_name="quickstart_usecase")
    def decorated_make_inference_call() -> Any:
        return inference_call()

    calls = [make_inference_call(), make_inference_call(), decorated_make_inference_call()]
    assert {name for name, _ in calls} == {"quickstart_usecase"}
    assert len({id_ for _, id_ in calls}) == 3


def test_guide_own_id() -> None:
    with track_context(use_case_name="quickstart_usecase", use_case_id="service ticket 7"):
        assert inference_call() == ("quickstart_usecase", "service ticket 7")


def test_guide_print_use_case_info(capsys: pytest.CaptureFixture[str]) -> None:
    def print_use_case_info() -> None:
        context = get_context()
        if context.get("use_case_name", ""):
            print(
                f"Current use case: {context.get('use_case_name')} "
                f"(ID: {context.get('use_case_id', '')}, Version: {context.get('use_case_version', '')})"
            )
            if context.get("use_case_step"):
                print(f"Current step: {context.get('use_case_step')}")
        else:
            print("No use case active in current context")

    print_use_case_info()
    with track_context(use_case_name="u", use_case_id="1", use_case_step="s"):
        print_use_case_info()
    assert capsys.readouterr().out.splitlines() == [
        "No use case active in current context",
        "Current use case: u (ID: 1, Version: )",
        "Current step: s",
    ]


def test_guide_experience_id_in_headers() -> None:
    with pytest.warns(
        DeprecationWarning, match=r"create_headers\(experience_id=...\) is now .*use_case_id"
    ) as caught:
        headers = create_headers(experience_id="e-1")
    assert caught[0].filename == __file__
    default = nest(EMPTY, use_case_name="app", use_case_id="process")
    _, tracking = split_headers(headers, default)
    assert (tracking.use_case_name, tracking.use_case_id) == ("app", "e-1")
    _, alone = split_headers(headers, EMPTY)
    assert alone.use_case_id == "e-1"


def test_experience_names_are_use_case_names_everywhere() -> None:
    with pytest.warns(DeprecationWarning, match="experience"):
        headers = create_headers(experience_name="e", experience_id="1")
    assert headers == {"xProxy-UseCase-Name": "e", "xProxy-UseCase-ID": "1"}
    with pytest.warns(DeprecationWarning, match="experience") as caught:
        scope = track_context(experience_name="old", use_case_name="new", experience_id="1")
    assert {warning.filename for warning in caught} == {__file__}
    with scope:
        assert inference_call() == ("new", "1")


def test_request_tags_become_a_request_property() -> None:
    with pytest.warns(
        DeprecationWarning, match=r"track_context\(request_tags=...\) is now a request property"
    ):
        scope = track_context(request_tags=["a", "b"], request_properties={"k": "v"})
    with scope as tracking:
        assert dict(tracking.request_properties) == {"request_tags": "a,b", "k": "v"}
    with pytest.warns(DeprecationWarning, match="request_tags") as caught:
        tagged = track(request_tags="single")(get_context)
    assert caught[0].filename == __file__
    assert tagged() == {"request_properties": {"request_tags": "single"}}
    with pytest.warns(DeprecationWarning, match="request_tags"), track_context(request_tags=[]) as none:
        assert none == EMPTY
    with (
        pytest.warns(DeprecationWarning, match="request_tags"),
        pytest.raises(
            TypeError, match=r"track_context\(\): request_tags must be a list of strings, got int 7"
        ),
    ):
        track_context(request_tags=7)  # type: ignore[arg-type]


def test_names_of_today_warn_about_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        create_headers(use_case_id="1")
        with track_context(use_case_name="u", experience_name=None, request_tags=None):
            assert current().use_case_name == "u"
