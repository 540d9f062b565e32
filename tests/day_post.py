"""The post of the simulated day: what comes when, by a watched folder and by a channel that hands over, and
who sends it."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline import ledger as led
from pipeline.errors import LedgerUnavailable, StorageFull
from pipeline.ledger import Arrival, Incoming, Ledger
from tests.day_account import Account
from tests.day_worker import BAD, World

HOURS = 24
MORNING = datetime(2026, 7, 13, tzinfo=UTC)  # a Monday
BAD_SHARE, AGAIN_SHARE, BY_FOLDER, EXPEDITED_SHARE, LATE_SHARE = 0.03, 0.04, 0.6, 0.08, 0.02
WEIGHTS = [1, 1, 1, 1, 1, 2, 4, 12, 14, 12, 8, 6, 5, 5, 6, 7, 8, 5, 3, 2, 2, 1, 1, 1]  # of the hours


@dataclass(frozen=True)
class Packet:
    """What is sent at `hour`; `late` by a channel that has had it since so long."""

    hour: float
    content: bytes
    by_folder: bool
    expedited: bool = False
    late: timedelta = timedelta()
    reference: str | None = None


def plan(count: int, rng: random.Random) -> list[Packet]:
    """The day's post, by time."""
    packets = []
    for number in range(count):
        content = (BAD if rng.random() < BAD_SHARE else b"%PDF-1.7 ") + rng.randbytes(rng.randint(500, 9000))
        hour = rng.choices(range(HOURS), WEIGHTS)[0] + rng.random()
        if rng.random() < BY_FOLDER:
            packets.append(Packet(hour, content, by_folder=True))
        else:
            late = timedelta(hours=rng.uniform(12, 160)) if rng.random() < LATE_SHARE else timedelta()
            urgent = rng.random() < EXPEDITED_SHARE
            packets.append(Packet(hour, content, False, urgent, late, reference=f"fax-{number}"))
    again = [
        Packet(min(one.hour + rng.uniform(0.5, 3), 23.9), one.content, rng.random() < 0.5)
        for one in rng.sample(packets, round(AGAIN_SHARE * count))
    ]
    return sorted(packets + again, key=lambda packet: packet.hour)


class Sender:
    """Sends what is due and keeps account of what was taken in. What is refused is sent again later."""

    def __init__(self, ledger: Ledger, world: World, inbox: Path, packets: Sequence[Packet]) -> None:
        self.account = Account()
        self.slowest_s = 0.0
        self.inbox = inbox
        self._ledger, self._world = ledger, world
        self._due = list(packets)
        self._sent = 0
        self._lying: dict[str, tuple[Packet, datetime]] = {}

    @property
    def is_done(self) -> bool:
        return not self._due and not self._lying

    def step(self) -> None:
        self.look()
        now = self._world.now()
        due = []
        while self._due and MORNING + timedelta(hours=self._due[0].hour) <= now:
            due.append(self._due.pop(0))
        for packet in due:
            if packet.by_folder:
                self._lay_down(packet)
        self.hand_over([packet for packet in due if not packet.by_folder])

    def look(self) -> None:
        """What is gone from the folder was taken in since it was laid down."""
        there = {path.name for path in self.inbox.iterdir()}
        now = self._world.now()  # after the look: what went in between was received before this
        for name in [name for name in self._lying if name not in there]:
            packet, since = self._lying.pop(name)
            self.account.take(packet.content, False, since, now)

    def _lay_down(self, packet: Packet) -> None:
        name = f"{self._sent:05}.pdf"
        self._sent += 1
        self._lying[name] = packet, self._world.now()
        beside = self.inbox / f".{name}"
        beside.write_bytes(packet.content)
        beside.rename(self.inbox / name)

    def hand_over(self, packets: Sequence[Packet]) -> None:
        for start in range(0, len(packets), 20):
            some = packets[start : start + 20]
            at = [self._world.now() - packet.late for packet in some]
            arrivals = [
                Arrival([Incoming("fax.pdf", one.content)], "gateway", one.reference, one.expedited, when)
                for one, when in zip(some, at, strict=True)
            ]
            began = time.monotonic()
            try:
                led.receive(self._ledger, arrivals)
            except (StorageFull, LedgerUnavailable):
                self._due[:0] = some
                continue
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            for packet, when in zip(some, at, strict=True):
                self.account.take(packet.content, packet.expedited, when, when)
