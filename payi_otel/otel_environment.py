"""The variables that `opentelemetry-instrument` takes as flags: it accepts only names that begin with `OTEL_`.

Its entry point is `opentelemetry_environment_variables`; it looks for upper-case attributes of this module.
"""

from __future__ import annotations

from payi_otel.settings import Settings

# `OTEL_PAYI_USE_CASE_NAME` becomes `--payi_use_case_name`.
globals().update({f"OTEL_{name}": f"OTEL_{name}" for name in Settings.variables().values()})
