"""Refusals, broken answers and bad arguments."""

from __future__ import annotations

import json
import logging
import socket
import threading
from typing import Any

import pytest

from payi_otel.client import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AsyncPayi,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    InvalidArgumentError,
    NotFoundError,
    Payi,
    PayiError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)
from tests.client.conftest import KEY
from tests.client.scripted import Answer, ScriptedServer

NO_RETRY = {"x-should-retry": "false"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, APIStatusError),
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, ConflictError),
        (418, APIStatusError),
        (422, UnprocessableEntityError),
        (429, RateLimitError),
        (500, InternalServerError),
        (504, InternalServerError),
    ],
)
def test_status_decides_the_type(status: int, kind: type, service: ScriptedServer, client: Payi) -> None:
    body = {
        "message": "Not so.",
        "statusCode": status,
        "xproxy_error": {"code": "limit_reached", "message": "inner"},
        "xproxy_result": {"request_id": "q7"},
    }
    service.answer(Answer(body, status=status, headers={**NO_RETRY, "location": "http://elsewhere.invalid/"}))
    with pytest.raises(APIStatusError) as caught:
        client.limits.retrieve("l")
    error = caught.value
    assert type(error) is kind
    assert (error.status_code, error.code, error.message, error.request_id) == (
        status,
        "limit_reached",
        "Not so.",
        "q7",
    )
    assert error.body == body
    assert error.headers["x-should-retry"] == "false"
    assert str(error) == f"GET /api/v1/limits/l: HTTP {status}, code limit_reached, request q7: Not so."
    assert isinstance(error, APIError)
    assert isinstance(error, PayiError)
    assert len(service.seen) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "score is no number"},
            "score is no number",
        ),
        ({"title": "Bad Request"}, "Bad Request"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
        (
            {
                "ingest_count": 0,
                "errors": [{"item_index": 3, "xproxy_result": {"message": "no units", "statusCode": 400}}],
            },
            "item 3: no units",
        ),
        (b"<html>gateway</html>", "<html>gateway</html>"),
        (b"", "no explanation given"),
        ([], "no explanation given"),
        ({"errors": ["?"]}, "no explanation given"),
    ],
)
def test_message_of_each_error_shape(body: Any, message: str, service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(body, status=400))
    with pytest.raises(BadRequestError) as caught:
        client.ingest.bulk(events=[])
    assert caught.value.message == message
    assert caught.value.code is None


async def test_async_raises_the_same(service: ScriptedServer, async_client: AsyncPayi) -> None:
    service.answer(Answer({"message": "no", "statusCode": 404}, status=404))
    with pytest.raises(NotFoundError, match="no"):
        await async_client.limits.retrieve("l")


def test_a_redirect_is_not_followed_with_the_key(service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(status=307, headers={"location": service.url + "/elsewhere"}))
    with pytest.raises(APIStatusError, match="307"):
        client.limits.retrieve("l")
    assert [seen.path for seen in service.seen] == ["/api/v1/limits/l"]


def test_refused_connection_names_the_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with (
            Payi(api_key=KEY, base_url=url, max_retries=0) as client,
            pytest.raises(APIConnectionError) as caught,
        ):
            client.limits.retrieve("l")
    assert url in str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is not None


def test_timeout(service: ScriptedServer, client: Payi) -> None:
    release = threading.Event()
    service.answer(Answer({}, wait_for=release))
    try:
        with pytest.raises(APITimeoutError, match="within the timeout"):
            client.with_options(max_retries=0).limits.retrieve("l", timeout=0.05)
    finally:
        release.set()


async def test_async_timeout_of_the_client(service: ScriptedServer, async_client: AsyncPayi) -> None:
    release = threading.Event()
    service.answer(Answer({}, wait_for=release))
    try:
        with pytest.raises(APITimeoutError):
            await async_client.with_options(max_retries=0, timeout=0.05).limits.retrieve("l")
    finally:
        release.set()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>login</html>", "check base_url"),
        ([], "expected a JSON object"),
        ({"use_case_name": "u"}, "UseCase.use_case_id: missing"),
        ({"use_case_id": 7}, "UseCase.use_case_id: unexpected value 7"),
    ],
)
def test_an_unusable_answer_is_named(body: Any, words: str, service: ScriptedServer, client: Payi) -> None:
    service.answer(Answer(body))
    with pytest.raises(APIResponseValidationError, match=words.replace(".", r"\.")):
        client.use_cases.create("u")


