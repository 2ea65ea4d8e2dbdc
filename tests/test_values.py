"""Values: made, compared, hashed and shown as a frozen dataclass of the same fields is."""

from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace

import pytest

from payi_otel.values import value


@value
class Point:
    x: int
    y: int = 0
    label: str = field(default="", compare=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Frozen:
    x: int
    y: int = 0
    label: str = field(default="", compare=False)
    secret: str = field(default="", repr=False)


@value
class Made:
    x: int
    parts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x")


@value
class Empty:
    pass


ARGUMENTS = [(1,), (1, 0), (1, 2), (2, 1), (1, 0, "a"), (1, 0, "", "s")]


@pytest.mark.parametrize("one", ARGUMENTS)
@pytest.mark.parametrize("other", ARGUMENTS)
def test_equality_is_that_of_a_dataclass(one, other):
    assert (Point(*one) == Point(*other)) is (Frozen(*one) == Frozen(*other))
    if Point(*one) == Point(*other):
        assert hash(Point(*one)) == hash(Point(*other))


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_it_is_shown_as_a_dataclass_is(arguments):
    assert repr(Point(*arguments)).partition("(")[2] == repr(Frozen(*arguments)).partition("(")[2]
    assert repr(Point(1)).startswith("Point(")


def test_values_of_other_classes_are_never_equal():
    assert Point(1) != Frozen(1)
    assert Point(1) != (1, 0)
    assert Empty() == Empty()


def test_copies_are_equal():
    point = Point(1, 2, "a", "s")
    assert replace(point, y=3) == Point(1, 3, "a", "s")
    for one in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert one == point
        assert one.label == "a"


def test_dataclasses_knows_a_value():
    assert is_dataclass(Point)
    assert [one.name for one in fields(Point)] == [one.name for one in fields(Frozen)]
    assert [one.default for one in fields(Point(1))] == [one.default for one in fields(Frozen)]
    assert asdict(Made(1)) == {"x": 1, "parts": []}


def test_defaults_may_be_made_and_a_value_may_check_itself():
    assert Made(1).parts == []
    assert Made(1).parts is not Made(1).parts
    assert Made(1, [2]).parts == [2]
    with pytest.raises(ValueError, match="x"):
        Made(-1)
    with pytest.raises(TypeError, match="x"):
        Made()


def test_a_value_has_its_fields_and_no_others():
    with pytest.raises(AttributeError):
        Point(1).z = 1
