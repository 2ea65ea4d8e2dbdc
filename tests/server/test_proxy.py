"""The proxy between real SDKs and vendors on loopback."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from payi_otel.demo.provider import FakeProvider, running_provider
from payi_otel.server.config import ServerConfig
from payi_otel.server.errors import ApiError
from payi_otel.server.main import background_server
from payi_otel.server.proxy.hosts import HostRules
from tests.server.conftest import stored
from tests.support.vendor import Received, Reply, Vendor, running_vendor

Fresh = Callable[[str], str]
ASK: Any = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "What does a parcel to Lyon cost?"}],
}
MINI_INPUT, MINI_OUTPUT = 0.15e-6, 0.60e-6


@pytest.fixture(scope="module")
def server(database: str) -> Iterator[Any]:
    config = ServerConfig("unused", provider_hosts=("127.0.0.1",), private_providers=True)
    with background_server(database, config=config) as running:
        yield running


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with running_provider() as running:
        yield running


@pytest.fixture
def headers(server: Any, fresh: Fresh) -> dict[str, str]:
    return {
        "xProxy-api-key": server.api_key,
        "xProxy-UseCase-Name": fresh("proxied"),
        "xProxy-User-ID": "jane",
    }


def openai_client(server: Any, headers: dict[str, str], base_uri: str) -> openai.OpenAI:
    return openai.OpenAI(
        api_key="vendor-key",
        base_url=f"{server.url}/api/v1/proxy/openai/v1",
        default_headers={**headers, "xProxy-Provider-BaseUri": base_uri},
        max_retries=0,
    )


def kept(http: httpx2.Client, headers: dict[str, str]) -> dict[str, Any]:
    """The one event of the use case, once it is there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = stored(http, headers["xProxy-UseCase-Name"])
        if found:
            assert len(found) == 1
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no event")


def result(answer: Any) -> dict[str, Any]:
    return answer.model_extra["xproxy_result"]


def test_openai_answers_carry_their_cost(
    server: Any, provider: FakeProvider, http: httpx2.Client, headers: dict[str, str]
) -> None:
    properties = base64.b64encode(json.dumps({"team": "red"}).encode()).decode()
    client = openai_client(server, {**headers, "xProxy-Request-Properties": properties}, provider.url)
    answer = client.chat.completions.create(**ASK)
    assert answer.usage is not None
    expected = answer.usage.prompt_tokens * MINI_INPUT + answer.usage.completion_tokens * MINI_OUTPUT
    assert result(answer)["cost"]["total"]["base"] == pytest.approx(expected)
    assert result(answer)["use_case_name"] == headers["xProxy-UseCase-Name"]
    event = kept(http, headers)
    assert (event["provider_response_id"], event["category"], event["resource"]) == (
        answer.id, "system.openai", "gpt-4o-mini",
    )  # fmt: skip
    assert (event["user_id"], event["http_status_code"], event["properties"]["team"]) == ("jane", 200, "red")
    assert event["end_to_end_latency_ms"] >= 0
    assert event["content"] is None


@pytest.mark.parametrize("asked", [True, False])
def test_an_openai_stream_carries_it_in_its_last_chunk(
    asked: bool, server: Any, provider: FakeProvider, http: httpx2.Client, headers: dict[str, str]
) -> None:
    client = openai_client(server, headers, provider.url)
    options: Any = {"stream_options": {"include_usage": True}} if asked else {}
    chunks = list(client.chat.completions.create(**ASK, stream=True, **options))
    assert [bool(chunk.model_extra and "xproxy_result" in chunk.model_extra) for chunk in chunks] == [
        *[False] * (len(chunks) - 1), True,
    ]  # fmt: skip
    assert any(chunk.usage for chunk in chunks) is asked
    assert result(chunks[-1])["cost"]["total"]["base"] > 0
    assert any(choice.finish_reason for chunk in chunks for choice in chunk.choices)
    event = kept(http, headers)
    assert event["units"]["text"]["output"] > 0
    assert event["properties"].get("system.usage_source") is None
    assert event["time_to_first_token_ms"] <= event["end_to_end_latency_ms"]


