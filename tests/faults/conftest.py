"""The world of the fault tests: one server and one provider for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.world import World, running_world

pytest.importorskip("fastapi", reason="the server extra is not installed")


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with running_world() as world:
        yield world
