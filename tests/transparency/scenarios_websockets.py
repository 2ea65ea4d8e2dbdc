"""Scenarios of the websocket APIs, over a real websocket on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import openai
from websockets.sync.server import ServerConnection, serve

from tests.transparency import payloads
from tests.transparency.scenarios_openai import RESPONSES
from tests.transparency.world import OK, World, dump, raised, scenario

REALTIME_DONE = {
    "type": "response.done",
    "event_id": "event_1",
    "response": {
        "id": "resp_0123456789abcdef",
        "object": "realtime.response",
        "status": "completed",
        "output": [],
        "usage": {"total_tokens": 3, "input_tokens": 1, "output_tokens": 2},
    },
}


@contextmanager
def running_socket(messages: list[dict[str, Any]]) -> Generator[str, None, None]:
    """A websocket server that answers anything with `messages` and then hangs up."""

    def answer(connection: ServerConnection) -> None:
        connection.recv()
        for message in messages:
            connection.send(json.dumps(message))

    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


def realtime(client: Any) -> Any:
    """`client.realtime`, which was under `beta` until openai 1.107."""
    return client.realtime if hasattr(client, "realtime") else client.beta.realtime


def has_responses_socket() -> bool:
    return hasattr(openai.OpenAI(api_key="k").responses, "connect")


@scenario(OK)
def websocket_realtime(world: World) -> Any:
    with running_socket([REALTIME_DONE]) as url:
        client = world.openai(websocket_base_url=url)
        with realtime(client).connect(model="gpt-realtime") as connection:
            connection.response.create()
            return dump(connection.recv()), raised(connection.recv)


@scenario(OK)
def websocket_realtime_bytes(world: World) -> Any:
    with running_socket([REALTIME_DONE]) as url:
        client = world.openai(websocket_base_url=url)
        with realtime(client).connect(model="gpt-realtime") as connection:
            connection.response.create()
            return connection.recv_bytes()


@scenario(OK)
async def websocket_realtime_async(world: World) -> Any:
    with running_socket([REALTIME_DONE]) as url:
        client = world.async_openai(websocket_base_url=url)
        async with realtime(client).connect(model="gpt-realtime") as connection:
            await connection.response.create()
            return [dump(event) async for event in connection]


@scenario(OK, needs=has_responses_socket)
def websocket_responses(world: World) -> Any:
    with running_socket(payloads.response_events()) as url:
        client = world.openai(websocket_base_url=url)
        with client.responses.connect() as connection:
            connection.response.create(**RESPONSES)
            return [dump(event) for event in connection]


@scenario(OK, needs=has_responses_socket)
async def websocket_responses_async(world: World) -> Any:
    with running_socket(payloads.response_events()) as url:
        client = world.async_openai(websocket_base_url=url)
        async with client.responses.connect() as connection:
            await connection.response.create(**RESPONSES)
            return [dump(event) async for event in connection]
