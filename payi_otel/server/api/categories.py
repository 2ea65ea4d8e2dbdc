"""Categories and resources: the operator's own prices, and the managed ones beside them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from payi_otel.server.api.context import Paging, Segment, StoreOf, as_utc, new_request_id, now
from payi_otel.server.api.limits import exact
from payi_otel.server.api.models import Body, Identity, Number, PageOut
from payi_otel.server.errors import ApiError
from payi_otel.server.pricing import MANAGED_CATEGORIES, listed_prices, managed_resources
from payi_otel.server.pricing_custom import UnitPrice
from payi_otel.server.store import resources
from payi_otel.server.store.engine import Store
from payi_otel.server.store.pages import list_page
from payi_otel.server.store.resources import Version

router = APIRouter(prefix="/api/v1/categories", tags=["categories and resources"])

_SINCE_EVER = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LARGEST = 2**63 - 1
Active = Annotated[bool | None, Query(alias="Active")]
Price = Annotated[Number, Field(ge=0, le=1e12)]
Maximum = Annotated[int, Field(ge=0, le=_LARGEST)]


class UnitPriceBody(Body):
    """US dollars for one single unit."""

    input_price: Price | None = None
    output_price: Price | None = None


class ResourceBody(Body):
    """Prices, from `start_timestamp` on; without it from now on."""

    units: Annotated[dict[Identity, UnitPriceBody], Field(min_length=1)]
    max_input_units: Maximum | None = None
    max_output_units: Maximum | None = None
    max_total_units: Maximum | None = None
    start_timestamp: datetime | None = None


class CategoryOut(BaseModel):
    """A category."""

    category: str


class UnitPriceOut(BaseModel):
    """US dollars for one single unit."""

    input_price: float | None
    output_price: float | None


class ResourceOut(BaseModel):
    """A version of a resource: its prices from `start_timestamp` until `end_timestamp`."""

    resource_id: str
    resource: str
    category: str
    active: bool
    proxy_allowed: bool
    start_timestamp: datetime
    end_timestamp: datetime | None = None
    units: dict[str, UnitPriceOut]
    max_input_units: int | None = None
    max_output_units: int | None = None
    max_total_units: int | None = None


@router.get("")
def list_categories(store: StoreOf, paging: Paging, active: Active = None) -> PageOut[CategoryOut]:
    """The managed categories and those that have resources; `Active` leaves out those without active ones."""
    with store.read() as connection:
        own = resources.categories(connection)
        if active:
            at = now()
            own = [
                name
                for name in own
                if any(version.active_at(at) for version in resources.versions_of(connection, name))
            ]
    page = list_page(sorted({*MANAGED_CATEGORIES, *own}), paging)
    items = [CategoryOut(category=name) for name in page.items]
    return PageOut(items=items, cursor=page.cursor, request_id=new_request_id())


@router.delete("/{category}")
def delete_category(category: Segment, store: StoreOf) -> list[ResourceOut]:
    """Delete all resources that were defined in a category. The answer is what is gone."""
    return _delete(store, category, None)


@router.get("/{category}/resources")
def list_resources(
    category: Segment, store: StoreOf, paging: Paging, active: Active = None
) -> PageOut[ResourceOut]:
    """The versions of all resources of a category."""
    return _page(_all(store, category, None), paging, active)


@router.post("/{category}/resources/{resource}")
def create_resource(category: Segment, resource: Segment, body: ResourceBody, store: StoreOf) -> ResourceOut:
    """Make a resource, or the next version of it. In a managed category its prices count before managed ones."""
    units = {
        name: UnitPrice(
            None if one.input_price is None else exact(one.input_price),
            None if one.output_price is None else exact(one.output_price),
        )
        for name, one in body.units.items()
    }
    maxima = body.model_dump(include={"max_input_units", "max_output_units", "max_total_units"})
    at = now()
    start = at if body.start_timestamp is None else as_utc(body.start_timestamp)
    with store.write() as connection:
        return _shown(resources.add(connection, (category, resource), units, maxima, start, at))


@router.get("/{category}/resources/{resource}")
def list_versions(
    category: Segment, resource: Segment, store: StoreOf, paging: Paging, active: Active = None
) -> PageOut[ResourceOut]:
    """The versions of a resource."""
    return _page(_all(store, category, resource), paging, active)


@router.delete("/{category}/resources/{resource}")
def delete_resource(category: Segment, resource: Segment, store: StoreOf) -> list[ResourceOut]:
    """Delete all versions of a resource that was defined here. The answer is what is gone."""
    return _delete(store, category, resource)


@router.get("/{category}/resources/{resource}/{resource_id}")
def get_version(category: Segment, resource: Segment, resource_id: Segment, store: StoreOf) -> ResourceOut:
    """One version of a resource."""
    managed = _managed(category, resource)
    if managed is not None and managed.resource_id == resource_id:
        return managed
    with store.read() as connection:
        return _shown(resources.get(connection, (category, resource), resource_id))


@router.delete("/{category}/resources/{resource}/{resource_id}")
def delete_version(category: Segment, resource: Segment, resource_id: Segment, store: StoreOf) -> ResourceOut:
    """Delete one version of a resource that was defined here."""
    managed = _managed(category, resource)
    if managed is not None and managed.resource_id == resource_id:
        raise _is_managed(category, resource)
    with store.write() as connection:
        found = resources.get(connection, (category, resource), resource_id)
        resources.remove(connection, [found])
    return _shown(found)


def _delete(store: Store, category: str, resource: str | None) -> list[ResourceOut]:
    with store.write() as connection:
        found = resources.versions_of(connection, category, resource)
        resources.remove(connection, found)
    if found:
        return [_shown(version) for version in found]
    if _managed_names(category, resource):
        raise _is_managed(category, resource)
    raise _unknown(category, resource)


def _all(store: Store, category: str, resource: str | None) -> list[ResourceOut]:
    with store.read() as connection:
        own = resources.versions_of(connection, category, resource)
    managed = (_managed(category, name) for name in _managed_names(category, resource))
    found = [version for version in managed if version is not None]
    # Newest first as they come: pages count upwards.
    found += [_shown(version) for version in own[::-1]]
    if not found:
        raise _unknown(category, resource)
    return found


def _page(found: list[ResourceOut], paging: Paging, active: bool | None) -> PageOut[ResourceOut]:
    chosen = [version for version in found if active is None or version.active == active]
    page = list_page(chosen, paging)
    return PageOut(items=list(page.items), cursor=page.cursor, request_id=new_request_id())


def _managed_names(category: str, resource: str | None) -> list[str]:
    if resource is None:
        return managed_resources(category)
    return [resource] if category in MANAGED_CATEGORIES else []


def _managed(category: str, resource: str) -> ResourceOut | None:
    if category not in MANAGED_CATEGORIES:
        return None
    listed = listed_prices(category, resource, now())
    if listed is None:
        return None
    resource_id, units = listed
    return ResourceOut(
        resource_id=resource_id,
        resource=resource,
        category=category,
        active=True,
        proxy_allowed=True,
        start_timestamp=_SINCE_EVER,
        units={name: _price_out(*pair) for name, pair in units.items()},
    )


def _shown(version: Version) -> ResourceOut:
    return ResourceOut(
        resource_id=version.resource_id,
        resource=version.resource,
        category=version.category,
        active=version.active_at(now()),
        proxy_allowed=True,
        start_timestamp=version.start,
        end_timestamp=version.end,
        units={name: _price_out(price.input, price.output) for name, price in version.units.items()},
        **version.maxima,
    )


def _price_out(input: object, output: object) -> UnitPriceOut:
    return UnitPriceOut.model_validate({"input_price": input, "output_price": output})


def _is_managed(category: str, resource: str | None) -> ApiError:
    what = category if resource is None else f"{resource!r} in {category}"
    return ApiError(403, None, f"{what} is managed; define a version of your own to have other prices")


def _unknown(category: str, resource: str | None) -> ApiError:
    if resource is None:
        return ApiError(
            404, "category_not_found", f"category: {category!r} has no resources; create one first"
        )
    message = f"resource: {resource!r} is not known in {category!r}; create it first"
    return ApiError(404, "category_resource_not_found", message)
