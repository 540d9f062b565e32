"""Sending a request, reminding of it, closing it. Each is one transaction of the ledger with its event."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from pipeline.case_json import from_json
from pipeline.cases import Knowledge
from pipeline.correspondence.outgoing import target
from pipeline.correspondence.records import REQUEST, Entry, State, To, sealed, unsealed
from pipeline.correspondence.tables import request_items, requests
from pipeline.delivery import channels_in
from pipeline.errors import UsageError
from pipeline.information_request import InformationRequest, draft_of, issued
from pipeline.information_request.record import expiry_day
from pipeline.information_request.reference import new_reference
from pipeline.ledger import Ledger, Outgoing, load, pend, resume, save, standing_case
from pipeline.ledger.changes import note
from pipeline.ledger.outbox import enqueue
from pipeline.ledger.tables import outbox, submissions

_FOLLOWED = "followed"


def send(
    ledger: Ledger, knowledge: Knowledge, submission_id: str, to: To, *, actor: str
) -> InformationRequest:
    """Ask for what the submission's latest case lacks, and let every channel of `to` have it: by the workers,
    nothing is sent here. `actor` is who decided it (`user:nora`).

    Without a channel it goes by all that are set up. Asked again while a request for the same things is open,
    it is that one, and only channels that did not have it get it. A request for other things closes the one
    before and names it. Raises UsageError where the case lacks nothing, and for a channel that is not there.
    """
    to = replace(to, channels=_channels(knowledge, to))
    content = standing_case(ledger, submission_id)
    draft = None if content is None else draft_of(from_json(content), knowledge.catalog)
    if draft is None:
        raise UsageError(
            f"Submission {submission_id} lacks nothing that a provider could be asked for.",
            next_step="`triage explain` tells why its case ended as it did.",
        )
    drawn = new_reference(secrets.randbelow)  # outside: a repeated try must come to the same

    def work(db: Connection) -> InformationRequest:
        now = ledger.now(db)
        row = _submission(db, submission_id)
        before = db.execute(_requests_of(submission_id)).all()
        if before and (kept := _same(ledger, before[-1], draft, drawn)) is not None:
            request, _ = kept
            _enqueue(db, row, before[-1].reference, to.channels, 0, now)
            return request
        last = _load(ledger, submission_id, before[-1].number)[0] if before else None
        deadlines = knowledge.catalog.letters.deadlines(draft.policy.id, expedited=draft.expedited)
        request = issued(draft, reference=drawn, today=now.date(), deadlines=deadlines, follows=last)
        _close_open(db, submission_id, State.CLOSED, _FOLLOWED, now)
        _enter(db, request, row, deadlines.remind_days, expiry_day(now.date(), deadlines))
        save(ledger, db, submission_id, REQUEST, request.number, sealed(request, to))
        _enqueue(db, row, drawn, to.channels, 0, now)
        data = {"reference": drawn, "items": list(request.codes), "due": str(request.due)}
        note(db, submission_id, "request_sent", at=now, actor=actor, data=data | {"number": request.number})
        return request

    request = ledger.write(work, durable=True)
    pend(ledger, submission_id, cause="request_sent", actor=actor)
    return request


def requests_of(
    ledger: Ledger, *, states: Iterable[State] = (State.OPEN,), submission_id: str | None = None
) -> list[Entry]:
    """Requests in these states, those that are due first in front."""

    def work(db: Connection) -> list[Entry]:
        found = select(requests).where(requests.c.state.in_(list(states)))
        if submission_id is not None:
            found = found.where(requests.c.submission_id == submission_id)
        return [_entry(db, row) for row in db.execute(found.order_by(requests.c.due_on)).all()]

    return ledger.read(work)


def sent_request(ledger: Ledger, reference: str) -> InformationRequest:
    """A request as it was sent. Raises UsageError where there is none."""
    found = select(requests).where(requests.c.reference == reference)
    row = ledger.read(lambda db: db.execute(found).one_or_none())
    if row is None:
        raise UsageError(f"There is no request {reference}.", next_step="`triage request list --all`.")
    return _load(ledger, row.submission_id, row.number)[0]


def close(ledger: Ledger, reference: str, *, reason: str, actor: str) -> None:
    """Close an open request because a person says so; its items count as withdrawn. Raises UsageError."""
    if not reason.replace("_", "").isalnum() or not reason.isascii() or len(reason) > 40:
        raise UsageError("A reason is a code of letters, digits and '_', at most 40 characters.")

    def work(db: Connection) -> str:
        row = db.execute(select(requests).where(requests.c.reference == reference)).one_or_none()
        if row is None or row.state != State.OPEN:
            raise UsageError(f"There is no open request {reference}.", next_step="`triage request list`.")
        now = ledger.now(db)
        _close_open(db, row.submission_id, State.CLOSED, reason, now)
        data = {"reference": reference}
        note(db, row.submission_id, "request_closed", at=now, actor=actor, cause=reason, data=data)
        return str(row.submission_id)

    resume(ledger, ledger.write(work, durable=True), cause=reason, actor=actor)


def remind(ledger: Ledger, knowledge: Knowledge, *, actor: str) -> tuple[list[str], list[str]]:
    """(references reminded of, references expired): what the days of the policies ask for today."""

    def work(db: Connection) -> tuple[list[str], list[str]]:
        now = ledger.now(db)
        reminded, expired = list[str](), list[str]()
        for row in db.execute(select(requests).where(requests.c.state == State.OPEN)).all():
            if row.expires_on <= now.date():
                _expire(db, row, now, actor)
                expired.append(row.reference)
            elif row.remind_on is not None and row.remind_on <= now.date():
                _remind(ledger, knowledge, db, row, now, actor)
                reminded.append(row.reference)
        return reminded, expired

    return ledger.write(work, durable=True)


# --------------------------------------------------------------------------- steps


def _channels(knowledge: Knowledge, to: To) -> tuple[str, ...]:
    """The channels that a request goes by. Raises UsageError."""
    there = channels_in(knowledge.settings)
    if not there or any(name not in there for name in to.channels):
        raise UsageError(
            "There is no such channel." if there else "No channel is set up.",
            next_step=f"Set up: {', '.join(there) or 'none'}. TRIAGE_REQUEST_FOLDER and others set one up.",
        )
    return to.channels or tuple(there)


def _expire(db: Connection, row: Row[Any], now: datetime, actor: str) -> None:
    _close_open(db, row.submission_id, State.EXPIRED, "no_answer", now)
    data = {"reference": row.reference}
    note(db, row.submission_id, "request_expired", at=now, actor=actor, cause="no_answer", data=data)


def _remind(
    ledger: Ledger, knowledge: Knowledge, db: Connection, row: Row[Any], now: datetime, actor: str
) -> None:
    request, to = _load(ledger, row.submission_id, row.number)
    deadlines = knowledge.catalog.letters.deadlines(request.policy.id, expedited=request.expedited)
    later = [row.issued_on + timedelta(days=days) for days in sorted(deadlines.remind_days)]
    step = row.reminders + 1
    coming = next((day for day in later if day > now.date()), None)
    values = {"reminders": step, "remind_on": coming}
    db.execute(update(requests).where(requests.c.reference == row.reference).values(values))
    _enqueue(db, _submission(db, row.submission_id), row.reference, to.channels, step, now)
    data = {"reference": row.reference, "reminder": step}
    note(db, row.submission_id, "request_reminded", at=now, actor=actor, data=data)


def _enter(
    db: Connection, request: InformationRequest, row: Row[Any], remind_days: Sequence[int], expires: date
) -> None:
    assert request.reference is not None
    assert request.issued is not None
    first = min(remind_days, default=None)
    db.execute(
        insert(requests).values(
            reference=request.reference,
            submission_id=row.id,
            number=request.number,
            case_number=row.case_number,
            state=State.OPEN,
            issued_on=request.issued,
            due_on=request.due,
            expires_on=expires,
            remind_on=None if first is None else request.issued + timedelta(days=first),
            reminders=0,
        )
    )
    rows = [
        {"reference": request.reference, "code": item.code[:120], "position": position, "state": "open"}
        for position, item in enumerate(request.items)
    ]
    db.execute(insert(request_items), rows)


def _enqueue(
    db: Connection, row: Row[Any], reference: str, channels: Iterable[str], step: int, now: datetime
) -> None:
    """Let each channel have it that does not have it yet; what failed there before is tried anew."""
    keys = {channel: f"{reference}/{step}/{channel}" for channel in channels}
    failed = (outbox.c.key.in_(list(keys.values())), outbox.c.state.in_(["failed", "cancelled"]))
    anew = {"state": "waiting", "attempts": 0, "claimable_at": now, "ended_at": None, "reason": None}
    db.execute(update(outbox).where(*failed).values(anew))
    there = set(db.execute(select(outbox.c.key).where(outbox.c.key.in_(list(keys.values())))).scalars())
    outgoing = [Outgoing(target(channel, step), key) for channel, key in keys.items() if key not in there]
    enqueue(db, row.id, row.case_number, outgoing, expedited=row.expedited, now=now)


def _close_open(db: Connection, submission_id: str, state: State, cause: str, now: datetime) -> None:
    open_ones = select(requests.c.reference).where(
        requests.c.submission_id == submission_id, requests.c.state == State.OPEN
    )
    references = list(db.execute(open_ones).scalars())
    items = (request_items.c.reference.in_(references), request_items.c.state == "open")
    db.execute(update(request_items).where(*items).values(state="withdrawn", closed_at=now))
    values = {"state": state, "cause": cause, "closed_at": now, "remind_on": None}
    db.execute(update(requests).where(requests.c.reference.in_(references)).values(values))


def _same(
    ledger: Ledger, row: Row[Any], draft: InformationRequest, drawn: str
) -> tuple[InformationRequest, To] | None:
    """The last request, if it is open and asks for the same (or was just entered by this very call)."""
    if row.state != State.OPEN:
        return None
    kept = _load(ledger, row.submission_id, row.number)
    return kept if row.reference == drawn or kept[0].codes == draft.codes else None


def _load(ledger: Ledger, submission_id: str, number: int) -> tuple[InformationRequest, To]:
    record = load(ledger, submission_id, REQUEST, number)
    if record is None:
        raise UsageError(f"The request of submission {submission_id} is erased.")
    return unsealed(record)


def _requests_of(submission_id: str) -> Any:
    return select(requests).where(requests.c.submission_id == submission_id).order_by(requests.c.number)


def _submission(db: Connection, submission_id: str) -> Row[Any]:
    return db.execute(select(submissions).where(submissions.c.id == submission_id)).one()


def _entry(db: Connection, row: Row[Any]) -> Entry:
    found = select(request_items).where(request_items.c.reference == row.reference)
    items = db.execute(found.order_by(request_items.c.position)).all()
    return Entry(
        reference=row.reference,
        submission_id=row.submission_id,
        number=row.number,
        state=State(row.state),
        cause=row.cause,
        issued_on=row.issued_on,
        due_on=row.due_on,
        expires_on=row.expires_on,
        reminders=row.reminders,
        open_items=tuple(item.code for item in items if item.state == "open"),
        closed_items=tuple(item.code for item in items if item.state != "open"),
        sendings=_sendings(db, row.reference),
    )


def _sendings(db: Connection, reference: str) -> Mapping[str, str]:
    found = select(outbox.c.key, outbox.c.state).where(outbox.c.key.like(f"{reference}/%"))
    rows = db.execute(found.order_by(outbox.c.id)).all()
    return {row.key.rpartition("/")[2]: row.state for row in rows}
