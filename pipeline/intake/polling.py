"""A channel that is looked at again and again, whatever happens: what changes is told once, and what fails is
tried again after pauses that grow."""

from __future__ import annotations

import logging
import time
from typing import Final

from pipeline.errors import ChannelError, LedgerUnavailable, StorageFull, TriageError
from pipeline.intake import Channel
from pipeline.ledger import WORKING, Ledger, channel_stands

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
# Servers lock out who knocks too often with the wrong key.
_LOCKED_OUT: Final = {"not_let_in": 600.0, "key": 600.0}
_BUG: Final = "internal_error"


class Polling:
    """One channel. `poll`, wait for `pause_s`, and again."""

    def __init__(self, channel: Channel, *, longest_pause_s: float = _LONGEST_PAUSE_S) -> None:
        self.channel = channel
        self.cause = WORKING
        self._longest_pause_s = longest_pause_s
        self._failures = 0
        self._took_s = 0.0
        self._told: tuple[str, dict[str, int]] = (WORKING, {})
        self._noted: tuple[str, dict[str, int]] | None = None

    @property
    def pause_s(self) -> float:
        """Seconds until the next look: at least as long as the last one took, longer after each failure."""
        pause = max(self.channel.every_s, self._took_s)
        if self._failures:
            growing: float = max(pause, _FIRST_PAUSE_S) * 2.0 ** min(self._failures - 1, 20)
            pause = max(pause, min(growing, _LOCKED_OUT.get(self.cause, self._longest_pause_s)))
        return pause

    def poll(self, ledger: Ledger) -> int:
        """What the channel took in; 0 where it could not. Raises nothing."""
        started, taken = time.monotonic(), 0
        try:
            taken = self.channel.take_in(ledger)
        except (TriageError, OSError) as error:
            self._failed(_cause(error), error)
        except Exception as error:  # a bug in one channel's code must be told, and end neither it nor others
            self._failed(_BUG, error)
        else:
            self._failures, self.cause = 0, WORKING
        self._took_s = time.monotonic() - started
        if taken:
            _log.info("Channel %s: %d received.", self.channel.name, taken)
        self._tell(ledger)
        return taken

    def _failed(self, cause: str, error: Exception) -> None:
        self._failures += 1
        if cause == self.cause:
            return
        self.cause = cause
        if isinstance(error, TriageError):
            _log.warning("Channel %s: %s It is tried again.", self.channel.name, error)
        else:
            _log.error("Channel %s does not work (%s).", self.channel.name, cause, exc_info=error)

    def _tell(self, ledger: Ledger) -> None:
        """What has changed since it was told last, in the log and in the ledger."""
        # What lies at a source that cannot be looked at is what lay there before.
        left = dict(self.channel.left) if self.cause == WORKING else self._told[1]
        standing = (self.cause, left)
        if self.cause == WORKING != self._told[0]:
            _log.warning("Channel %s works again.", self.channel.name)
        if left != self._told[1]:
            told = ", ".join(f"{number} {why}" for why, number in sorted(left.items())) or "nothing"
            _log.warning("Channel %s: left where it is: %s.", self.channel.name, told)
        self._told = standing
        if standing != self._noted:
            try:
                channel_stands(ledger, self.channel.name, *standing)
                self._noted = standing
            except TriageError:  # the ledger does not answer, or is full: at the next look
                pass


def _cause(error: Exception) -> str:
    if isinstance(error, ChannelError):
        return error.code
    if isinstance(error, StorageFull):
        return "storage_full"
    if isinstance(error, LedgerUnavailable):
        return "ledger_unavailable"
    return "configuration" if isinstance(error, TriageError) else "storage"
