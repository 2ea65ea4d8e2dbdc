"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("payi-otel")
except PackageNotFoundError:
    # Run from a source tree that was not installed.
    VERSION = "0+unknown"
