"""The form of a value policy: two expressions, and constants as lines of a name and a number."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import FormData

from payi_otel.server.portal.forms import Form, FormModel
from payi_otel.server.store.value_preview import LatestInstance
from payi_otel.server.store.values import Policy
from payi_otel.server.value import Facts, evaluate, kpis_in, problem_of, problem_of_constant

_MOST_CONSTANTS = 100
_EXPRESSIONS = {"money": "Value generated", "time": "Time saved"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy says of an instance. `why` tells, where there is no value, what is missing."""

    instance: LatestInstance
    money: float | None
    time: float | None
    why: str


def begin(policy: Policy | None) -> Form[FormModel]:
    """The form as it begins."""
    if policy is None:
        return Form({"money": "", "time": "", "constants": ""})
    lines = [f"{name} = {number:.15g}" for name, number in policy.constants.items()]
    return Form({"money": policy.money or "", "time": policy.time or "", "constants": "\n".join(lines)})


def read_policy(form: FormData, known_kpis: Collection[str]) -> tuple[Form[FormModel], Policy | None]:
    """What was sent: the form to show again, with errors by field; and the policy if nothing is wrong."""
    values = {name: str(form.get(name) or "").strip() for name in ("money", "time", "constants")}
    errors: dict[str, str] = {}
    constants = _constants(values["constants"], errors)
    for name in _EXPRESSIONS:
        said = _problem(values[name], constants, known_kpis)
        if said is not None:
            errors[name] = said[:1].upper() + said[1:] + "."
    if not values["money"] and not values["time"]:
        errors["money"] = "Write at least one of the two expressions."
    shown: Form[FormModel] = Form(values, errors)
    if errors:
        return shown, None
    return shown, Policy(values["money"] or None, values["time"] or None, constants)


def errors_in_words(form: Form[FormModel]) -> list[str]:
    """The errors of a form, each with the name of its field."""
    names = {**_EXPRESSIONS, "constants": "Constants"}
    return [f"{names[name]}: {said}" for name, said in form.errors.items()]


def outcomes(policy: Policy, found: Sequence[LatestInstance]) -> list[Outcome]:
    """What a policy says of instances."""
    return [_outcome(policy, instance) for instance in found]


def _outcome(policy: Policy, instance: LatestInstance) -> Outcome:
    values: dict[str, float | None] = {}
    missing: list[str] = []
    for name, expression in (("money", policy.money), ("time", policy.time)):
        values[name] = None
        if expression is not None:
            values[name] = evaluate(expression, policy.constants, instance.facts)
            if values[name] is None:
                missing.append(_why(expression, instance.facts))
    return Outcome(instance, values["money"], values["time"], "; ".join(dict.fromkeys(missing)))


def _why(expression: str, facts: Facts) -> str:
    unscored = [name for name in kpis_in(expression) if facts.scores.get(name) is None]
    if unscored:
        return f"no score of {', '.join(unscored)}"
    return "no number comes of it, a division by 0 for example"


def _problem(expression: str, constants: Mapping[str, float], known_kpis: Collection[str]) -> str | None:
    if not expression:
        return None
    said = problem_of(expression, constants)
    if said is not None:
        return said
    unknown = [name for name in kpis_in(expression) if name not in known_kpis]
    if not unknown:
        return None
    fix = f"it has {', '.join(sorted(known_kpis))}" if known_kpis else "define it first"
    return f"{unknown[0]!r} is no KPI of this use case; {fix}"


def _constants(text: str, errors: dict[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, equals, number = (part.strip() for part in line.partition("="))
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        said = problem_of_constant(name) if equals else None
        if not equals or not math.isfinite(value):
            errors["constants"] = f"{line[:60]!r}: write a name and a number, wage = 4.5 for example."
        elif said is not None:
            errors["constants"] = f"{name[:60]!r}: {said}."
        elif name in found:
            errors["constants"] = f"{name!r} is there twice."
        found[name] = value
    if len(found) > _MOST_CONSTANTS:
        errors["constants"] = f"Give at most {_MOST_CONSTANTS} constants."
    return found
