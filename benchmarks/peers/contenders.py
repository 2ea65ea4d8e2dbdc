"""Who is measured, and what is installed for each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# One version of both provider SDKs everywhere, so that differences are the contenders' own.
SDKS = ("openai==3.52.0", "anthropic==2.11.0", "opentelemetry-sdk>=1.44,<2")


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to watch provider calls. `shown` are the distributions whose versions the table names."""

    name: str
    title: str
    requirements: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    anthropic: bool = True


BARE = Contender("bare", "bare SDK", shown=("openai", "anthropic", "opentelemetry-sdk"))
SPAN = Contender("span", "one hand-written span")
# As its README begins: the application has no tracer, and there is no span that anybody would see.
OURS = Contender("ours", "payi_otel", ("-e", str(ROOT)), ("payi-otel",))
TRACED = Contender("traced", "payi_otel beside a tracer", ("-e", str(ROOT)))
OFFICIAL = Contender("official", "official payi", ("payi==0.1.0a183",), ("payi",))
CONTENDERS = (
    BARE,
    SPAN,
    OURS,
    TRACED,
    OFFICIAL,
    Contender(
        "otel",
        "OTel genai",
        (
            "opentelemetry-instrumentation-genai-openai==1.3b0",
            "opentelemetry-instrumentation-genai-anthropic==1.3b0",
        ),
        ("opentelemetry-instrumentation-genai-openai",),
    ),
    Contender(
        "openllmetry",
        "OpenLLMetry",
        ("opentelemetry-instrumentation-openai==0.62.4", "opentelemetry-instrumentation-anthropic==0.62.4"),
        ("opentelemetry-instrumentation-openai",),
    ),
    Contender(
        "openinference",
        "OpenInference",
        ("openinference-instrumentation-openai==0.1.66", "openinference-instrumentation-anthropic==3.1.0"),
        ("openinference-instrumentation-openai",),
    ),
    # Its Anthropic part imports httpx, which neither SDK brings along any more, and then fails on every message.
    Contender("logfire", "Logfire", ("logfire==4.41.0", "httpx<1"), ("logfire",), anthropic=False),
    # It leaves Anthropic's SDK to others.
    Contender("langfuse", "Langfuse", ("langfuse==5.0.4",), ("langfuse",), anthropic=False),
)
"""In the order of the table's columns."""
