"""Value policies: small expressions over KPI scores, sums of requests and constants. Nothing else can be reached."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simpleeval import (  # pyright: ignore[reportMissingTypeStubs]
    InvalidExpression,
    SimpleEval,
)

METRICS: tuple[str, ...] = ("cost", "requests", "failures", "input_tokens", "output_tokens", "latency_ms")
"""Sums over the requests of an instance; cost in US dollars, latency in milliseconds."""

LONGEST = 2000
_CONSTANT = re.compile("[a-z][a-z0-9_]{0,63}")
# What each level takes of Python's stack, a hundred times: an expression that was accepted must not run out of it.
DEEPEST = 100
_NODES = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.Constant,
    ast.Name,
    ast.Call,
    ast.Subscript,
    ast.Load,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.Mod,
    ast.Pow,
    ast.USub,
    ast.UAdd,
    ast.Not,
    ast.And,
    ast.Or,
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
)


def _power(base: float, exponent: float) -> float:
    """Of whole numbers Python would work out every digit, of which 9**9**9 has 370 million."""
    return float(base) ** float(exponent)


def _rounded(number: float, digits: float = 0) -> float:
    """Likewise: round(5, -10**9) would work out 10**10**9 first."""
    return round(float(number), int(digits))


_FUNCTIONS: Mapping[str, Any] = {"min": min, "max": max, "abs": abs, "round": _rounded}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an instance: its scores by KPI name, its `METRICS`."""

    scores: Mapping[str, float | None]
    metrics: Mapping[str, float]


class _Unscored(Exception):
    """A KPI that the expression needs has no score."""


class _Scores(dict[str, "float | None"]):
    def __getitem__(self, name: str) -> float:
        score = self.get(name)
        if score is None:
            raise _Unscored
        return score


def problem_of(expression: str, constants: Mapping[str, float]) -> str | None:
    """What is wrong with an expression, None where nothing is.

    >>> problem_of("kpis['solved'] * wage - cost", {"wage": 4.5}) is None
    True
    >>> problem_of("().__class__", {})
    'Attribute is not allowed; use numbers, + - * / % **, comparisons, if/else, min, max, abs, round'
    """
    if len(expression) > LONGEST:
        return f"longer than {LONGEST} characters; shorten it"
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "not an expression; write one such as kpis['solved'] * 4.5 - cost"
    if _depth(tree) > DEEPEST:
        return f"nested more than {DEEPEST} deep; shorten it"
    indexed = [node for node in ast.walk(tree) if isinstance(node, ast.Subscript)]
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    # Checked where they are used: alone neither of them is a number.
    placed = {id(node) for node in (*called, *(part for one in indexed for part in (one.value, one.slice)))}
    known = {*METRICS, *constants}
    for node in ast.walk(tree):
        said = _problem_of_node(node, known, is_placed=id(node) in placed)
        if said is not None:
            return said
    return None


def problem_of_constant(name: str) -> str | None:
    """What is wrong with the name of a constant, None where nothing is.

    >>> problem_of_constant("wage") is None, problem_of_constant("cost")
    (True, 'the name is taken; give another')
    """
    if not _CONSTANT.fullmatch(name):
        return "give a name of small letters, digits and _, such as hourly_wage"
    return "the name is taken; give another" if name in {*METRICS, *_FUNCTIONS, "kpis"} else None


def kpis_in(expression: str) -> list[str]:
    """The names of the KPIs that a checked expression uses, in its order.

    >>> kpis_in("kpis['solved'] * 4.5 - cost")
    ['solved']
    """
    found = [
        node.slice.value
        for node in ast.walk(ast.parse(expression.strip(), mode="eval"))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
    ]
    return [name for name in dict.fromkeys(found) if isinstance(name, str)]


def evaluate(expression: str, constants: Mapping[str, float], facts: Facts) -> float | None:
    """The value of a checked expression for an instance; None where a score is missing or it has no number.

    >>> evaluate("kpis['solved'] * 4.5", {}, Facts({"solved": 1.0}, {}))
    4.5
    """
    names = {**constants, **facts.metrics, "kpis": _Scores(facts.scores)}
    try:
        evaluator: Any = SimpleEval(functions=dict(_FUNCTIONS), names=names)
        evaluator.operators[ast.Pow] = _power
        number = float(evaluator.eval(expression.strip()))
    except (_Unscored, InvalidExpression, ArithmeticError, TypeError, ValueError, RecursionError):
        return None
    return number if math.isfinite(number) else None


def _depth(tree: ast.AST) -> int:
    """How many levels a tree has. Level by level: a walk that calls itself could run out of stack here."""
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _problem_of_node(node: ast.AST, known: set[str], *, is_placed: bool) -> str | None:
    if not isinstance(node, _NODES):
        allowed = "use numbers, + - * / % **, comparisons, if/else, min, max, abs, round"
        return f"{type(node).__name__} is not allowed; {allowed}"
    if isinstance(node, ast.Call) and not (
        isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords
    ):
        return f"only {', '.join(_FUNCTIONS)} can be called"
    if isinstance(node, ast.Subscript):
        of_kpis = isinstance(node.value, ast.Name) and node.value.id == "kpis"
        if not of_kpis or not (isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)):
            return "only kpis['name of a KPI'] can be indexed"
    if isinstance(node, ast.Constant) and not is_placed:
        is_number = isinstance(node.value, (int, float))
        return None if is_number else f"{node.value!r} is no number"
    if isinstance(node, ast.Name) and not is_placed and node.id not in known:
        return f"{node.id!r} is not known; use {', '.join(sorted(known))}, kpis['name'] or a constant"
    return None
