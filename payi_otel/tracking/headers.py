"""Attribution as `xProxy-*` headers: made for one call, taken off before a vendor, written for the proxy."""

from __future__ import annotations

import base64
import dataclasses
import json
import logging
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar, cast
from urllib.parse import quote, unquote

from typing_extensions import Unpack

from payi_otel.tracking.arguments import Properties, ScopeArguments, parse_version, read_arguments
from payi_otel.tracking.context import TrackingContext
from payi_otel.tracking.naming import valid_use_case_name

logger = logging.getLogger("payi_otel.tracking")

LIMIT_IDS = "xProxy-Limit-IDs"
USER_ID = "xProxy-User-ID"
ACCOUNT_NAME = "xProxy-Account-Name"
USE_CASE_NAME = "xProxy-UseCase-Name"
USE_CASE_ID = "xProxy-UseCase-ID"
USE_CASE_VERSION = "xProxy-UseCase-Version"
USE_CASE_STEP = "xProxy-UseCase-Step"
USE_CASE_PROPERTIES = "xProxy-UseCase-Properties"
REQUEST_PROPERTIES = "xProxy-Request-Properties"
RESOURCE_SCOPE = "xProxy-Resource-Scope"
PRICE_AS_CATEGORY = "xProxy-PriceAs-Category"
PRICE_AS_RESOURCE = "xProxy-PriceAs-Resource"
LOGGING_DISABLE = "xProxy-Logging-Disable"

_PREFIX = "xproxy-"
_FORWARD = "xproxy-forward-"
_LEGACY = {
    "xproxy-experience-name": USE_CASE_NAME.lower(),
    "xproxy-experience-id": USE_CASE_ID.lower(),
    "xproxy-budget-ids": LIMIT_IDS.lower(),
}
_REQUEST_TAGS = "xproxy-request-tags"

_TEXTS = {
    USER_ID: "user_id",
    ACCOUNT_NAME: "account_name",
    RESOURCE_SCOPE: "resource_scope",
    PRICE_AS_CATEGORY: "price_as_category",
    PRICE_AS_RESOURCE: "price_as_resource",
    USE_CASE_NAME: "use_case_name",
    USE_CASE_ID: "use_case_id",
    USE_CASE_STEP: "use_case_step",
}
_PROPERTIES = {USE_CASE_PROPERTIES: "use_case_properties", REQUEST_PROPERTIES: "request_properties"}
_KNOWN = frozenset(
    name.lower() for name in (*_TEXTS, *_PROPERTIES, LIMIT_IDS, USE_CASE_VERSION, LOGGING_DISABLE)
) | {*_LEGACY, _REQUEST_TAGS}


def create_headers(**arguments: Unpack[ScopeArguments]) -> dict[str, str]:
    """Headers that attribute one call, for `extra_headers=`; for the arguments see `ScopeArguments`.

    They are taken off before the call reaches the vendor. What they say replaces what the open scopes say,
    lists and properties included. Unset and empty arguments make no header.

    Raises TypeError for an unknown argument or a wrong type, ValueError for a version below 1.

        >>> create_headers(user_id="jane", limit_ids=["a", "b"])
        {'xProxy-Limit-IDs': 'a,b', 'xProxy-User-ID': 'jane'}
    """
    change = read_arguments("create_headers", arguments)
    if change.proxy is not None:
        raise TypeError("create_headers() has no argument 'proxy'; use it in track_context(proxy=...)")
    headers: dict[str, str] = {}
    if change.limit_ids:
        headers[LIMIT_IDS] = _encoded_list(change.limit_ids)
    for header, name in _TEXTS.items():
        if value := getattr(change, name):
            headers[header] = _encoded(value)
    if change.use_case_version is not None:
        headers[USE_CASE_VERSION] = str(change.use_case_version)
    for header, name in _PROPERTIES.items():
        if properties := getattr(change, name):
            headers[header] = _json(dict(properties))
    if change.log_prompt_and_response is False:
        headers[LOGGING_DISABLE] = "True"
    return headers


def proxy_headers(context: TrackingContext) -> dict[str, str]:
    """The headers that tell the Pay-i proxy whose call this is; properties are base64 of JSON there."""
    headers: dict[str, str] = {}
    if context.limit_ids:
        headers[LIMIT_IDS] = _encoded_list(context.limit_ids)
    for header, name in _TEXTS.items():
        if (value := getattr(context, name)) is not None:
            headers[header] = _encoded(value)
    if context.use_case_version is not None:
        headers[USE_CASE_VERSION] = str(context.use_case_version)
    for header, name in _PROPERTIES.items():
        if properties := getattr(context, name):
            headers[header] = base64.b64encode(_json(dict(properties)).encode()).decode()
    if context.log_prompt_and_response is False:
        headers[LOGGING_DISABLE] = "True"
    return headers


V = TypeVar("V")


