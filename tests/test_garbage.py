"""How the server and the gateway have Python collect garbage."""

from __future__ import annotations

import subprocess
import sys

SETTLE = """
import gc
from payi_otel.garbage import collect_seldom
collect_seldom()
print(gc.get_threshold()[0], gc.get_freeze_count() > 0, gc.isenabled())
"""


def test_what_is_loaded_is_left_alone_and_the_rest_is_still_collected():
    told = subprocess.run([sys.executable, "-c", SETTLE], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["50000", "True", "True"]
