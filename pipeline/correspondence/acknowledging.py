"""What became of a request after a channel was handed it: asked of the channel, or told by a gateway.

    handed over ─▶ acknowledged ─▶ failed, with the other side's code
         └── late: told once, where nobody said anything for hours

No lock is held while a channel is asked. What it says is written where nothing was written meanwhile, so
any number of callers may ask at once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from pipeline.cases import Knowledge
from pipeline.correspondence.apart import apart
from pipeline.correspondence.records import Delivery, State
from pipeline.correspondence.tables import handovers, requests
from pipeline.delivery import Later, channels_in, code_of
from pipeline.errors import DeliveryError, UsageError
from pipeline.ledger import Ledger
from pipeline.ledger.changes import note
from pipeline.ledger.tables import submissions

_log = logging.getLogger(__name__)
_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(hours=1)
_SHARE: Final = 0.1  # of its age, after which a sending is asked about again
_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Heard:
    """Keys of sendings that were acknowledged, that failed, and that are late."""

    acknowledged: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    late: tuple[str, ...] = ()


def collect(ledger: Ledger, knowledge: Knowledge, *, actor: str) -> Heard:
    """Ask the channels what became of what they were handed. One that does not answer is asked no more in
    this round: so many waits, one after the other, would hold up all else."""
    channels = channels_in(knowledge.settings)
    acknowledged, failed, silent = list[str](), list[str](), set[str]()
    for row in ledger.read(lambda db: db.execute(_to_ask(ledger.now(db))).all()):
        if row.channel in silent:
            continue
        channel, said = channels.get(row.channel), Later("waiting", final=False)
        try:
            with apart("Request", row.reference, but=(DeliveryError,)):
                said = channel.later(row.receipt) if channel is not None else said
        except DeliveryError as error:
            _log.warning("Submission %s: %s", row.submission_id, error)
            if error.retryable:
                silent.add(row.channel)
        if _write(ledger, row, said, actor):
            {"acknowledged": acknowledged, "failed": failed}[said.state].append(row.key)
    return Heard(tuple(acknowledged), tuple(failed), tuple(_late(ledger, knowledge, actor)))


def tell(ledger: Ledger, reference: str, channel: str, *, failed: str | None, actor: str) -> None:
    """What a gateway says by itself of the latest sending of a request: it went out, or it `failed` with a
    code. Asked twice, it is written once. Raises UsageError."""
    if failed is not None and not code_of(failed):
        raise UsageError("A code is of small letters, digits and '_', at most 40 characters.")
    found = select(handovers).where(handovers.c.reference == reference, handovers.c.channel == channel)
    row = ledger.read(lambda db: db.execute(found.order_by(handovers.c.handed_at.desc()).limit(1)).first())
    if row is None:
        raise UsageError(
            f"Channel {channel} was handed no request {reference}.", next_step="`triage request list --all`."
        )
    said = Later("acknowledged") if failed is None else Later("failed", code_of(failed))
    _write(ledger, row, said, actor)


# --------------------------------------------------------------------------- steps


def _to_ask(now: datetime) -> Any:
    """Sendings of open requests that are due to be asked about, those that wait longest in front."""
    return (
        select(handovers)
        .join(requests, requests.c.reference == handovers.c.reference)
        .where(handovers.c.ask_at <= now, requests.c.state == State.OPEN)
        .order_by(handovers.c.ask_at)
        .limit(_MOST)
    )


def _write(ledger: Ledger, row: Row[Any], said: Later, actor: str) -> bool:
    """Write down what was said; whether it is news."""

    def work(db: Connection) -> bool:
        now = ledger.now(db)
        same = handovers.c.key == row.key, handovers.c.state == row.state
        again = now + min(max(_SHARE * (now - row.handed_at), _SHORTEST), _LONGEST)
        news = said.state != "waiting" and (said.state, said.code) != (row.state, row.code or "")
        values: dict[str, Any] = {"ask_at": None if said.final else again}
        if news:
            values |= {"state": said.state, "code": said.code or None, "ended_at": now}
        if not db.execute(update(handovers).where(*same).values(values)).rowcount or not news:
            return False
        kind = "delivery_failed" if said.state == "failed" else "delivery_acknowledged"
        data = {"reference": row.reference, "channel": row.channel}
        cause = said.code or None
        note(db, row.submission_id, kind, at=now, actor=actor, cause=cause, data=data)
        return True

    return ledger.write(work)


def _late(ledger: Ledger, knowledge: Knowledge, actor: str) -> Sequence[str]:
    """Sendings that nobody acknowledged within the plan's hours, each told once."""
    acknowledge = knowledge.catalog.letters.acknowledge
    waiting = (
        select(handovers, submissions.c.expedited)
        .join(requests, requests.c.reference == handovers.c.reference)
        .join(submissions, submissions.c.id == handovers.c.submission_id)
        .where(handovers.c.state == Delivery.HANDED_OVER, handovers.c.late_at.is_(None))
        .where(requests.c.state == State.OPEN)
    )

    def work(db: Connection) -> list[str]:
        now, late = ledger.now(db), list[str]()
        for row in db.execute(waiting).all():
            untold = handovers.c.key == row.key, handovers.c.late_at.is_(None)
            if now - row.handed_at < acknowledge.within(expedited=row.expedited):
                continue
            if db.execute(update(handovers).where(*untold).values(late_at=now)).rowcount:
                data = {"reference": row.reference, "channel": row.channel}
                note(db, row.submission_id, "acknowledgement_late", at=now, actor=actor, data=data)
                late.append(row.key)
        return late

    return ledger.write(work)