def test_responses_and_embeddings(
    server: Any, provider: FakeProvider, http: httpx2.Client, headers: dict[str, str]
) -> None:
    client = openai_client(server, headers, provider.url)
    last = [*client.responses.create(model="gpt-4o-mini", input="Where is my parcel?", stream=True)][-1]
    assert last.type == "response.completed"
    assert last.model_extra is not None
    assert last.model_extra["xproxy_result"]["cost"]["total"]["base"] > 0
    assert kept(http, headers)["provider_response_id"] == last.response.id
    embedded = client.embeddings.create(model="text-embedding-3-small", input="parcel")
    assert result(embedded)["cost"]["total"]["base"] > 0


@pytest.mark.parametrize("streams", [False, True])
def test_azure(
    streams: bool, server: Any, provider: FakeProvider, http: httpx2.Client, headers: dict[str, str]
) -> None:
    client = openai.AzureOpenAI(
        api_key="vendor-key",
        api_version="2024-10-21",
        base_url=f"{server.url}/api/v1/proxy/azure.openai/openai/deployments/gpt-4o-mini",
        default_headers={**headers, "xProxy-Provider-BaseUri": provider.url},
    )
    answer = client.chat.completions.create(**ASK, stream=streams)
    last = [*answer][-1] if streams else answer
    assert result(last)["cost"]["total"]["base"] > 0
    assert kept(http, headers)["category"] == "system.azureopenai"
    assert provider.requests[-1].path.startswith("/openai/deployments/gpt-4o-mini/chat/completions")


@pytest.mark.parametrize("streams", [False, True])
def test_anthropic(
    streams: bool, server: Any, provider: FakeProvider, http: httpx2.Client, headers: dict[str, str]
) -> None:
    client = anthropic.Anthropic(
        api_key="vendor-key",
        base_url=f"{server.url}/api/v1/proxy/anthropic",
        default_headers={**headers, "xProxy-Provider-BaseUri": provider.url},
    )
    ask: Any = {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": ASK["messages"]}
    if streams:
        last = [*client.messages.create(**ask, stream=True)][-1]
        assert last.type == "message_stop"
        shown = (last.model_extra or {})["xproxy_result"]
    else:
        shown = result(client.messages.create(**ask))
    assert shown["cost"]["total"]["base"] > 0
    event = kept(http, headers)
    assert (event["category"], event["resource"]) == ("system.anthropic", "claude-haiku-4-5")


def test_a_block_limit_refuses_before_the_vendor_is_called(
    server: Any, provider: FakeProvider, http: httpx2.Client, headers: dict[str, str], fresh: Fresh
) -> None:
    block, allow = fresh("block"), fresh("allow")
    http.post(
        "/api/v1/limits", json={"limit_name": block, "limit_id": block, "max": 1e-9, "limit_type": "block"}
    )
    http.post("/api/v1/limits", json={"limit_name": allow, "limit_id": allow, "max": 1})
    client = openai_client(server, {**headers, "xProxy-Limit-IDs": f"{block},{allow}"}, provider.url)
    first = client.chat.completions.create(**ASK)
    assert result(first)["limits"] == {block: {"state": "overrun"}, allow: {"state": "ok"}}
    before = len(provider.requests)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**ASK)
    body = refused.value.response.json()
    assert body["xproxy_error"]["code"] == "limit_reached"
    assert body["xproxy_result"]["blocked_limit_ids"] == [block]
    assert body["xproxy_result"]["limits"][allow] == {"state": "blocked_external"}
    assert len(provider.requests) == before
    counts = {
        key: http.get(f"/api/v1/limits/{key}").json()["limit"]["totals"]["requests"] for key in (block, allow)
    }
    assert (counts[block]["blocked"], counts[block]["total"]) == (1, 2)
    assert (counts[allow]["blocked_external"], counts[allow]["total"]) == (1, 2)


def test_an_automatic_limit_of_a_use_case_blocks_its_instance(
    server: Any, provider: FakeProvider, http: httpx2.Client, headers: dict[str, str]
) -> None:
    name = headers["xProxy-UseCase-Name"]
    config = {"max": 1e-9, "limit_type": "block"}
    http.post(
        "/api/v1/use_cases/definitions", json={"name": name, "description": "d", "limit_config": config}
    )
    one, other = (
        openai_client(server, {**headers, "xProxy-UseCase-ID": key}, provider.url) for key in ("one", "other")
    )
    one.chat.completions.create(**ASK)
    with pytest.raises(openai.BadRequestError, match="reached"):
        one.chat.completions.create(**ASK)
    assert other.chat.completions.create(**ASK).choices


