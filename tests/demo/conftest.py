"""A running fake provider, and both real SDKs as its clients."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest

from payi_otel.demo.provider import FakeProvider, running_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with running_provider() as running:
        yield running


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.openai_base_url, api_key="test") as made:
        yield made


@pytest.fixture
def claude(provider: FakeProvider) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=provider.anthropic_base_url, api_key="test") as made:
        yield made
