"""What goes out: each case to the rules evaluator, then to every output, once each under its own key.

Rows are written in the transaction that makes the case, so none is forgotten; they are claimed like
submissions, with lease and token, so none is sent by two at once on purpose. A worker that dies between
sending and writing it down leaves the same key to be sent again: the receiver knows it by that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from pipeline.errors import LeaseLost
from pipeline.ledger.changes import move, note, pause
from pipeline.ledger.database import unanswered
from pipeline.ledger.enqueueing import enqueue, enqueue_held, held_by
from pipeline.ledger.finishing import state_of
from pipeline.ledger.opening import Ledger
from pipeline.ledger.records import Outgoing, Sending, State
from pipeline.ledger.tables import cases, outbox, submissions
from pipeline.ledger.texts import CASE, save

EVALUATOR: Final = "evaluator"
"""The target that every case is sent to; what others there are, the workers know."""


# Built once: building a statement costs as much as running it.
_CLAIMABLE: Final = (
    select(
        *(
            outbox.c[name]
            for name in ("id", "submission_id", "case_number", "target", "key", "token", "attempts")
        )
    )
    .where(outbox.c.claimable_at <= bindparam("now"))
    .order_by(outbox.c.expedited.desc(), outbox.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_ONE: Final = update(outbox).where(outbox.c.id == bindparam("of"))
_HELD: Final = _ONE.where(outbox.c.token == bindparam("held"), outbox.c.state == "waiting")
_IS_EXPEDITED: Final = select(submissions.c.expedited).where(submissions.c.id == bindparam("of"))
_CASE: Final = update(cases).where(
    cases.c.submission_id == bindparam("of"), cases.c.number == bindparam("case")
)


def claim_sendings(ledger: Ledger, worker: str, most: int = 1, *, only: str | None = None) -> list[Sending]:
    """Up to `most` things to send, expedited ones first, then in order; `only` of that submission."""

    def work(db: Connection) -> list[Sending]:
        now = ledger.now(db)
        found = _CLAIMABLE if only is None else _CLAIMABLE.where(outbox.c.submission_id == only)
        sendings = []
        for row in db.execute(found, {"now": now, "most": most}).all():
            held = Sending(
                id=row.id,
                submission_id=row.submission_id,
                case_number=row.case_number,
                target=row.target,
                key=row.key,
                token=row.token + 1,
                worker=worker,
                attempt=row.attempts + 1,
            )
            until = now + ledger.limits.lease
            values = {"token": held.token, "attempts": held.attempt, "worker": worker, "claimable_at": until}
            db.execute(_ONE, {"of": row.id} | values)
            sendings.append(held)
        return sendings

    return ledger.write(work)


def sendings_due(ledger: Ledger) -> bool:
    """Whether something is to be sent now."""

    def work(db: Connection) -> bool:
        return (
            db.execute(select(outbox.c.id).where(outbox.c.claimable_at <= ledger.now(db)).limit(1)).first()
            is not None
        )

    return ledger.glance(work)


def delivered(ledger: Ledger, sending: Sending) -> None:
    """An output has the case. Asked again, it changes nothing. Raises LeaseLost."""

    def work(db: Connection) -> None:
        now = ledger.now(db)
        if _end(db, sending, "delivered", now):
            _note(db, sending, "delivered", now)

    ledger.write(work)


def evaluated(
    ledger: Ledger, sending: Sending, case: Mapping[str, Any], outgoing: Sequence[Outgoing]
) -> None:
    """The evaluator has answered: the case with its evaluation, the submission's end, and what is to be
    sent on, in one transaction. Asked again, it changes nothing. Raises LeaseLost."""

    def work(db: Connection) -> None:
        if (at := _answered(ledger, db, sending, case)) is not None:
            now, expedited = at
            with unanswered(db):
                _save_case(ledger, db, sending, case, now)
                enqueue(
                    db, sending.submission_id, sending.case_number, outgoing, expedited=expedited, now=now
                )

    ledger.write(work)


def evaluated_to_send(
    ledger: Ledger, sending: Sending, case: Mapping[str, Any], outgoing: Sequence[Outgoing]
) -> list[Sending]:
    """`evaluated`; what is to be sent on is the sending's worker's from the start (see `enqueue_held`)."""

    def work(db: Connection) -> list[Sending]:
        name, number = sending.submission_id, sending.case_number
        if (at := _answered(ledger, db, sending, case)) is None:
            return held_by(db, name, number, sending.worker)
        now, expedited = at
        with unanswered(db):
            _save_case(ledger, db, sending, case, now)
        return enqueue_held(ledger, db, name, number, outgoing, sending.worker, expedited=expedited, now=now)

    return ledger.write(work)


def _answered(
    ledger: Ledger, db: Connection, sending: Sending, case: Mapping[str, Any]
) -> tuple[datetime, bool] | None:
    """(now, whether the submission is expedited), the sending and the submission ended; None where they
    were before. Raises LeaseLost."""
    now = ledger.now(db)
    if not _end(db, sending, "delivered", now):
        return None
    outcome = case["evaluation"]["outcome"]
    expedited = db.execute(_IS_EXPEDITED, {"of": sending.submission_id}).scalar_one()
    move(
        db,
        sending.submission_id,
        state_of(case),
        "evaluated",
        at=now,
        actor=f"worker:{sending.worker}",
        data={"case": sending.case_number, "outcome": outcome},
        outcome=outcome,
        missing=[one["code"] for one in case["evaluation"]["missing"]],
        reason=None,
    )
    return now, bool(expedited)


def undelivered(
    ledger: Ledger,
    sending: Sending,
    reason: str,
    *,
    can_pass: bool,
    wait: timedelta = timedelta(0),
    parked: Mapping[str, Any] | None = None,
) -> bool:
    """The target did not take it. It is tried again after a pause that grows, `wait` at least; False where
    it was the last time or waiting cannot help (`can_pass`): then, for the evaluator, the submission is
    parked with the case `parked`. Raises LeaseLost."""

    def work(db: Connection) -> bool:
        now = ledger.now(db)
        if can_pass and sending.attempt < ledger.limits.delivery_attempts:
            again = {
                "worker": None,
                "claimable_at": now + max(wait, pause(ledger.limits.first_pause, sending.attempt)),
                "reason": reason,
            }
            if not db.execute(_HELD, _holding(sending) | again).rowcount:
                raise _lost(sending)
            return True
        if not _end(db, sending, "failed", now, reason):
            return False
        if sending.target == EVALUATOR:
            _park(ledger, db, sending, reason, parked, now)
        else:
            _note(db, sending, "undelivered", now, reason)
        return False

    return ledger.write(work)


def cancel_sendings(db: Connection, submission_id: str, now: datetime) -> None:
    """What waits to be sent of a submission is not sent."""
    waiting = update(outbox).where(outbox.c.submission_id == submission_id, outbox.c.state == "waiting")
    db.execute(waiting.values(state="cancelled", claimable_at=None, worker=None, ended_at=now))


def resend(db: Connection, submission_id: str, case_number: int, now: datetime) -> list[str]:
    """Try again what could not be sent of a case, under the same keys; returns the targets."""
    failed = (
        outbox.c.submission_id == submission_id,
        outbox.c.case_number == case_number,
        outbox.c.state == "failed",
    )
    targets = list(db.execute(select(outbox.c.target).where(*failed)).scalars())
    anew = {"state": "waiting", "attempts": 0, "claimable_at": now, "ended_at": None, "reason": None}
    db.execute(update(outbox).where(*failed).values(anew))
    return targets


def _park(
    ledger: Ledger,
    db: Connection,
    sending: Sending,
    reason: str,
    case: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    if case is not None:
        save(ledger, db, sending.submission_id, CASE, sending.case_number, case)
        _case(db, sending, status="parked")
    data = {"case": sending.case_number, "attempts": sending.attempt, "target": sending.target}
    actor = f"worker:{sending.worker}"
    move(
        db,
        sending.submission_id,
        State.PARKED,
        "parked",
        at=now,
        actor=actor,
        cause=reason,
        data=data,
        reason=reason,
    )


def _save_case(
    ledger: Ledger, db: Connection, sending: Sending, case: Mapping[str, Any], now: datetime
) -> None:
    save(ledger, db, sending.submission_id, CASE, sending.case_number, case)
    _case(db, sending, status=case["status"], outcome=case["evaluation"]["outcome"], evaluated_at=now)


def _case(db: Connection, sending: Sending, **values: Any) -> None:
    db.execute(_CASE, {"of": sending.submission_id, "case": sending.case_number} | values)


def _end(db: Connection, sending: Sending, state: str, now: datetime, reason: str | None = None) -> bool:
    """False where this very sending was ended so before. Raises LeaseLost."""
    ended = {"state": state, "claimable_at": None, "ended_at": now, "reason": reason}
    if db.execute(_HELD, _holding(sending) | ended).rowcount:
        return True
    same = select(outbox.c.id).where(
        outbox.c.id == sending.id, outbox.c.token == sending.token, outbox.c.state == state
    )
    if db.execute(same).first() is None:
        raise _lost(sending)
    return False


def _note(db: Connection, sending: Sending, kind: str, now: datetime, cause: str | None = None) -> None:
    data = {"target": sending.target, "case": sending.case_number, "attempts": sending.attempt}
    note(db, sending.submission_id, kind, at=now, actor=f"worker:{sending.worker}", cause=cause, data=data)


def _holding(sending: Sending) -> dict[str, Any]:
    return {"of": sending.id, "held": sending.token}


def _lost(sending: Sending) -> LeaseLost:
    return LeaseLost(f"Delivery {sending.id} of submission {sending.submission_id} is not held any more.")
