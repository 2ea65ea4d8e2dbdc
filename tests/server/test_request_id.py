"""Every answer of the API says which request it is of."""

from __future__ import annotations

import uuid

import httpx2
import pytest

from tests.server.conftest import event


def test_an_answer_has_an_id_of_its_own(http: httpx2.Client) -> None:
    first, second = (http.post("/api/v1/ingest", json=event()) for _ in range(2))
    refused = http.get("/api/v1/limits", headers={"xProxy-api-key": "wrong"})
    ids = {answer.headers["x-request-id"] for answer in (first, second, refused)}
    assert refused.status_code == 401
    assert len({uuid.UUID(one) for one in ids}) == 3


@pytest.mark.parametrize(
    ("sent", "is_kept"),
    [("trace-1.2:3_4", True), ("a" * 128, True), ("a" * 129, False), ("two words", False), ("<b>", False)],
)
def test_the_id_of_the_request_is_kept_where_it_is_harmless(
    http: httpx2.Client, sent: str, is_kept: bool
) -> None:
    answer = http.get("/api/v1/limits", headers={"x-request-id": sent})
    assert (answer.headers["x-request-id"] == sent) is is_kept
