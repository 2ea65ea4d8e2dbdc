"""The provider SDKs: which are there, whether we can patch them, and who else traces them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, entry_points, version

from payi_otel.doctor.findings import Finding
from payi_otel.providers.model import Sdk
from payi_otel.registry import registry
from payi_otel.spans.foreign.dialects import dialect_of

_SDKS: tuple[Sdk, ...] = ("openai", "anthropic")


def look_at_sdks() -> Iterator[Finding]:
    """Each SDK's version, and whether its calls are or can be seen."""
    installed = 0
    for sdk in _SDKS:
        try:
            found = f"{sdk} {version(sdk)}"
        except PackageNotFoundError:
            continue
        installed += 1
        if sdk in registry.instrumented:
            yield Finding("ok", sdk, f"{found}, patched in this process")
        else:
            yield _patchable(sdk, found)
    if not installed:
        yield Finding("problem", "SDKs", "neither openai nor anthropic is installed; pip install one of them")


def _patchable(sdk: Sdk, found: str) -> Finding:
    from opentelemetry.instrumentation.dependencies import get_dependency_conflicts

    from payi_otel.capture import hooks
    from payi_otel.instrumentors import PayiAnthropicInstrumentor, PayiOpenAIInstrumentor

    kind = PayiOpenAIInstrumentor if sdk == "openai" else PayiAnthropicInstrumentor
    wanted = kind().instrumentation_dependencies()
    if get_dependency_conflicts(wanted) is not None:
        return Finding("problem", sdk, f"{found} is too old; install {', '.join(wanted)}")
    try:
        hooks.install(sdk)
    except (ImportError, AttributeError) as error:
        return Finding("problem", sdk, f"{found} cannot be patched ({type(error).__name__}: {error})")
    hooks.remove(sdk)
    return Finding("ok", sdk, f"{found}, can be patched")


def look_at_other_instrumentations() -> Iterator[Finding]:
    """Packages that trace the same SDKs. Ours is the one that is priced, and no call is counted twice."""
    for point in sorted(
        entry_points(group="opentelemetry_instrumentor"), key=lambda point: (point.module, point.name)
    ):
        sdk = dialect_of(point.module).sdk
        if sdk is not None:
            state = "active" if _is_active(point.module) else "installed"
            name = point.dist.name if point.dist is not None else point.module
            text = f"{name} traces {sdk} too ({state}); its spans are priced only where ours is off"
            yield Finding("note", "beside us", text)
    if _has_native_tracing():
        text = "anthropic makes spans of its own; they are priced only where ours is off for anthropic"
        yield Finding("note", "beside us", text)


def _is_active(module: str) -> bool:
    """Whether an instrumentor of this module, loaded by whoever, has patched its SDK."""
    from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

    loaded = sys.modules.get(module)
    kinds = [value for value in vars(loaded).values() if isinstance(value, type)] if loaded else []
    return any(
        kind().is_instrumented_by_opentelemetry
        for kind in kinds
        if issubclass(kind, BaseInstrumentor) and kind.__module__ == module
    )


def _has_native_tracing() -> bool:
    from importlib.util import find_spec

    is_off = os.environ.get("ANTHROPIC_OPEN_TELEMETRY", "").strip().lower() in {"0", "false", "no", "off"}
    return not is_off and find_spec("anthropic") is not None and find_spec("anthropic._tracing") is not None
