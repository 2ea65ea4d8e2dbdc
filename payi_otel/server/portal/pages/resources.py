"""Categories, their resources and what these cost; units without a price, and the dialog that prices them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from payi_otel.server.api.context import Name, Segment, now
from payi_otel.server.errors import ApiError
from payi_otel.server.portal import price_forms
from payi_otel.server.portal.filters import FiltersOf
from payi_otel.server.portal.forms import Form, FormModel, read_form
from payi_otel.server.portal.navigation import NavItem
from payi_otel.server.portal.price_forms import price_text
from payi_otel.server.portal.rendering import page, redirect
from payi_otel.server.portal.viewer import AdminOf, FormOf, StoreOf, Viewer, ViewerOf
from payi_otel.server.pricing import MANAGED_CATEGORIES, listed_prices, managed_resources
from payi_otel.server.pricing_custom import UnitPrice
from payi_otel.server.store import price_insights, reprice, resources
from payi_otel.server.store.engine import Store
from payi_otel.server.store.reprice import Selection

router = APIRouter()
NAV = NavItem("/resources", "Resources")

_LOOK_BACK = timedelta(days=365)
_MOST_RESOURCES = 50
_AT_ONCE_S = 1.5


@dataclass(frozen=True, slots=True)
class Category:
    """A category: whether Pay-i keeps its prices, and how many resources the operator has priced."""

    name: str
    is_managed: bool
    own: int


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of one version, as texts by unit; a managed one has neither start nor end."""

    resource: str
    resource_id: str
    units: Sequence[tuple[str, str, str]]
    is_managed: bool = False
    is_active: bool = True
    start: datetime | None = None
    end: datetime | None = None

    @property
    def main(self) -> tuple[str, str, str] | None:
        """The prices of text where it has them, else of its first unit."""
        return next((one for one in self.units if one[0] == "text"), self.units[0] if self.units else None)


class RepriceForm(FormModel):
    """How far pricing anew has come: what was seen, what changed and by how much, in US dollars."""

    category: Annotated[str, Field(min_length=1)]
    resource: Annotated[str, Field(min_length=1)]
    total: Annotated[int, Field(ge=0)] = 0
    after: Annotated[int, Field(ge=0, le=2**62)] = 0
    seen: Annotated[int, Field(ge=0)] = 0
    changed: Annotated[int, Field(ge=0)] = 0
    difference: Decimal = Decimal(0)


@router.get("/resources")
def show_all(request: Request, viewer: ViewerOf, store: StoreOf) -> Response:
    """All categories, and what was used without a price."""
    with store.read() as connection:
        own = {
            name: len({one.resource for one in resources.versions_of(connection, name)})
            for name in resources.categories(connection)
        }
        unpriced = price_insights.unpriced(connection, viewer.application_id, now() - _LOOK_BACK)
    categories = [
        Category(name, name in MANAGED_CATEGORIES, own.get(name, 0))
        for name in sorted({*MANAGED_CATEGORIES, *own})
    ]
    return page(request, "resources.html", viewer, categories=categories, unpriced=unpriced)


@router.get("/resources/{category}")
def show_category(
    request: Request, category: Segment, viewer: ViewerOf, store: StoreOf, filters: FiltersOf
) -> Response:
    """The resources of a category with the prices of today; `q` finds names."""
    at = now()
    with store.read() as connection:
        own = resources.versions_of(connection, category)
    active = {one.resource: one for one in own if one.active_at(at)}
    names = sorted({one.resource for one in own} | set(managed_resources(category)))
    if not names:
        raise ApiError(404, None, f"category: {category!r} has no resources; price one of it first")
    found = [name for name in names if filters.q.casefold() in name.casefold()]
    # Those with prices of one's own first: the others are many.
    found.sort(key=lambda name: (name not in active, name))
    shown: list[Prices] = []
    more = 0
    for name in found:
        if len(shown) == _MOST_RESOURCES:
            more += 1
            continue
        version = active.get(name)
        prices = _managed(category, name, at) if version is None else _own(version, at)
        # Price lists have names of which they know no price.
        if prices.units:
            shown.append(prices)
    return page(
        request,
        "resource_category.html",
        viewer,
        filters=filters,
        category=category,
        is_managed=category in MANAGED_CATEGORIES,
        shown=shown,
        more=more,
    )


@router.get("/resources/{category}/{resource}")
def show(
    request: Request, category: Segment, resource: Segment, viewer: ViewerOf, store: StoreOf
) -> Response:
    """The versions of one resource."""
    at = now()
    with store.read() as connection:
        own = resources.versions_of(connection, category, resource)
        calls = price_insights.calls_of(connection, category, resource)
    managed = _managed(category, resource, at) if category in MANAGED_CATEGORIES else None
    if not own and not calls and (managed is None or not managed.units):
        raise ApiError(404, None, f"resource: {resource!r} is not known in {category!r}; price it first")
    return page(
        request,
        "resource.html",
        viewer,
        category=category,
        resource=resource,
        calls=calls,
        versions=[_own(version, at) for version in own],
        managed=managed if managed is not None and managed.units else None,
    )


