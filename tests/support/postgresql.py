"""A real PostgreSQL for the tests: a cluster of its own in a temporary directory, reached by its socket only."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

_DEBIAN = "/usr/lib/postgresql"
_numbers = itertools.count(1)


class NoPostgreSQL(Exception):
    """There is no PostgreSQL on this machine; the message says where it was looked for."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    directory: Path
    user: str
    made: list[str] = field(default_factory=list)

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"payi_{next(_numbers)}"
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        self.made.append(name)
        return f"postgresql://{self.user}@/{name}?host={self.directory}"

    def _conninfo(self, name: str) -> str:
        return f"host={self.directory} user={self.user} dbname={name}"


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Make a cluster and run it for as long as the block lasts. Raises `NoPostgreSQL`."""
    binaries = _binaries()
    user = _user()
    directory = Path(tempfile.mkdtemp(prefix="payi-pg-"))
    data = directory / "data"
    if os.geteuid() == 0:
        shutil.chown(directory, user)
    # For throw-away data: a server that is killed must lose nothing, a machine without power may.
    options = f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync=off"
    try:
        _run(user, binaries / "initdb", "-D", data, "-U", user, "-A", "trust", "-E", "UTF8", "--no-sync")
        _run(
            user,
            binaries / "pg_ctl",
            "-D",
            data,
            "-l",
            directory / "log",
            "-o",
            options,
            "-w",
            "-t",
            "120",
            "start",
        )
        try:
            yield Cluster(directory, user)
        finally:
            _run(user, binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _binaries() -> Path:
    found = shutil.which("initdb")
    if found is not None and shutil.which("pg_ctl") is not None:
        return Path(found).parent
    versions = sorted(Path(_DEBIAN).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise NoPostgreSQL(f"no PostgreSQL here: neither initdb in PATH nor {_DEBIAN}/*/bin")
    return versions[-1].parent


def _user() -> str:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _run(user: str, *command: str | Path) -> None:
    prefix: list[str] = []
    if os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        prefix = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--"]
    # Into a file: the server inherits the streams, and a pipe would never end.
    with tempfile.TemporaryFile() as said:
        done = subprocess.run([*prefix, *map(str, command)], stdout=said, stderr=said, cwd="/", check=False)
        said.seek(0)
        assert done.returncode == 0, said.read().decode()
