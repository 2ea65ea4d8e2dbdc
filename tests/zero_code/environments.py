"""Virtual environments for `opentelemetry-instrument`: the running one's packages, some left out, some added.

Their packages are links to those of the running environment, so that nothing is installed for a test.
"""

from __future__ import annotations

import sysconfig
import textwrap
import venv
from collections.abc import Mapping
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).parents[2]


def make_environment(folder: Path, *, without: tuple[str, ...] = (), distro: str | None = None) -> Path:
    """A virtual environment with payi_otel; the path of its `bin`.

    `without` are distributions to leave out, by their names' beginning in site-packages; `distro` is the source of
    a module that is to be an OpenTelemetry distro, with the classes `Distro` and `Configurator`.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        mine = entry.name.startswith(("payi_otel", "_payi_otel", "_editable", "__pycache__", "pip"))
        if not mine and not entry.name.startswith(without):
            (site / entry.name).symlink_to(entry)
    (site / "payi_otel").symlink_to(ROOT / "payi_otel")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["instruments-any"]
    wants = "".join(f"Requires-Dist: {one}; extra == 'instruments-any'\n" for one in extra)
    add_distribution(site, "payi-otel", project["entry-points"], f"Provides-Extra: instruments-any\n{wants}")
    if distro is not None:
        (site / "somebodys_distro.py").write_text(textwrap.dedent(distro))
        points = {
            "opentelemetry_distro": {"somebody": "somebodys_distro:Distro"},
            "opentelemetry_configurator": {"somebody": "somebodys_distro:Configurator"},
        }
        add_distribution(site, "somebodys-distro", points)
    command = folder / "bin" / "opentelemetry-instrument"
    command.write_text(
        f"#!{folder}/bin/python\nfrom opentelemetry.instrumentation.auto_instrumentation import run\nrun()\n"
    )
    command.chmod(0o755)
    return folder / "bin"


def add_distribution(
    site: Path, name: str, entry_points: Mapping[str, Mapping[str, str]], metadata: str = ""
) -> None:
    """What an installer leaves of a distribution for `importlib.metadata`."""
    info = site / f"{name.replace('-', '_')}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{metadata}")
    lines = [
        line
        for group, points in entry_points.items()
        for line in (f"[{group}]", *(f"{point} = {target}" for point, target in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
