"""What a person decides about a submission: work it again, reject it, hurry it, let it wait."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from pipeline.errors import UsageError
from pipeline.ledger.changes import check_reason, move, note
from pipeline.ledger.opening import Ledger
from pipeline.ledger.outbox import cancel_sendings, resend
from pipeline.ledger.records import State
from pipeline.ledger.tables import submissions


def replay(ledger: Ledger, submission_id: str, *, actor: str, read_again: bool = False) -> str:
    """Put a submission that ended to work again; returns what is done: "sent again" where a target did not
    take its case, else "worked again", which makes a new case beside the old ones.

    `read_again` works it anew in every case. Raises UsageError where it waits or is worked already.
    """

    def work(db: Connection) -> str:
        row, now = _row(db, submission_id), ledger.now(db)
        if row.state in (State.RECEIVED, State.IN_FLIGHT):
            raise UsageError(f"Submission {submission_id} is {row.state}: there is nothing to replay.")
        if row.erased_at is not None:
            raise UsageError(f"Submission {submission_id} was erased: nothing is left to work on.")
        keeps_case = row.case_number is not None and not read_again and row.state != State.REJECTED
        if keeps_case and (targets := resend(db, submission_id, row.case_number, now)):
            _note_resent(db, row, targets, actor, now)
            return "sent again"
        cancel_sendings(db, submission_id, now)
        move(
            db,
            submission_id,
            State.RECEIVED,
            "replayed",
            at=now,
            actor=actor,
            cause=row.reason,
            reason=None,
            round=row.round + 1,
            attempts=0,
            claimable_at=now,
            duplicate_of=None,
            outcome=None,
            decided=None,
            missing=None,
        )
        return "worked again"

    return ledger.write(work, durable=True)


def reject(ledger: Ledger, submission_id: str, *, reason: str, actor: str) -> None:
    """End a submission because a person says so. Who works it at the time can no longer finish it.

    `reason` is a code (letters, digits, `_`), at most 40 characters; it goes into the history. Raises
    UsageError.
    """
    check_reason(reason)

    def work(db: Connection) -> None:
        row, now = _row(db, submission_id), ledger.now(db)
        cancel_sendings(db, submission_id, now)
        values = {"reason": reason, "worker": None, "claimable_at": None, "token": row.token + 1}
        move(db, submission_id, State.REJECTED, "rejected", at=now, actor=actor, cause=reason, **values)
        note_resumed(db, submission_id, now, cause="submission_rejected", actor=actor)

    ledger.write(work, durable=True)


def expedite(ledger: Ledger, submission_id: str, *, expedited: bool, actor: str) -> None:
    """Set or lift a submission's priority; its due date follows, counted from receipt. Raises UsageError."""

    def work(db: Connection) -> None:
        row, now = _row(db, submission_id), ledger.now(db)
        if row.expedited == expedited:
            return
        due = ledger.deadlines.due(row.received_at, expedited=expedited)
        _set(db, submission_id, expedited=expedited, due_at=due)
        note(db, submission_id, "expedited" if expedited else "not_expedited", at=now, actor=actor)

    ledger.write(work, durable=True)


def pend(ledger: Ledger, submission_id: str, *, cause: str, actor: str) -> None:
    """Note that the submission waits for someone outside (a request was sent). The clock goes on. Raises
    UsageError."""
    ledger.write(
        lambda db: note_pended(db, submission_id, ledger.now(db), cause=cause, actor=actor), durable=True
    )


def resume(ledger: Ledger, submission_id: str, *, cause: str, actor: str) -> None:
    """Note that the submission waits no more. Raises UsageError."""
    ledger.write(
        lambda db: note_resumed(db, submission_id, ledger.now(db), cause=cause, actor=actor), durable=True
    )


def note_pended(db: Connection, submission_id: str, now: datetime, *, cause: str, actor: str) -> None:
    """As `pend`, in the caller's transaction: with what it waits for, or not at all."""
    if _row(db, submission_id).pended_at is None:
        _set(db, submission_id, pended_at=now)
        note(db, submission_id, "pended", at=now, actor=actor, cause=cause)


def note_resumed(db: Connection, submission_id: str, now: datetime, *, cause: str, actor: str) -> None:
    """As `resume`, in the caller's transaction."""
    row = _row(db, submission_id)
    if row.pended_at is not None:
        _set(db, submission_id, pended_at=None)
        waited = {"waited_s": round((now - row.pended_at).total_seconds())}
        note(db, submission_id, "resumed", at=now, actor=actor, cause=cause, data=waited)


def _note_resent(db: Connection, row: Row[Any], targets: list[str], actor: str, now: datetime) -> None:
    data = {"targets": targets, "case": row.case_number}
    if row.state == State.PARKED:
        move(
            db,
            row.id,
            State.IN_FLIGHT,
            "replayed",
            at=now,
            actor=actor,
            cause=row.reason,
            data=data,
            reason=None,
        )
    else:
        note(db, row.id, "replayed", at=now, actor=actor, data=data)


def _row(db: Connection, submission_id: str) -> Row[Any]:
    found = select(submissions).where(submissions.c.id == submission_id).with_for_update()
    row = db.execute(found).one_or_none()
    if row is None:
        raise UsageError(
            f"There is no submission {submission_id}.", next_step="`triage queue list` lists them."
        )
    return row


def _set(db: Connection, submission_id: str, **values: Any) -> None:
    db.execute(update(submissions).where(submissions.c.id == submission_id).values(values))
