"""OpenTelemetry in this process: who configured it, what is sampled, where spans go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Any, cast

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from payi_otel.doctor.findings import Finding
from payi_otel.spans.processor import PayiSpanProcessor


def look_at_pipeline() -> Iterator[Finding]:
    """Provider, sampler and processors of this process; run under `opentelemetry-instrument` to see yours."""
    yield Finding(
        "ok", "OpenTelemetry", f"API {version('opentelemetry-api')}, SDK {version('opentelemetry-sdk')}"
    )
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield Finding("problem", "provider", "OTEL_SDK_DISABLED=true: no spans and no events; unset it")
        return
    yield from _look_at_configurators()
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        yield Finding("ok", "provider", f"{_name(provider)}; our spans go to it")
        sampled = provider.sampler.get_description()
        yield Finding("ok", "sampler", f"{sampled}; events do not depend on it")
        processors = span_processors(provider)
        names = ", ".join(map(_name, processors)) or "none"
        if any(isinstance(one, PayiSpanProcessor) for one in processors):
            yield Finding("ok", "processors", names)
        else:
            yield Finding(
                "note", "processors", f"{names}; ours joins with payi_instrument() or the first call"
            )
    elif type(provider).__name__ == "ProxyTracerProvider":
        text = "none is set in this process; events are made all the same, spans go nowhere else"
        yield Finding("note", "provider", text)
    else:
        text = f"{_name(provider)} is not of the OpenTelemetry SDK: no events; set an SDK TracerProvider"
        yield Finding("problem", "provider", text)


def _look_at_configurators() -> Iterator[Finding]:
    for group, topic in (("opentelemetry_distro", "distro"), ("opentelemetry_configurator", "configurator")):
        names = sorted({point.name for point in entry_points(group=group)})
        if len(names) > 1:
            variable = f"OTEL_PYTHON_{topic.upper()}"
            chosen = os.environ.get(variable)
            text = f"{', '.join(names)}: {variable} decides ({chosen or 'unset, so any of them'})"
            yield Finding("note" if chosen else "problem", topic, text)
        elif names:
            yield Finding("ok", topic, names[0])
        elif topic == "configurator":
            text = "none is installed: opentelemetry-instrument sets no provider, and --traces_exporter has no effect"
            yield Finding("note", topic, f"{text}; pip install opentelemetry-distro")
    if os.environ.get("OTEL_CONFIG_FILE"):
        try:
            told = version("opentelemetry-configuration")
        except PackageNotFoundError:
            text = "OTEL_CONFIG_FILE is set, which needs: pip install opentelemetry-configuration"
            yield Finding("problem", "configurator", text)
        else:
            yield Finding(
                "ok", "configurator", f"OTEL_CONFIG_FILE, read by opentelemetry-configuration {told}"
            )


def span_processors(provider: TracerProvider) -> tuple[Any, ...]:
    """The processors of a provider, in order. The SDK tells them to nobody (checked on 1.30 to 1.45.2)."""
    active = getattr(provider, "_active_span_processor", None)
    return cast("tuple[Any, ...]", tuple(getattr(active, "_span_processors", ())))


def _name(thing: object) -> str:
    kind = type(thing)
    exporter = getattr(thing, "span_exporter", None)
    return f"{kind.__name__}({type(exporter).__name__})" if exporter is not None else kind.__name__