def split_headers(
    headers: Mapping[str, V] | None, context: TrackingContext, *, proxied: bool = False
) -> tuple[dict[str, V], TrackingContext]:
    """Take the `xProxy-*` headers off a call, and say whose call it is after them.

    Names are matched in any case. A header replaces what `context` says, an empty one removes it. A use case
    name header starts afresh: id, version and step come from headers alone. Without one, id, version and step
    headers win over those of `context`.

    No `xProxy-*` header remains: an unknown one is dropped and `xProxy-Forward-<name>` becomes `<name>`, so
    that a vendor sees none. With `proxied`, both stay as they are, being meant for the proxy.

    Never raises: an unreadable value is logged and ignored.
    """
    remaining: dict[str, V] = {}
    ours: dict[str, str] = {}
    forwarded: dict[str, V] = {}
    for name, value in (headers or {}).items():
        lower = str(name).lower()
        if not lower.startswith(_PREFIX):
            remaining[name] = value
        elif lower in _KNOWN:
            if isinstance(value, (str, int)):
                ours[lower] = str(value).strip()
        elif proxied:
            remaining[name] = value
        elif lower.startswith(_FORWARD):
            forwarded[name[len(_FORWARD) :]] = value
    taken = {str(name).lower() for name in remaining}
    remaining.update((name, value) for name, value in forwarded.items() if name and name.lower() not in taken)
    return remaining, _attributed(ours, context) if ours else context


def _attributed(ours: dict[str, str], context: TrackingContext) -> TrackingContext:
    """`context` after the headers `ours`, whose names are in lower case."""
    for old, new in _LEGACY.items():
        if old in ours:
            ours.setdefault(new, ours[old])
    changes: dict[str, Any] = {}
    for header, name in _TEXTS.items():
        if (text := ours.get(header.lower())) is not None:
            changes[name] = _decoded(text) or None
    for header, name in _PROPERTIES.items():
        if (text := ours.get(header.lower())) is not None and (
            properties := _read_properties(header, text)
        ) is not None:
            changes[name] = properties
    if (text := ours.get(USE_CASE_VERSION.lower())) == "":
        changes["use_case_version"] = None
    elif text is not None:
        if (version := parse_version(text)) is None:
            logger.warning("ignored header %s: %r is no whole number of 1 or more", USE_CASE_VERSION, text)
        else:
            changes["use_case_version"] = version
    if (text := ours.get(LIMIT_IDS.lower())) is not None:
        changes["limit_ids"] = _decoded_list(text)
    if tags := ours.get(_REQUEST_TAGS):
        inherited = changes.get("request_properties", context.request_properties)
        changes["request_properties"] = MappingProxyType({"request_tags": tags, **inherited})
    if ours.get(LOGGING_DISABLE.lower(), "false").lower() != "false":
        changes["log_prompt_and_response"] = False
    if "use_case_name" in changes:
        changes = _fresh_use_case(changes, context)
    return dataclasses.replace(context, **changes)


_USE_CASE_FIELDS = ("use_case_id", "use_case_version", "use_case_step")


def _fresh_use_case(changes: dict[str, Any], context: TrackingContext) -> dict[str, Any]:
    """The changes of a call that names its use case itself."""
    name = changes["use_case_name"]
    if name is None:
        cleared = dict.fromkeys(("use_case_name", *_USE_CASE_FIELDS))
        return {**changes, **cleared, "use_case_properties": MappingProxyType({})}
    name = valid_use_case_name(name)
    fresh: dict[str, Any] = {field: changes.get(field) for field in _USE_CASE_FIELDS}
    if name != context.use_case_name:
        fresh["use_case_properties"] = MappingProxyType({})
    return {**fresh, **changes, "use_case_name": name}


def _read_properties(header: str, text: str) -> Properties | None:
    """The properties in a header, empty for an empty header, None if it cannot be read."""
    if not text:
        return MappingProxyType({})
    try:
        loaded: object = json.loads(text)
    except (ValueError, RecursionError):
        loaded = None
    if not isinstance(loaded, dict):
        logger.warning("ignored header %s: its value is no JSON object of strings", header)
        return None
    entries = cast("dict[str, object]", loaded)
    return MappingProxyType({key: _property_text(value) for key, value in entries.items() if key})


def _property_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, (bool, int, float)) else _json(value)


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


# A header carries printable ASCII. Other values travel in the form RFC 8187 gives header parameters; the mark
# in front tells an encoded value from one that merely contains a "%".
_MARK = "UTF-8''"
_PLAIN = r"[!-~]([ -~]*[!-~])?"


def _encoded(value: str) -> str:
    if re.fullmatch(_PLAIN, value) and not value.startswith(_MARK):
        return value
    return _MARK + quote(value, safe="")


def _decoded(value: str) -> str:
    return unquote(value[len(_MARK) :]) if value.startswith(_MARK) else value


def _encoded_list(values: tuple[str, ...]) -> str:
    joined = ",".join(values)
    if _encoded(joined) == joined and joined.count(",") == len(values) - 1:
        return joined
    return _MARK + ",".join(quote(value, safe="") for value in values)


def _decoded_list(text: str) -> tuple[str, ...]:
    values = text.removeprefix(_MARK).split(",")
    if text.startswith(_MARK):
        values = [unquote(value) for value in values]
    return tuple(dict.fromkeys(stripped for value in values if (stripped := value.strip())))
