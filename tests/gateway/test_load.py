"""Many senders at once, over both protocols."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx2

from tests.gateway.conftest import KEY
from tests.gateway.spans import request_of
from tests.gateway.test_grpc import AUTHORIZED, EXPORT

HEADERS = {"content-type": "application/x-protobuf", "authorization": f"Bearer {KEY}"}
SENDERS, BATCHES, CALLS = 8, 10, 20


def test_every_acknowledged_call_arrives_once(gateway):
    def http(sender: int) -> None:
        with httpx2.Client(headers=HEADERS, timeout=60) as client:
            for body in bodies(sender):
                answer = client.post(f"{gateway.url}/v1/traces", content=body)
                assert (answer.status_code, answer.content) == (200, b"")

    def rpc(sender: int) -> None:
        with grpc.insecure_channel(gateway.target) as channel:
            for body in bodies(sender):
                assert channel.unary_unary(EXPORT)(body, metadata=AUTHORIZED, timeout=60) == b""

    # Each call is sent by two senders, as by two replicas of a Collector: one by HTTP, one by gRPC.
    with ThreadPoolExecutor(2 * SENDERS) as pool:
        for done in [pool.submit(way, sender) for sender in range(SENDERS) for way in (http, rpc)]:
            done.result()
    assert gateway.worker.force_flush(60)
    wanted = {
        event_id for sender in range(SENDERS) for batch in range(BATCHES) for event_id in ids(sender, batch)
    }
    assert set(gateway.sink.events) == wanted
    assert len(gateway.sink.stored) == len(wanted)


def ids(sender: int, batch: int) -> list[str]:
    return [f"chatcmpl-{sender:04d}-{batch:04d}-{number:08d}" for number in range(CALLS)]


def bodies(sender: int) -> list[bytes]:
    return [request_of(*ids(sender, batch)).SerializeToString() for batch in range(BATCHES)]
