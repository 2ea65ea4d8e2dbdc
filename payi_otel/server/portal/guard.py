"""Passwords, and how often somebody may try to sign in."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from payi_otel.server.rates import RateLimiter

SHORTEST_PASSWORD = 10
_LONGEST_PASSWORD = 1000
_AT_ONCE = 2
_BURST = 10
_SECONDS_EACH = 6


def hash_password(password: str) -> str:
    """What is stored of a password, by argon2id. Raises `ValueError` for one that is too short or too long."""
    if not SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise ValueError(f"password: give {SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters")
    return PasswordHasher().hash(password)


class SignInGuard:
    """Checks passwords, two at a time since each takes much memory, and slows down who guesses."""

    def __init__(self) -> None:
        self._rates = RateLimiter(1 / _SECONDS_EACH, burst=_BURST)
        self._checking = threading.Semaphore(_AT_ONCE)
        self._hasher = PasswordHasher()
        # Checked for unknown users, so that they take as long as known ones.
        self._nobody = self._hasher.hash("nobody has this password")

    def wait_s(self, address: str, name: str) -> float:
        """0 if this address may try to sign in as `name` now, else after how many seconds."""
        return max(
            self._rates.wait_s(f"address {address}"), self._rates.wait_s(f"name {name}") if name else 0.0
        )

    def succeeded(self, address: str, name: str) -> None:
        """Forget an attempt: only those that fail count."""
        self._rates.give_back(f"address {address}")
        self._rates.give_back(f"name {name}")

    def is_right(self, stored: str | None, password: str) -> bool:
        """Whether a password is the one whose hash is stored; None for a user who does not exist."""
        if len(password) > _LONGEST_PASSWORD:
            return False
        with self._checking:
            try:
                return self._hasher.verify(stored or self._nobody, password) and stored is not None
            except (Argon2Error, InvalidHashError):
                return False
