"""All tables together, for what must know every one of them."""

from __future__ import annotations

from payi_otel.server.store import (
    schema,
    schema_catalog,
    schema_facets,
    schema_instances,
    schema_limits,
    schema_portal,
    schema_rollups,
)

MODULES = (
    schema,
    schema_catalog,
    schema_facets,
    schema_instances,
    schema_limits,
    schema_portal,
    schema_rollups,
)
metadata = schema.metadata
