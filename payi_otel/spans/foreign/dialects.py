"""Who made a span, and how that instrumentation counts."""

from __future__ import annotations

from payi_otel.providers.model import Sdk
from payi_otel.values import value


@value
class Dialect:
    """How one instrumentation speaks.

    `sdk` is the SDK whose calls it sees. `tells_details` False says that a missing count of cached or reasoning
    tokens means "not told" instead of zero. `excludes_cache` says that its input count leaves cached tokens out.
    `adds_first_chunk` says that a stream's output count holds what the first chunk announced as well.
    `ends_streams_apart` says that the usage of a stream comes on a span of its own.
    """

    sdk: Sdk | None = None
    tells_details: bool = False
    excludes_cache: bool = False
    adds_first_chunk: bool = False
    ends_streams_apart: bool = False


# By the beginning of the scope's name, longer ones before shorter ones.
_DIALECTS: tuple[tuple[str, Dialect], ...] = (
    ("opentelemetry.instrumentation.genai.openai", Dialect("openai", tells_details=True)),
    ("opentelemetry.instrumentation.genai.anthropic", Dialect("anthropic", tells_details=True)),
    ("opentelemetry.instrumentation.openai_v2", Dialect("openai")),
    # OpenLLMetry.
    ("opentelemetry.instrumentation.openai", Dialect("openai", tells_details=True)),
    (
        "opentelemetry.instrumentation.anthropic",
        Dialect("anthropic", tells_details=True, adds_first_chunk=True),
    ),
    ("com.anthropic.sdk", Dialect("anthropic", tells_details=True)),
    ("openinference.instrumentation.openai", Dialect("openai", tells_details=True)),
    ("openinference.instrumentation.anthropic", Dialect("anthropic", tells_details=True)),
    ("logfire.openai", Dialect("openai", ends_streams_apart=True)),
    ("logfire.anthropic", Dialect("anthropic", ends_streams_apart=True)),
    ("@opentelemetry/instrumentation-openai", Dialect("openai")),
    ("@traceloop/instrumentation-openai", Dialect("openai")),
    (
        "@traceloop/instrumentation-anthropic",
        Dialect("anthropic", tells_details=True, excludes_cache=True),
    ),
    ("io.opentelemetry.openai-java", Dialect("openai")),
)
_UNKNOWN = Dialect()


def dialect_of(scope_name: str) -> Dialect:
    """The dialect of an instrumentation scope; an unknown one follows the conventions and leaves things out.

    >>> dialect_of("opentelemetry.instrumentation.openai.v1").sdk
    'openai'
    """
    return next((dialect for start, dialect in _DIALECTS if scope_name.startswith(start)), _UNKNOWN)


def is_known(scope_name: str) -> bool:
    """Whether an instrumentation scope is known to trace calls of an SDK."""
    return dialect_of(scope_name) is not _UNKNOWN
