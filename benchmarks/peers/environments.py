"""An environment for each contender, kept in the user's cache directory for the next run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from peers.contenders import SDKS, Contender

_BIN = "Scripts" if os.name == "nt" else "bin"


def cache_folder() -> Path:
    """Where environments are kept: `payi-otel-benchmarks` in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "payi-otel-benchmarks"


def python_of(contender: Contender) -> Path:
    """The interpreter of a contender's environment, which is made if it is missing or of other versions.

    Raises subprocess.CalledProcessError when something cannot be installed.
    """
    wanted = (sys.version, *SDKS, *contender.requirements)
    folder = cache_folder() / f"{contender.name}-{hashlib.sha256(repr(wanted).encode()).hexdigest()[:12]}"
    done = folder / "installed"
    python = folder / _BIN / "python"
    if not done.exists():
        print(f"installing {contender.title} into {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        _install(folder, python, (*SDKS, *contender.requirements))
        done.touch()
    return python


def _install(folder: Path, python: Path, requirements: tuple[str, ...]) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is not None:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        command = [uv, "pip", "install", "--quiet", "--prerelease", "allow", "--python", str(python)]
    else:
        venv.create(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--pre"]
    subprocess.run([*command, *requirements], check=True)


def versions(python: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The installed versions of some distributions."""
    program = "import importlib.metadata as m, sys\nfor name in sys.argv[1:]: print(m.version(name))"
    printed = subprocess.run(
        [python, "-c", program, *names], check=True, capture_output=True, text=True
    ).stdout
    return dict(zip(names, printed.split(), strict=True))
