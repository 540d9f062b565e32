"""Claims: who works what, for how long; what comes back when a worker dies.

A claim holds until its lease ends and may be renewed. What is not renewed can be claimed by another, with
a higher token; from then on the first holder's writes are refused (LeaseLost). So two workers may both
believe for a moment that they hold a submission, but only one of them can finish it.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from pipeline.domain import Reading
from pipeline.errors import LeaseLost
from pipeline.ledger.changes import move, note, pause
from pipeline.ledger.opening import Ledger
from pipeline.ledger.reading_json import reading_to_json
from pipeline.ledger.records import Claim, State
from pipeline.ledger.tables import attempts, submissions
from pipeline.ledger.texts import READING, save

LOST, FAILED = "worker_lost", "failed_repeatedly"
"""Reasons for which the ledger itself parks: so many workers vanished, or failed, over a submission."""


# Built once: building a statement costs as much as running it.
_CLAIMABLE: Final = (
    select(*(submissions.c[name] for name in ("id", "state", "token", "round", "attempts", "expedited")))
    .where(submissions.c.claimable_at <= bindparam("now"))
    .order_by(submissions.c.expedited.desc(), submissions.c.due_at, submissions.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_BEGUN: Final = insert(attempts)
_ENDED: Final = update(attempts).where(
    attempts.c.submission_id == bindparam("of"), attempts.c.token == bindparam("held")
)
_ID: Final = submissions.c.id == bindparam("of")
_HELD: Final = (_ID, submissions.c.token == bindparam("held"), submissions.c.worker == bindparam("holder"))
_CHECKED: Final = select(submissions.c.case_number).where(*_HELD).with_for_update()
_RENEWED: Final = update(submissions).where(*_HELD)


def worker_name() -> str:
    """Who works: told apart from all others, also from itself before a restart."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{uuid.uuid4().hex[:6]}"


def claim(ledger: Ledger, worker: str, most: int = 1, *, only: str | None = None) -> list[Claim]:
    """Up to `most` submissions for `worker`, expedited ones first, then by due date; `only` that one.

    What a vanished worker held is among them once its lease is over. A submission that `max_attempts`
    workers began and none ended is parked instead. Claims that never reach the caller run out.
    """
    return ledger.write(lambda db: _claim(ledger, db, worker, most, only))


def claims_due(ledger: Ledger) -> bool:
    """Whether a submission could be claimed now."""

    def work(db: Connection) -> bool:
        due = select(submissions.c.id).where(submissions.c.claimable_at <= ledger.now(db))
        return db.execute(due.limit(1)).first() is not None

    return ledger.glance(work)


def _claim(ledger: Ledger, db: Connection, worker: str, most: int, only: str | None) -> list[Claim]:
    now = ledger.now(db)
    found = _CLAIMABLE if only is None else _CLAIMABLE.where(submissions.c.id == only)
    claims: list[Claim] = []
    for row in db.execute(found, {"now": now, "most": most}).all():
        if row.state == State.IN_FLIGHT:
            end_attempt(db, row.id, row.token, now, "lost", None)
            note(db, row.id, "lease_lost", at=now, actor="ledger", data={"token": row.token})
        if row.attempts >= ledger.limits.max_attempts:
            _park_worn(db, row.id, row.attempts, now, LOST)
        else:
            claims.append(_take(ledger, db, row, worker, now))
    return claims


def _take(ledger: Ledger, db: Connection, row: Row[Any], worker: str, now: datetime) -> Claim:
    held = Claim(
        submission_id=row.id,
        token=row.token + 1,
        worker=worker,
        round=row.round,
        attempt=row.attempts + 1,
        expedited=row.expedited,
        until=now + ledger.limits.lease,
    )
    move(
        db,
        row.id,
        State.IN_FLIGHT,
        "claimed",
        at=now,
        actor=f"worker:{worker}",
        data={"attempt": held.attempt, "token": held.token},
        attempts=held.attempt,
        claimable_at=held.until,
        token=held.token,
        worker=worker,
    )
    begun = {"submission_id": row.id, "token": held.token, "round": row.round, "worker": worker}
    db.execute(_BEGUN, begun | {"started_at": now})
    return held


def renew(ledger: Ledger, claim: Claim) -> Claim:
    """The claim with its lease begun anew. Raises LeaseLost."""

    def work(db: Connection) -> Claim:
        until = ledger.now(db) + ledger.limits.lease
        if not db.execute(_RENEWED, _holding(claim) | {"claimable_at": until}).rowcount:
            raise _lost(claim)
        return replace(claim, until=until)

    return ledger.write(work)


def release(ledger: Ledger, claim: Claim) -> None:
    """Give the submission back as it was, at once and uncounted: the worker stops. Raises LeaseLost."""

    def work(db: Connection) -> None:
        now = ledger.now(db)
        end_attempt(db, claim.submission_id, claim.token, now, "released", None)
        _give_back(db, claim, now, now, cause="stopped", attempts=claim.attempt - 1)

    ledger.write(work)


def retry(ledger: Ledger, claim: Claim, reason: str) -> bool:
    """Give the submission back because the work failed; it may be claimed again after a pause that grows.
    False where it was the last attempt: then it is parked. Raises LeaseLost."""

    def work(db: Connection) -> bool:
        now = ledger.now(db)
        end_attempt(db, claim.submission_id, claim.token, now, "failed", reason)
        if claim.attempt >= ledger.limits.max_attempts:
            _park_worn(db, claim.submission_id, claim.attempt, now, FAILED)
            return False
        _give_back(db, claim, now, now + pause(ledger.limits.first_pause, claim.attempt), cause=reason)
        return True

    return ledger.write(work)


def save_reading(ledger: Ledger, claim: Claim, reading: Reading) -> None:
    """Keep what was read, so that whoever works the submission next need not read it. Raises LeaseLost."""

    def work(db: Connection) -> None:
        check_held(db, claim)
        save(ledger, db, claim.submission_id, READING, claim.round, reading_to_json(reading))

    ledger.write(work)


def check_held(db: Connection, claim: Claim) -> Row[Any]:
    """The submission's `case_number`; nobody can claim it until the caller's transaction ends. Raises
    LeaseLost."""
    row = db.execute(_CHECKED, _holding(claim)).first()
    if row is None:
        raise _lost(claim)
    return row


def end_attempt(
    db: Connection, submission_id: str, token: int, now: datetime, result: str, reason: str | None
) -> None:
    """Write down how the attempt under that token ended."""
    values = {"ended_at": now, "result": result, "reason": reason}
    db.execute(_ENDED, {"of": submission_id, "held": token} | values)


def _give_back(
    db: Connection, claim: Claim, now: datetime, until: datetime, *, cause: str, **values: Any
) -> None:
    move(
        db,
        claim.submission_id,
        State.RECEIVED,
        "released",
        at=now,
        actor=f"worker:{claim.worker}",
        held=claim.token,
        cause=cause,
        worker=None,
        claimable_at=until,
        **values,
    )


def _park_worn(db: Connection, submission_id: str, tried: int, now: datetime, reason: str) -> None:
    move(
        db,
        submission_id,
        State.PARKED,
        "parked",
        at=now,
        actor="ledger",
        cause=reason,
        data={"attempts": tried},
        reason=reason,
        worker=None,
        claimable_at=None,
    )


def _holding(claim: Claim) -> dict[str, Any]:
    return {"of": claim.submission_id, "held": claim.token, "holder": claim.worker}


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"Submission {claim.submission_id} is not held any more.")
