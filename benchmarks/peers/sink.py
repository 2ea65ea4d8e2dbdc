"""The service that records are sent to, in a process of its own: takes everything at once, keeps nothing.

    python -m peers.sink

Prints its address; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

INGESTED = {
    "request_id": "1",
    "event_timestamp": "2026-01-01T00:00:00Z",
    "ingest_timestamp": "2026-01-01T00:00:00Z",
    "xproxy_result": {"request_id": "1"},
}


async def _serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0
            )
            body = await reader.readexactly(length)
            answer = json.dumps(_answer(head, body)).encode()
            start = (
                f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
            )
            writer.write(start.encode() + answer)
            await writer.drain()


def _answer(head: bytes, body: bytes) -> object:
    if b"/bulk" not in head.partition(b"\r\n")[0]:
        return INGESTED
    count = body.count(b'"provider_response_id"')
    return {**INGESTED, "ingest_count": count, "error_count": 0, "item_error_count": 0, "total_count": count}


async def _serve() -> None:
    server = await asyncio.start_server(_serve_connection, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
