"""Durations of stages and pages by how they ended, counted in memory and added to the ledger now and then.

In the ledger, not in files of the process, since workers come and go on many machines, and one figure for
all is wanted. Written beside the work, at most every few seconds: it costs a submission nothing. A killed
worker loses what it had not written, which the truth (submissions, cases, attempts) never does.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from pipeline import ledger as led
from pipeline.ledger import Ledger, PageMark

_log = logging.getLogger(__name__)

STAGE, PAGES = "stage", "pages"
STAGES: Final = ("read", "build", "evaluate", "send")
BUCKETS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper ends of a stage's histogram; what takes longer is in one more bucket."""
_EVERY_S: Final = 10.0


class Tallies:
    """What a worker has counted and not written yet. Safe for use by several threads."""

    def __init__(self, ledger: Ledger, every_s: float = _EVERY_S) -> None:
        self._ledger, self._every_s = ledger, every_s
        self._lock = threading.Lock()
        self._counted: dict[tuple[str, str, int], list[float]] = defaultdict(lambda: [0, 0.0])
        self._written = time.monotonic()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the block's duration, also where it ends with an exception."""
        started = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - started
            self._add(STAGE, stage, bisect_left(BUCKETS_S, seconds), 1, seconds)

    def pages(self, marks: Sequence[PageMark]) -> None:
        """Count pages by how they ended."""
        for mark in marks:
            self._add(PAGES, mark.state, 0, 1)

    def write_if_due(self) -> None:
        """Add what was counted to the ledger, if that was not done in the last seconds."""
        if time.monotonic() - self._written >= self._every_s:
            self.write()

    def write(self) -> None:
        """Add what was counted to the ledger. Where that does not go, it is kept for the next time."""
        with self._lock:
            counted, self._counted = self._counted, defaultdict(lambda: [0, 0.0])
        self._written = time.monotonic()
        more = [led.Tally(*key, int(number), seconds) for key, (number, seconds) in counted.items()]
        try:
            led.add_tallies(self._ledger, more)
        except Exception as error:  # whatever it is: work must not fail because it is counted
            _log.warning("Durations could not be written (%s); they are kept.", type(error).__name__)
            for key, (number, seconds) in counted.items():
                self._add(*key, int(number), seconds)

    def _add(self, kind: str, label: str, bucket: int, number: int, seconds: float = 0.0) -> None:
        with self._lock:
            kept = self._counted[kind, label, bucket]
            kept[0] += number
            kept[1] += seconds