@router.get("/prices/new")
def new(
    request: Request,
    viewer: ViewerOf,
    store: StoreOf,
    category: Name = "",
    resource: Name = "",
) -> Response:
    """The dialog that prices a resource, with the units it used."""
    units: Sequence[str] = ()
    start, known = "", dict[str, UnitPrice]()
    if category and resource:
        with store.read() as connection:
            units = price_insights.used_units(connection, category, resource)
            versions = resources.versions_of(connection, category, resource)
        if versions:
            known = dict(versions[0].units)
            start = now().astimezone(viewer.zone).date().isoformat()
    return _dialog(request, viewer, price_forms.begin(category, resource, units, known, start))


@router.post("/prices")
def create(request: Request, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Store a version of a resource, then offer to price its stored calls anew."""
    shown, wanted = price_forms.read_prices(form, viewer.zone)
    if wanted is None:
        return _dialog(request, viewer, shown)
    at = now()
    maxima: Mapping[str, int | None] = dict.fromkeys(
        ("max_input_units", "max_output_units", "max_total_units")
    )
    with store.write() as connection:
        key = (wanted.category, wanted.resource)
        resources.add(connection, key, wanted.units, maxima, wanted.start, at)
    with store.read() as connection:
        calls = price_insights.calls_of(connection, wanted.category, wanted.resource)
    where = _path(wanted.category, wanted.resource)
    if not calls:
        return redirect(request, where, notice=f"{wanted.resource} has prices now.")
    begun = RepriceForm(category=wanted.category, resource=wanted.resource, total=calls)
    return page(request, "price_saved.html", viewer, form=begun, where=where)


@router.get("/prices/anew")
def ask_reprice(
    request: Request,
    viewer: ViewerOf,
    store: StoreOf,
    category: Name,
    resource: Name,
) -> Response:
    """The dialog that asks whether to price stored calls anew."""
    with store.read() as connection:
        calls = price_insights.calls_of(connection, category, resource)
    begun = RepriceForm(category=category, resource=resource, total=calls)
    return page(request, "price_saved.html", viewer, form=begun, where=_path(category, resource))


@router.post("/prices/anew")
def reprice_some(request: Request, viewer: AdminOf, store: StoreOf, form: FormOf) -> Response:
    """Price some of the calls anew; the answer goes on with the next ones by itself."""
    sent = read_form(RepriceForm, form)
    if sent.model is None:
        raise ApiError(400, None, "the form is not whole; close the dialog and begin again")
    done, is_over = _repriced(store, sent.model)
    where = _path(done.category, done.resource)
    return page(request, "price_progress.html", viewer, form=done, is_over=is_over, where=where)


@router.get("/prices/delete/{category}/{resource}/{resource_id}")
def ask_delete(
    request: Request,
    category: Segment,
    resource: Segment,
    resource_id: Segment,
    viewer: ViewerOf,
    store: StoreOf,
) -> Response:
    """The dialog that asks whether to delete a version."""
    with store.read() as connection:
        version = resources.get(connection, (category, resource), resource_id)
    return page(request, "price_delete.html", viewer, version=version)


@router.post("/prices/delete/{category}/{resource}/{resource_id}")
def remove(
    request: Request,
    category: Segment,
    resource: Segment,
    resource_id: Segment,
    viewer: AdminOf,
    store: StoreOf,
) -> Response:
    """Delete a version."""
    with store.write() as connection:
        version = resources.get(connection, (category, resource), resource_id)
        resources.remove(connection, [version])
    return redirect(request, "/resources", notice=f"A version of {resource} is deleted.")


def _repriced(store: Store, form: RepriceForm) -> tuple[RepriceForm, bool]:
    """Price calls anew for a moment; how far that came, and whether it is all."""
    began = time.monotonic()
    selection = Selection(category=form.category, resource=form.resource)
    after, seen, changed, difference = form.after, form.seen, form.changed, form.difference
    is_over = False
    while not is_over and time.monotonic() - began < _AT_ONCE_S:
        step = reprice.step(store, selection, after)
        if step is None:
            is_over = True
        else:
            after, seen = step.last_id, seen + step.seen
            changed, difference = changed + step.changed, difference + step.difference
    done = RepriceForm(
        category=form.category,
        resource=form.resource,
        total=form.total,
        after=after,
        seen=seen,
        changed=changed,
        difference=difference,
    )
    return done, is_over


def _own(version: resources.Version, at: datetime) -> Prices:
    return Prices(
        resource=version.resource,
        resource_id=version.resource_id,
        units=[
            (name, price_text(name, price.input), price_text(name, price.output))
            for name, price in version.units.items()
        ],
        is_active=version.active_at(at),
        start=version.start,
        end=version.end,
    )


def _managed(category: str, resource: str, at: datetime) -> Prices:
    listed = listed_prices(category, resource, at)
    resource_id, units = ("", {}) if listed is None else listed
    shown = [(name, price_text(name, pair[0]), price_text(name, pair[1])) for name, pair in units.items()]
    return Prices(resource, resource_id, shown, is_managed=True)


def _dialog(request: Request, viewer: Viewer, form: Form[FormModel]) -> Response:
    return page(
        request,
        "price_new.html",
        viewer,
        status=422 if form.errors else 200,
        form=form,
        rows=price_forms.rows_of(form),
        known_units=price_forms.known_units(),
    )


def _path(category: str, resource: str) -> str:
    return f"/resources/{quote(category, safe='')}/{quote(resource, safe='')}"
