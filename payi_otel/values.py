"""Values that never change, at the price of those that may."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from typing_extensions import dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A slotted dataclass that the type checker holds to be frozen.

    Python itself makes a frozen one field by field through `object.__setattr__`, five times as slow, and every call
    makes a dozen of them.

    >>> @value
    ... class Point:
    ...     x: int
    ...     y: int
    >>> Point(1, 2) == Point(1, 2)
    True
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
