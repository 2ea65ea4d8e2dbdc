"""Categories and their resources: what is priced, and how."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from typing_extensions import Unpack

from payi_otel.client import params
from payi_otel.client.call import Call, Options, given, path
from payi_otel.client.decode import many, one
from payi_otel.client.endpoint import Resource, S, endpoint, pages
from payi_otel.client.pages import Listing, listing
from payi_otel.client.results import Category, ResourceVersion


class Resources(Resource[S]):
    """Resources of a category. Each has versions, which differ in price and in when they hold."""

    @endpoint
    def create(
        self,
        resource: str,
        *,
        category: str,
        units: Mapping[str, params.UnitPrices],
        max_input_units: int | None = None,
        max_output_units: int | None = None,
        max_total_units: int | None = None,
        start_timestamp: str | datetime | None = None,
        **options: Unpack[Options],
    ) -> Call[ResourceVersion]:
        """Create a resource, or a new version of it, priced in US dollars for one single unit.

        >>> client.categories.resources.create("my-model", category="acme",
        ...     units={"text": {"input_price": 2e-6, "output_price": 8e-6}})  # doctest: +SKIP
        """
        start = None if start_timestamp is None else params.timestamp("start_timestamp", start_timestamp)
        body = {
            "units": params.unit_prices("units", units),
            **given(
                max_input_units=max_input_units,
                max_output_units=max_output_units,
                max_total_units=max_total_units,
                start_timestamp=start,
            ),
        }
        target = _resource(category, resource)
        return Call("POST", target, one(ResourceVersion), repeatable=False, body=body, options=options)

    @endpoint
    def retrieve(
        self, resource_id: str, *, category: str, resource: str, **options: Unpack[Options]
    ) -> Call[ResourceVersion]:
        """Read one version of a resource."""
        target = _version(category, resource, resource_id)
        return Call("GET", target, one(ResourceVersion), repeatable=True, options=options)

    @endpoint
    def delete(
        self, resource_id: str, *, category: str, resource: str, **options: Unpack[Options]
    ) -> Call[ResourceVersion]:
        """Delete one version of a resource."""
        target = _version(category, resource, resource_id)
        return Call("DELETE", target, one(ResourceVersion), repeatable=True, options=options)

    @pages
    def list(
        self,
        resource: str,
        *,
        category: str,
        active: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        sort_ascending: bool | None = None,
        **options: Unpack[Options],
    ) -> Listing[ResourceVersion]:
        """The versions of a resource, optionally only active ones; `limit` is the page size."""
        return listing(
            _resource(category, resource),
            ResourceVersion,
            Active=active,
            cursor=cursor,
            limit=limit,
            sort_ascending=sort_ascending,
            options=options,
        )


class Categories(Resource[S]):
    """Categories. One comes into being with its first resource."""

    @property
    def resources(self) -> Resources[S]:
        """Resources of a category."""
        return Resources(self.sender)

    @pages
    def list(
        self,
        *,
        active: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        sort_ascending: bool | None = None,
        **options: Unpack[Options],
    ) -> Listing[Category]:
        """All categories, optionally only active ones; `limit` is the page size."""
        return listing(
            path("categories"),
            Category,
            Active=active,
            cursor=cursor,
            limit=limit,
            sort_ascending=sort_ascending,
            options=options,
        )

    @endpoint
    def delete(self, category: str, **options: Unpack[Options]) -> Call[tuple[ResourceVersion, ...]]:
        """Delete a category with all its resources. Gives what was deleted."""
        target = path("categories/{category}", category=category)
        return Call("DELETE", target, many(ResourceVersion), repeatable=True, options=options)

    @pages
    def list_resources(
        self,
        category: str,
        *,
        active: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        sort_ascending: bool | None = None,
        **options: Unpack[Options],
    ) -> Listing[ResourceVersion]:
        """The resource versions of a category, optionally only active ones; `limit` is the page size."""
        return listing(
            path("categories/{category}/resources", category=category),
            ResourceVersion,
            Active=active,
            cursor=cursor,
            limit=limit,
            sort_ascending=sort_ascending,
            options=options,
        )

    @endpoint
    def delete_resource(
        self, resource: str, *, category: str, **options: Unpack[Options]
    ) -> Call[tuple[ResourceVersion, ...]]:
        """Delete all versions of a resource. Gives what was deleted."""
        target = _resource(category, resource)
        return Call("DELETE", target, many(ResourceVersion), repeatable=True, options=options)


def _resource(category: str, resource: str) -> str:
    return path("categories/{category}/resources/{resource}", category=category, resource=resource)


def _version(category: str, resource: str, resource_id: str) -> str:
    return path(
        "categories/{category}/resources/{resource}/{resource_id}",
        category=category,
        resource=resource,
        resource_id=resource_id,
    )
