from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, propagate
from opentelemetry import context as otel

from payi_otel.tracking.context import EMPTY, current, nest, set_process_defaults
from payi_otel.tracking.propagation import (
    TrackedExecutor,
    extract_baggage,
    inject_baggage,
    propagate_threads,
    stop_propagating_threads,
    with_context,
)
from payi_otel.tracking.scopes import get_context, track_context


def user() -> str | None:
    return current().user_id


@pytest.fixture
def propagated() -> Iterator[None]:
    propagate_threads()
    yield
    stop_propagating_threads()


def ran(thread: threading.Thread) -> None:
    thread.start()
    thread.join()


def test_with_context_binds_a_function_to_the_scope_of_now() -> None:
    with track_context(user_id="a"):
        bound = with_context(user)
    with track_context(user_id="b"):
        assert bound() == "a"
        assert with_context(lambda: user())() == "b"
    seen: list[str | None] = []
    ran(threading.Thread(target=with_context(lambda: seen.append(bound()))))
    assert seen == ["a"]
    assert bound.__name__ == "user"


def test_with_context_binds_to_no_scope_where_none_is_open() -> None:
    bound = with_context(user)
    set_process_defaults(nest(EMPTY, user_id="default"))
    with track_context(user_id="a"):
        assert bound() == "default"


async def test_with_context_binds_coroutines_and_generators_too() -> None:
    async def later() -> str | None:
        await asyncio.sleep(0)
        return user()

    def items() -> Iterator[str | None]:
        yield user()

    with track_context(user_id="a"):
        bound, bound_items = with_context(later), with_context(items)
    assert await bound() == "a"
    assert list(bound_items()) == ["a"]
    with pytest.raises(TypeError, match="cannot track 3, which is not callable"):
        with_context(3)  # type: ignore[type-var]


def test_tracked_executor_runs_each_task_in_its_own_scope() -> None:
    with TrackedExecutor(ThreadPoolExecutor(1)) as pool:
        futures = []
        for name in "ab":
            with track_context(user_id=name):
                futures.append(pool.submit(user))
        futures.append(pool.submit(lambda: user()))
        with track_context(user_id="m"):
            mapped = list(pool.map(lambda _: user(), range(2)))
        assert [future.result() for future in futures] == ["a", "b", None]
        assert mapped == ["m", "m"]
        with track_context(user_id="loop"):
            assert asyncio.run(in_executor(pool)) == "loop"
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(user)


async def in_executor(pool: Any) -> str | None:
    return await asyncio.get_running_loop().run_in_executor(pool, user)


class OwnRun(threading.Thread):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str | None] = []

    def run(self) -> None:
        self.seen.append(user())


@pytest.mark.usefixtures("propagated")
def test_propagated_threads_run_in_the_scope_they_were_started_in() -> None:
    seen: list[str | None] = []
    thread = OwnRun()
    timer = threading.Timer(0, lambda: seen.append(user()))
    with track_context(user_id="a"):
        ran(threading.Thread(target=lambda: seen.append(user())))
        ran(thread)
        ran(timer)
    assert seen == ["a", "a"]
    assert thread.seen == ["a"]
    assert "run" not in vars(thread)
    ran(threading.Thread(target=lambda: seen.append(user())))
    assert seen == ["a", "a", None]


@pytest.mark.usefixtures("propagated")
def test_daemon_worker_does_not_keep_the_scope_that_happened_to_start_it() -> None:
    """The trap of thread propagation: a worker started lazily in request A would book all later work on A."""
    work: queue.SimpleQueue[Any] = queue.SimpleQueue()
    seen: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def worker() -> None:
        while (task := work.get()) is not None:
            seen.put(task())

    with track_context(user_id="request-a"):
        thread = threading.Thread(target=worker, daemon=True)
        thread.start()
    with track_context(user_id="request-b"):
        work.put(user)
        work.put(with_context(user))
    work.put(None)
    thread.join()
    assert [seen.get(), seen.get()] == [None, "request-b"]


@pytest.mark.usefixtures("propagated")
def test_pool_threads_do_not_keep_the_scope_that_happened_to_start_them() -> None:
    with ThreadPoolExecutor(1) as pool:
        with track_context(user_id="a"):
            assert pool.submit(user).result() == "a"
        assert pool.submit(user).result() is None
        with track_context(user_id="b"):
            assert asyncio.run(in_executor(pool)) == "b"
            assert list(pool.map(lambda _: user(), [1])) == ["b"]
        set_process_defaults(nest(EMPTY, user_id="default"))
        assert pool.submit(user).result() == "default"


def test_propagation_is_installed_once_and_undone() -> None:
    start, submit = vars(threading.Thread)["start"], vars(ThreadPoolExecutor)["submit"]
    stop_propagating_threads()
    propagate_threads()
    patched = vars(threading.Thread)["start"]
    propagate_threads()
    assert vars(threading.Thread)["start"] is patched
    stop_propagating_threads()
    assert vars(threading.Thread)["start"] is start
    assert vars(ThreadPoolExecutor)["submit"] is submit
    seen: list[str | None] = []
    with track_context(user_id="a"):
        ran(threading.Thread(target=lambda: seen.append(user())))
    assert seen == [None]


