"""Limits: accumulated spend against a maximum."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import Unpack

from payi_otel.client import params
from payi_otel.client.call import Call, Options, given, path
from payi_otel.client.decode import many, one
from payi_otel.client.endpoint import Resource, S, endpoint, pages
from payi_otel.client.pages import Listing, listing
from payi_otel.client.results import Acknowledgement, Limit, LimitHistoryResponse, LimitResponse


class LimitProperties(Resource[S]):
    """Properties of a limit."""

    @endpoint
    def update(
        self, limit_id: str, *, properties: params.Properties, **options: Unpack[Options]
    ) -> Call[tuple[LimitResponse, ...]]:
        """Set `properties` of a limit; None clears one."""
        body = {"properties": params.property_values("properties", properties)}
        target = _limit(limit_id, "/properties")
        return Call("PUT", target, many(LimitResponse), repeatable=True, body=body, options=options)


class Limits(Resource[S]):
    """Limits. A request may count against any number of them."""

    @property
    def properties(self) -> LimitProperties[S]:
        """Properties of limits."""
        return LimitProperties(self.sender)

    @endpoint
    def create(
        self,
        *,
        limit_name: str,
        max: float,
        limit_id: str | None = None,
        limit_type: params.LimitType | None = None,
        threshold: float | None = None,
        properties: params.Properties | None = None,
        **options: Unpack[Options],
    ) -> Call[LimitResponse]:
        """Create a limit of `max` US dollars. With an existing `limit_id` and equal values it gives that one.

        `limit_type`: "allow" counts what goes beyond, "block" refuses it (only through the proxy).
        `threshold`: share of `max`, 0.75 to 0.99, from which the limit counts as exceeded.

        >>> client.limits.create(limit_name="premium", max=10, threshold=0.9).limit.limit_id  # doctest: +SKIP
        """
        body = {
            "limit_name": params.text("limit_name", limit_name),
            **params.limit_fields(
                "", max=max, limit_type=limit_type, threshold=threshold, properties=properties
            ),
            **given(limit_id=None if limit_id is None else params.text("limit_id", limit_id)),
        }
        repeatable = limit_id is not None
        return Call(
            "POST", path("limits"), one(LimitResponse), repeatable=repeatable, body=body, options=options
        )

    @endpoint
    def retrieve(self, limit_id: str, **options: Unpack[Options]) -> Call[LimitResponse]:
        """Read a limit with its totals."""
        return Call("GET", _limit(limit_id), one(LimitResponse), repeatable=True, options=options)

    @endpoint
    def update(
        self,
        limit_id: str,
        *,
        limit_name: str | None = None,
        max: float | None = None,
        **options: Unpack[Options],
    ) -> Call[LimitResponse]:
        """Change a limit's name or maximum, which must not be below what is already spent."""
        body = given(limit_name=limit_name)
        if max is not None:
            body.update(params.limit_fields("", max=max))
        return Call("PUT", _limit(limit_id), one(LimitResponse), repeatable=True, body=body, options=options)

    @endpoint
    def delete(self, limit_id: str, **options: Unpack[Options]) -> Call[Acknowledgement]:
        """Delete a limit."""
        return Call("DELETE", _limit(limit_id), one(Acknowledgement), repeatable=True, options=options)

    @endpoint
    def reset(
        self, limit_id: str, *, reset_date: str | datetime | None = None, **options: Unpack[Options]
    ) -> Call[LimitHistoryResponse]:
        """Set the spend back to 0, now or as of `reset_date`. Gives the closed period."""
        date = None if reset_date is None else params.timestamp("reset_date", reset_date)
        return Call(
            "POST",
            _limit(limit_id, "/reset"),
            one(LimitHistoryResponse),
            repeatable=False,
            query={"resetDate": date},
            options=options,
        )

    @pages
    def list(
        self,
        *,
        limit_name: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        sort_ascending: bool | None = None,
        **options: Unpack[Options],
    ) -> Listing[Limit]:
        """All limits, optionally `limit_name` alone; `limit` is the page size."""
        return listing(
            path("limits"),
            Limit,
            limit_name=limit_name,
            cursor=cursor,
            limit=limit,
            sort_ascending=sort_ascending,
            options=options,
        )


def _limit(limit_id: str, rest: str = "") -> str:
    return path("limits/{limit_id}" + rest, limit_id=limit_id)
