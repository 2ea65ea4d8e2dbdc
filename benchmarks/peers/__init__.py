"""What instrumentation costs the caller: every contender in an environment of its own, measured side by side."""
