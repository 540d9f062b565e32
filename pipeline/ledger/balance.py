"""The balance: what was received equals what is done, partial, parked, rejected, waiting and in flight, to
the page; and what does not add up, by name.

The counts alone would always add up, since every submission has a state. So each state is held against
what must be there besides: the history, the files in the vault, pages, cases, what was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, not_, or_, select

from pipeline.ledger.notices import FETCHED, PARKED, WAITING, WITHDRAWN, notices_by_state
from pipeline.ledger.opening import Ledger
from pipeline.ledger.outbox import EVALUATOR
from pipeline.ledger.records import RESENT, State
from pipeline.ledger.tables import (
    attempts,
    blobs,
    cases,
    deliveries,
    events,
    files,
    notices,
    outbox,
    pages,
    submissions,
)


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something that does not add up: which submission (or file, by its hash), and what is wrong with it."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Balance:
    """Submissions and pages by state; `pages_unread` of those that were received, `unknown_pages` files
    whose pages are not counted yet or cannot be; `notices` of what was told of, by state; `discrepancies` is
    empty where all adds up."""

    received: int
    submissions: Mapping[State, int]
    pages: Mapping[State, int]
    pages_unread: int
    unknown_pages: int
    deliveries: int
    discrepancies: Sequence[Discrepancy]
    notices: Mapping[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not self.discrepancies


def balance(ledger: Ledger) -> Balance:
    """Count everything, from one state of the ledger."""

    def work(db: Connection) -> Balance:
        return Balance(
            received=_count(db, select(func.count()).where(events.c.kind == "received")),
            submissions=_by_state(db, func.count()),
            pages=_by_state(db, func.coalesce(func.sum(submissions.c.page_count), 0)),
            pages_unread=_count(db, select(func.count()).where(pages.c.state == "unread")),
            unknown_pages=_count(db, select(func.count()).where(func.coalesce(files.c.pages, 0) == 0)),
            deliveries=_count(db, select(func.count()).select_from(deliveries)),
            discrepancies=[*_discrepancies(db), *_files(ledger, db), *_notices(db)],
            notices=notices_by_state(db),
        )

    return ledger.read(work)


def _discrepancies(db: Connection) -> Iterator[Discrepancy]:
    for why, wrong in _wrong().items():
        for name in db.execute(select(submissions.c.id).where(wrong).order_by(submissions.c.id)).scalars():
            yield Discrepancy(name, why)


def _wrong() -> dict[str, ColumnElement[bool]]:
    """What must not be, by what is said of it."""
    c = submissions.c
    state = c.state
    own_case = and_(cases.c.submission_id == c.id, cases.c.number == c.case_number)
    waiting = exists().where(outbox.c.submission_id == c.id, outbox.c.state == "waiting")
    is_evaluated = exists().where(own_case, cases.c.evaluated_at.is_not(None))
    held = and_(c.worker.is_not(None), c.claimable_at.is_not(None))
    sent = _number(outbox, outbox.c.target == EVALUATOR, outbox.c.state == "delivered")
    evaluated_cases = _number(cases, cases.c.evaluated_at.is_not(None))
    unread = exists().where(pages.c.submission_id == c.id, pages.c.state == "unread")
    counted = c.page_count.is_not(None)
    return {
        "its receipt is not in the history, or twice": _number(events, events.c.kind == "received") != 1,
        "its state is not the history's": or_(
            state != _last_state(), not_(exists().where(events.c.submission_id == c.id))
        ),
        "its files are not those received": or_(
            _number(files) != c.file_count, _sum(files.c.bytes) != c.byte_count
        ),
        "its pages are not all accounted for": and_(
            counted, or_(_number(pages) != c.page_count, _sum(files.c.pages) != c.page_count)
        ),
        "it waits, but cannot be claimed": and_(state == State.RECEIVED, c.claimable_at.is_(None)),
        "it is in flight, but nobody has it": and_(state == State.IN_FLIGHT, not_(or_(held, waiting))),
        "it ended, but can still be claimed": and_(
            state.not_in((State.RECEIVED, State.IN_FLIGHT)), c.claimable_at.is_not(None)
        ),
        "it is done without an evaluated case": and_(
            state.in_((State.DONE, State.PARTIAL)), c.duplicate_of.is_(None), not_(is_evaluated)
        ),
        "it is done, but a page was not read": and_(state == State.DONE, c.reason.is_(None), unread),
        "it is parked or rejected without a reason": and_(
            state.in_((State.PARKED, State.REJECTED)), c.reason.is_(None)
        ),
        "it was sent again, but not attached": and_(c.reason == RESENT, c.duplicate_of.is_(None)),
        "its cases are not numbered through": and_(
            c.case_number.is_not(None), _number(cases) != c.case_number
        ),
        "an evaluated case was not sent once": sent != evaluated_cases,
        "two attempts are open": _number(attempts, attempts.c.ended_at.is_(None)) > 1,
    }


def _files(ledger: Ledger, db: Connection) -> Iterator[Discrepancy]:
    """Files that are referred to and not there, or there and not referred to."""
    there = ledger.vault.names()
    live = select(files.c.sha256).join(submissions).where(submissions.c.erased_at.is_(None)).distinct()
    wanted = set(db.execute(live).scalars())
    known = set(db.execute(select(blobs.c.sha256).where(blobs.c.erased_at.is_(None))).scalars())
    for sha256 in sorted(wanted - there):
        yield Discrepancy(sha256, "the file is not in the vault")
    for sha256 in sorted(wanted - known):
        yield Discrepancy(sha256, "the file is not written down")


def _notices(db: Connection) -> Iterator[Discrepancy]:
    """What was told of must be delivered, or waited for, or given up with a reason."""
    c = notices.c
    came = exists().where(deliveries.c.channel == c.channel, deliveries.c.submission_id == c.submission_id)
    wrong = {
        "it was fetched, but no delivery is there": and_(c.state == FETCHED, not_(came)),
        "it is to be fetched, but from nowhere": and_(c.state.in_((WAITING, PARKED)), c.content.is_(None)),
        "it waits to be fetched, but nobody can": and_(c.state == WAITING, c.claimable_at.is_(None)),
        "it is not fetched any more, without a reason": and_(
            c.state.in_((PARKED, WITHDRAWN)), c.reason.is_(None)
        ),
    }
    for why, where in wrong.items():
        for name in db.execute(select(c.id).where(where).order_by(c.id)).scalars():
            yield Discrepancy(name, why)


def unreferenced(ledger: Ledger, db: Connection) -> set[str]:
    """Files of the vault that no submission refers to: of a receipt that was broken off, which the source
    repeats, or of one that is just under way. `retention.sweep` removes old ones."""
    live = select(files.c.sha256).join(submissions).where(submissions.c.erased_at.is_(None)).distinct()
    return ledger.vault.names() - set(db.execute(live).scalars())


def _by_state(db: Connection, value: ColumnElement[Any]) -> dict[State, int]:
    rows = db.execute(select(submissions.c.state, value).group_by(submissions.c.state)).all()
    return dict.fromkeys(State, 0) | {State(state): int(number) for state, number in rows}


def _count(db: Connection, query: Select[Any]) -> int:
    return int(db.execute(query).scalar_one())


def _number(table: Any, *where: ColumnElement[bool]) -> Any:
    """How many rows of a table a submission has."""
    rows = select(func.count()).where(table.c.submission_id == submissions.c.id, *where)
    return rows.correlate(submissions).scalar_subquery()


def _sum(column: Any) -> Any:
    rows = select(func.coalesce(func.sum(column), 0)).where(column.table.c.submission_id == submissions.c.id)
    return rows.correlate(submissions).scalar_subquery()


def _last_state() -> Any:
    last = select(events.c.state).where(
        events.c.submission_id == submissions.c.id, events.c.state.is_not(None)
    )
    return last.order_by(events.c.id.desc()).limit(1).correlate(submissions).scalar_subquery()
