"""Builds the Collector of `builder.yaml` into the user's cache, once per manifest; prints where it is.

    python tests/collector/build.py

Needs Go and its module proxy. The first build takes minutes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MANIFEST = Path(__file__).with_name("builder.yaml")
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.150.0"
NAME = "otelcol-payi-test"


def binary() -> Path:
    """Where the Collector is once it is built; the manifest's own content tells one build from another."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(MANIFEST.read_bytes() + BUILDER.encode()).hexdigest()[:16]
    return base / "payi-otel" / f"collector-{digest}" / NAME


def why_not() -> str | None:
    """Why there is no Collector here; None when there is."""
    if binary().exists():
        return None
    if shutil.which("go") is None:
        return "no Collector in the cache, and no Go toolchain to build it: see tests/collector/build.py"
    return "no Collector in the cache; build it with: python tests/collector/build.py"


def build() -> Path:
    """Build the Collector unless it is there."""
    target = binary()
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="payi-collector-") as folder:
        tools, sources = Path(folder, "bin"), Path(folder, "sources")
        subprocess.run(["go", "install", BUILDER], env={**os.environ, "GOBIN": str(tools)}, check=True)
        manifest = Path(folder, "builder.yaml")
        text = MANIFEST.read_text()
        manifest.write_text(text.replace("dist:\n", f"dist:\n  output_path: {sources}\n", 1))
        # The builder's own `go mod tidy` would fetch what the components' tests need as well.
        skip = ["--skip-compilation", "--skip-get-modules"]
        subprocess.run([str(tools / "builder"), "--config", str(manifest), *skip], check=True)
        made = Path(folder, NAME)
        flags = ["-mod=mod", "-trimpath", "-ldflags=-s -w"]
        subprocess.run(["go", "build", *flags, "-o", str(made), "."], cwd=sources, check=True)
        # Moved at the end, and at once: half a Collector must not be taken for one.
        arriving = target.with_name(f"{NAME}.{os.getpid()}")
        shutil.copy2(made, arriving)
        arriving.replace(target)
    return target


if __name__ == "__main__":
    if shutil.which("go") is None and not binary().exists():
        sys.exit("no Go toolchain here: the Collector cannot be built, its tests will be skipped")
    print(build())
