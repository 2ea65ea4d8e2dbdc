"""The OpenAPI document says what is served: generated requests find no failure and nothing undocumented."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis", reason="the group `api` is not installed")

from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import load_all_checks, not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# Copilot answers 501 by design; the proxy calls vendors, which the tests of its own do.
ELSEWHERE = "/(copilot|proxy)/"
QUICK = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture
def api(server: Any) -> Any:
    load_all_checks()
    found = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    return found.exclude(path_regex=ELSEWHERE)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_breaks_the_document(mode: Any, api: Any, server: Any) -> None:
    """Whether it is as the document says, or wrong in one place."""
    paths: set[str] = set()
    for found in api.get_all_operations():
        operation = found.ok()
        paths.add(operation.path)

        @QUICK
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case: Any) -> None:
            case.call_and_validate(headers={"xProxy-api-key": server.api_key}, checks=CHECKS)

        try:
            holds()
        except Unsatisfiable:
            # What takes nothing has nothing that could be wrong.
            assert mode is GenerationMode.NEGATIVE
    assert len(paths) > 40


def test_sequences_of_requests(api: Any, server: Any) -> None:
    """What one request has made, the next ones use: read, change, delete, and again."""
    machine = api.as_state_machine()

    class Sequences(machine):
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": {"xProxy-api-key": server.api_key}}

        def validate_response(self, response: Any, case: Any, **kwargs: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    Sequences.run(settings=settings(QUICK, max_examples=10, stateful_step_count=8))
