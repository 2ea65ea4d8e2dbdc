"""One event of a stream as the assemblers read it: a model of an SDK, of either pydantic, or the dict of a raw line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

_NOTHING: Mapping[str, Any] = {}


def fields_of(event: Any) -> Mapping[str, Any]:
    """The fields of a model or a dict, with those the model does not know; none of anything else."""
    if isinstance(event, dict):
        return cast("dict[str, Any]", event)
    values: dict[str, Any] | None = getattr(event, "__dict__", None)
    extra: dict[str, Any] | None = getattr(event, "__pydantic_extra__", None)
    return {**extra, **(values or {})} if extra else values or _NOTHING


def plain(value: Any) -> Any:
    """A model as a dict; used for the few events that hold usage or a whole answer."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in cast("list[Any]", value)]
    dump = getattr(value, "model_dump", None) or getattr(value, "dict", None)
    if dump is None:
        return str(value)
    try:
        return dump(exclude_unset=True, warnings=False)
    except TypeError:
        # pydantic 1 knows no `warnings`.
        return dump(exclude_unset=True)


def plain_dict(value: Any) -> dict[str, Any]:
    """As `plain`, of what should be an object; empty where it is none."""
    dumped = plain(value)
    return cast("dict[str, Any]", dumped) if isinstance(dumped, dict) else {}
