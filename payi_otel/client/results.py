"""What the API answers, as frozen dataclasses. Money is in US dollars, times are aware datetimes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from payi_otel.client.decode import Result
from payi_otel.client.params import KpiType, LimitType

LimitState = Literal["ok", "exceeded", "overrun", "blocked", "blocked_external", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCase(Result):
    """A use case instance. `limit_id` is set when the definition gives each instance its own limit."""

    use_case_id: str
    use_case_name: str | None = None
    limit_id: str | None = None
    type_version: int | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseValue(Result):
    """What an instance was worth: `money`, and `time` saved; None where no value policy applies."""

    money: float | None = None
    time: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings(Result):
    """The limit each new instance of a use case gets."""

    max: float
    limit_type: LimitType | None = None
    threshold: float | None = None
    properties: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseDefinition(Result):
    """A use case and its settings. `type_version` starts at 1 and rises only by `increment_version`."""

    name: str
    description: str | None = None
    request_id: str | None = None
    logging_enabled: bool | None = None
    limit_config: LimitSettings | None = None
    type_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiDefinition(Result):
    """A KPI of a use case. `goal` is in the KPI's own scale; for a boolean the share of true, 0.25 for 25 %."""

    name: str
    description: str | None = None
    kpi_type: KpiType | None = None
    goal: float | None = None
    request_id: str | None = None
    created_timestamp: datetime | None = None
    updated_timestamp: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiScore(Result):
    """The current score of one KPI of one instance; booleans come as 1.0 and 0.0."""

    kpi_name: str | None = None
    kpi_type: KpiType | None = None
    score: bool | float | None = None
    create_timestamp: datetime | None = None
    update_timestamp: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience(Result):
    """A use case instance under its old name."""

    experience_id: str
    experience_name: str | None = None
    limit_id: str | None = None


ExperienceType = UseCaseDefinition
"""A use case definition under its old name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBase(Result):
    """A cost. `overrun_base` is the part above the maximum of an allow limit."""

    base: float = 0.0
    overrun_base: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost(Result):
    """What a request, or all requests of a limit, cost."""

    input: CostBase = field(default_factory=CostBase)
    output: CostBase = field(default_factory=CostBase)
    total: CostBase = field(default_factory=CostBase)
    currency: Literal["usd"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCounts(Result):
    """How many requests of a limit ended in which state."""

    ok: int = 0
    exceeded: int = 0
    overrun: int = 0
    blocked: int = 0
    blocked_external: int = 0
    failed: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals(Result):
    """What went through a limit since its creation or last reset."""

    cost: Cost = field(default_factory=Cost)
    requests: RequestCounts = field(default_factory=RequestCounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Result):
    """A spending limit. Without `threshold` it counts as exceeded at `max`."""

    limit_id: str
    limit_name: str | None = None
    limit_type: LimitType | None = None
    max: float | None = None
    threshold: float | None = None
    limit_creation_timestamp: datetime | None = None
    limit_update_timestamp: datetime | None = None
    totals: Totals = field(default_factory=Totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitResponse(Result):
    """An answer about one limit."""

    limit: Limit
    request_id: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitHistory(Result):
    """The period that a reset closed."""

    limit_id: str | None = None
    limit_name: str | None = None
    limit_type: LimitType | None = None
    max: float | None = None
    limit_tags: tuple[str, ...] = ()
    limit_reset_timestamp: datetime | None = None
    totals: Totals = field(default_factory=Totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitHistoryResponse(Result):
    """The answer to a reset."""

    limit_history: LimitHistory
    request_id: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement(Result):
    """An answer that says no more than which request it was."""

    request_id: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Category(Result):
    """A group of resources, usually one per provider."""

    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPrice(Result):
    """The price of one single unit."""

    input_price: float | None = None
    output_price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedResource(Result):
    """What a resource is priced as."""

    category: str | None = None
    resource: str | None = None
    scope: Literal["global", "datazone", "region"] | None = None
    sub_scope: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceVersion(Result):
    """A model with the prices that hold from `start_timestamp` until `end_timestamp`."""

    resource_id: str
    resource: str | None = None
    category: str | None = None
    active: bool | None = None
    proxy_allowed: bool | None = None
    start_timestamp: datetime | None = None
    end_timestamp: datetime | None = None
    deprecated_timestamp: datetime | None = None
    units: Mapping[str, UnitPrice] = field(default_factory=dict[str, UnitPrice])
    max_input_units: int | None = None
    max_output_units: int | None = None
    max_total_units: int | None = None
    large_context_threshold: int | None = None
    character_billing: bool | None = None
    cost_per_hour: float | None = None
    reservation_id: str | None = None
    description: str | None = None
    aliased_resource: str | None = None
    mapped_resource: MappedResource | None = None
    azure_resource: Mapping[str, Any] | None = None
    aws_bedrock_resource: Mapping[str, Any] | None = None
    google_vertex_resource: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLimit(Result):
    """How a request left one of its limits."""

    state: LimitState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCount(Result):
    """A count of one unit."""

    input: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class XproxyResult(Result):
    """What Pay-i made of a request: its cost, its limits and whom it was attributed to."""

    request_id: str | None = None
    cost: Cost | None = None
    limits: Mapping[str, ResultLimit] = field(default_factory=dict[str, ResultLimit])
    blocked_limit_ids: tuple[str, ...] = ()
    use_case_name: str | None = None
    use_case_id: str | None = None
    use_case_step: str | None = None
    experience_id: str | None = None
    user_id: str | None = None
    account_name: str | None = None
    resource_id: str | None = None
    request_tags: tuple[str, ...] = ()
    unknown_units: Mapping[str, UnitCount] = field(default_factory=dict[str, UnitCount])
    duplicate_request: bool | None = None
    queued: bool | None = None
    warnings: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResult(Result):
    """The result of an earlier request."""

    xproxy_result: XproxyResult


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestResponse(Result):
    """An event was taken."""

    request_id: str
    xproxy_result: XproxyResult
    event_timestamp: datetime | None = None
    ingest_timestamp: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class XproxyError(Result):
    """An error code, which is stable, and its message, which is not."""

    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemError(Result):
    """Why one event of a bulk request was refused."""

    message: str | None = None
    statusCode: int | None = None
    xproxy_error: XproxyError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkError(Result):
    """A refused event, by its index in the request."""

    item_index: int | None = None
    xproxy_result: ItemError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkIngestResponse(Result):
    """How many events of a bulk request were taken, and which were not."""

    request_id: str | None = None
    ingest_timestamp: datetime | None = None
    ingest_count: int = 0
    error_count: int = 0
    item_error_count: int = 0
    total_count: int = 0
    errors: tuple[BulkError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CopilotIngestResponse(Result):
    """How much of a Copilot transcript or licence record was taken."""

    request_id: str | None = None
    ingest_timestamp: datetime | None = None
    requests_created: int | None = None
    records_ingested: int | None = None
    error_count: int | None = None
    errors: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A report as CSV. Its columns are those of the saved report."""

    text: str

    def rows(self) -> list[dict[str, str]]:
        """One dict per line, by column name.

        >>> Report("user,cost\\nJane,0.2\\n").rows()
        [{'user': 'Jane', 'cost': '0.2'}]
        """
        return list(csv.DictReader(io.StringIO(self.text)))
