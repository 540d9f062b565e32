"""What a channel did not take for all its tries is tried again each hour, as long as its request is open: a
server may be away for a night. What it refused waits for a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, select, update

from pipeline.correspondence.records import State
from pipeline.correspondence.tables import requests
from pipeline.ledger import Ledger
from pipeline.ledger.changes import note
from pipeline.ledger.tables import outbox

_REST: Final = timedelta(hours=1)
NOT_TAKEN: Final = "not_taken"
"""Reason in the outbox of what waiting can help."""


def try_again(ledger: Ledger, *, actor: str) -> int:
    """Put back what failed an hour ago or more; returns how many."""

    def work(db: Connection) -> int:
        now = ledger.now(db)
        untaken = (
            select(outbox, requests.c.reference)
            .join(requests, requests.c.submission_id == outbox.c.submission_id)
            .where(requests.c.state == State.OPEN, outbox.c.key.like(requests.c.reference + "/%"))
            .where(outbox.c.state == "failed", outbox.c.reason == NOT_TAKEN)
            .where(outbox.c.ended_at <= now - _REST)
        )
        rows = db.execute(untaken.with_for_update(skip_locked=True, of=outbox)).all()
        for row in rows:
            again = {"state": "waiting", "attempts": 0, "claimable_at": now, "ended_at": None, "reason": None}
            db.execute(update(outbox).where(outbox.c.id == row.id).values(again))
            data = {"reference": row.reference, "target": row.target}
            note(db, row.submission_id, "delivery_tried_again", at=now, actor=actor, data=data)
        return len(rows)

    return ledger.write(work)
