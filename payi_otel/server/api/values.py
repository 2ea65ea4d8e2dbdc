"""What instances were worth, and the policies that say so."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from payi_otel.server.api.context import ApplicationId, Segment, StoreOf, new_request_id, now
from payi_otel.server.api.models import Body, Number, Text
from payi_otel.server.errors import ApiError
from payi_otel.server.store import instances, use_cases, values
from payi_otel.server.store.values import Policy
from payi_otel.server.value import LONGEST, Facts, evaluate, problem_of, problem_of_constant

router = APIRouter(prefix="/api/v1", tags=["value"])

Expression = Annotated[Text, Field(min_length=1, max_length=LONGEST)]
Constant = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")]


class PolicyBody(Body):
    """Value Generated (`money`) and Time Saved (`time`) of an instance, as expressions."""

    money: Expression | None = None
    time: Expression | None = None
    constants: dict[Constant, Number] = Field(default_factory=dict)


class PolicyOut(BaseModel):
    """The policy of a use case."""

    use_case_name: str
    money: str | None
    time: str | None
    constants: dict[str, float]
    request_id: str


class ValueOut(BaseModel):
    """What an instance was worth; null without a policy, and while a KPI it needs has no score."""

    money: float | None
    time: float | None


class UseCaseValueOut(BaseModel):
    """What all instances of a use case were worth, against what all of them cost.

    `valued` counts the instances that have a value in money. `roi` is what was gained for each dollar spent.
    """

    use_case_name: str
    instances: int
    valued: int
    money: float
    time: float
    cost: float
    roi: float | None
    request_id: str


@router.get("/use_cases/instances/{use_case_name}/{use_case_id}/value")
def get_value(
    use_case_name: Segment, use_case_id: Segment, application_id: ApplicationId, store: StoreOf
) -> ValueOut:
    """What an instance was worth."""
    with store.read() as connection:
        use_case = use_cases.get(connection, application_id, use_case_name)
        policy = values.find(connection, use_case)
        found = values.facts(connection, application_id, use_case, use_case_id).get(use_case_id)
    if found is None:
        raise instances.not_found(use_case_id)
    return _value(policy, found)


@router.get("/local/use_cases/{use_case_name}/value")
def get_use_case_value(
    use_case_name: Segment, application_id: ApplicationId, store: StoreOf
) -> UseCaseValueOut:
    """What a use case was worth against what it cost."""
    with store.read() as connection:
        use_case = use_cases.get(connection, application_id, use_case_name)
        policy = values.find(connection, use_case)
        known = values.facts(connection, application_id, use_case)
    found = [_value(policy, facts) for facts in known.values()]
    money = sum(value.money for value in found if value.money is not None)
    cost = sum(facts.metrics["cost"] for facts in known.values())
    return UseCaseValueOut(
        use_case_name=use_case.name,
        instances=len(found),
        valued=sum(value.money is not None for value in found),
        money=money,
        time=sum(value.time for value in found if value.time is not None),
        cost=cost,
        roi=(money - cost) / cost if cost else None,
        request_id=new_request_id(),
    )


@router.get("/local/use_cases/{use_case_name}/value_policy")
def get_policy(use_case_name: Segment, application_id: ApplicationId, store: StoreOf) -> PolicyOut:
    """The policy of a use case."""
    with store.read() as connection:
        use_case = use_cases.get(connection, application_id, use_case_name)
        policy = values.find(connection, use_case)
    return _shown(use_case.name, policy or Policy(None, None, {}))


@router.put("/local/use_cases/{use_case_name}/value_policy")
def put_policy(
    use_case_name: Segment, body: PolicyBody, application_id: ApplicationId, store: StoreOf
) -> PolicyOut:
    """Set the policy of a use case. Without expressions its instances have no value."""
    for name in sorted(body.constants):
        said = problem_of_constant(name)
        if said is not None:
            raise ApiError(400, "invalid_value_policy", f"constants: {name!r}: {said}")
    for field, expression in (("money", body.money), ("time", body.time)):
        problem = None if expression is None else problem_of(expression, body.constants)
        if problem is not None:
            raise ApiError(400, "invalid_value_policy", f"{field}: {expression!r}: {problem}")
    policy = Policy(body.money, body.time, body.constants)
    with store.write() as connection:
        use_case = use_cases.get(connection, application_id, use_case_name)
        values.put(connection, use_case, policy, now())
    return _shown(use_case.name, policy)


@router.delete("/local/use_cases/{use_case_name}/value_policy")
def delete_policy(use_case_name: Segment, application_id: ApplicationId, store: StoreOf) -> PolicyOut:
    """Leave a use case without a policy."""
    with store.write() as connection:
        use_case = use_cases.get(connection, application_id, use_case_name)
        values.remove(connection, use_case)
    return _shown(use_case.name, Policy(None, None, {}))


def _value(policy: Policy | None, facts: Facts) -> ValueOut:
    if policy is None:
        return ValueOut(money=None, time=None)
    money, time = (
        None if expression is None else evaluate(expression, policy.constants, facts)
        for expression in (policy.money, policy.time)
    )
    return ValueOut(money=money, time=time)


def _shown(name: str, policy: Policy) -> PolicyOut:
    return PolicyOut(
        use_case_name=name,
        money=policy.money,
        time=policy.time,
        constants=dict(policy.constants),
        request_id=new_request_id(),
    )
