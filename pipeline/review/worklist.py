"""The submissions as a reviewer takes them up: expedited first, then by what is due first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, func, insert, select

from pipeline.errors import UsageError
from pipeline.ledger import Item, Ledger, State, items
from pipeline.ledger.tables import submissions
from pipeline.review import audit, tables
from pipeline.review.accounts import User

PAGE: Final = 50
_REFERENCE: Final = re.compile(r"[0-9a-f]{4,32}")


@dataclass(frozen=True, slots=True)
class Line:
    """One submission in the list. Nothing of it is text of a patient."""

    item: Item
    left: timedelta
    at_risk: bool
    assigned: str | None
    corrections: int


def lines(
    ledger: Ledger,
    *,
    states: Sequence[State] = (),
    mine: str | None = None,
    reference: str = "",
    after: str | None = None,
    most: int = PAGE,
) -> list[Line]:
    """Lines in the order of work; `mine` are those assigned to that user, `reference` the start of an id."""
    if reference and not _REFERENCE.fullmatch(reference):
        return []
    among = _ids(mine, reference) if mine or reference else None
    found = items(ledger, states=states, among=among, after=after, most=most)
    ids = [one.id for one in found]

    def work(db: Connection) -> tuple[dict[str, str], dict[str, int], datetime]:
        a, c = tables.assignments.c, tables.corrections.c
        who = db.execute(select(a.submission_id, a.user_name).where(a.submission_id.in_(ids)))
        count = select(c.submission_id, func.count()).where(c.submission_id.in_(ids))
        counted = db.execute(count.group_by(c.submission_id))
        names = {row.submission_id: row.user_name for row in who}
        return names, {row[0]: row[1] for row in counted}, ledger.now(db)

    assigned, counted, now = ledger.read(work)
    return [
        Line(
            item=one,
            left=one.due_at - now,
            at_risk=ledger.deadlines.is_at_risk(one.received_at, one.due_at, now),
            assigned=assigned.get(one.id),
            corrections=counted.get(one.id, 0),
        )
        for one in found
    ]


def assign(ledger: Ledger, submission_id: str, user: User | None, *, actor: str) -> None:
    """Give the submission to a user, or to nobody. Raises UsageError."""

    def work(db: Connection) -> None:
        if not db.execute(select(submissions.c.id).where(submissions.c.id == submission_id)).first():
            raise UsageError(f"There is no submission {submission_id}.")
        table: Any = tables.assignments
        db.execute(delete(table).where(table.c.submission_id == submission_id))
        if user is not None:
            values = {"submission_id": submission_id, "user_name": user.name, "at": ledger.now(db)}
            db.execute(insert(table).values(**values))
        told = {"to": user.name if user else None}
        audit.record(ledger, db, actor, "assigned", submission_id, told)

    ledger.write(work, durable=True)


def _ids(mine: str | None, reference: str) -> Select[Any]:
    query = select(submissions.c.id)
    if reference:
        query = query.where(submissions.c.id.startswith(reference))
    if mine:
        a = tables.assignments.c
        query = query.join(tables.assignments, a.submission_id == submissions.c.id).where(a.user_name == mine)
    return query
