"""JSON objects → frozen dataclasses, tolerant of what the API adds later."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from typing_extensions import Self

from payi_otel.client.call import Reply
from payi_otel.client.errors import APIResponseValidationError

T = TypeVar("T")
R = TypeVar("R", bound="Result")


class _Misfit(Exception):
    """A value does not fit its field's type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Base of what the API answers. `extra` holds fields this version does not know, or could not read."""

    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read a decoded JSON object.

        Unknown keys, and optional ones of an unexpected type, go to `extra`. Raises
        `APIResponseValidationError` when a required field is missing or of another type.
        """
        if not isinstance(value, Mapping):
            raise APIResponseValidationError(
                f"{cls.__name__}: expected a JSON object, got {value!r:.80}", body=value
            )
        data = cast("Mapping[str, Any]", value)
        plan = _plan(cls)
        read: dict[str, Any] = {}
        extra = {key: item for key, item in data.items() if key not in plan}
        for name, (reader, required) in plan.items():
            if name not in data:
                if required:
                    raise APIResponseValidationError(
                        f"{cls.__name__}.{name}: missing in the answer", body=data
                    )
                continue
            try:
                read[name] = reader(data[name])
            except _Misfit:
                if required:
                    message = f"{cls.__name__}.{name}: unexpected value {data[name]!r:.80} in the answer"
                    raise APIResponseValidationError(message, body=data) from None
                # Null where the service has nothing to say is the default, not news.
                if data[name] is not None:
                    extra[name] = data[name]
        return cls(**read, extra=extra)


def one(cls: type[R]) -> Callable[[Reply], R]:
    """A parser for an answer that is one `cls` object."""
    return lambda reply: cls.from_json(reply.json())


def many(cls: type[R]) -> Callable[[Reply], tuple[R, ...]]:
    """A parser for an answer that is a JSON array of `cls` objects."""

    def parse(reply: Reply) -> tuple[R, ...]:
        body = reply.json()
        if not isinstance(body, list):
            raise APIResponseValidationError(f"expected a JSON array of {cls.__name__}", body=body)
        return tuple(cls.from_json(item) for item in cast("list[Any]", body))

    return parse


@cache
def _plan(cls: type[Result]) -> Mapping[str, tuple[Callable[[Any], Any], bool]]:
    hints = get_type_hints(cls)
    required = {
        item.name
        for item in fields(cls)
        if item.default is item.default_factory  # both MISSING
    }
    return {name: (_reader(hint), name in required) for name, hint in hints.items() if name != "extra"}


def _reader(hint: Any) -> Callable[[Any], Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = [_reader(item) for item in arguments if item is not type(None)]
        nullable = type(None) in arguments
        return lambda value: _first_fit(inner, value, nullable)
    if origin is tuple:
        item_reader = _reader(arguments[0])
        return lambda value: tuple(item_reader(item) for item in _expect(value, list))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        value_reader = _reader(arguments[1])
        return lambda value: {key: value_reader(item) for key, item in _expect(value, Mapping).items()}
    if origin is Literal:
        # A value the API adds later must not break an older client.
        return lambda value: _expect(value, str)
    if isinstance(hint, type) and issubclass(hint, Result):
        return lambda value: _nested(hint, value)
    return _SCALARS.get(hint, lambda value: value)


def _nested(cls: type[R], value: Any) -> R:
    try:
        return cls.from_json(value)
    except APIResponseValidationError:
        raise _Misfit from None


def _first_fit(readers: list[Callable[[Any], Any]], value: Any, nullable: bool) -> Any:
    if value is None and nullable:
        return None
    for reader in readers:
        try:
            return reader(value)
        except _Misfit:
            continue
    raise _Misfit


def _expect(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise _Misfit
    return value


def _bool(value: Any) -> bool:
    return _expect(value, bool)


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise _Misfit
    return int(value)


def _float(value: Any) -> float:
    # Older answers wrote costs as strings.
    try:
        if isinstance(value, (bool, type(None))):
            raise _Misfit
        return float(value)
    except (TypeError, ValueError):
        raise _Misfit from None


def _datetime(value: Any) -> datetime:
    try:
        # Python 3.10 reads neither "Z" nor seven fractional digits, and .NET writes both.
        read = datetime.fromisoformat(_python_iso(_expect(value, str)))
    except ValueError:
        raise _Misfit from None
    return read if read.tzinfo else read.replace(tzinfo=timezone.utc)


def _python_iso(text: str) -> str:
    text = text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text
    head, dot, tail = text.partition(".")
    if not dot:
        return text
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}.{tail[:digits][:6].ljust(6, '0')}{tail[digits:]}"


_SCALARS: Mapping[Any, Callable[[Any], Any]] = {
    str: lambda value: _expect(value, str),
    bool: _bool,
    int: _int,
    float: _float,
    datetime: _datetime,
}
