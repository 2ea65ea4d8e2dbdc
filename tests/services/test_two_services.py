"""One use case over two services: Python calls Python, Python calls Node.js. Real processes, the examples' code."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from payi_otel.demo.provider import running_provider
from tests.examples.world import EXAMPLES, environment, run
from tests.support.ingest_sink import running_sink

pytest.importorskip("grpc", reason="the gateway extra is not installed")

SERVICES = EXAMPLES / "services"
NODE = Path(tempfile.gettempdir()) / "payi-node-service"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def serving(command: list[str], variables: dict[str, str]) -> Iterator[None]:
    """A service that says "ready" when it is, stopped by SIGTERM."""
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
        process.terminate()
        process.wait(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def world(tmp_path):
    with running_provider() as vendor, running_sink() as sink:
        variables = {
            **environment(vendor, sink.url, "k"),
            "PAYI_OUTBOX_DIR": str(tmp_path / "outbox"),
            "PAYI_USE_CASE_NAME": "the_service_s_own",
        }
        yield vendor, sink, variables


def call(port, variables):
    upstream = str(SERVICES / "upstream.py")
    return run([sys.executable, upstream, f"http://127.0.0.1:{port}", "claim-7"], variables)


def assert_both_calls_belong_to_the_caller(vendor, sink):
    assert sink.wait_for_events(2, 60)
    assert len(sink.events) == 2
    first, second = vendor.requests
    upstream, downstream = (sink.events[request.billed.response_id] for request in (first, second))
    for event in (upstream, downstream):
        assert (event["use_case_name"], event["use_case_id"]) == ("claims", "claim-7")
        assert event["use_case_step"] == "draft"
    assert upstream["user_id"] == "jane"
    # Not in the allow-list of either side.
    assert "user_id" not in downstream
    assert downstream["units"]["text"]["output"] == second.billed.usage["completion_tokens"]
    for request in vendor.requests:
        assert "baggage" not in request.headers
        assert "claim-7" not in str(request.headers)


def test_a_python_service_books_to_its_caller_s_use_case(world):
    vendor, sink, variables = world
    port = free_port()
    with serving([sys.executable, str(SERVICES / "downstream.py"), str(port)], variables):
        call(port, variables)
    assert_both_calls_belong_to_the_caller(vendor, sink)


@pytest.fixture
def node_service() -> Path:
    """The Node.js example with its packages, fetched once for all runs."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed; this test runs a Node.js service")
    NODE.mkdir(exist_ok=True)
    wanted = (SERVICES / "package.json").read_text()
    installed = NODE / "node_modules" / ".wanted"
    if not installed.exists() or installed.read_text() != wanted:
        (NODE / "package.json").write_text(wanted)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], check=True, cwd=NODE)
        installed.write_text(wanted)
    shutil.copy(SERVICES / "downstream.cjs", NODE)
    return NODE / "downstream.cjs"


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def gateway(variables: dict[str, str]) -> Iterator[str]:
    """A real gateway process; its OTLP address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "payi_otel.cli", "gateway", "--http-port", str(port)]
    process = subprocess.Popen([*command, "--no-grpc", "--allow-anonymous"], env=variables)
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            assert process.poll() is None, "the gateway ended"
            assert time.monotonic() < deadline, "the gateway does not listen"
            time.sleep(0.05)
        yield url
        process.terminate()
        process.wait(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_node_service_books_to_its_caller_s_use_case(world, node_service, tmp_path):
    vendor, sink, variables = world
    port = free_port()
    with gateway({**variables, "PAYI_OUTBOX_DIR": str(tmp_path / "gateway")}) as otlp:
        node = {**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp}
        with serving(["node", str(node_service), str(port)], node):
            call(port, variables)
        assert_both_calls_belong_to_the_caller(vendor, sink)
