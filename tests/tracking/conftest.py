from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest

from payi_otel.registry import registry
from payi_otel.tracking.context import captured


@pytest.fixture(autouse=True)
def clean_tracking(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No defaults at the start; at the end no scope is left open and OpenTelemetry has complained about nothing."""
    # Async clients that earlier tests left behind close themselves in whatever loop is running when they are
    # collected, and complain there: collected here, they find none.
    gc.collect()
    defaults, registry.process_defaults = registry.process_defaults, None
    yield
    registry.process_defaults = defaults
    assert captured() is None
    complaints = [
        record.getMessage()
        for when in ("setup", "call")
        for record in caplog.get_records(when)
        if record.name.startswith("opentelemetry")
        or (record.name == "asyncio" and record.levelno >= logging.ERROR)
    ]
    assert complaints == []
