"""An end to a request as a whole, which HTTP clients do not have: their timeouts start again with every byte."""

from __future__ import annotations

import socket
import threading
from types import TracebackType


class Deadline:
    """Shuts the connection down when a request is not over in time, so that who waits for it gets an error.

    >>> with Deadline(10.0) as deadline:  # doctest: +SKIP
    ...     deadline.watch(connection)
    ...     answer = read(connection)
    """

    def __init__(self, timeout_s: float) -> None:
        self._timer = threading.Timer(timeout_s, self._end)
        self._timer.daemon = True
        self._timer.name = "payi-deadline"
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.is_over = False

    def watch(self, connection: socket.socket | None) -> None:
        """This is the connection to shut down, from now on."""
        with self._lock:
            self._socket = connection
            if self.is_over:
                self._shut_down()

    def __enter__(self) -> Deadline:
        try:
            self._timer.start()
        except RuntimeError:
            # The interpreter is going down; the flush that waits has an end of its own.
            pass
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            # The connection lives on, for the next request.
            self._socket = None

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It is closed already.
                pass
