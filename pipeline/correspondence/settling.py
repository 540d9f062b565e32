"""What a case that was worked again has answered: items are closed, the rest stays open."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select, update

from pipeline.case_json import from_json
from pipeline.cases import Knowledge
from pipeline.correspondence.apart import apart
from pipeline.correspondence.records import REQUEST, State, unsealed
from pipeline.correspondence.tables import request_items, requests
from pipeline.information_request import draft_of
from pipeline.ledger import Ledger, load, standing_case
from pipeline.ledger.changes import note
from pipeline.ledger.decisions import note_resumed
from pipeline.ledger.tables import submissions
from pipeline.rejoin import Settled, settle


def settle_requests(ledger: Ledger, knowledge: Knowledge, *, actor: str) -> dict[str, Settled]:
    """For every open request whose submission has a newer case: what of it is answered, by reference.

    A request of which nothing is open is answered. One that asks for more now, or for the rest, waits for
    a second request, which a person sends.
    """
    rows = ledger.read(lambda db: db.execute(_newer()).all())
    settled = {}
    for row in rows:
        with apart("Request", row.reference):
            if (one := _settle(ledger, knowledge, row, actor)) is not None:
                settled[row.reference] = one
    return settled


def _newer() -> Any:
    """Open requests whose submission has a newer case, evaluated, than they were held against."""
    return (
        select(requests, submissions.c.case_number.label("newest"), submissions.c.outcome)
        .join(submissions, submissions.c.id == requests.c.submission_id)
        .where(requests.c.state == State.OPEN, submissions.c.case_number > requests.c.case_number)
        .where(submissions.c.outcome.is_not(None))
    )


def _settle(ledger: Ledger, knowledge: Knowledge, row: Row[Any], actor: str) -> Settled | None:
    record = load(ledger, row.submission_id, REQUEST, row.number)
    content = standing_case(ledger, row.submission_id, row.newest)
    if record is None or content is None:
        return None
    case = from_json(content)
    outcome = case.evaluation.outcome if case.evaluation else None
    settled = settle(unsealed(record)[0], draft_of(case, knowledge.catalog), outcome=outcome)

    def work(db: Connection) -> bool:
        held = select(requests).where(requests.c.reference == row.reference).with_for_update()
        now_is = db.execute(held).one()
        if now_is.state != State.OPEN or now_is.case_number >= row.newest:
            return False  # another settled or closed it meanwhile
        now = ledger.now(db)
        closed = (
            request_items.c.reference == row.reference,
            request_items.c.code.in_(list(settled.closed)),
            request_items.c.state == "open",
        )
        db.execute(update(request_items).where(*closed).values(state=settled.why, closed_at=now))
        values: dict[str, Any] = {"case_number": row.newest}
        if not settled.open:
            values |= {"state": State.ANSWERED, "cause": settled.why, "closed_at": now, "remind_on": None}
        db.execute(update(requests).where(requests.c.reference == row.reference).values(values))
        data = {
            "reference": row.reference,
            "closed": list(settled.closed),
            "open": list(settled.open),
            "new": list(settled.new),
        }
        note(db, row.submission_id, "request_settled", at=now, actor=actor, cause=settled.why, data=data)
        if not settled.open:
            note_resumed(db, row.submission_id, now, cause=settled.why, actor=actor)
        return True

    return settled if ledger.write(work, durable=True) else None
