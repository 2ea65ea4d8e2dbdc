"""`track`, `track_context` and `get_context`: saying whose calls follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast, overload

from typing_extensions import TypedDict, Unpack

from payi_otel.tracking.arguments import ScopeArguments, ScopeChange, read_arguments
from payi_otel.tracking.calls import tracked
from payi_otel.tracking.context import (
    TrackingContext,
    apply_change,
    current,
    enter_scope,
    leave_scope,
)

F = TypeVar("F", bound="Callable[..., Any]")
# Also a classmethod or staticmethod object, which is not callable to a type checker.
D = TypeVar("D")


class PayiContext(TypedDict, total=False):
    """What `get_context()` tells; only what is set."""

    use_case_name: str
    use_case_id: str
    use_case_version: int
    use_case_step: str
    use_case_properties: dict[str, str | None]
    request_properties: dict[str, str | None]
    limit_ids: list[str]
    user_id: str
    account_name: str
    price_as_category: str
    price_as_resource: str
    resource_scope: str
    log_prompt_and_response: bool


def get_context() -> PayiContext:
    """What the calls made here are attributed to: by the open scopes, else by `payi_instrument`'s defaults.

    Only what is set is in the dict, so use `.get()`.

        >>> with track_context(use_case_name="chat", use_case_id="42"):
        ...     get_context().get("use_case_id")
        '42'
    """
    tracking = current()
    facts: dict[str, object] = {
        name: value for name in PayiContext.__annotations__ if (value := getattr(tracking, name)) is not None
    }
    for name in ("use_case_properties", "request_properties"):
        facts[name] = dict(getattr(tracking, name))
    facts["limit_ids"] = list(tracking.limit_ids)
    return cast("PayiContext", {name: value for name, value in facts.items() if value not in ([], {})})


class TrackScope:
    """A scope for `with` and `async with`, made by `track_context`.

    It may be entered more than once, also inside itself and from several threads or tasks: each entry nests
    into the scope that is open there.
    """

    __slots__ = ("_change",)

    def __init__(self, change: ScopeChange) -> None:
        self._change = change

    def __enter__(self) -> TrackingContext:
        tracking = apply_change(current(), self._change)
        enter_scope(self, tracking)
        return tracking

    def __exit__(self, *_: object) -> None:
        leave_scope(self)

    async def __aenter__(self) -> TrackingContext:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        leave_scope(self)


def track_context(**arguments: Unpack[ScopeArguments]) -> TrackScope:
    """Attribute the calls made inside a `with` or `async with` block; for the arguments see `ScopeArguments`.

    Gives the resulting `TrackingContext`. Scopes nest; tasks started inside keep the scope. Around a `yield`
    the block would also hold for the consumer between two items: decorate the generator with `track` instead.

    Raises TypeError for an unknown argument or a wrong type, ValueError for a version below 1.

        >>> with track_context(use_case_name="chat", user_id="jane") as scope:
        ...     scope.user_id  # and call the model here
        'jane'
    """
    return TrackScope(read_arguments("track_context", arguments))


@overload
def track(function: F, /) -> F: ...


@overload
def track(**arguments: Unpack[ScopeArguments]) -> Callable[[D], D]: ...


def track(function: Any = None, /, **arguments: Unpack[ScopeArguments]) -> Any:
    """Attribute the calls a function makes; for the arguments see `ScopeArguments`.

    For functions, coroutine functions, generators, async generators and methods of all kinds, above or below
    `@classmethod` and `@staticmethod`. The decorated function keeps its name, signature and kind.

    The scope nests into the one that is open where the function is called, and holds while its body runs:
    a generator's body belongs to it in every step, its consumer never. A use case that is new there gets one
    id per call.

    Raises TypeError for a class, an unknown argument or a wrong type, ValueError for a version below 1.

        >>> @track(use_case_name="summary", use_case_step="draft")
        ... def draft(text):
        ...     return get_context()["use_case_step"]
        >>> draft("...")
        'draft'
    """
    change = read_arguments("track", arguments)

    def decorate(target: D) -> D:
        return tracked(target, lambda: apply_change(current(), change))

    return decorate if function is None else decorate(function)
