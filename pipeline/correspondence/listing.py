"""Requests as lists and pages show them: what is open, since when, and where each sending is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from pipeline.correspondence.records import REQUEST, Delivery, Entry, Sent, State, To, unsealed
from pipeline.correspondence.tables import handovers, request_items, requests
from pipeline.errors import UsageError
from pipeline.information_request import InformationRequest
from pipeline.ledger import Ledger, load
from pipeline.ledger.tables import outbox, submissions


def requests_of(
    ledger: Ledger,
    *,
    states: Iterable[State] = (State.OPEN,),
    submission_id: str | None = None,
    reference: str | None = None,
) -> list[Entry]:
    """Requests in these states, those that are due first in front; of one submission, or that one alone."""

    def work(db: Connection) -> list[Entry]:
        found = select(requests, submissions.c.due_at.label("decide_by"))
        found = found.join(submissions, submissions.c.id == requests.c.submission_id)
        found = found.where(requests.c.state.in_(list(states)))
        if submission_id is not None:
            found = found.where(requests.c.submission_id == submission_id)
        if reference is not None:
            found = found.where(requests.c.reference == reference)
        rows = db.execute(found.order_by(requests.c.due_on, requests.c.reference)).all()
        return [_entry(db, row) for row in rows]

    return ledger.read(work)


def sent_request(ledger: Ledger, reference: str) -> InformationRequest:
    """A request as it was sent. Raises UsageError where there is none."""
    found = select(requests).where(requests.c.reference == reference)
    row = ledger.read(lambda db: db.execute(found).one_or_none())
    if row is None:
        raise UsageError(f"There is no request {reference}.", next_step="`triage request list --all`.")
    return load_request(ledger, row.submission_id, row.number)[0]


def load_request(ledger: Ledger, submission_id: str, number: int) -> tuple[InformationRequest, To]:
    """A submission's request of that number and to whom it goes. Raises UsageError where it is erased."""
    record = load(ledger, submission_id, REQUEST, number)
    if record is None:
        raise UsageError(f"The request of submission {submission_id} is erased.")
    return unsealed(record)


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
        decide_by=row.decide_by,
        reminders=row.reminders,
        open_items=tuple(item.code for item in items if item.state == "open"),
        closed_items=tuple(item.code for item in items if item.state != "open"),
        sendings=_sendings(db, row.submission_id, row.reference),
    )


def _sendings(db: Connection, submission_id: str, reference: str) -> Mapping[str, Sent]:
    c = handovers.c
    found = (
        select(outbox, c.state.label("became"), c.code, c.handed_at, c.late_at, c.ended_at.label("told_at"))
        .outerjoin(handovers, c.key == outbox.c.key)
        .where(outbox.c.submission_id == submission_id, outbox.c.key.like(f"{reference}/%"))
    )
    return {row.key.split("/")[2]: _sent(row) for row in db.execute(found.order_by(outbox.c.id)).all()}


def _sent(row: Row[Any]) -> Sent:
    reminder = int(row.key.split("/")[1])
    if row.state == "delivered":
        state = Delivery(row.became or Delivery.HANDED_OVER)
        late = row.late_at is not None and state is Delivery.HANDED_OVER
        since = row.told_at or row.handed_at or row.ended_at
        return Sent(state, since, row.code or "", late=late, reminder=reminder)
    since = row.ended_at or row.created_at
    return Sent(Delivery(row.state), since, row.reason or "", reminder=reminder)
