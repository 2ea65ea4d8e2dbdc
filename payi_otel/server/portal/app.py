"""The portal as an application of its own, mounted at `/portal`. Its pages are listed here.

To add a page: write `pages/<page>.py` with a `router`, whose paths are below the portal, and if it belongs into the
menu `NAV = NavItem("/path", "Title")`; add the module to `_PAGES`; write `templates/<page>.html`, which begins with
`{% extends "base.html" %}`. `pages/overview.py` and `pages/limits.py` are the models: the first of a page with
filters and charts, the second of dialogs and forms.
"""

from __future__ import annotations

from fastapi import FastAPI

from payi_otel.server.portal import assets
from payi_otel.server.portal.assets import Assets, Plotly
from payi_otel.server.portal.errors import add_error_pages
from payi_otel.server.portal.guard import SignInGuard
from payi_otel.server.portal.pages import (
    application,
    applications,
    kpi_compare,
    kpis,
    limits,
    overview,
    reports,
    resources,
    sign_in,
    use_case,
    use_case_configuration,
    use_case_instances,
    use_case_kpis,
    use_case_requests,
    use_cases,
    values,
)
from payi_otel.server.portal.rendering import Renderer
from payi_otel.server.portal.shield import Shield
from payi_otel.server.store.engine import Store

# In the order of the menu.
_PAGES = (
    overview,
    use_cases,
    use_case,
    use_case_instances,
    use_case_requests,
    use_case_configuration,
    use_case_kpis,
    kpi_compare,
    kpis,
    values,
    limits,
    resources,
    reports,
    applications,
    application,
    sign_in,
)


def create_portal(store: Store) -> FastAPI:
    """The portal over an open database."""
    app = FastAPI(
        title="Pay-i portal", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.mount("/static", Assets())
    app.include_router(assets.router)
    for module in _PAGES:
        app.include_router(module.router)
    plotly = Plotly()
    app.state.store = store
    app.state.plotly = plotly
    app.state.guard = SignInGuard()
    navigation = [module.NAV for module in _PAGES if hasattr(module, "NAV")]
    app.state.renderer = Renderer(navigation, plotly.version)
    add_error_pages(app)
    app.add_middleware(Shield)
    return app
