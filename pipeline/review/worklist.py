"""The submissions as a reviewer takes them up: expedited first, then by what is due first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, insert, or_, select

from pipeline import audit
from pipeline.correspondence.tables import replies, requests
from pipeline.errors import UsageError
from pipeline.ledger import Item, Ledger, Order, State, items
from pipeline.ledger.tables import cases, deliveries, submissions
from pipeline.review import tables
from pipeline.review.accounts import User
from pipeline.review.casefile import VersionChanged

PAGE: Final = 50
NOBODY: Final = "-"
"""Stands for a user where those are wanted that nobody has."""
_ID: Final = re.compile(r"[0-9a-f]{4,32}")
_REQUEST: Final = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which submissions are wanted; what is not said is not asked for.

    `reference` is the start of a submission's id, a request's reference, or what a channel calls the
    delivery (a fax id).
    """

    states: tuple[State, ...] = ()
    reason: str = ""
    assigned: str = ""
    policy: str = ""
    at_risk: bool = False
    reference: str = ""

    @property
    def everything(self) -> bool:
        return self == Wanted(self.states)


@dataclass(frozen=True, slots=True)
class Line:
    """One submission in the list. Nothing of it is text of a patient. `request` is the state of its last
    request for information."""

    item: Item
    left: timedelta
    at_risk: bool
    assigned: str | None
    corrections: int
    policy: str | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """What a list can be narrowed to."""

    reasons: Sequence[str]
    policies: Sequence[str]
    people: Sequence[str]


def lines(
    ledger: Ledger,
    wanted: Wanted | None = None,
    *,
    states: Sequence[State] = (),
    after: str | None = None,
    most: int = PAGE,
    order: Order = Order.WORK,
) -> list[Line]:
    """Lines in the order of work or another. Raises UsageError where `after` is no submission."""
    wanted = wanted or Wanted(tuple(states))
    among = None if wanted.everything else _ids(ledger, wanted, ledger.read(ledger.now))
    found = items(ledger, states=wanted.states, among=among, after=after, most=most, order=order)
    ids = [one.id for one in found]

    def work(db: Connection) -> tuple[dict[str, dict[str, Any]], datetime]:
        a, c, q = tables.assignments.c, tables.corrections.c, requests.c
        counted = select(c.submission_id, func.count()).where(c.submission_id.in_(ids))
        policy = select(cases.c.submission_id, cases.c.policy_id).join(
            submissions,
            and_(submissions.c.id == cases.c.submission_id, submissions.c.case_number == cases.c.number),
        )
        asked = select(q.submission_id, q.state).where(q.submission_id.in_(ids)).order_by(q.number)
        found = {
            "assigned": select(a.submission_id, a.user_name).where(a.submission_id.in_(ids)),
            "corrections": counted.group_by(c.submission_id),
            "policy": policy.where(cases.c.submission_id.in_(ids)),
            "request": asked,
        }
        told = {name: {row[0]: row[1] for row in db.execute(query)} for name, query in found.items()}
        return told, ledger.now(db)

    told, now = ledger.read(work)
    return [
        Line(
            item=one,
            left=one.due_at - now,
            at_risk=ledger.deadlines.is_at_risk(one.received_at, one.due_at, now),
            assigned=told["assigned"].get(one.id),
            corrections=told["corrections"].get(one.id, 0),
            policy=told["policy"].get(one.id),
            request=told["request"].get(one.id),
        )
        for one in found
    ]


def choices(ledger: Ledger) -> Choices:
    """Reasons, policies and people that the ledger has."""

    def work(db: Connection) -> Choices:
        def known(column: ColumnElement[Any]) -> list[str]:
            return sorted(db.execute(select(column).where(column.is_not(None)).distinct()).scalars())

        people = select(tables.users.c.name).where(tables.users.c.disabled_at.is_(None))
        return Choices(
            reasons=known(submissions.c.reason),
            policies=known(cases.c.policy_id),
            people=sorted(db.execute(people).scalars()),
        )

    return ledger.read(work)


def assign(
    ledger: Ledger, submission_id: str, user: User | None, *, actor: str, seen: str | None = None
) -> None:
    """Give the submission to a user, or to nobody; `seen` is who had it when it was looked at (empty for
    nobody). Raises UsageError, and VersionChanged where that is not so any more."""

    def work(db: Connection) -> None:
        # Two who take it at once come one after the other.
        held = select(submissions.c.id).where(submissions.c.id == submission_id).with_for_update()
        if not db.execute(held).first():
            raise UsageError(f"There is no submission {submission_id}.")
        if seen is not None and (_assigned(db, submission_id) or "") != seen:
            raise VersionChanged("Someone else has this case by now.", next_step="Look at it again.")
        table: Any = tables.assignments
        db.execute(delete(table).where(table.c.submission_id == submission_id))
        if user is not None:
            values = {"submission_id": submission_id, "user_name": user.name, "at": ledger.now(db)}
            db.execute(insert(table).values(**values))
        told = {"to": user.name if user else None}
        audit.record(ledger, db, actor, "assigned", submission_id, told)

    ledger.write(work, durable=True)


def assigned_to(ledger: Ledger, submission_id: str) -> str | None:
    """Who has the submission; None for nobody."""
    return ledger.read(lambda db: _assigned(db, submission_id))


def _assigned(db: Connection, submission_id: str) -> str | None:
    a = tables.assignments.c
    name: str | None = db.execute(select(a.user_name).where(a.submission_id == submission_id)).scalar()
    return name


def _ids(ledger: Ledger, wanted: Wanted, now: datetime) -> Select[Any]:
    c, a = submissions.c, tables.assignments.c
    query: Select[Any] = select(c.id)
    if wanted.reason:
        query = query.where(c.reason == wanted.reason)
    if wanted.assigned == NOBODY:
        query = query.where(c.id.not_in(select(a.submission_id)))
    elif wanted.assigned:
        query = query.where(c.id.in_(select(a.submission_id).where(a.user_name == wanted.assigned)))
    if wanted.policy:
        of_policy = and_(cases.c.submission_id == c.id, cases.c.number == c.case_number)
        query = query.join(cases, of_policy).where(cases.c.policy_id == wanted.policy)
    if wanted.at_risk:
        risks = [(kind, ledger.deadlines.risk_from(now, expedited=kind)) for kind in (True, False)]
        query = query.where(or_(*(and_(c.expedited.is_(kind), c.due_at < until) for kind, until in risks)))
        query = query.where(c.state != State.REJECTED, c.erased_at.is_(None))
    if wanted.reference:
        query = query.where(_called(wanted.reference))
    return query


def _called(reference: str) -> ColumnElement[bool]:
    c = submissions.c
    ways: list[ColumnElement[bool]] = [
        c.id.in_(select(deliveries.c.submission_id).where(deliveries.c.reference == reference))
    ]
    if _ID.fullmatch(reference.lower()):
        ways.append(c.id.startswith(reference.lower()))
    if _REQUEST.fullmatch(reference.upper()):
        for table in (requests, replies):
            ways.append(c.id.in_(select(table.c.submission_id).where(table.c.reference == reference.upper())))
    return or_(*ways)
