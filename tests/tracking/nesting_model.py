"""The nesting rules a second time, told differently: each field looks outwards for the scope that decides it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Scope = Mapping[str, Any]

REPLACED = ("user_id", "account_name", "price_as_category", "price_as_resource", "resource_scope")
SWITCHES = ("log_prompt_and_response", "proxy")
IN_USE_CASE = ("use_case_id", "use_case_version", "use_case_step", "use_case_properties")


def expected(path: Sequence[Scope]) -> dict[str, Any]:
    """What holds inside the last scope of `path`, outermost first. An id made up by scope i is ("new", i)."""
    facts: dict[str, Any] = {name: _innermost(path, name) or None for name in REPLACED}
    facts |= {name: _innermost(path, name) for name in SWITCHES}
    facts["request_properties"] = _properties(path, "request_properties")
    facts["limit_ids"] = _limits(path)
    name = _innermost(path, "use_case_name") or None
    facts["use_case_name"] = name
    if name is None:
        return facts | dict.fromkeys(IN_USE_CASE[:3]) | {"use_case_properties": {}}
    start = _start_of_use_case(path, name)
    run = path[start:]
    given = _innermost(run, "use_case_id")
    return facts | {
        "use_case_id": ("new", start) if given is None else given or None,
        "use_case_version": _innermost(run, "use_case_version"),
        "use_case_step": _innermost(run, "use_case_step") or None,
        "use_case_properties": _properties(run, "use_case_properties"),
    }


def _innermost(path: Sequence[Scope], name: str) -> Any:
    return next((scope[name] for scope in reversed(path) if scope.get(name) is not None), None)


def _start_of_use_case(path: Sequence[Scope], name: str) -> int:
    start = len(path)
    for index in range(len(path) - 1, -1, -1):
        said = path[index].get("use_case_name")
        if said == name:
            start = index
        elif said is not None:
            break
    return start


def _properties(path: Sequence[Scope], name: str) -> dict[str, Any]:
    gathered: dict[str, Any] = {}
    for scope in reversed(path):
        said = scope.get(name)
        if said == {}:
            break
        gathered = {**(said or {}), **gathered}
    return gathered


def _limits(path: Sequence[Scope]) -> set[str]:
    gathered: set[str] = set()
    for scope in reversed(path):
        said = scope.get("limit_ids")
        if said == []:
            break
        gathered |= set(said or ())
    return gathered
