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

from payi_otel.cli import main
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
    environment = {name: value for name, value in os.environ.items() if name != "PAYI_API_KEY"}
    program = "from payi_otel.server.main import serve; serve(port=0, database='payi.db')"
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
        port = 0
        while key_file is None or not port:
            line = process.stdout.readline()
            assert line, said
            said += line
            for path in re.findall(r"(?:/[^\s/]+)+\.key", said):
                key_file = Path(path)
            for number in re.findall(r"http://127\.0\.0\.1:(\d+) ", said):
                port = int(number)
        key = key_file.read_text().strip()
        assert key not in said
        # It says so when connections are taken: no retries.
        url = f"http://127.0.0.1:{port}/api/v1/local/summary"
        assert httpx2.get(url, headers={"xProxy-api-key": key}, timeout=60).status_code == 200
    finally:
        process.terminate()
        process.communicate(timeout=30)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command says that cannot begin."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == "", "nothing is announced that is not there"
    return said.err


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_that_is_none_is_named(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"invalid port value: '{port}'" in refused(capsys, "serve", f"--port={port}")


def test_an_address_that_is_taken_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(capsys, "serve", "--port", str(port), "--database", str(tmp_path / "payi.db"))
    assert f"cannot listen at 127.0.0.1:{port}: " in said


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("keys",)])
def test_a_database_that_cannot_be_used_is_named(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    action = ("list",) if command == ("keys",) else ()
    (tmp_path / "none.db").write_text("this is no database" * 100)
    said = refused(capsys, *command, "--database", str(tmp_path / "none.db"), *action)
    assert "--database: cannot be used: file is not a database" in said
    away = f"postgresql://nobody@/none?host={tmp_path}"
    assert "--database: cannot be used: connection" in refused(capsys, *command, "--database", away, *action)
