"""Carrying a scope where Python's context does not go: other threads, executors and other services."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from typing_extensions import ParamSpec

from payi_otel.tracking.arguments import parse_version, read_arguments
from payi_otel.tracking.calls import tracked
from payi_otel.tracking.context import Attachment, TrackingContext, captured, current
from payi_otel.tracking.scopes import TrackScope

F = TypeVar("F", bound="Callable[..., Any]")
P = ParamSpec("P")
T = TypeVar("T")


def with_context(function: F) -> F:
    """`function` bound to the scope that is open now, wherever and whenever it is called.

    For threads, executors and callbacks, which do not see the scope they were made in. Keeps the kind of the
    function, as `track` does. Raises TypeError for what cannot be called.

        >>> from payi_otel.tracking.scopes import get_context, track_context
        >>> with track_context(use_case_name="chat", user_id="jane"):
        ...     thread = threading.Thread(target=with_context(lambda: print(get_context()["user_id"])))
        >>> thread.start(); thread.join()
        jane
    """
    scope = captured()
    return tracked(function, lambda: scope)


class TrackedExecutor(Executor):
    """An executor of threads whose tasks run in the scope that is open where they are submitted.

    >>> from payi_otel.tracking.scopes import get_context, track_context
    >>> with TrackedExecutor(ThreadPoolExecutor(1)) as pool, track_context(user_id="jane"):
    ...     pool.submit(lambda: get_context()["user_id"]).result()
    'jane'
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Schedule a call; see `concurrent.futures.Executor.submit`."""
        return self._executor.submit(_call_in_scope, captured(), fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shut the wrapped executor down; see `concurrent.futures.Executor.shutdown`."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)


@functools.cache
def _patch_type() -> type[Any]:
    """The type of a method we replaced, recognisable as ours."""
    # Here, because wrapt takes longer to import than the rest of payi_otel.
    import wrapt

    class Patch(wrapt.FunctionWrapper):  # pyright: ignore[reportMissingTypeArgument]
        pass

    return Patch


def propagate_threads() -> None:
    """Let new threads and the tasks of every `ThreadPoolExecutor` run in the scope they were started in.

    Changes `threading.Thread` and `ThreadPoolExecutor` for the whole process. Daemon threads are left out:
    they are mostly workers that outlive the request which happened to start them, and would attribute the
    work of all others to it. Bind what such a thread runs with `with_context` instead.
    """
    _patch(threading.Thread, "start", _start_in_scope)
    _patch(ThreadPoolExecutor, "submit", _submit_in_scope)


def stop_propagating_threads() -> None:
    """Undo `propagate_threads`, if it is in force. Running threads and queued tasks keep their scope."""
    _unpatch(threading.Thread, "start")
    _unpatch(ThreadPoolExecutor, "submit")


def _patch(owner: type, name: str, wrapper: Callable[..., Any]) -> None:
    method = vars(owner)[name]
    patch = _patch_type()
    if not isinstance(method, patch):
        setattr(owner, name, patch(method, wrapper))


def _unpatch(owner: type, name: str) -> None:
    method = vars(owner)[name]
    if isinstance(method, _patch_type()):
        setattr(owner, name, method.__wrapped__)


def _start_in_scope(start: Callable[[], None], thread: threading.Thread, _args: Any, _kwargs: Any) -> None:
    scope = captured()
    if scope is not None and not thread.daemon:
        run = thread.run

        def run_in_scope() -> None:
            # Python drops a thread's target when it starts, to leave no cycle; neither do we.
            vars(thread).pop("run", None)
            with Attachment(scope):
                run()

        # On the instance, so that a subclass with a `run` of its own is covered too.
        thread.run = run_in_scope
    start()


def _submit_in_scope(submit: Callable[..., Any], _pool: ThreadPoolExecutor, args: Any, kwargs: Any) -> Any:
    scope = captured()
    if scope is None or not args:
        return submit(*args, **kwargs)
    # The pool may start a worker thread now; it must not keep this task's scope for those that follow.
    with Attachment(None):
        return submit(_call_in_scope, scope, *args, **kwargs)


def _call_in_scope(
    scope: TrackingContext | None, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    with Attachment(scope):
        return function(*args, **kwargs)


_BAGGAGE_PREFIX = "payi."
_USE_CASE = ("use_case_name", "use_case_id", "use_case_version", "use_case_step")
_CARRIED = (*_USE_CASE, "user_id", "account_name")
_PROPERTIES = ("request_properties", "use_case_properties")


def inject_baggage(headers: MutableMapping[str, str], allow: Iterable[str] = _USE_CASE) -> None:
    """Add the named facts of the current scope to the W3C `baggage` header of a request to your own service.

    `allow` names what may leave the process: any of `use_case_name`, `use_case_id`, `use_case_version`,
    `use_case_step` (these four where left out), `user_id` and `account_name`, and single properties such as
    `request_properties.team`. Entries that are there stay. `headers` may as well be those of a message or a task,
    if they are text. Nothing is put into OpenTelemetry's own baggage, which every instrumented HTTP client sends
    along, to AI vendors too.

    Raises ValueError for another name.

        >>> from payi_otel.tracking.scopes import track_context
        >>> headers = {}
        >>> with track_context(use_case_name="chat", user_id="jane"):
        ...     inject_baggage(headers)
        >>> headers
        {'baggage': 'payi.use_case_name=chat'}
    """
    tracking = current()
    context = Context()
    for name in _allowed(allow):
        group, _, key = name.partition(".")
        value = getattr(tracking, group)
        if key:
            value = value.get(key)
        if value is not None:
            context = baggage.set_baggage(_BAGGAGE_PREFIX + name, str(value), context)
    ours: dict[str, str] = {}
    W3CBaggagePropagator().inject(ours, context)
    for entries in ours.values():
        header = next((name for name in headers if name.lower() == "baggage"), "baggage")
        headers[header] = f"{headers[header]},{entries}" if headers.get(header) else entries


def extract_baggage(headers: Mapping[str, str], allow: Iterable[str] = _USE_CASE) -> TrackScope:
    """The scope that the `baggage` header of an incoming request names, for `with` around its handling.

    Only the facts named in `allow` are taken, see `inject_baggage`: anyone who reaches your service can write
    this header. A value that cannot be used is ignored.

    Raises ValueError for an unknown name in `allow`.

        >>> from payi_otel.tracking.scopes import get_context
        >>> with extract_baggage({"baggage": "payi.user_id=jane"}, allow=["user_id"]):
        ...     get_context()
        {'user_id': 'jane'}
    """
    lower = {name.lower(): value for name, value in headers.items()}
    context = W3CBaggagePropagator().extract(lower, Context())
    facts: dict[str, Any] = {}
    for name in _allowed(allow):
        value = baggage.get_baggage(_BAGGAGE_PREFIX + name, context)
        if isinstance(value, str) and value:
            group, _, key = name.partition(".")
            if key:
                facts.setdefault(group, {})[key] = value
            else:
                facts[name] = value
    if "use_case_version" in facts:
        facts["use_case_version"] = parse_version(facts["use_case_version"])
    return TrackScope(read_arguments("extract_baggage", facts))


def _allowed(allow: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys([allow] if isinstance(allow, str) else allow))
    for name in names:
        group, _, key = name.partition(".")
        if name not in _CARRIED and not (group in _PROPERTIES and key):
            raise ValueError(
                f"allow has {name!r}, which baggage cannot carry; use any of {', '.join(_CARRIED)}, or a property "
                f"such as {_PROPERTIES[0]}.team"
            )
    return names
