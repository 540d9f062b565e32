"""Sending a request: one transaction of the ledger with its event. Workers let the channels have it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from pipeline import audit
from pipeline.case_json import from_json
from pipeline.cases import Knowledge
from pipeline.correspondence.closing import close_open
from pipeline.correspondence.listing import load_request
from pipeline.correspondence.outgoing import targets
from pipeline.correspondence.records import REQUEST, SENT, State, To, sealed
from pipeline.correspondence.tables import request_items, requests
from pipeline.delivery import channels_in
from pipeline.errors import UsageError
from pipeline.information_request import InformationRequest, draft_of, issued
from pipeline.information_request.record import expiry_day, reminder_days
from pipeline.information_request.reference import new_reference
from pipeline.ledger import Ledger, save, standing_case
from pipeline.ledger.changes import note
from pipeline.ledger.decisions import note_pended
from pipeline.ledger.enqueueing import enqueue
from pipeline.ledger.tables import outbox, submissions

_FOLLOWED = "followed"


def send(
    ledger: Ledger, knowledge: Knowledge, submission_id: str, to: To, *, actor: str
) -> InformationRequest:
    """Ask for what the submission's latest case lacks, and let every channel of `to` have it: by the workers,
    nothing is sent here. `actor` is who decided it (`user:nora`).

    Without a channel it goes by all that are set up. Asked again while a request for the same things is open,
    it is that one, and only channels that did not have it, or said that it failed, get it; where `to` names
    a provider or an address, they take the place of the former. A request for other things closes the one
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
        row = _submission(db, submission_id)  # held: one of two who ask at once finds the other's request
        before = db.execute(_requests_of(submission_id)).all()
        if before and (kept := _same(ledger, before[-1], draft, drawn)) is not None:
            request, former = kept
            save(ledger, db, submission_id, REQUEST, request.number, sealed(request, _completed(former, to)))
            _enqueue(db, row, before[-1], to.channels, now)
            if before[-1].reference != drawn:  # else a try whose answer was lost has written it
                audit.record(ledger, db, actor, SENT, submission_id, _told(request, to))
            note_pended(db, submission_id, now, cause=SENT, actor=actor)
            return request
        last = load_request(ledger, submission_id, before[-1].number)[0] if before else None
        request = _issued(knowledge, draft, drawn, row, now, last)
        for reference in close_open(db, submission_id, State.CLOSED, _FOLLOWED, now):
            told = {"reference": reference, "reason": _FOLLOWED}
            audit.record(ledger, db, actor, "request_closed", submission_id, told)
        entered = _enter(db, knowledge, request, row)
        save(ledger, db, submission_id, REQUEST, request.number, sealed(request, to))
        _enqueue(db, row, entered, to.channels, now)
        data: dict[str, Any] = {"reference": drawn, "items": list(request.codes), "due": str(request.due)}
        if request.due and request.due > _decision(knowledge, row):
            data["after_clock"] = True  # asked so late that the answer comes after the decision is due
        note(db, submission_id, SENT, at=now, actor=actor, data=data | {"number": request.number})
        audit.record(ledger, db, actor, SENT, submission_id, _told(request, to))
        note_pended(db, submission_id, now, cause=SENT, actor=actor)
        return request

    return ledger.write(work, durable=True)


# --------------------------------------------------------------------------- steps


def _channels(knowledge: Knowledge, to: To) -> tuple[str, ...]:
    """The channels that a request goes by. Raises UsageError."""
    there = channels_in(knowledge.settings)
    if not there or any(name not in there for name in to.channels):
        raise UsageError(
            f"There is no such channel. Set up: {', '.join(there)}." if there else "No channel is set up.",
            next_step="TRIAGE_REQUEST_FOLDER and others set one up (docs/requests.md).",
        )
    return to.channels or tuple(there)


def _told(request: InformationRequest, to: To) -> dict[str, Any]:
    return {"reference": request.reference, "items": list(request.codes), "channels": list(to.channels)}


def _completed(former: To, to: To) -> To:
    """Where a request goes that is sent again: reminders go by all channels that have it."""
    return To(
        tuple(dict.fromkeys((*former.channels, *to.channels))),
        to.provider if to.provider != To(()).provider else former.provider,
        to.address or former.address,
    )


def _issued(
    knowledge: Knowledge,
    draft: InformationRequest,
    reference: str,
    row: Row[Any],
    now: datetime,
    last: InformationRequest | None,
) -> InformationRequest:
    """The draft as it goes out today; what a channel or a person expedited is expedited."""
    letters = knowledge.catalog.letters
    draft = replace(draft, expedited=draft.expedited or bool(row.expedited))
    return issued(
        draft,
        reference=reference,
        today=letters.plan.day(now),
        deadlines=letters.deadlines(draft.policy.id, expedited=draft.expedited),
        decision=_decision(knowledge, row),
        follows=last,
    )


def _decision(knowledge: Knowledge, row: Row[Any]) -> date:
    """The day on which the plan must have decided."""
    return knowledge.catalog.letters.plan.day(row.due_at)


def _enter(db: Connection, knowledge: Knowledge, request: InformationRequest, row: Row[Any]) -> Row[Any]:
    assert request.reference is not None
    assert request.issued is not None
    assert request.due is not None
    deadlines = knowledge.catalog.letters.deadlines(request.policy.id, expedited=request.expedited)
    days = reminder_days(request.issued, deadlines, request.due)
    db.execute(
        insert(requests).values(
            reference=request.reference,
            submission_id=row.id,
            number=request.number,
            case_number=row.case_number,
            state=State.OPEN,
            issued_on=request.issued,
            due_on=request.due,
            expires_on=expiry_day(request.issued, deadlines, request.due, _decision(knowledge, row)),
            remind_on=days[0] if days else None,
            reminders=0,
        )
    )
    rows = [
        {"reference": request.reference, "code": item.code[:120], "position": position, "state": "open"}
        for position, item in enumerate(request.items)
    ]
    db.execute(insert(request_items), rows)
    return db.execute(select(requests).where(requests.c.reference == request.reference)).one()


def _enqueue(
    db: Connection, row: Row[Any], request: Row[Any], channels: Iterable[str], now: datetime
) -> None:
    """Let each channel have it that does not have it yet; what it did not take before is tried anew."""
    untaken = (
        outbox.c.submission_id == row.id,
        outbox.c.state.in_(["failed", "cancelled"]),
        outbox.c.key.like(f"{request.reference}/0/%"),
    )
    for sending in db.execute(select(outbox.c.id, outbox.c.key).where(*untaken)).all():
        if sending.key.split("/")[2] in channels:
            again = {"state": "waiting", "attempts": 0, "claimable_at": now, "ended_at": None, "reason": None}
            db.execute(update(outbox).where(outbox.c.id == sending.id).values(again))
    outgoing = targets(db, row.id, request, channels, 0)
    enqueue(db, row.id, row.case_number, outgoing, expedited=row.expedited, now=now)


def _same(
    ledger: Ledger, row: Row[Any], draft: InformationRequest, drawn: str
) -> tuple[InformationRequest, To] | None:
    """The last request, if it is open and asks for the same (or was just entered by this very call)."""
    if row.state != State.OPEN:
        return None
    kept = load_request(ledger, row.submission_id, row.number)
    return kept if row.reference == drawn or kept[0].codes == draft.codes else None


def _requests_of(submission_id: str) -> Any:
    return select(requests).where(requests.c.submission_id == submission_id).order_by(requests.c.number)


def _submission(db: Connection, submission_id: str) -> Row[Any]:
    return db.execute(select(submissions).where(submissions.c.id == submission_id).with_for_update()).one()
