"""The table of facets: sums and latencies of requests by time and by one thing they have in common, for charts."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import JSON, Column, Index, Integer, String, Table, Text

from payi_otel.server.store.schema import metadata, parent_column
from payi_otel.server.store.schema_rollups import SUMS
from payi_otel.server.store.types import RowId, Second

HOUR, DAY = 3600, 86_400


@dataclass(frozen=True, slots=True)
class Facet:
    """What rows of a facet have in common: `dimensions` of a roll-up, `of_use_case` where only those of one count.

    Facets by hour keep latencies too; what has many values (steps, users, accounts) is kept by day, of UTC.
    """

    name: str
    dimensions: tuple[str, ...] = ()
    of_use_case: bool = False
    by_day: bool = False

    @property
    def seconds(self) -> int:
        """How long the time of a row is."""
        return DAY if self.by_day else HOUR


_OF_USE_CASE = ("use_case_name", "use_case_version")
TOTAL = Facet("total")
USE_CASE = Facet("use_case", _OF_USE_CASE)
RESOURCE = Facet("resource", ("category", "resource"))
USE_CASE_RESOURCE = Facet("use_case_resource", (*_OF_USE_CASE, "category", "resource"), of_use_case=True)
USER = Facet("user", ("user_id",), by_day=True)
ACCOUNT = Facet("account", ("account_name",), by_day=True)
USE_CASE_STEP = Facet("use_case_step", (*_OF_USE_CASE, "use_case_step"), of_use_case=True, by_day=True)
USE_CASE_USER = Facet("use_case_user", (*_OF_USE_CASE, "user_id"), of_use_case=True, by_day=True)
USE_CASE_ACCOUNT = Facet("use_case_account", (*_OF_USE_CASE, "account_name"), of_use_case=True, by_day=True)

FACETS = (
    TOTAL,
    USE_CASE,
    RESOURCE,
    USE_CASE_RESOURCE,
    USER,
    ACCOUNT,
    USE_CASE_STEP,
    USE_CASE_USER,
    USE_CASE_ACCOUNT,
)
HISTOGRAMS = ("latency", "first_token")

facets = Table(
    "facets",
    metadata,
    # A hash of application, facet, time and dimensions: nulls are equal in it, which they are in no unique index.
    Column("key", String(40), primary_key=True),
    parent_column("application_id", "applications"),
    Column("facet", String(20), nullable=False),
    # The beginning of the hour or of the day.
    Column("at", Second, nullable=False),
    Column("use_case_name", String(64)),
    Column("use_case_version", Integer),
    Column("use_case_step", Text),
    Column("category", Text),
    Column("resource", Text),
    Column("user_id", Text),
    Column("account_name", Text),
    *(Column(name, RowId, nullable=False) for name in SUMS),
    # How many calls there are in each bucket of `histograms`.
    *(Column(name, JSON(none_as_null=True)) for name in HISTOGRAMS),
    Index(None, "application_id", "facet", "at"),
    Index(None, "application_id", "facet", "use_case_name", "at"),
)
