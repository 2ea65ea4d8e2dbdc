"""Settings, environment and base URLs."""

from __future__ import annotations

import httpx2
import pytest

from payi_otel.client import (
    AsyncPayi,
    InvalidArgumentError,
    Payi,
    PayiError,
    payi_anthropic_url,
    payi_aws_bedrock_url,
    payi_azure_anthropic_url,
    payi_azure_openai_url,
    payi_openai_url,
)
from tests.client.cases import LIMIT_RESPONSE
from tests.client.scripted import Answer, ScriptedServer

GOOD = Answer(LIMIT_RESPONSE)


def test_environment(service: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYI_API_KEY", " sk-env \n")
    monkeypatch.setenv("PAYI_BASE_URL", service.url + "//")
    monkeypatch.setenv("PAYI_CUSTOM_HEADERS", "X-One: 1\n\nX-Two: a:b")
    service.answer(GOOD)
    with Payi() as client:
        client.limits.retrieve("l")
    (seen,) = service.seen
    assert seen.path == "/api/v1/limits/l"
    assert [seen.headers[name] for name in ("xproxy-api-key", "x-one", "x-two")] == ["sk-env", "1", "a:b"]


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYI_API_KEY", "sk-env")
    monkeypatch.setenv("PAYI_BASE_URL", "http://env.invalid")
    client = Payi(api_key="sk-argument", base_url="http://argument.invalid/payi/")
    assert (client.api_key, client.base_url) == ("sk-argument", "http://argument.invalid/payi")


def test_without_settings_the_public_service_is_used() -> None:
    assert AsyncPayi(api_key="k").base_url == "https://api.pay-i.com"


def test_a_missing_key_names_its_variable() -> None:
    with pytest.raises(PayiError, match="PAYI_API_KEY"):
        Payi()


@pytest.mark.parametrize("key", ["two words", "clé", "a\nb"])
def test_a_broken_key_is_refused_without_quoting_it(key: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Payi(api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["api.pay-i.com", "ftp://x", "http://", "http://x/?a=b", "http://x:99999", "http://[x"]
)
def test_a_broken_base_url_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidArgumentError, match="base_url="):
        Payi(api_key="k", base_url=url)
    monkeypatch.setenv("PAYI_BASE_URL", url)
    with pytest.raises(InvalidArgumentError, match="PAYI_BASE_URL="):
        Payi(api_key="k")


@pytest.mark.parametrize("value", [-1, 1.5, True])
def test_bad_retries(value: int) -> None:
    with pytest.raises(InvalidArgumentError, match="max_retries="):
        Payi(api_key="k", max_retries=value)


def test_bad_custom_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYI_CUSTOM_HEADERS", "secret-without-colon")
    with pytest.raises(InvalidArgumentError, match="PAYI_CUSTOM_HEADERS") as caught:
        Payi(api_key="k")
    assert "secret-without-colon" not in str(caught.value)


def test_default_headers_and_query_and_per_call_additions(service: ScriptedServer) -> None:
    service.answer(GOOD)
    with Payi(
        api_key="k",
        base_url=service.url,
        default_headers={"X-A": "client", "X-B": "client"},
        default_query={"a": "client", "b": ["x", 1, True]},
    ) as client:
        client.limits.update(
            "l", max=5, extra_headers={"x-a": "call"}, extra_query={"a": "call"}, extra_body={"more": 1}
        )
    (seen,) = service.seen
    assert (seen.headers["x-a"], seen.headers["x-b"]) == ("call", "client")
    assert dict(seen.query) == {"a": "call", "b": "x,1,true"}
    assert seen.body == {"max": 5, "more": 1}


def test_with_options_changes_a_copy_on_the_same_connections(service: ScriptedServer) -> None:
    service.answer(GOOD)
    with Payi(api_key="k", base_url=service.url, default_headers={"X-A": "1"}) as client:
        other = client.with_options(
            api_key="k2", max_retries=5, timeout=None, default_headers={"X-B": "2"}, default_query={"q": 1}
        )
        assert (client.api_key, client.max_retries, client.timeout) == (
            "k",
            2,
            httpx2.Timeout(60.0, connect=5.0),
        )
        assert (other.api_key, other.max_retries, other.timeout, other.base_url) == (
            "k2",
            5,
            None,
            service.url,
        )
        other.limits.retrieve("l")
        assert type(other) is Payi
    (seen,) = service.seen
    assert [seen.headers[name] for name in ("x-a", "x-b", "xproxy-api-key")] == ["1", "2", "k2"]
    assert dict(seen.query) == {"q": "1"}


def test_own_http_client_and_close(service: ScriptedServer) -> None:
    service.answer(GOOD)
    http = httpx2.Client(headers={"X-Mine": "yes"})
    with Payi(api_key="k", base_url=service.url, http_client=http) as client:
        client.limits.retrieve("l")
    assert service.seen[0].headers["x-mine"] == "yes"
    assert http.is_closed


async def test_async_close() -> None:
    http = httpx2.AsyncClient()
    async with AsyncPayi(api_key="k", http_client=http):
        assert not http.is_closed
    assert http.is_closed


def test_proxy_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYI_BASE_URL", "http://localhost:8000/")
    assert payi_openai_url() == "http://localhost:8000/api/v1/proxy/openai/v1"
    assert payi_azure_openai_url() == "http://localhost:8000/api/v1/proxy/azure.openai"
    assert payi_anthropic_url() == "http://localhost:8000/api/v1/proxy/anthropic"
    assert payi_azure_anthropic_url() == "http://localhost:8000/api/v1/proxy/azure.anthropic"
    assert payi_aws_bedrock_url("https://other.example") == "https://other.example/api/v1/proxy/aws.bedrock"
    monkeypatch.delenv("PAYI_BASE_URL")
    assert payi_openai_url() == "https://api.pay-i.com/api/v1/proxy/openai/v1"