@pytest.mark.usefixtures("propagated")
def test_errors_of_threads_and_pools_stay_what_they_were() -> None:
    with track_context(user_id="a"):
        thread = threading.Thread(target=user)
        ran(thread)
        with pytest.raises(RuntimeError, match="threads can only be started once"):
            thread.start()
        with ThreadPoolExecutor(1) as pool:
            with pytest.raises(KeyError, match="mine"):
                pool.submit({}.__getitem__, "mine").result()
            with pytest.raises(TypeError, match="missing 1 required positional argument: 'fn'"):
                pool.submit()  # type: ignore[call-arg]
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            pool.submit(user)


ALL = ("use_case_name", "use_case_id", "use_case_version", "use_case_step", "user_id", "account_name")


def test_baggage_carries_what_is_allowed_and_nothing_else() -> None:
    headers: dict[str, str] = {"Baggage": "theirs=1;ttl=5"}
    with track_context(use_case_name="chat", use_case_id="1", user_id="jane doe", account_name="acme"):
        inject_baggage(headers, allow=["use_case_name", "user_id", "use_case_step"])
        assert headers == {"Baggage": "theirs=1;ttl=5,payi.use_case_name=chat,payi.user_id=jane+doe"}
    with extract_baggage(headers, allow=["user_id", "account_name"]):
        assert get_context() == {"user_id": "jane doe"}


def test_no_scope_adds_no_baggage_header() -> None:
    headers: dict[str, str] = {}
    inject_baggage(headers, allow=ALL)
    assert headers == {}


def test_scopes_and_injection_never_reach_the_propagators_of_opentelemetry() -> None:
    """An instrumented HTTP client sends the current baggage to every host, AI vendors included."""
    carrier: dict[str, str] = {}
    with track_context(use_case_name="secret", user_id="jane"):
        inject_baggage({}, allow=ALL)
        propagate.inject(carrier)
        assert dict(baggage.get_all()) == {}
        with extract_baggage({"baggage": "payi.user_id=other"}, allow=ALL):
            propagate.inject(carrier)
            assert dict(baggage.get_all()) == {}
    assert "baggage" not in carrier


@given(
    st.dictionaries(
        st.sampled_from([name for name in ALL if name not in ("use_case_version", "use_case_name")]),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
            lambda text: text == text.strip()
        ),
    ),
    st.integers(1, 2**31 - 1),
)
def test_baggage_brings_any_text_across(facts: dict[str, str], version: int) -> None:
    headers: dict[str, str] = {}
    arguments: dict[str, Any] = {
        "use_case_id": "1",
        **facts,
        "use_case_name": "u",
        "use_case_version": version,
    }
    with track_context(**arguments):
        inject_baggage(headers, allow=ALL)
        sent = get_context()
    assert all(value.isascii() for value in headers.values())
    with extract_baggage(headers, allow=ALL):
        assert get_context() == sent


@pytest.mark.parametrize("version", ["", "0", "-1", "two", "9" * 400, "2147483648", "²"])
def test_unusable_baggage_is_ignored(version: str) -> None:
    entry = baggage.set_baggage("payi.use_case_version", version, otel.Context())
    headers: dict[str, str] = {}
    propagate.get_global_textmap().inject(headers, entry)
    headers["baggage"] += ",payi.use_case_name=u,payi.unknown=x"
    with extract_baggage(headers, allow=ALL) as tracking:
        assert (tracking.use_case_name, tracking.use_case_version) == ("u", None)


def test_unknown_names_in_the_allow_list_are_refused() -> None:
    with pytest.raises(
        ValueError, match="allow has 'limit_ids', which baggage cannot carry; use any of use_case_name"
    ):
        inject_baggage({}, allow=["limit_ids"])
    with pytest.raises(ValueError, match="allow has 'password'"):
        extract_baggage({}, allow=["user_id", "password"])


def test_the_use_case_is_what_goes_along_unless_told_otherwise() -> None:
    headers: dict[str, str] = {}
    with track_context(
        use_case_name="u", use_case_id="7", use_case_version=3, use_case_step="s",
        user_id="jane", account_name="acme", request_properties={"team": "blue"},
    ):  # fmt: skip
        inject_baggage(headers)
    assert set(headers["baggage"].split(",")) == {
        "payi.use_case_name=u",
        "payi.use_case_id=7",
        "payi.use_case_version=3",
        "payi.use_case_step=s",
    }
    spoofed = {"baggage": headers["baggage"] + ",payi.user_id=john,payi.request_properties.team=red"}
    with extract_baggage(spoofed):
        assert get_context() == {
            "use_case_name": "u",
            "use_case_id": "7",
            "use_case_version": 3,
            "use_case_step": "s",
        }


def test_properties_go_along_one_by_one() -> None:
    properties = ["request_properties.team", "use_case_properties.language", "use_case_properties.none"]
    allow = ["use_case_name", "use_case_id", *properties]
    headers: dict[str, str] = {}
    with track_context(
        use_case_name="u",
        use_case_id="7",
        request_properties={"team": "blue, no green", "secret": "x"},
        use_case_properties={"language": "é", "none": None},
    ):
        inject_baggage(headers, allow=allow)
    assert "secret" not in headers["baggage"]
    with extract_baggage(headers, allow=allow):
        assert get_context() == {
            "use_case_name": "u",
            "use_case_id": "7",
            "request_properties": {"team": "blue, no green"},
            "use_case_properties": {"language": "é"},
        }
    with pytest.raises(ValueError, match=r"request_properties\.team"):
        inject_baggage({}, allow=["request_properties"])
