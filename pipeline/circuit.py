"""A circuit breaker: leaves a service alone for a while that has failed several times in a row.

Without it a thousand cases would each wait out their retries on an evaluator that is down, and load
it with requests the moment it comes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock


class Circuit:
    """Open after `failures` failures in a row, for `seconds`; then one request may try.

    While that one is out, and again if it fails, the circuit stays open. Safe between threads.
    0 failures: never open.
    """

    def __init__(self, failures: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._in_a_row = 0
        self._closed_again = 0.0

    def wait_s(self) -> float:
        """Seconds until a request may be sent, 0 if now: then the caller must send one and tell of it."""
        with self._lock:
            if not self._limit or self._in_a_row < self._limit:
                return 0.0
            now = self._clock()
            if now < self._closed_again:
                return self._closed_again - now
            self._closed_again = now + self._seconds  # for all but this one
            return 0.0

    def succeeded(self) -> None:
        with self._lock:
            self._in_a_row = 0

    def failed(self) -> None:
        with self._lock:
            self._in_a_row += 1
            self._closed_again = self._clock() + self._seconds
