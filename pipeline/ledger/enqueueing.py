"""What is to be sent enters the outbox, in the transaction that makes it; how it goes out, see `outbox`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from pipeline.ledger.opening import Ledger
from pipeline.ledger.records import Outgoing, Sending
from pipeline.ledger.tables import outbox

# Built once: building a statement costs as much as running it.
_ENQUEUED: Final = insert(outbox).inline()
_ENQUEUED_HELD: Final = insert(outbox).returning(outbox.c.id)


def enqueue(
    db: Connection,
    submission_id: str,
    case_number: int,
    outgoing: Sequence[Outgoing],
    *,
    expedited: bool,
    now: datetime,
) -> None:
    """Let each target have the case, in the caller's transaction."""
    for one in outgoing:
        row = _row(submission_id, case_number, one, expedited, now)
        db.execute(_ENQUEUED, row | {"attempts": 0, "token": 0, "claimable_at": now})


def enqueue_held(
    ledger: Ledger,
    db: Connection,
    submission_id: str,
    case_number: int,
    outgoing: Sequence[Outgoing],
    worker: str,
    *,
    expedited: bool,
    now: datetime,
) -> list[Sending]:
    """The same, but `worker` holds them from the start and sends them next: nobody need look for them. If
    it dies, another has them when its lease is over."""
    held = {"attempts": 1, "token": 1, "worker": worker, "claimable_at": now + ledger.limits.lease}
    sendings = []
    for one in outgoing:
        row = _row(submission_id, case_number, one, expedited, now)
        number = db.execute(_ENQUEUED_HELD, row | held).scalar_one()
        sendings.append(Sending(number, submission_id, case_number, one.target, one.key, 1, worker, 1))
    return sendings


def held_by(db: Connection, submission_id: str, case_number: int, worker: str) -> list[Sending]:
    """What `enqueue_held` gave, for who asks again because the answer was lost."""
    c = outbox.c
    found = select(c.id, c.target, c.key).where(
        c.submission_id == submission_id,
        c.case_number == case_number,
        c.worker == worker,
        c.token == 1,
        c.state == "waiting",
    )
    return [
        Sending(row.id, submission_id, case_number, row.target, row.key, 1, worker, 1)
        for row in db.execute(found.order_by(c.id)).all()
    ]


def _row(
    submission_id: str, case_number: int, one: Outgoing, expedited: bool, now: datetime
) -> dict[str, Any]:
    return {
        "submission_id": submission_id,
        "case_number": case_number,
        "target": one.target,
        "key": one.key,
        "state": "waiting",
        "expedited": expedited,
        "created_at": now,
    }
