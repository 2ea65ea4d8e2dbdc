"""Saved reports."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import Unpack

from payi_otel.client import params
from payi_otel.client.call import Call, Options, path
from payi_otel.client.endpoint import Resource, S, endpoint
from payi_otel.client.results import Report


class Reports(Resource[S]):
    """Reports, which are created in the portal."""

    @endpoint
    def retrieve(
        self,
        report_id: str,
        *,
        from_: str | datetime | None = None,
        to: str | datetime | None = None,
        **options: Unpack[Options],
    ) -> Call[Report]:
        """Run a saved report over the time from `from_` (inclusive) to `to` (exclusive).

        >>> client.reports.retrieve("r1", from_="2026-01-01", to="2026-02-01").rows()  # doctest: +SKIP
        """
        query = {
            "from": None if from_ is None else params.timestamp("from_", from_),
            "to": None if to is None else params.timestamp("to", to),
        }
        return Call(
            "GET",
            path("reports/{report_id}", report_id=report_id),
            lambda reply: Report(reply.text),
            repeatable=True,
            query=query,
            headers={"Accept": "text/csv, */*"},
            options=options,
        )
