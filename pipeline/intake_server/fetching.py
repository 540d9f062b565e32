"""What notices tell of, fetched and received before the notice counts as done; in the server's process.

A server that dies on the way leaves the notice to be fetched again; the fax id makes that one delivery.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pipeline.errors import LeaseLost, LedgerUnavailable, StorageFull
from pipeline.intake.fax_providers import Provider
from pipeline.intake_server.fax_fetch import NotFetched, fetch
from pipeline.ledger import Arrival, Incoming, Ledger, receive, worker_name
from pipeline.ledger.notices import Fetching, claim_notices, fetched, not_fetched

_log = logging.getLogger(__name__)
_LOOK_S: Final = 5.0
_AFTER_FAILURE_S: Final = 10.0


@dataclass(frozen=True)
class Fetcher:
    """Fetches what is due. `give_up` after so long; `idle_s` without a byte breaks a fetch off."""

    ledger: Ledger
    providers: Mapping[str, Provider]
    largest: int
    give_up: timedelta
    idle_s: float

    def fetch_due(self, worker: str) -> int:
        """Everything that is due, one after another; returns how many were tried. Raises StorageFull and
        LedgerUnavailable: then what was held is fetched once its lease ends."""
        tried = 0
        while held := claim_notices(self.ledger, worker):
            for one in held:
                self._one(one)
                tried += 1
        return tried

    def _one(self, held: Fetching) -> None:
        try:
            try:
                fetched(self.ledger, held, self._received(held))
                return
            except NotFetched as error:
                failed = error
            until, code = self.give_up, failed.code
            state = not_fetched(self.ledger, held, code, until=until, can_pass=failed.can_pass)
            _log.warning("Notice %s: %s at try %d; it is %s.", held.id, code, held.attempt, state)
        except LeaseLost:
            _log.warning("Notice %s: the lease was lost; another may have it.", held.id)

    def _received(self, held: Fetching) -> str:
        """The fax in the ledger; returns its submission's id. Raises NotFetched, StorageFull."""
        provider = self.providers.get(held.channel.partition(":")[2])
        if provider is None:
            raise NotFetched("no_such_provider")
        self.ledger.vault.check_room()
        with self.ledger.vault.work_place() as folder:
            path = folder / "fax"
            fetch(provider, held.address, path, largest=self.largest, idle_s=self.idle_s)
            file = Incoming(f"fax-{held.reference}", path)
            arrival = Arrival([file], held.channel, held.reference, received_at=held.received_at)
            (receipt,) = receive(self.ledger, [arrival])
        return receipt.submission_id


class FetchLoop:
    """A thread that fetches what is due, at once when it is told to look."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._worker = worker_name()
        self._stopped = threading.Event()
        self._look = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fax", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def look(self) -> None:
        """Something new is to be fetched."""
        self._look.set()

    def stop(self) -> None:
        """End; what is being fetched is fetched again once its lease ends."""
        self._stopped.set()
        self._look.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._look.clear()
            try:
                self._fetcher.fetch_due(self._worker)
            except (LedgerUnavailable, StorageFull, OSError) as error:
                _log.warning("Faxes wait to be fetched: %s.", type(error).__name__)
                self._stopped.wait(_AFTER_FAILURE_S)
            except Exception as error:  # a bug must not end the loop: it is told of, and tried again
                _log.error("Fetching faxes failed.", exc_info=error)
                self._stopped.wait(_AFTER_FAILURE_S)
            self._look.wait(_LOOK_S)
