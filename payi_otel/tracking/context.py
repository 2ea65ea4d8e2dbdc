"""The tracking context: what it holds, how scopes nest, and its place in the OpenTelemetry context."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from opentelemetry.context import Context, attach, create_key, get_value, set_value
from opentelemetry.util.types import AttributeValue
from typing_extensions import Unpack

from payi_otel.registry import registry
from payi_otel.spans import semconv
from payi_otel.tracking.arguments import Properties, ScopeArguments, ScopeChange, read_arguments
from payi_otel.values import value

_NO_PROPERTIES: Properties = MappingProxyType({})


def _no_properties() -> Properties:
    return _NO_PROPERTIES


@dataclass(frozen=True, slots=True)
class TrackingContext:
    """Whose call it is. Unset fields are None or empty.

    `attributes` are the same facts as span attributes, computed once because every call of a scope writes
    them. A property whose value is None is an empty sequence there: a span attribute has no null.
    """

    use_case_name: str | None = None
    use_case_id: str | None = None
    use_case_version: int | None = None
    use_case_step: str | None = None
    use_case_properties: Properties = field(default_factory=_no_properties)
    request_properties: Properties = field(default_factory=_no_properties)
    limit_ids: tuple[str, ...] = ()
    user_id: str | None = None
    account_name: str | None = None
    price_as_category: str | None = None
    price_as_resource: str | None = None
    resource_scope: str | None = None
    log_prompt_and_response: bool | None = None
    proxy: bool | None = None
    attributes: Mapping[str, AttributeValue] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", MappingProxyType(_span_attributes(self)))


def _span_attributes(tracking: TrackingContext) -> dict[str, AttributeValue]:
    single: tuple[tuple[str, AttributeValue | None], ...] = (
        (semconv.USE_CASE_NAME, tracking.use_case_name),
        (semconv.USE_CASE_ID, tracking.use_case_id),
        (semconv.USE_CASE_VERSION, tracking.use_case_version),
        (semconv.USE_CASE_STEP, tracking.use_case_step),
        (semconv.LIMIT_IDS, tracking.limit_ids or None),
        (semconv.USER_ID, tracking.user_id),
        (semconv.ACCOUNT_NAME, tracking.account_name),
        (semconv.PRICE_AS_CATEGORY, tracking.price_as_category),
        (semconv.PRICE_AS_RESOURCE, tracking.price_as_resource),
        (semconv.RESOURCE_SCOPE, tracking.resource_scope),
        (semconv.PROXY, tracking.proxy or None),
    )
    attributes: dict[str, AttributeValue] = {name: value for name, value in single if value is not None}
    for prefix, properties in (
        (semconv.USE_CASE_PROPERTIES, tracking.use_case_properties),
        (semconv.REQUEST_PROPERTIES, tracking.request_properties),
    ):
        for key, told in properties.items():
            attributes[prefix + key] = () if told is None else told
    return attributes


EMPTY = TrackingContext()


def nest(parent: TrackingContext, **arguments: Unpack[ScopeArguments]) -> TrackingContext:
    """The context of a scope opened inside `parent` with these arguments (see `ScopeArguments`).

    A use case of another name starts afresh: a new id, and none of the parent's version, step and use case
    properties. Without a use case in the parent and without a name, what is said about one is ignored.

    Raises TypeError or ValueError as `track_context` does.

        >>> outer = nest(EMPTY, use_case_name="chat", use_case_id="42", user_id="jane")
        >>> nest(outer, use_case_step="search").use_case_id
        '42'
    """
    return apply_change(parent, read_arguments("nest", arguments))


def apply_change(parent: TrackingContext, change: ScopeChange) -> TrackingContext:
    """`nest` for arguments that were checked before, as a decorator does once for many calls."""
    use_case = _nested_use_case(parent, change)
    return TrackingContext(
        use_case_name=use_case.use_case_name,
        use_case_id=use_case.use_case_id,
        use_case_version=use_case.use_case_version,
        use_case_step=use_case.use_case_step,
        use_case_properties=use_case.use_case_properties or _NO_PROPERTIES,
        request_properties=_merged(change.request_properties, parent.request_properties),
        limit_ids=_united(change.limit_ids, parent.limit_ids),
        user_id=_replaced(change.user_id, parent.user_id),
        account_name=_replaced(change.account_name, parent.account_name),
        price_as_category=_replaced(change.price_as_category, parent.price_as_category),
        price_as_resource=_replaced(change.price_as_resource, parent.price_as_resource),
        resource_scope=_replaced(change.resource_scope, parent.resource_scope),
        log_prompt_and_response=_chosen(change.log_prompt_and_response, parent.log_prompt_and_response),
        proxy=_chosen(change.proxy, parent.proxy),
    )


_NO_USE_CASE = ScopeChange()


def _nested_use_case(parent: TrackingContext, change: ScopeChange) -> ScopeChange:
    """The five use case fields after nesting."""
    name = parent.use_case_name if change.use_case_name is None else change.use_case_name
    if not name:
        return _NO_USE_CASE
    if name == parent.use_case_name:
        version = change.use_case_version
        return ScopeChange(
            use_case_name=name,
            use_case_id=_replaced(change.use_case_id, parent.use_case_id),
            use_case_version=parent.use_case_version if version is None else version,
            use_case_step=_replaced(change.use_case_step, parent.use_case_step),
            use_case_properties=_merged(change.use_case_properties, parent.use_case_properties),
        )
    return ScopeChange(
        use_case_name=name,
        use_case_id=str(uuid.uuid4()) if change.use_case_id is None else change.use_case_id or None,
        use_case_version=change.use_case_version,
        use_case_step=change.use_case_step or None,
        use_case_properties=change.use_case_properties,
    )


def _replaced(value: str | None, inherited: str | None) -> str | None:
    return inherited if value is None else value or None


def _chosen(value: bool | None, inherited: bool | None) -> bool | None:
    return inherited if value is None else value


def _merged(value: Properties | None, inherited: Properties) -> Properties:
    if value is None:
        return inherited
    if not value or not inherited:
        return value
    return MappingProxyType({**inherited, **value})


def _united(value: tuple[str, ...] | None, inherited: tuple[str, ...]) -> tuple[str, ...]:
    if value is None:
        return inherited
    # Outer limits first, in the order they were named: a set would shuffle what users read in their spans.
    return tuple(dict.fromkeys(inherited + value)) if value else ()


def set_process_defaults(tracking: TrackingContext | None) -> None:
    """What applies where no scope is open, in every thread. None removes the defaults."""
    registry.process_defaults = tracking


@value
class _Node:
    """An open scope. `tracking` None stands for no scope, where an inherited one must be hidden."""

    owner: object
    tracking: TrackingContext | None
    outer: _Node | None = None


_KEY = create_key("payi-tracking")


def _node(context: Context | None = None) -> _Node | None:
    value = get_value(_KEY, context)
    return value if isinstance(value, _Node) else None


def _chain(node: _Node | None) -> Iterator[_Node]:
    while node is not None:
        yield node
        node = node.outer


def current(context: Context | None = None) -> TrackingContext:
    """The tracking context in `context` (default: the current one), else the process defaults."""
    return captured(context) or registry.process_defaults or EMPTY


def captured(context: Context | None = None) -> TrackingContext | None:
    """The tracking context of the innermost open scope, None where no scope is open."""
    node = _node(context)
    return node.tracking if node is not None else None


# Scopes are left by putting the outer one back, never with the token of `attach`: a token only works in the
# task that made it and OpenTelemetry logs an error elsewhere, while generators are finalized wherever the
# collector runs.


def enter_scope(owner: object, tracking: TrackingContext) -> None:
    """Open a scope in the current context until `leave_scope(owner)`."""
    attach(set_value(_KEY, _Node(owner, tracking, _node())))


def leave_scope(owner: object) -> None:
    """Close the innermost scope `owner` opened; scopes opened after it stay open.

    In a task or thread where `owner` has no scope open, as when a generator is finalized there, nothing
    happens.
    """
    above: list[_Node] = []
    for node in _chain(_node()):
        if node.owner is owner:
            remaining = node.outer
            for kept in reversed(above):
                remaining = _Node(kept.owner, kept.tracking, remaining)
            attach(set_value(_KEY, remaining))
            return
        above.append(node)


class Attachment:
    """Puts a tracking context in place for stretches of execution, such as each step of a generator.

    Used with `with` around code that runs without a pause. Scopes that are still open when a stretch ends are
    put aside and are there again in the next one; around the stretches nothing is changed. `tracking` None
    hides whatever scope is open.
    """

    __slots__ = ("_before", "_inside")

    def __init__(self, tracking: TrackingContext | None) -> None:
        self._inside: _Node | None = _Node(None, tracking)
        self._before: _Node | None = None

    def __enter__(self) -> None:
        self._before = _node()
        attach(set_value(_KEY, self._inside))

    def __exit__(self, *_: object) -> None:
        self._inside = _node()
        attach(set_value(_KEY, self._before))
