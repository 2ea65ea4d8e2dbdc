"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("payi-otel")
    except PackageNotFoundError:
        # Run from a source tree that was not installed.
        return "0+unknown"


VERSION = _installed()
