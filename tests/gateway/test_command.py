"""`payi-otel gateway` as a process: how it starts, refuses to, stops, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx2
import pytest
import trustme
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from tests.gateway.spans import Kept, chat_span, provider_for, request_of

KEY = "gateway-key-1"
DEADLINE_S = 60
HEADERS = {"content-type": "application/x-protobuf", "xproxy-api-key": KEY}


class Command:
    """A running `payi-otel gateway` and the addresses it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.lines = [process.stdout.readline() for _ in range(2)]
        assert all(self.lines), process.wait(DEADLINE_S)
        self.url = self.lines[0].split(" served at ")[1].split(",")[0]
        self.target = self.lines[1].split(" served at ")[1].strip()

    def post(self, *event_ids: str) -> int:
        body = request_of(*event_ids).SerializeToString()
        return httpx2.post(f"{self.url}/v1/traces", content=body, headers=HEADERS, timeout=60).status_code

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


def environment(folder: Path, payi_url: str, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PAYI_BASE_URL": payi_url,
        "PAYI_API_KEY": "k",
        "PAYI_OUTBOX_DIR": str(folder / "outbox"),
        "PAYI_GATEWAY_KEYS": KEY,
        **more,
    }


def command(*arguments: str) -> list[str]:
    return [
        sys.executable, "-m", "payi_otel.cli", "gateway", "--http-port", "0", "--grpc-port", "0", *arguments
    ]  # fmt: skip


@contextmanager
def started(folder: Path, payi_url: str, *arguments: str, **more: str):
    process = subprocess.Popen(
        command(*arguments), env=environment(folder, payi_url, **more), stdout=subprocess.PIPE, text=True
    )
    try:
        yield Command(process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def refused(folder: Path, *arguments: str, **more: str) -> str:
    """What it says when it does not start."""
    done = subprocess.run(
        command(*arguments),
        env=environment(folder, "http://127.0.0.1:9", **more),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_delivers_what_waits(tmp_path, sink, number):
    with started(tmp_path, sink.url) as gateway:
        assert gateway.post("chatcmpl-000000000000001") == 200
        assert gateway.end(number) == 0
    assert list(sink.events) == ["chatcmpl-000000000000001"]
    assert list((tmp_path / "outbox").glob("outbox-*.db")) == []


def test_a_request_under_way_is_seen_through(tmp_path, sink):
    begun = threading.Event()
    go_on = threading.Event()
    data = request_of("chatcmpl-000000000000001").SerializeToString()

    def slowly():
        yield data[:10]
        begun.set()
        assert go_on.wait(DEADLINE_S)
        yield data[10:]

    answers = []
    with started(tmp_path, sink.url) as gateway:
        url = f"{gateway.url}/v1/traces"
        sender = threading.Thread(
            target=lambda: answers.append(httpx2.post(url, content=slowly(), headers=HEADERS, timeout=60))
        )
        sender.start()
        assert begun.wait(DEADLINE_S)
        gateway.process.send_signal(signal.SIGTERM)
        # New connections are refused, which is how we see that it is stopping.
        while _connects(gateway.url):
            # Asked without a pause, the server would hardly leave Python's lock to the thread that takes the signal.
            time.sleep(0.01)
        go_on.set()
        sender.join(DEADLINE_S)
        assert gateway.process.wait(DEADLINE_S) == 0
    assert answers[0].status_code == 200
    assert list(sink.events) == ["chatcmpl-000000000000001"]


def _connects(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=DEADLINE_S).close()
    except OSError:
        return False
    return True


def test_what_was_acknowledged_survives_sigkill(tmp_path, sink):
    sink.keys = {"another"}
    with started(tmp_path, sink.url) as gateway:
        assert gateway.post("chatcmpl-000000000000001", "chatcmpl-000000000000002") == 200
        gateway.end(signal.SIGKILL)
    assert sink.events == {}
    sink.keys = None
    # Delivered by the next one without any sender's help.
    with started(tmp_path, sink.url):
        assert sink.wait_for_events(2, DEADLINE_S)


def test_tls_for_both_protocols(tmp_path, sink, monkeypatch):
    # Where one is set, requests takes it before the exporter's own file.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    trusted, chain, key = tmp_path / "ca.pem", tmp_path / "chain.pem", tmp_path / "key.pem"
    authority.cert_pem.write_to_path(trusted)
    issued.private_key_pem.write_to_path(key)
    for pem in issued.cert_chain_pems:
        pem.write_to_path(chain, append=True)
    kept = Kept()
    provider = provider_for(kept)
    with started(tmp_path, sink.url, "--tls-cert", str(chain), "--tls-key", str(key)) as gateway:
        assert gateway.url.startswith("https://")
        over_http = HttpExporter(
            f"{gateway.url}/v1/traces", headers={"xproxy-api-key": KEY}, certificate_file=str(trusted)
        )
        over_grpc = GrpcExporter(
            f"https://{gateway.target}",
            headers={"xproxy-api-key": KEY},
            credentials=grpc.ssl_channel_credentials(trusted.read_bytes()),
        )
        for number, exporter in enumerate((over_http, over_grpc)):
            chat_span(provider, f"chatcmpl-00000000000000{number}")
            assert exporter.export(kept.spans[-1:]) is SpanExportResult.SUCCESS
        assert sink.wait_for_events(2, DEADLINE_S)


def test_protobuf_in_pure_python_is_refused(tmp_path):
    said = refused(tmp_path, PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION="python")
    assert "'python'" in said
    assert "Debian" in said


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        ((), {"PAYI_API_KEY": ""}, "PAYI_API_KEY"),
        (("--host", "0.0.0.0"), {"PAYI_GATEWAY_KEYS": ""}, "set keys"),
        (("--tls-cert", "chain.pem"), {}, "give both or neither"),
        (("--tls-cert", "none.pem", "--tls-key", "none.pem"), {}, "none.pem"),
        (("--tls-cert", __file__, "--tls-key", __file__), {}, "PEM"),
        (("--keys-file", "none"), {}, "none"),
        ((), {"PAYI_DURABILITY": "memory"}, "PAYI_DURABILITY"),
        ((), {"PAYI_OUTBOX_DIR": "/proc/none"}, "PAYI_OUTBOX_DIR"),
        ((), {"PAYI_OUTBOX_MAX_BYTES": "1000"}, "PAYI_OUTBOX_MAX_BYTES"),
        (("--max-body-mib", "0"), {}, "max_body_bytes"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, arguments, variables, said):
    assert said in refused(tmp_path, *arguments, **variables)


@pytest.mark.parametrize("option", ["--http-port", "--grpc-port"])
def test_a_port_that_is_taken_is_named(tmp_path, option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert port in refused(tmp_path, option, port)


def test_http_alone_and_keys_from_a_file(tmp_path, sink):
    keys = tmp_path / "keys"
    keys.write_text("from-the-file\n")
    process = subprocess.Popen(
        command("--no-grpc", "--keys-file", str(keys)),
        env=environment(tmp_path, sink.url, PAYI_GATEWAY_KEYS=""),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = process.stdout.readline().split(" served at ")[1].split(",")[0]
        headers = {**HEADERS, "xproxy-api-key": "from-the-file"}
        body = request_of("chatcmpl-000000000000001").SerializeToString()
        assert httpx2.post(f"{url}/v1/traces", content=body, headers=headers).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
