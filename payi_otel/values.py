"""Values that never change, at the price of those that may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, cast

from typing_extensions import dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A slotted dataclass that the type checker holds to be frozen; equal, hashed and shown by its fields.

    Python itself makes a frozen one field by field through `object.__setattr__`, five times as slow, and every call
    makes a dozen of them. It also writes and compiles six methods for each class, and looks at each annotation,
    which for ours takes as long as the rest of their import: here that is one method, the others are the same
    functions for all, and what `dataclasses` knows of a class is found out when somebody asks. A value has no base
    class, and all its annotations are fields.

    >>> @value
    ... class Point:
    ...     x: int
    ...     y: int
    >>> Point(1, 2) == Point(1, 2)
    True
    """
    names = tuple(cls.__annotations__)
    told = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
    kept = {name: one for name, one in cls.__dict__.items() if name not in {*told, "__dict__", "__weakref__"}}
    compared = attrgetter("__class__", *(name for name in names if getattr(told.get(name), "compare", True)))

    def equal(self: object, other: object) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: object) -> int:
        return hash(compared(self))

    methods = {
        "__init__": _init(names, told, "__post_init__" in kept),
        "__eq__": equal,
        "__hash__": hashed,
        "__repr__": _shown,
    }
    plain = {**told, "__annotations__": cls.__annotations__, "__module__": cls.__module__}
    named = {"__slots__": names, "__match_args__": names, "__dataclass_fields__": _Fields(plain)}
    made: Any = type(cls.__name__, (), {**kept, **methods, **named})
    made.__qualname__ = cls.__qualname__
    return made


class _Fields:
    """What `dataclasses.fields` and its like look up in a class; it takes its own place when it is found out."""

    def __init__(self, plain: Mapping[str, Any]) -> None:
        self._plain = plain

    def __get__(self, instance: object, made: Any) -> Mapping[str, Field[Any]]:
        # With a text of its own: `dataclasses` would write one from the signature.
        asked: Any = type("Asked", (), {**self._plain, "__doc__": "Asked for its fields."})
        made.__dataclass_fields__ = dataclass(init=False, eq=False, repr=False)(asked).__dataclass_fields__
        return made.__dataclass_fields__


def _init(names: tuple[str, ...], told: Mapping[str, Any], has_post_init: bool) -> Any:
    """An `__init__` with a parameter for each name; `told` are the defaults, or what `field` says of them."""
    lines: list[str] = []
    defaults: list[Any] = []
    known: dict[str, Any] = {"MISSING": MISSING}
    for name in names:
        default: Any = told.get(name, MISSING)
        given = name
        if isinstance(default, Field):
            make: Any = cast("Field[Any]", default).default_factory
            default = cast("Field[Any]", default).default
            if make is not MISSING:
                known[f"make_{name}"] = make
                given = f"make_{name}() if {name} is MISSING else {name}"
                defaults.append(MISSING)
        if default is not MISSING:
            defaults.append(default)
        lines.append(f" self.{name} = {given}\n")
    if has_post_init or not names:
        lines.append(" self.__post_init__()\n" if has_post_init else " pass\n")
    exec(f"def __init__({', '.join(('self', *names))}):\n{''.join(lines)}", known)
    made = known["__init__"]
    made.__defaults__ = tuple(defaults)
    return made


def _shown(self: Any) -> str:
    told = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{self.__class__.__qualname__}({told})"