def test_vendor_errors_are_passed_on(
    server: Any, provider: FakeProvider, http: httpx2.Client, headers: dict[str, str]
) -> None:
    client = openai_client(server, headers, provider.url)
    with pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(**{**ASK, "model": "error-429"})
    direct = openai.OpenAI(api_key="k", base_url=provider.openai_base_url, max_retries=0)
    with pytest.raises(openai.RateLimitError) as expected:
        direct.chat.completions.create(**{**ASK, "model": "error-429"})
    assert limited.value.body == expected.value.body
    event = kept(http, headers)
    assert (event["http_status_code"], event["units"]) == (429, {})


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    def respond(_received: Received) -> Reply:
        return Reply.json(
            {"id": "chatcmpl-1", "model": "gpt-4o-mini", "choices": [], "usage": {"prompt_tokens": 1}}
        )

    with running_vendor(respond) as running:
        yield running


def test_headers_for_the_vendor_alone(server: Any, vendor: Vendor, headers: dict[str, str]) -> None:
    client = openai_client(server, {**headers, "Cookie": "a=b", "X-Secret": "c"}, vendor.url)
    client.chat.completions.create(
        **ASK,
        extra_headers={"xProxy-Forward-X-Team": "red", "OpenAI-Beta": "x", "xProxy-Forward-Host": "evil"},
    )
    (arrived,) = vendor.received
    names = set(arrived.headers)
    assert not [name for name in names if name.startswith("xproxy-")]
    assert not names & {"cookie", "x-secret"}
    assert (arrived.headers["authorization"], arrived.headers["x-team"]) == ("Bearer vendor-key", "red")
    assert arrived.headers["openai-beta"] == "x"
    assert arrived.headers["host"] == vendor.url.removeprefix("http://")
    assert arrived.json() == ASK


def test_a_vendor_that_breaks_off_its_stream(
    server: Any, vendor: Vendor, http: httpx2.Client, headers: dict[str, str]
) -> None:
    piece = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "model": "gpt-4o-mini", "created": 1}
    texts = [{**piece, "choices": [{"index": 0, "delta": {"content": "some words "}}]}] * 3
    vendor.script.append(Reply.sse([f"data: {json.dumps(one)}\n\n".encode() for one in texts], cut_after=3))
    seen = [*openai_client(server, headers, vendor.url).chat.completions.create(**ASK, stream=True)]
    assert [chunk.choices[0].delta.content for chunk in seen] == ["some words "] * 3
    event = kept(http, headers)
    assert event["properties"]["system.usage_source"] == "estimated"
    assert event["units"]["text"]["output"] > 0


@pytest.mark.parametrize("streams", [True, False])
def test_a_caller_who_hangs_up_stops_the_vendor(
    streams: bool, server: Any, http: httpx2.Client, headers: dict[str, str]
) -> None:
    """The vendor sees its connection close, and the call is kept."""
    hung_up = threading.Event()
    with closing_vendor(hung_up, streams=streams) as url:
        client = openai_client(server, headers, url)
        if streams:
            stream = client.chat.completions.create(**ASK, stream=True)
            assert next(iter(stream)).choices[0].delta.content
            stream.close()
        else:
            with pytest.raises(openai.APITimeoutError):
                client.with_options(timeout=0.5).chat.completions.create(**ASK)
        assert hung_up.wait(60)
    event = kept(http, headers)
    assert (event["http_status_code"], event["properties"].get("system.usage_source")) == (
        (200, "estimated") if streams else (499, None)
    )


def closing_vendor(hung_up: threading.Event, *, streams: bool) -> Any:
    """A vendor that answers a little or not at all, and tells when its caller is gone."""
    import contextlib
    import socket

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        connection.settimeout(60)
        connection.recv(65536)
        if streams:
            piece = {
                "id": "c",
                "model": "gpt-4o-mini",
                "choices": [{"index": 0, "delta": {"content": "word"}}],
            }
            data = f"data: {json.dumps(piece)}\n\n".encode()
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            connection.sendall(head + f"{len(data):x}\r\n".encode() + data + b"\r\n")
        while True:
            try:
                if not connection.recv(65536):
                    break
            except ConnectionError:
                break
        hung_up.set()
        connection.close()

    @contextlib.contextmanager
    def running() -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=serve, args=(listening,), daemon=True)
            thread.start()
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            thread.join(60)

    return running()


