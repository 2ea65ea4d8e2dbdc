"""All checks, each in an environment of its own: `python -m nox -s demo`, `python -m nox -s tests`, ..."""

from __future__ import annotations

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["tests", "lint"]
nox.options.reuse_venv = "yes"

PROJECT = nox.project.load_toml("pyproject.toml")
TEST_GROUP = nox.project.dependency_groups(PROJECT, "test")
OFFICIAL_CLIENT = nox.project.dependency_groups(PROJECT, "official")
BROWSER = nox.project.dependency_groups(PROJECT, "browser")
LINT_GROUP = nox.project.dependency_groups(PROJECT, "lint")
ZERO_CODE = nox.project.dependency_groups(PROJECT, "zero-code")
SERVICES = nox.project.dependency_groups(PROJECT, "services")
GENERATED_REQUESTS = nox.project.dependency_groups(PROJECT, "api")
# The newest of both SDKs, and all that is optional.
PACKAGE = ".[server,gateway,cli,estimates,instruments-any]"
# The lowest supported SDKs; uv takes the lowest of everything else from pyproject.toml.
# pydantic is theirs; what the lowest typing-extensions allows cannot dump some models of this openai, bare as well.
OLDEST_SDKS = ["openai==1.68.2", "anthropic==0.49.0", "httpx>=0.27,<0.28", "pydantic>=2.14"]
GENERATED_TESTS = "tests/server/test_openapi.py"
# What sessions of their own run.
ELSEWHERE = ["tests/collector", "tests/browser", GENERATED_TESTS]


@nox.session
def demo(session: nox.Session) -> None:
    """Server, fake providers and an app with both SDKs on loopback; prints cost, calls and KPIs per use case."""
    session.install(PACKAGE)
    session.run("payi-otel", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite on the newest supported versions."""
    # The type checker as well: a test asks it whether users get typed results.
    session.install("-e", PACKAGE, *TEST_GROUP, *OFFICIAL_CLIENT, *ZERO_CODE, *SERVICES, *LINT_GROUP)
    session.run("pytest", *(session.posargs or ["-q", *(f"--ignore={path}" for path in ELSEWHERE)]))


@nox.session
def api(session: nox.Session) -> None:
    """Requests generated from the server's OpenAPI document; their tool brings a pytest plugin of its own."""
    session.install("-e", PACKAGE, *TEST_GROUP, *GENERATED_REQUESTS)
    session.run("pytest", "-q", *(session.posargs or [GENERATED_TESTS]))


@nox.session
def browser(session: nox.Session) -> None:
    """The portal in a real Chromium; screenshots go to build/screenshots, or to $PAYI_SCREENSHOTS."""
    session.install("-e", PACKAGE, *TEST_GROUP, *BROWSER)
    session.run("pytest", *(session.posargs or ["-q", "tests/browser"]))


@nox.session
def collector(session: nox.Session) -> None:
    """The gateway behind a real OpenTelemetry Collector, which is built first; needs Go."""
    session.install("-e", PACKAGE, *TEST_GROUP, *ZERO_CODE)
    session.run("python", "tests/collector/build.py")
    session.run("pytest", *(session.posargs or ["-q", "tests/collector"]))


@nox.session
def faults(session: nox.Session) -> None:
    """Write docs/faults.md anew: every fault between an application and Pay-i, and what became of its events."""
    session.install("-e", PACKAGE, *TEST_GROUP)
    session.run("python", "-m", "tests.faults.table", *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Write benchmarks/RESULTS.md anew: what a call costs with us, with every peer, and without any."""
    session.install("-e", PACKAGE, "uv")
    session.run("python", "benchmarks/table.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff and pyright strict."""
    session.install("-e", PACKAGE, *LINT_GROUP, *TEST_GROUP, *ZERO_CODE)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("pyright")


@nox.session
def oldest(session: nox.Session) -> None:
    """Capture, context and delivery on the lowest versions that are supported."""
    session.install("uv")
    session.run(
        "uv", "pip", "install", "--resolution", "lowest-direct", "--python", session.virtualenv.location,
        "-e", ".", *OLDEST_SDKS, *TEST_GROUP,
    )  # fmt: skip
    session.run("pytest", "-q", *(session.posargs or OLDEST_TESTS))


OLDEST_TESTS = [
    f"tests/{part}" for part in ("providers", "tracking", "capture", "spans", "delivery", "transparency")
]