BAD_ARGUMENTS = [
    (lambda c: c.use_cases.create(""), "use_case_name='': give a non-empty string"),
    (lambda c: c.use_cases.create(None), "use_case_name=None: give a non-empty string"),
    (lambda c: c.use_cases.retrieve(".."), "use_case_id='..': give another name"),
    (
        lambda c: c.use_cases.definitions.create(name="my use case", description="d"),
        "name='my use case': give 1 to 64 letters",
    ),
    (lambda c: c.use_cases.definitions.create(name="u" * 65, description="d"), "give 1 to 64 letters"),
    (
        lambda c: c.use_cases.definitions.create(name="u", description=""),
        "description='': give a non-empty string",
    ),
    (
        lambda c: c.use_cases.definitions.create(name="u", description="d", limit_config={"maximum": 3}),
        "remove 'maximum'",
    ),
    (
        lambda c: c.use_cases.definitions.create(name="u", description="d", limit_config={"max": "3"}),
        "limit_config.max='3': give a finite number",
    ),
    (
        lambda c: c.use_cases.definitions.kpis.create(
            "u", name="a", kpi_name="b", description="d", kpi_type="boolean", goal=1
        ),
        "name='a' and kpi_name='b': give one",
    ),
    (
        lambda c: c.use_cases.definitions.kpis.create("u", description="d", kpi_type="boolean", goal=1),
        "name: missing; give name or kpi_name",
    ),
    (
        lambda c: c.use_cases.definitions.kpis.create(
            "u", name="a", description="d", kpi_type="likert3", goal=1
        ),
        "kpi_type='likert3': give one of boolean,",
    ),
    (
        lambda c: c.use_cases.definitions.kpis.create(
            "u", name="a", description="d", kpi_type="number", goal=float("nan")
        ),
        "goal=nan: give a finite number",
    ),
    (
        lambda c: c.use_cases.kpis.update("k", use_case_id="i", score="good"),
        "score='good': give a finite number",
    ),
    (
        lambda c: c.use_cases.kpis.update("k", use_case_id="i", score=float("inf")),
        "score=inf: give a finite number",
    ),
    (
        lambda c: c.use_cases.properties.create("i", value="v"),
        "property_name=None, properties=None: give one",
    ),
    (lambda c: c.use_cases.properties.update("i", properties=["a"]), "properties=['a']: give a dict"),
    (lambda c: c.limits.create(limit_name="n", max=-1), "max=-1: give US dollars"),
    (
        lambda c: c.limits.create(limit_name="n", max=1, threshold=0.5),
        "threshold=0.5: give a share of max from 0.75",
    ),
    (lambda c: c.limits.create(limit_name="n", max=1, limit_type="stop"), "limit_type='stop': give 'allow'"),
    (lambda c: c.limits.reset("l", reset_date=3), "reset_date=3: give a datetime"),
    (lambda c: c.categories.resources.create("r", category="c", units={}), "units={}: give the prices"),
    (
        lambda c: c.categories.resources.create("r", category="c", units={"text": {"input": 1}}),
        "units['text']={'input': 1}: give {'input_price'",
    ),
    (
        lambda c: c.ingest.units(category="c", units={"text": {"input": -1}}),
        "units['text']['input']=-1: give a whole number",
    ),
    (lambda c: c.ingest.units(category="c", units={"text": {"input": True}}), "units['text']['input']=True"),
    (lambda c: c.ingest.units(category="c", units={"text": 5}), "units['text']=5: give a dict"),
    (
        lambda c: c.ingest.units(category="c", units={"text": {"in": 5}}),
        "units['text']={'in': 5}: give {'input'",
    ),
    (lambda c: c.ingest.units(category="c", units={}, limit_ids="l1"), "limit_ids='l1': give a list"),
    (lambda c: c.ingest.units(category="c", units={}, limit_ids=[1]), "1 is none"),
    (
        lambda c: c.ingest.units(category="c", units={}, user_id="a\r\nb: c"),
        "xProxy-User-ID='a\\r\\nb: c': remove line breaks",
    ),
    (lambda c: c.ingest.bulk(events={"category": "c"}), "give a list of events"),
    (
        lambda c: c.ingest.bulk(events=[{"category": "c", "units": {}}, {"units": {}}]),
        "events[1].category=None: give",
    ),
    (lambda c: c.ingest.bulk(events=[{"category": "c"}]), "events[0].units: missing"),
    (
        lambda c: c.ingest.bulk(events=[{"category": "c", "units": {}, "resource_scope": "x"}]),
        "events[0].resource_scope: unknown field",
    ),
    (
        lambda c: c.ingest.bulk(events=[{"category": "c", "units": {}, "provider_uri": object()}]),
        "request body: object",
    ),
    (lambda c: c.ingest.bulk(events=[], extra_body={"a": 1}), "extra_body: this request's body is a list"),
    (
        lambda c: c.ingest.copilot.transcripts(transcript={"conversation_id": "a"}),
        "transcript['transcript_id']=None",
    ),
    (
        lambda c: c.ingest.copilot.licensing(billing_date_utc="2026-01-01", resource={}),
        "resource['resourceId']=None",
    ),
    (
        lambda c: c.ingest.copilot.licensing(
            billing_date_utc="2026-01-01", resource={"resourceId": "a", "metadata": {}}
        ),
        "resource['metadata']['FeatureName']=None",
    ),
]


@pytest.mark.parametrize(("call", "words"), BAD_ARGUMENTS, ids=[words for _, words in BAD_ARGUMENTS])
def test_a_bad_argument_is_named_and_nothing_is_sent(
    call: Any, words: str, service: ScriptedServer, client: Payi
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        call(client)
    assert words in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert service.seen == []


def test_a_misspelt_argument_is_a_type_error(client: Payi, service: ScriptedServer) -> None:
    with pytest.raises(TypeError, match="max_tokens"):
        client.limits.retrieve("l", max_tokens=3)  # pyright: ignore[reportCallIssue]
    assert service.seen == []


def test_the_key_is_never_shown(
    service: ScriptedServer, client: Payi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.answer(Answer({"message": "no"}, status=400))
    with pytest.raises(BadRequestError) as caught:
        client.limits.retrieve("l")
    sender = client.limits.sender
    shown = [caplog.text, str(caught.value), repr(caught.value), json.dumps(vars(caught.value), default=repr)]
    shown += [repr(client), repr(sender.config), repr(client.limits)]
    assert "GET /api/v1/limits/l: HTTP 400" in caplog.text
    assert KEY not in "".join(shown)