def test_no_vendor_at_all(server: Any, headers: dict[str, str], http: httpx2.Client) -> None:
    with pytest.raises(openai.InternalServerError, match="did not answer"):
        openai_client(server, headers, "http://127.0.0.1:9").chat.completions.create(**ASK)
    assert kept(http, headers)["http_status_code"] == 502


@pytest.mark.parametrize(
    ("url", "private", "expected"),
    [
        ("https://evil.example", True, "invalid_provider_host"),
        ("https://api.openai.com.evil.example", True, "invalid_provider_host"),
        ("https://openai.azure.com", True, "invalid_provider_host"),
        ("https://localhost", False, "invalid_provider_host"),
        ("https://127.0.0.1", False, "invalid_provider_host"),
        ("https://[::ffff:127.0.0.1]", False, "invalid_provider_host"),
        ("https://169.254.169.254", False, "invalid_provider_host"),
        ("http://localhost", False, "invalid_provider_uri"),
        ("ftp://localhost", True, "invalid_provider_uri"),
        ("https://me:pass@localhost", True, "invalid_provider_uri"),
        ("https://localhost/?a=b", True, "invalid_provider_uri"),
        ("https://[", True, "invalid_provider_uri"),
        ("nonsense", True, "invalid_provider_uri"),
    ],
)
def test_where_the_proxy_does_not_go(url: str, private: bool, expected: str) -> None:
    allowed = ("localhost", "127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254")
    with pytest.raises(ApiError) as refused:
        HostRules(allowed, private).check(url)
    assert refused.value.code == expected


def test_an_allowed_address_is_the_one_that_is_called() -> None:
    endpoint = HostRules(("localhost",), private=True).check("http://localhost:8080/base/")
    assert endpoint.address in {"127.0.0.1", "::1"}
    assert endpoint.url("v1/messages", "a=b").endswith(":8080/base/v1/messages?a=b")
    assert endpoint.host_header == "localhost:8080"


def test_what_is_missing_is_named(server: Any, http: httpx2.Client, headers: dict[str, str]) -> None:
    key = {"authorization": "Bearer k"}
    for path, sent, expected in (
        ("openai/v1/chat/completions", {}, "header_is_missing"),
        ("azure.openai/openai/v1/responses", key, "header_is_missing"),
        ("openai/v1/chat/completions", {**key, "xProxy-Request-Properties": "!"}, "invalid_json"),
        ("openai/v1/chat/completions", {**key, "xProxy-UseCase-Version": "new"}, "invalid_json"),
        (
            "openai/v1/chat/completions",
            {**key, "xProxy-Provider-BaseUri": "https://a.b"},
            "invalid_provider_host",
        ),
    ):
        answer = http.post(f"/api/v1/proxy/{path}", json=ASK, headers=sent)
        assert (answer.status_code, answer.json()["xproxy_error"]["code"]) == (400, expected)
    assert http.post("/api/v1/proxy/openai/v1/chat/completions", content="[]", headers=key).status_code == 400
    assert http.post("/api/v1/proxy/openai/v1/files", json={}, headers=key).status_code == 404


def test_what_was_said_is_kept_only_where_logging_is_enabled(
    server: Any, provider: FakeProvider, http: httpx2.Client, headers: dict[str, str]
) -> None:
    name = headers["xProxy-UseCase-Name"]
    http.post(
        "/api/v1/use_cases/definitions", json={"name": name, "description": "d", "logging_enabled": True}
    )
    openai_client(
        server, {**headers, "xProxy-Logging-Disable": "True"}, provider.url
    ).chat.completions.create(**ASK)
    openai_client(server, headers, provider.url).chat.completions.create(**ASK)
    contents = [event["content"] for event in stored(http, name)]
    assert contents[1] is None
    assert "parcel" in contents[0]["provider_request_json"]
    assert "vendor-key" not in str(stored(http, name))
