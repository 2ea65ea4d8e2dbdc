"""Bodies of limits, as the API documents them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from payi_otel.server.api.models import Base, Body, Identity, Number, PropertyMap

LimitType = Literal["allow", "block"]
State = Literal["ok", "exceeded", "overrun", "blocked", "blocked_external", "failed"]

Max = Annotated[Number, Field(ge=0)]
"""US dollars."""
Name = Annotated[Identity, Field(min_length=1)]


class LimitBody(Body):
    """A new limit. `threshold` is the share of `max` from which it counts as exceeded."""

    limit_name: Name
    max: Max
    limit_id: Identity | None = None
    limit_type: LimitType = "allow"
    threshold: Annotated[Number, Field(ge=0.75, le=0.99)] | None = None
    properties: PropertyMap | None = None


class LimitChange(Body):
    """What to change of a limit; None leaves it."""

    limit_name: Name | None = None
    max: Max | None = None


class TotalBase(Base):
    """An amount in US dollars, and the part of it above the maximum."""

    overrun_base: float | None = None


class LimitCost(BaseModel):
    """What the requests of a limit cost."""

    currency: Literal["usd"] = "usd"
    input: Base
    output: Base
    total: TotalBase


class RequestCounts(BaseModel):
    """How many requests ended in which state."""

    ok: int
    exceeded: int
    overrun: int
    blocked: int
    blocked_external: int
    failed: int
    total: int


class LimitTotals(BaseModel):
    """What went through a limit in one period."""

    cost: LimitCost
    requests: RequestCounts


class LimitOut(BaseModel):
    """A limit."""

    limit_id: str
    limit_name: str
    limit_type: LimitType
    max: float
    threshold: float | None
    limit_creation_timestamp: datetime
    limit_update_timestamp: datetime
    totals: LimitTotals


class LimitAnswer(BaseModel):
    """An answer about one limit."""

    limit: LimitOut
    request_id: str
    message: str | None = None


class LimitHistory(BaseModel):
    """The period that a reset has closed."""

    limit_id: str
    limit_name: str
    limit_type: LimitType
    max: float
    totals: LimitTotals
    limit_reset_timestamp: datetime
    limit_tags: list[str] | None = None


class LimitHistoryAnswer(BaseModel):
    """The answer to a reset."""

    limit_history: LimitHistory
    request_id: str
    message: str | None = None


class LimitRemoved(BaseModel):
    """A limit is gone."""

    request_id: str
    message: str | None = None
