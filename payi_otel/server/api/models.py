"""Bodies of the API, as it documents them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

T = TypeVar("T")

KpiType = Literal["boolean", "number", "percentage", "likert5", "likert7", "likert10"]


def storable(value: Any) -> Any:
    """Text as databases can keep it; anything else as it is."""
    # Databases take neither half an emoji nor NUL; losing a request for it would be worse than a "?".
    if isinstance(value, str) and not (value.isascii() and "\0" not in value):
        return value.encode("utf-8", "replace").decode().replace("\0", "?")
    return value


Text = Annotated[str, BeforeValidator(storable)]
LONGEST_IDENTITY = 512
Identity = Annotated[str, Field(max_length=LONGEST_IDENTITY), BeforeValidator(storable)]
"""Text that is looked up: databases cannot index it at any length."""
PropertyMap = dict[Text, Text | None]


def _not_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("give a number")
    return value


# Far from what a database can sum up.
_HUGE = 1e100
Number = Annotated[float, BeforeValidator(_not_boolean), Field(allow_inf_nan=False, ge=-_HUGE, le=_HUGE)]


class Body(BaseModel):
    """A request body; unknown fields are refused, so that a typing error does not pass for a default."""

    model_config = ConfigDict(extra="forbid")


class PropertiesBody(Body):
    """Properties to set; None clears one's value."""

    properties: PropertyMap


class LimitConfig(Body):
    """The limit that each new instance gets."""

    max: Annotated[Number, Field(ge=0)]
    limit_type: Literal["allow", "block"] = "allow"
    threshold: Annotated[Number, Field(ge=0.75, le=0.99)] | None = None
    properties: PropertyMap | None = None


class DefinitionBody(Body):
    """A new use case."""

    name: Text
    description: Text
    limit_config: LimitConfig | None = None
    logging_enabled: bool | None = None


class DefinitionChange(Body):
    """What to change of a use case; None leaves it."""

    description: Text | None = None
    logging_enabled: bool | None = None


class Definition(BaseModel):
    """A use case."""

    name: str
    description: str
    request_id: str
    logging_enabled: bool
    limit_config: dict[str, Any] | None
    type_version: int


class InstanceOut(BaseModel):
    """A run of a use case."""

    use_case_id: str
    use_case_name: str
    limit_id: str | None = None
    type_version: int
    request_id: str


class ExperienceOut(BaseModel):
    """A run of a use case, in the words of the older API."""

    experience_id: str
    experience_name: str
    limit_id: str | None = None
    request_id: str


class KpiBody(Body):
    """A new KPI. `name` and `kpi_name` mean the same."""

    name: Annotated[Identity, Field(min_length=1)]
    description: Text
    kpi_type: KpiType
    goal: Number

    @model_validator(mode="before")
    @classmethod
    def _either_name(cls, value: Any) -> Any:
        if isinstance(value, dict) and "kpi_name" in value:
            fields: dict[str, Any] = {**value}
            alias = fields.pop("kpi_name")
            if fields.setdefault("name", alias) != alias:
                raise ValueError("name and kpi_name differ; give one of them")
            return fields
        return value  # pyright: ignore[reportUnknownVariableType]


class KpiChange(Body):
    """What to change of a KPI; None leaves it."""

    description: Text | None = None
    goal: Number | None = None


class KpiOut(BaseModel):
    """A KPI."""

    name: str
    description: str
    kpi_type: KpiType
    goal: float
    created_timestamp: datetime
    updated_timestamp: datetime
    request_id: str


class ScoreBody(Body):
    """A score; None clears it."""

    score: Number | StrictBool | None


class ScoreOut(BaseModel):
    """The score of one KPI of one instance."""

    kpi_name: str
    kpi_type: KpiType
    score: float | None
    create_timestamp: datetime
    update_timestamp: datetime


class PageOut(BaseModel, Generic[T]):
    """One page; `cursor` is None on the last."""

    items: list[T]
    cursor: str | None
    request_id: str


class Base(BaseModel):
    """An amount in US dollars."""

    base: float


class CostOut(BaseModel):
    """What a request cost."""

    currency: Literal["usd"] = "usd"
    input: Base
    output: Base
    total: Base


class UnitCountOut(BaseModel):
    """A count of one unit."""

    input: int
    output: int


class LimitState(BaseModel):
    """What a limit said to a request."""

    state: Literal["ok", "exceeded", "overrun", "blocked", "blocked_external", "failed"]


class XproxyResult(BaseModel):
    """What became of a request: its cost and whom it was attributed to."""

    request_id: str
    limits: dict[str, LimitState] | None = None
    blocked_limit_ids: list[str] | None = None
    request_tags: list[str] | None = None
    use_case_name: str | None = None
    use_case_id: str | None = None
    use_case_step: str | None = None
    experience_id: str | None = None
    resource_id: str | None = None
    user_id: str | None = None
    account_name: str | None = None
    cost: CostOut
    unknown_units: dict[str, UnitCountOut] | None = None
    duplicate_request: bool | None = None
    warnings: list[str] | None = None


class ResultOut(BaseModel):
    """The result of an earlier request."""

    xproxy_result: XproxyResult


class RequestIdOut(BaseModel):
    """Done."""

    request_id: str


class IngestOut(BaseModel):
    """An event was taken."""

    request_id: str
    event_timestamp: datetime
    ingest_timestamp: datetime
    xproxy_result: XproxyResult


class ErrorCode(BaseModel):
    """A stable code and a message that may change."""

    code: str
    message: str


class ApiErrorOut(BaseModel):
    """A refusal."""

    message: str
    statusCode: int
    xproxy_error: ErrorCode | None = None


class ItemError(BaseModel):
    """Why one event of a bulk request was refused."""

    item_index: int
    xproxy_result: ApiErrorOut


class BulkOut(BaseModel):
    """How many events were taken, and which were not."""

    request_id: str
    ingest_timestamp: datetime
    ingest_count: int
    error_count: int
    item_error_count: int
    total_count: int
    errors: list[ItemError] | None = None


class ProblemOut(BaseModel):
    """A refusal of a KPI score."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
