"""All that the days, the channels and the arrivals ask for now: what runs every minute beside the workers."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.cases import Knowledge
from pipeline.correspondence.acknowledging import Heard, collect
from pipeline.correspondence.closing import remind
from pipeline.correspondence.replies import find_replies
from pipeline.correspondence.settling import settle_requests
from pipeline.correspondence.trying import try_again
from pipeline.ledger import Ledger
from pipeline.rejoin import Match, Settled


@dataclass(frozen=True, slots=True)
class Done:
    """What one round came to."""

    found: dict[str, Match] = field(default_factory=dict)
    settled: dict[str, Settled] = field(default_factory=dict)
    heard: Heard = field(default_factory=Heard)
    reminded: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    tried_again: int = 0

    @property
    def joined(self) -> int:
        return sum(answer.request is not None for answer in self.found.values())

    @property
    def told(self) -> str:
        """One line, of counts alone."""
        heard = self.heard
        return (
            f"{self.joined} replies joined, {len(self.settled)} requests settled, "
            f"{len(heard.acknowledged)} sendings acknowledged, {len(heard.failed)} failed, "
            f"{len(heard.late)} late, {self.tried_again} tried again, {len(self.reminded)} reminded, "
            f"{len(self.expired)} expired"
        )


def run_due(ledger: Ledger, knowledge: Knowledge, *, actor: str) -> Done:
    """One round. Repeated, it finds nothing more to do; several at once do each thing once."""
    found = find_replies(ledger, knowledge, actor=actor)
    settled = settle_requests(ledger, knowledge, actor=actor)
    heard = collect(ledger, knowledge, actor=actor)
    again = try_again(ledger, actor=actor)
    reminded, expired = remind(ledger, knowledge, actor=actor)
    return Done(found, settled, heard, tuple(reminded), tuple(expired), again)
