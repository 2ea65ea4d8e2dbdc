"""Shows how far a command is: a bar on a terminal, nothing in a log."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Protocol


class Bar(Protocol):
    """A progress bar."""

    def show(self, done: int, note: str = "") -> None:
        """Stand at `done`, with a note beside it."""
        ...

    def say(self, text: str) -> None:
        """Print a line to standard error without disturbing the bar."""
        ...

    def close(self) -> None:
        """Leave the bar as it stands."""
        ...


def open_bar(total: int, description: str, *, unit: str, scaled: bool) -> Bar:
    """A bar from 0 to `total` on standard error; `scaled` writes numbers like 1.2M.

    Where standard error is no terminal, or tqdm (the extra `cli`) is not installed, nothing moves.

    >>> bar = open_bar(10, "import", unit="B", scaled=True)
    >>> bar.show(3)
    """
    if not sys.stderr.isatty():
        return _Quiet()
    if importlib.util.find_spec("tqdm") is None:
        print('For a progress bar: pip install "payi-otel[cli]"', file=sys.stderr)
        return _Quiet()
    return _Tqdm(total, description, unit, scaled)


@contextmanager
def log_beside(bar: Bar) -> Generator[None]:
    """Print the package's warnings without disturbing the bar, for the time of the block."""
    handler = _BarHandler(bar)
    logger = logging.getLogger("payi_otel")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _BarHandler(logging.Handler):
    def __init__(self, bar: Bar) -> None:
        super().__init__(logging.WARNING)
        self._bar = bar

    def emit(self, record: logging.LogRecord) -> None:
        self._bar.say(self.format(record))


class _Quiet:
    def show(self, done: int, note: str = "") -> None:
        return

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        return


class _Tqdm:
    def __init__(self, total: int, description: str, unit: str, scaled: bool) -> None:
        from tqdm import tqdm

        self._bar: tqdm[Any] = tqdm(
            total=total, desc=description, unit=unit, unit_scale=scaled, dynamic_ncols=True
        )

    def show(self, done: int, note: str = "") -> None:
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)
        if note:
            self._bar.refresh()

    def say(self, text: str) -> None:
        self._bar.write(text, file=sys.stderr)

    def close(self) -> None:
        self._bar.close()
