"""The commands of `payi-otel`, one module each: `add_to(subparsers)` adds its arguments and how to run it."""
