"""Looking at the ledger, changing nothing: one submission, the queue, the history, the counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, false, func, or_, select

from pipeline.errors import UsageError
from pipeline.ledger.notices import PARKED, WAITING, notices_by_state
from pipeline.ledger.opening import Ledger
from pipeline.ledger.records import Event, Item, State
from pipeline.ledger.tables import attempts, cases, deliveries, events, files, outbox, submissions

_COLUMNS = [submissions.c[field.name] for field in fields(Item)]


class Order(StrEnum):
    """An order of submissions; where two are alike, by id."""

    WORK = "work"  # expedited first, then what is due first
    NEWEST = "newest"
    OLDEST = "oldest"
    PAGES = "pages"  # most first
    OUTCOME = "outcome"
    STATE = "state"


_C = submissions.c
# What each order compares, and whether the greatest comes first. NULL is neither more nor less than anything.
_KEYS: Mapping[Order, Sequence[tuple[Any, bool]]] = {
    Order.WORK: ((_C.expedited, True), (_C.due_at, False), (_C.id, False)),
    Order.NEWEST: ((_C.received_at, True), (_C.id, False)),
    Order.OLDEST: ((_C.received_at, False), (_C.id, False)),
    Order.PAGES: ((func.coalesce(_C.page_count, -1), True), (_C.id, False)),
    Order.OUTCOME: ((func.coalesce(_C.outcome, ""), True), (_C.due_at, False), (_C.id, False)),
    Order.STATE: ((_C.state, False), (_C.due_at, False), (_C.id, False)),
}


@dataclass(frozen=True, slots=True)
class History:
    """All that the ledger knows of one submission, but for what is sealed. Rows are of their tables."""

    item: Item
    events: Sequence[Event]
    files: Sequence[Mapping[str, Any]]
    cases: Sequence[Mapping[str, Any]]
    attempts: Sequence[Mapping[str, Any]]
    deliveries: Sequence[Mapping[str, Any]]
    outbox: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Figures:
    """The state of the queue in numbers, for a screen or a metric. Ages are in seconds, 0 without any. What
    waits for someone outside is at risk and overdue like what waits here: the clock goes on.
    `to_fetch` and `not_fetched` count what a channel has told of and nobody has here yet."""

    states: Mapping[State, int]
    expedited_waiting: int
    oldest_waiting_s: float
    at_risk: int
    overdue: int
    pended: int
    longest_pended_s: float
    unsent: int
    failed_sendings: int
    to_fetch: int
    not_fetched: int


def item(ledger: Ledger, submission_id: str) -> Item:
    """One submission. Raises UsageError where there is none."""
    found = select(*_COLUMNS).where(submissions.c.id == submission_id)
    row = ledger.glance(lambda db: db.execute(found).one_or_none())
    if row is None:
        raise UsageError(
            f"There is no submission {submission_id}.", next_step="`triage queue list` lists them."
        )
    return _item(row)


def items(
    ledger: Ledger,
    *,
    states: Sequence[State] = (),
    reason: str | None = None,
    among: Select[Any] | None = None,
    after: str | None = None,
    most: int = 100,
    order: Order = Order.WORK,
) -> list[Item]:
    """Submissions in an order, at first that in which they should be looked at.

    `among` selects the ids that count; `after` is the id of the last one of the page before. Raises
    UsageError where there is none of that id.
    """
    c = submissions.c
    found = select(*_COLUMNS)
    if among is not None:
        found = found.where(c.id.in_(among))
    if states:
        found = found.where(c.state.in_(states))
    if reason is not None:
        found = found.where(c.reason == reason)
    keys = _KEYS[order]

    def work(db: Connection) -> Sequence[Row[Any]]:
        query = found
        if after is not None:
            last = db.execute(select(*(key for key, _ in keys)).where(c.id == after)).one_or_none()
            if last is None:
                raise UsageError(f"There is no submission {after}.")
            query = query.where(_behind(keys, last))
        by = [key.desc() if falling else key for key, falling in keys]
        return db.execute(query.order_by(*by).limit(most)).all()

    return [_item(row) for row in ledger.read(work)]


def history(ledger: Ledger, submission_id: str) -> History:
    """Everything about one submission. Raises UsageError where there is none."""
    what = item(ledger, submission_id)

    def rows(db: Connection, table: Any, *order: Any) -> list[dict[str, Any]]:
        found = select(table).where(table.c.submission_id == submission_id).order_by(*order)
        return [dict(row._mapping) for row in db.execute(found)]

    return ledger.read(
        lambda db: History(
            item=what,
            events=[Event(**row) for row in rows(db, events, events.c.id)],
            files=rows(db, files, files.c.position),
            cases=rows(db, cases, cases.c.number),
            attempts=rows(db, attempts, attempts.c.token),
            deliveries=rows(db, deliveries, deliveries.c.at),
            outbox=rows(db, outbox, outbox.c.id),
        )
    )


def delivered_as(ledger: Ledger, channel: str, reference: str) -> str | None:
    """The submission that a channel delivered under a reference of its own; None where there is none."""
    c = deliveries.c
    found = select(c.submission_id).where(c.channel == channel, c.reference == reference)
    return ledger.glance(lambda db: db.execute(found).scalar())


def channels_of(ledger: Ledger, submission_id: str) -> set[str]:
    """All channels that delivered a submission; empty where there is none of that id."""
    found = select(deliveries.c.channel).where(deliveries.c.submission_id == submission_id)
    return ledger.glance(lambda db: set(db.execute(found).scalars()))


def figures(ledger: Ledger) -> Figures:
    """How the queue stands now."""
    c = submissions.c
    waiting = c.state.in_((State.RECEIVED, State.IN_FLIGHT))

    def work(db: Connection) -> Figures:
        now = ledger.now(db)
        counted = dict.fromkeys(State, 0)
        for state, count in db.execute(select(c.state, func.count()).group_by(c.state)):
            counted[State(state)] = count
        columns = select(c.received_at, c.due_at, c.expedited, c.pended_at)
        dates = db.execute(columns.where(waiting)).all()
        pended = db.execute(columns.where(c.pended_at.is_not(None), c.state != State.REJECTED)).all()
        counting = [*(row for row in dates if row.pended_at is None), *pended]
        open_sendings = outbox.c.state.in_(("waiting", "failed"))
        by_state = (
            select(outbox.c.state, func.count().label("number")).where(open_sendings).group_by(outbox.c.state)
        )
        sendings = {row.state: row.number for row in db.execute(by_state)}
        notices = notices_by_state(db)
        return Figures(
            states=counted,
            expedited_waiting=sum(row.expedited for row in dates),
            oldest_waiting_s=_age_s(min((row.received_at for row in dates), default=now), now),
            at_risk=sum(ledger.deadlines.is_at_risk(row.received_at, row.due_at, now) for row in counting),
            overdue=sum(row.due_at < now for row in counting),
            pended=len(pended),
            longest_pended_s=_age_s(min((row.pended_at for row in pended), default=now), now),
            unsent=sendings.get("waiting", 0),
            failed_sendings=sendings.get("failed", 0),
            to_fetch=notices[WAITING],
            not_fetched=notices[PARKED],
        )

    return ledger.read(work)


def _behind(keys: Sequence[tuple[Any, bool]], last: Row[Any]) -> ColumnElement[bool]:
    """Whether a submission comes after the one with these values: greater in the first key that differs."""
    alike: list[ColumnElement[bool]] = []
    ways = []
    for (key, falling), value in zip(keys, last, strict=True):
        if isinstance(value, bool):  # SQLite and PostgreSQL do not agree on what is less than true
            further = key.is_(not value) if falling == value else false()
        else:
            further = key < value if falling else key > value
        ways.append(and_(*alike, further))
        alike.append(key == value)
    return or_(*ways)


def _age_s(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())


def _item(row: Row[Any]) -> Item:
    missing = None if row.missing is None else tuple(row.missing)
    return Item(**{**row._mapping, "state": State(row.state), "missing": missing})
