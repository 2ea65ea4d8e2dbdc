"""`payi-otel users`, and what of sessions is in the database."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from payi_otel.cli import main
from payi_otel.server.portal.guard import SignInGuard, hash_password
from payi_otel.server.rates import RateLimiter
from payi_otel.server.store import users
from payi_otel.server.store.engine import Store
from payi_otel.server.store.keys import allow_key, ensure_application, list_applications, revoke_key, set_key

NOW = datetime(2026, 11, 21, 9, tzinfo=timezone.utc)
PASSWORD = "correct horse battery"


@pytest.fixture
def store(store: Store) -> Store:
    """With two applications, one of which has a key."""
    with store.write() as connection:
        allow_key(connection, "sk-one", NOW)
        ensure_application(connection, "other", NOW)
    return store


def test_a_user_session_lasts_until_the_user_is_removed(store: Store) -> None:
    with store.write() as connection:
        assert users.add_user(connection, "ada", hash_password(PASSWORD), "read-only", None, NOW)
        assert not users.add_user(connection, "ada", "again", "admin", None, NOW)
        assert users.begin_user_session(connection, "ada", "token", NOW)
        assert not users.begin_user_session(connection, "bob", "other", NOW)
    with store.read() as connection:
        found = users.find_session(connection, "token", NOW)
        assert found is not None
        assert (found.user, found.role, found.application, found.sees_all) == (
            "ada",
            "read-only",
            "default",
            True,
        )
        assert users.find_session(connection, "toke", NOW) is None
        assert users.find_session(connection, "token", NOW + timedelta(days=15)) is None
    with store.write() as connection:
        assert users.remove_user(connection, "ada")
    with store.read() as connection:
        assert users.find_session(connection, "token", NOW) is None
    store.close()


def test_a_key_session_ends_with_its_key(store: Store) -> None:
    with store.write() as connection:
        assert users.begin_key_session(connection, "sk-one", "token", NOW)
        assert not users.begin_key_session(connection, "sk-two", "other", NOW)
        application = next(one for one in list_applications(connection) if one.name == "default")
    with store.read() as connection:
        found = users.find_session(connection, "token", NOW)
        assert found is not None
        assert (found.by_key, found.sees_all, found.role, found.user) == (True, False, "admin", None)
    with store.write() as connection:
        # In its other slot there is still a key, but not this one.
        set_key(connection, application.id, 2, "sk-new", NOW)
        revoke_key(connection, application.id, 1)
    with store.read() as connection:
        assert users.find_session(connection, "token", NOW) is None
    store.close()


def test_a_link_signs_in_once_and_not_for_ever(store: Store) -> None:
    with store.write() as connection:
        users.add_link(connection, "link", NOW)
        users.add_link(connection, "late", NOW)
        assert not users.begin_link_session(connection, "lin", "nobody", NOW)
        assert users.begin_link_session(connection, "link", "token", NOW)
        assert not users.begin_link_session(connection, "link", "again", NOW)
        assert not users.begin_link_session(connection, "late", "later", NOW + timedelta(days=2))
    with store.write() as connection:
        other = next(one for one in list_applications(connection) if one.name == "other")
        assert users.show_application(connection, "token", other.id)
        assert not users.show_application(connection, "token", 10**9)
        found = users.find_session(connection, "token", NOW)
        assert found is not None
        assert (found.application, found.sees_all, found.role) == ("other", True, "admin")
        users.end_session(connection, "token")
        assert users.find_session(connection, "token", NOW) is None
    store.close()


def test_no_token_and_no_password_is_stored(tmp_path: Path) -> None:
    store = Store(tmp_path / "payi.db")
    with store.write() as connection:
        allow_key(connection, "sk-one", NOW)
        users.add_user(connection, "ada", hash_password(PASSWORD), "admin", None, NOW)
        users.begin_user_session(connection, "ada", "the-token", NOW)
        users.add_link(connection, "the-link", NOW)
    store.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"$argon2id$" in stored
    assert not any(secret in stored for secret in (PASSWORD.encode(), b"the-token", b"the-link"))


def test_passwords() -> None:
    guard = SignInGuard()
    stored = hash_password(PASSWORD)
    assert guard.is_right(stored, PASSWORD)
    assert not guard.is_right(stored, PASSWORD + "x")
    assert not guard.is_right(None, "nobody has this password")
    assert not guard.is_right("no hash", PASSWORD)
    with pytest.raises(ValueError, match="password: give 10 to 1000 characters"):
        hash_password("short")


def test_a_burst_and_then_slowly_and_only_failures_count() -> None:
    now = 0.0
    limiter = RateLimiter(0.5, clock=lambda: now, burst=3)
    assert [limiter.wait_s("a") for _ in range(4)] == [0, 0, 0, 2]
    assert limiter.wait_s("b") == 0
    now = 2.0
    assert limiter.wait_s("a") == 0
    limiter.give_back("a")
    assert [limiter.wait_s("a"), limiter.wait_s("a")] == [0, 2]


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "payi.db"
    store = Store(database)
    with store.write() as connection:
        allow_key(connection, "sk-one", NOW)

    def run(*arguments: str, password: str = PASSWORD) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
        try:
            code = main(["users", "--database", str(database), *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    assert run("list") == (0, "no users; add one with: payi-otel users add NAME\n")
    assert run("add", "ada", "--password-stdin") == (0, "ada may sign in to the portal.\n")
    assert run("add", "bob", "--password-stdin", "--role", "read-only", "--application", "default")[0] == 0
    assert run("list")[1] == "ada: admin, every application\nbob: read-only, default\n"
    code, said = run("add", "ada", "--password-stdin")
    assert code == 2
    assert "remove them first" in said
    assert run("add", "eve", "--password-stdin", password="short")[0] == 2
    assert run("add", "eve", "--password-stdin", "--application", "nothing")[0] == 2
    assert run("remove", "ada") == (0, "")
    assert run("remove", "ada")[0] == 2
    code, said = run("link", "--url", "http://localhost:1/")
    assert said.startswith("http://localhost:1/portal/sign-in/link?token=")
    token = said.strip().partition("token=")[2]
    with store.write() as connection:
        assert users.begin_link_session(connection, token, "session", datetime.now(timezone.utc))
    store.close()
