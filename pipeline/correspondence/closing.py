"""The end of a request that nobody answered in time, or that a person closes, and the reminders before it."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, select, update

from pipeline import audit
from pipeline.cases import Knowledge
from pipeline.correspondence.apart import apart
from pipeline.correspondence.listing import load_request
from pipeline.correspondence.outgoing import targets
from pipeline.correspondence.records import State
from pipeline.correspondence.tables import request_items, requests
from pipeline.errors import UsageError
from pipeline.information_request.record import reminder_days
from pipeline.ledger import Ledger
from pipeline.ledger import State as SubmissionState
from pipeline.ledger.changes import note
from pipeline.ledger.decisions import note_resumed
from pipeline.ledger.enqueueing import enqueue
from pipeline.ledger.tables import outbox, submissions


def close(ledger: Ledger, reference: str, *, reason: str, actor: str) -> None:
    """Close an open request because a person says so; its items count as withdrawn. Raises UsageError."""
    if not reason.replace("_", "").isalnum() or not reason.isascii() or len(reason) > 40:
        raise UsageError("A reason is a code of letters, digits and '_', at most 40 characters.")

    def work(db: Connection) -> None:
        found = select(requests).where(requests.c.reference == reference).with_for_update()
        row = db.execute(found).one_or_none()
        if row is None or row.state != State.OPEN:
            raise UsageError(f"There is no open request {reference}.", next_step="`triage request list`.")
        now = ledger.now(db)
        close_open(db, row.submission_id, State.CLOSED, reason, now)
        data = {"reference": reference}
        note(db, row.submission_id, "request_closed", at=now, actor=actor, cause=reason, data=data)
        audit.record(ledger, db, actor, "request_closed", row.submission_id, data | {"reason": reason})
        note_resumed(db, row.submission_id, now, cause=reason, actor=actor)

    ledger.write(work, durable=True)


def close_open(db: Connection, submission_id: str, state: State, cause: str, now: datetime) -> list[str]:
    """Close what is open of a submission's requests, in the caller's transaction; returns their references.
    What has not gone out yet of them never does."""
    open_ones = select(requests.c.reference).where(
        requests.c.submission_id == submission_id, requests.c.state == State.OPEN
    )
    references = list(db.execute(open_ones).scalars())
    items = (request_items.c.reference.in_(references), request_items.c.state == "open")
    db.execute(update(request_items).where(*items).values(state="withdrawn", closed_at=now))
    values = {"state": state, "cause": cause, "closed_at": now, "remind_on": None}
    db.execute(update(requests).where(requests.c.reference.in_(references)).values(values))
    for reference in references:
        unsent = (
            outbox.c.submission_id == submission_id,
            outbox.c.key.like(f"{reference}/%"),
            outbox.c.state == "waiting",
        )
        ended = {"state": "cancelled", "claimable_at": None, "worker": None, "ended_at": now}
        db.execute(update(outbox).where(*unsent).values(ended))
    return references


def remind(ledger: Ledger, knowledge: Knowledge, *, actor: str) -> tuple[list[str], list[str]]:
    """(references reminded of, references expired): what the days of the policies ask for today. Any number
    of callers may do it at once: each request is one's. One that cannot be reminded of holds up no other."""
    for submission_id in ledger.read(lambda db: db.execute(_rejected()).scalars().all()):
        with apart("Submission", submission_id):
            ledger.write(partial(_close_rejected, ledger, submission_id, actor), durable=True)
    became: dict[str, list[str]] = {"reminded": [], "expired": []}
    due = ledger.read(lambda db: db.execute(_due(ledger, knowledge, db)).all())
    for reference in [row.reference for row in due]:
        with apart("Request", reference):
            step = partial(_remind_or_expire, ledger, knowledge, reference, actor)
            if done := ledger.write(step, durable=True):
                became[done].append(reference)
    return became["reminded"], became["expired"]


def _due(ledger: Ledger, knowledge: Knowledge, db: Connection) -> Any:
    """Open requests of which somebody is to be reminded today, or that end."""
    today = knowledge.catalog.letters.plan.day(ledger.now(db))
    open_ones = select(requests).where(requests.c.state == State.OPEN).order_by(requests.c.reference)
    return open_ones.where((requests.c.expires_on <= today) | (requests.c.remind_on <= today))


def _remind_or_expire(
    ledger: Ledger, knowledge: Knowledge, reference: str, actor: str, db: Connection
) -> str | None:
    """What was done of a request; None where another did it meanwhile, or is at it."""
    now = ledger.now(db)
    due = _due(ledger, knowledge, db).where(requests.c.reference == reference)
    row = db.execute(due.with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    if row.expires_on <= knowledge.catalog.letters.plan.day(now):
        _expire(ledger, db, row, now, actor)
        return "expired"
    _remind(ledger, knowledge, db, row, now, actor)
    return "reminded"


def _close_rejected(ledger: Ledger, submission_id: str, actor: str, db: Connection) -> None:
    held = _rejected().where(submissions.c.id == submission_id)
    if db.execute(held.with_for_update(skip_locked=True, of=requests)).first() is None:
        return
    now, cause = ledger.now(db), "submission_rejected"
    for reference in close_open(db, submission_id, State.CLOSED, cause, now):
        data = {"reference": reference}
        note(db, submission_id, "request_closed", at=now, actor=actor, cause=cause, data=data)
        audit.record(ledger, db, actor, "request_closed", submission_id, data | {"reason": cause})
    note_resumed(db, submission_id, now, cause=cause, actor=actor)


def _rejected() -> Any:
    """Submissions that a person rejected while a request for them was open: nobody is reminded of those."""
    return (
        select(submissions.c.id)
        .join(requests, requests.c.submission_id == submissions.c.id)
        .where(requests.c.state == State.OPEN, submissions.c.state == SubmissionState.REJECTED)
    )


def _expire(ledger: Ledger, db: Connection, row: Row[Any], now: datetime, actor: str) -> None:
    close_open(db, row.submission_id, State.EXPIRED, "no_answer", now)
    data = {"reference": row.reference}
    note(db, row.submission_id, "request_expired", at=now, actor=actor, cause="no_answer", data=data)
    audit.record(ledger, db, actor, "request_expired", row.submission_id, data | {"reason": "no_answer"})
    note_resumed(db, row.submission_id, now, cause="no_answer", actor=actor)


def _remind(
    ledger: Ledger, knowledge: Knowledge, db: Connection, row: Row[Any], now: datetime, actor: str
) -> None:
    request, to = load_request(ledger, row.submission_id, row.number)
    letters, step = knowledge.catalog.letters, row.reminders + 1
    deadlines = letters.deadlines(request.policy.id, expedited=request.expedited)
    days = reminder_days(row.issued_on, deadlines, row.due_on)
    coming = next((day for day in days if day > letters.plan.day(now)), None)
    values = {"reminders": step, "remind_on": coming}
    db.execute(update(requests).where(requests.c.reference == row.reference).values(values))
    submission = db.execute(select(submissions).where(submissions.c.id == row.submission_id)).one()
    outgoing = targets(db, row.submission_id, row, to.channels, step)
    enqueue(db, submission.id, submission.case_number, outgoing, expedited=submission.expedited, now=now)
    data = {"reference": row.reference, "reminder": step}
    note(db, row.submission_id, "request_reminded", at=now, actor=actor, data=data)
    audit.record(ledger, db, actor, "request_reminded", row.submission_id, data)
