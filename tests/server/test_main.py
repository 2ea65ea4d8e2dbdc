"""Starting and stopping: keys, files, restarts."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import httpx2
import pytest

from payi_otel.server.app import create_app
from payi_otel.server.config import ServerConfig
from payi_otel.server.main import background_server
from tests.server.conftest import event, stored, summary


def test_a_restart_keeps_data_and_key(tmp_path: Path) -> None:
    database = tmp_path / "payi.db"
    headers = {"xProxy-UseCase-Name": "kept"}
    keys: list[str] = []
    for count in (1, 2):
        with background_server(database) as server:
            keys.append(server.api_key)
            with httpx2.Client(base_url=server.url, headers={"xProxy-api-key": keys[0]}) as http:
                http.post("/api/v1/ingest", json=event(), headers=headers)
                # The same id before and after the restart.
                http.post("/api/v1/ingest", params={"id": "same"}, json=event(), headers=headers)
                assert len(stored(http, "kept")) == count + 1
                assert summary(http, "kept")["cost"] == pytest.approx(0.00045 * (count + 1), abs=1e-12)


def test_the_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    config = ServerConfig(tmp_path / "payi.db")
    for _ in range(2):
        create_app(config)
    key = config.key_path.read_bytes().strip()
    assert stat.S_IMODE(config.key_path.stat().st_mode) == 0o600
    assert [path for path in tmp_path.iterdir() if key in path.read_bytes()] == [config.key_path]


def test_a_given_key_is_the_key_and_is_not_written(tmp_path: Path) -> None:
    with background_server(tmp_path / "payi.db", api_key="sk-mine") as server:
        assert server.api_key == "sk-mine"
        answer = httpx2.get(f"{server.url}/api/v1/local/summary", headers={"XPROXY-API-KEY": "sk-mine"})
        assert answer.status_code == 200
    assert not [path for path in tmp_path.iterdir() if b"sk-mine" in path.read_bytes()]


def test_each_server_without_a_path_starts_empty_and_leaves_nothing() -> None:
    before = threading.active_count()
    for _ in range(2):
        with (
            background_server() as server,
            httpx2.Client(base_url=server.url, headers={"xProxy-api-key": server.api_key}) as http,
        ):
            assert http.get("/api/v1/local/summary").json()["use_cases"] == []
            http.post("/api/v1/ingest", json=event(), headers={"xProxy-UseCase-Name": "one"})
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{server.url}/healthz")
    assert threading.active_count() <= before


def test_two_servers_side_by_side_know_their_own_keys() -> None:
    with background_server() as one, background_server() as other:
        answer = httpx2.get(f"{one.url}/api/v1/local/summary", headers={"xProxy-api-key": other.api_key})
        assert answer.status_code == 401


def test_the_command_serves_and_says_where(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "PAYI_API_KEY"}
    program = f"from payi_otel.server.main import serve; serve(port={port}, database='payi.db')"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        key_file: Path | None = None
        while key_file is None or f":{port}" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
            for path in re.findall(r"(?:/[^\s/]+)+\.key", said):
                key_file = Path(path)
        key = key_file.read_text().strip()
        assert key not in said
        # It says so before it listens.
        transport = httpx2.HTTPTransport(retries=20)
        with httpx2.Client(transport=transport) as http:
            url = f"http://127.0.0.1:{port}/api/v1/local/summary"
            assert http.get(url, headers={"xProxy-api-key": key}).status_code == 200
    finally:
        process.terminate()
        process.communicate(timeout=30)
