"""What vendors may answer: it reaches the caller as it is, whatever becomes of its record, and holds up nobody."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from payi_otel.providers.model import Exchange
from payi_otel.server.config import ServerConfig
from payi_otel.server.errors import ApiError
from payi_otel.server.main import background_server
from payi_otel.server.proxy import hosts, recording
from payi_otel.server.proxy.hosts import Endpoint, HostRules
from payi_otel.server.proxy.relay import Relay
from payi_otel.server.proxy.streams import EventStream
from payi_otel.server.store.engine import Store
from tests.server.conftest import stored
from tests.support.vendor import Received, Reply, Vendor, running_vendor

Fresh = Callable[[str], str]
CHAT = "/api/v1/proxy/openai/v1/chat/completions"
ASK: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
USAGE = '"usage": {"prompt_tokens": 10, "completion_tokens": 5}'


@pytest.fixture(scope="module")
def server(server: Any, database: str) -> Iterator[Any]:
    config = ServerConfig("unused", provider_hosts=("127.0.0.1",), private_providers=True)
    # With the other server's key: of a third one the first would not work any more.
    with background_server(database, api_key=server.api_key, config=config) as running:
        yield running


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    def respond(_received: Received) -> Reply:
        return Reply.json({"id": "chatcmpl-1", "model": "gpt-4o-mini", "choices": []})

    with running_vendor(respond) as running:
        yield running


@pytest.fixture
def headers(vendor: Vendor, fresh: Fresh) -> dict[str, str]:
    return {
        "authorization": "Bearer vendor-key",
        "xProxy-Provider-BaseUri": vendor.url,
        "xProxy-UseCase-Name": fresh("answered"),
    }


def answer_of(text: str) -> Reply:
    return Reply(headers={"content-type": "application/json"}, body=text.encode())


def chunk(content: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return {"id": "odd-7", "model": "gpt-4o-mini", "choices": [choice], **more}


def sse(*events: dict[str, Any] | str) -> list[bytes]:
    texts = [one if isinstance(one, str) else f"data: {json.dumps(one)}" for one in events]
    return [f"{text}\n\n".encode() for text in texts]


@pytest.mark.parametrize(
    ("odd", "is_kept"),
    [
        ('"id": "odd-1", "text": "\\ud83d"', True),
        ('"id": "odd-2", "number": NaN', True),
        ('"id": "odd\\u0000-3"', True),
        ('"id": "odd\\ud800-4"', True),
        (f'"id": "odd-5{"x" * 5000}"', True),
        ('"id": "odd-6", "usage": {"prompt_tokens": 1e30, "completion_tokens": 5}', None),
    ],
)
def test_a_paid_answer_is_passed_on(
    odd: str, is_kept: bool | None, vendor: Vendor, http: httpx2.Client, headers: dict[str, str]
) -> None:
    vendor.script.append(answer_of(f'{{"model": "gpt-4o-mini", "choices": [], {USAGE}, {odd}}}'))
    answer = http.post(CHAT, json=ASK, headers=headers)
    assert answer.status_code == 200
    said = json.loads(answer.content)
    assert said["model"] == "gpt-4o-mini"
    if is_kept:
        assert said["xproxy_result"]["cost"]["total"]["base"] > 0
        (event,) = stored(http, headers["xProxy-UseCase-Name"])
        assert event["units"]["text"] == {"input": 10, "output": 5}


@pytest.mark.parametrize("streams", [False, True])
def test_a_record_that_fails_costs_no_answer(
    streams: bool, server: Any, vendor: Vendor, http: httpx2.Client, headers: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(recording, "record", fail)
    if streams:
        vendor.script.append(Reply.sse(sse(chunk("hello", "stop"), "data: [DONE]")))
    answer = http.post(CHAT, json={**ASK, "stream": streams}, headers=headers)
    assert answer.status_code == 200
    assert "xproxy_result" not in answer.text
    assert ("[DONE]" in answer.text) is streams


def test_a_stream_with_half_an_emoji_and_with_words_after_the_last(
    vendor: Vendor, http: httpx2.Client, headers: dict[str, str]
) -> None:
    usage = {"id": "odd-7", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    filtered = chunk("", content_filter_offsets={"end": 2})
    events = sse(chunk("\ud83d"), chunk("", "stop"), ": still here", filtered, usage, "data: [DONE]")
    vendor.script.append(Reply.sse(events))
    answer = http.post(CHAT, json={**ASK, "stream": True}, headers=headers)
    said = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert said[-1] == "[DONE]"
    assert json.loads(said[0])["choices"][0]["delta"]["content"] == "\ud83d"
    last = json.loads(said[-2])
    assert "content_filter_offsets" in last
    assert last["xproxy_result"]["cost"]["total"]["base"] > 0
    assert ": still here" in answer.text


def test_an_event_in_very_many_pieces() -> None:
    """The work grows with the size of an event, not with its square: an image is one event."""
    stream = EventStream(Exchange(sdk="openai", surface="responses", request={}), hide_usage=False)
    raw = b'data: {"type": "response.image", "b64": "' + b"x" * (8 * 2**20) + b'"}\r\n\r\n'
    began = time.process_time()
    passed = [one for at in range(0, len(raw), 1024) for one in stream.feed(raw[at : at + 1024])]
    assert time.process_time() - began < 2
    assert passed == [raw.replace(b"\r\n", b"\n")]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_line_ends_cut_anywhere(size: int) -> None:
    stream = EventStream(Exchange(sdk="openai", surface="responses", request={}), hide_usage=False)
    raw = b'data: {"type": "a"}\r\n\r\n: b\n\nevent: c\r\ndata: {"type": "c"}\r\n\r\nrest\r'
    passed = [one for at in range(0, len(raw), size) for one in stream.feed(raw[at : at + size])]
    assert passed == [b'data: {"type": "a"}\n\n', b": b\n\n", b'event: c\ndata: {"type": "c"}\n\n']
    assert list(stream.end(None)) == [b"rest\r"]


def test_more_calls_at_once_than_a_pool_has_by_default(
    vendor: Vendor, http: httpx2.Client, server: Any, headers: dict[str, str]
) -> None:
    """A hundred streams that last keep no other caller waiting."""
    many = 110
    vendor.script.extend(Reply(hang=True) for _ in range(many))
    keys = {**headers, "xProxy-api-key": server.api_key}
    limits = httpx2.Limits(max_connections=None)

    async def ask() -> int:
        async with httpx2.AsyncClient(base_url=server.url, headers=keys, limits=limits, timeout=60) as client:
            waiting = [asyncio.create_task(client.post(CHAT, json=ASK)) for _ in range(many)]
            while len(vendor.received) < many:
                await asyncio.sleep(0.05)
            answer = await client.post(CHAT, json=ASK)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            return answer.status_code

    assert asyncio.run(asyncio.wait_for(ask(), 120)) == 200


def test_two_hosts_at_one_address_share_no_connection(tmp_path: Path) -> None:
    """The certificate was checked for one of them."""
    seen: list[tuple[int, str]] = []

    def serve(listening: socket.socket) -> None:
        for number in range(2):
            connection, _ = listening.accept()
            threading.Thread(target=talk, args=(connection, number), daemon=True).start()

    def talk(connection: socket.socket, number: int) -> None:
        while data := connection.recv(65536):
            named = [line for line in data.split(b"\r\n") if line.lower().startswith(b"host:")]
            if not named:
                # The body, which may come by itself.
                continue
            host = named[0]
            seen.append((number, host.decode().split(": ")[1].partition(":")[0]))
            connection.sendall(b"HTTP/1.1 400 Bad\r\ncontent-length: 2\r\n\r\n{}")

    async def call_each(port: int) -> None:
        store = Store(tmp_path / "payi.db")
        relay = Relay(store)
        exchange = Exchange(sdk="openai", surface="chat", request=ASK)
        for name in ("a.example", "b.example", "a.example"):
            call = recording.begin(1, exchange, {}, "https://x")
            endpoint = Endpoint("http", name, port, "127.0.0.1", "")
            await relay.send(call, endpoint, "v1", "", {}, b"{}", hide_usage=False, gone=asyncio.Event().wait)  # pyright: ignore[reportArgumentType]
        await relay.close()
        store.close()

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as pool:
        pool.submit(serve, listening)
        asyncio.run(call_each(listening.getsockname()[1]))
    assert seen == [(0, "a.example"), (1, "b.example"), (0, "a.example")]


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1",
        "::10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::", "2001:0:a00:1::", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_that_stand_for_private_ones(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a name is said to have: of several, one is enough to refuse it."""

    def resolve(*_: Any, **__: Any) -> Any:
        return [(0, 0, 0, "", ("8.8.8.8", 443)), (0, 0, 0, "", (address, 443))]

    monkeypatch.setattr(hosts.socket, "getaddrinfo", resolve)
    with pytest.raises(ApiError) as refused:
        HostRules(("a.example",)).check("https://a.example")
    assert refused.value.code == "invalid_provider_host"


def test_the_address_that_was_checked_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that has another address a moment later gains nothing by it."""
    answers = iter(["8.8.8.8", "127.0.0.1"])

    def resolve(*_: Any, **__: Any) -> Any:
        return [(0, 0, 0, "", (next(answers), 443))]

    monkeypatch.setattr(hosts.socket, "getaddrinfo", resolve)
    endpoint = HostRules(("a.example",)).check("https://a.example")
    assert endpoint.url("v1", "") == "https://8.8.8.8:443/v1"
    assert next(answers) == "127.0.0.1"


@pytest.mark.parametrize(
    "base",
    [
        "https://x.openai.azure.com:99999", "https://.openai.azure.com", "https://x..openai.azure.com",
        f"https://{'a' * 64}.openai.azure.com", "https://127.0.0.1\\.openai.azure.com", "https://:443",
        "https://[::1%25.openai.azure.com]", "https://[fe80::1%251]", "https://*.openai.azure.com",
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused_by_name(base: str, http: httpx2.Client, headers: dict[str, str]) -> None:
    answer = http.post(CHAT, json=ASK, headers={**headers, "xProxy-Provider-BaseUri": base})
    assert (answer.status_code, answer.json()["xproxy_error"]["code"]) == (400, "invalid_provider_uri")
