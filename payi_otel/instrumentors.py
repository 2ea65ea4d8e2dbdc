"""The instrumentors that `opentelemetry-instrument` loads, one per SDK."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from payi_otel import bootstrap
from payi_otel.providers.model import Sdk


class _SdkInstrumentor(BaseInstrumentor):
    """Patches one SDK; absent or too old, it is left alone and said once."""

    _sdk: Sdk
    _requires: tuple[str, ...]

    def instrumentation_dependencies(self) -> Collection[str]:
        """The SDK and its oldest supported version."""
        return self._requires

    def _instrument(self, **kwargs: Any) -> None:
        # The entry point's check is per distribution and passes with either SDK: each checks its own here.
        conflict = self._check_dependency_conflicts()
        if conflict is None:
            bootstrap.install_sdk(self._sdk)

    def _uninstrument(self, **kwargs: Any) -> None:
        bootstrap.remove_sdk(self._sdk)


class PayiOpenAIInstrumentor(_SdkInstrumentor):
    """Instruments the `openai` package.

    >>> PayiOpenAIInstrumentor().instrument()  # doctest: +SKIP
    """

    _sdk = "openai"
    _requires = ("openai >= 1.26",)


class PayiAnthropicInstrumentor(_SdkInstrumentor):
    """Instruments the `anthropic` package.

    >>> PayiAnthropicInstrumentor().instrument()  # doctest: +SKIP
    """

    _sdk = "anthropic"
    _requires = ("anthropic >= 0.39",)
