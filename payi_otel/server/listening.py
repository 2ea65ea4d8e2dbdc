"""The socket the server answers at."""

from __future__ import annotations

import socket


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections at an address; port 0 is a free one. Raises `OSError` that names the address.

    >>> with listen("127.0.0.1", 0) as listening:
    ...     listening.getsockname()[0]
    '127.0.0.1'
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # With the protocol named, or asyncio would leave Nagle's algorithm on: 40 ms more for each answer.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            # A restarted server need not wait for the connections of the one before.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen()
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise OSError(error.errno, f"cannot listen at {host}:{port}: {error.strerror}") from None
    return listening
