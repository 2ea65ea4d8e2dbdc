"""Runs a command with its standard error on a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence

_ROWS_AND_COLUMNS = struct.pack("HHHH", 40, 150, 0, 0)


def run_on_terminal(command: Sequence[str], environ: Mapping[str, str]) -> tuple[int, str, str]:
    """The exit code, what went to standard output, and what the terminal was shown.

    >>> run_on_terminal(["true"], {})
    (0, '', '')
    """
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, _ROWS_AND_COLUMNS)
    process = subprocess.Popen(
        command, env={**os.environ, **environ, "TERM": "xterm"}, stdout=subprocess.PIPE, stderr=end
    )
    os.close(end)
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:
            # How Linux says that nobody holds the other end any more.
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    out, _ = process.communicate(timeout=120)
    return process.returncode, out.decode(), shown.decode()
