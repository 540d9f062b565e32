"""What is measured of the ledger, for monitoring: counts by kind, what is stuck, and the workers' tallies.

Every process that asks gets the same figures, since they are the ledger's. All counts but the waiting only
grow: rows stay when their texts are erased.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.ledger.opening import Ledger
from pipeline.ledger.records import State
from pipeline.ledger.tables import attempts, deliveries, outbox, submissions, tallies


@dataclass(frozen=True, slots=True)
class Tally:
    """So many of a kind; of a stage, those whose duration falls into the bucket, and their seconds."""

    kind: str
    label: str
    bucket: int
    number: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Measures:
    """Counts by channel, reason, outcome, result, (target, state); `stuck` by `WHY_STUCK`."""

    received: Mapping[str, int]
    deliveries: Mapping[str, int]
    parked: Mapping[str, int]
    outcomes: Mapping[str, int]
    attempts: Mapping[str, int]
    sendings: Mapping[tuple[str, str], int]
    stuck: Mapping[str, int]
    pages: int
    bytes: int
    resent: int
    tallies: Sequence[Tally]


WHY_STUCK = ("unclaimed", "unsent", "held")
"""Nobody takes it; nobody sends it; one attempt does not end."""


def measures(ledger: Ledger, *, stuck_after: timedelta) -> Measures:
    """How everything stands; `stuck_after` as in `stuck`."""
    c = submissions.c

    def work(db: Connection) -> Measures:
        now = ledger.now(db)
        # One look at the largest table for all that is counted of every row.
        counted = (
            func.count().label("number"),
            func.coalesce(func.sum(c.page_count), 0).label("pages"),
            func.coalesce(func.sum(c.byte_count), 0).label("bytes"),
            func.count(c.duplicate_of).label("resent"),
        )
        rows = db.execute(select(c.channel, c.outcome, *counted).group_by(c.channel, c.outcome)).all()
        sent = select(outbox.c.target, outbox.c.state, func.count()).group_by(outbox.c.target, outbox.c.state)
        return Measures(
            received=_added((row.channel, row.number) for row in rows),
            deliveries=_by(db, deliveries.c.channel),
            parked=_by(db, c.reason, c.state == State.PARKED),
            outcomes=_added((row.outcome, row.number) for row in rows if row.outcome is not None),
            attempts=_by(db, attempts.c.result, attempts.c.result.is_not(None)),
            sendings={(target, state): int(number) for target, state, number in db.execute(sent)},
            stuck={
                why: db.execute(select(func.count()).select_from(submissions).where(so)).scalar_one()
                for why, so in _stuck(now, stuck_after).items()
            },
            pages=sum(int(row.pages) for row in rows),
            bytes=sum(int(row.bytes) for row in rows),
            resent=sum(row.resent for row in rows),
            tallies=[Tally(**row._mapping) for row in db.execute(select(tallies))],
        )

    return ledger.read(work)


def stuck(ledger: Ledger, *, after: timedelta) -> Select[Any]:
    """Selects the ids of submissions on which nothing happens though something should: for longer than
    `after` it could have been claimed or sent, or one attempt has not ended. For `items(among=...)`."""
    now = ledger.read(ledger.now)
    return select(submissions.c.id).where(or_(*_stuck(now, after).values()))


def _stuck(now: datetime, after: timedelta) -> dict[str, ColumnElement[bool]]:
    c, since = submissions.c, now - after
    mine = attempts.c.submission_id == c.id
    open_attempt = exists().where(mine, attempts.c.ended_at.is_(None), attempts.c.started_at < since)
    return {
        # The lease of what a dead worker held ends by itself; that nobody takes it then is the matter.
        "unclaimed": and_(c.state.in_((State.RECEIVED, State.IN_FLIGHT)), c.claimable_at < since),
        "unsent": c.id.in_(select(outbox.c.submission_id).where(outbox.c.claimable_at < since)),
        "held": and_(c.state == State.IN_FLIGHT, c.claimable_at >= since, open_attempt),
    }


def add_tallies(ledger: Ledger, more: Sequence[Tally]) -> None:
    """Add to what was counted. Where the answer to it was lost, it may be counted twice: no truth hangs
    on it."""
    rows = [
        {"kind": one.kind, "label": one.label, "bucket": one.bucket, "number": one.number}
        | {"seconds": one.seconds}
        # In one order everywhere, so that no two workers wait for each other.
        for one in sorted(more, key=lambda one: (one.kind, one.label, one.bucket))
    ]
    dialect = sqlite if ledger.database.is_sqlite else postgresql
    adding = dialect.insert(tallies)
    adding = adding.on_conflict_do_update(
        index_elements=["kind", "label", "bucket"],
        set_={
            "number": tallies.c.number + adding.excluded.number,
            "seconds": tallies.c.seconds + adding.excluded.seconds,
        },
    )
    if rows:
        ledger.write(lambda db: db.execute(adding, rows))


def _by(db: Connection, column: Any, *where: ColumnElement[bool]) -> dict[str, int]:
    rows = db.execute(select(column, func.count()).where(*where).group_by(column)).all()
    return _added((value, number) for value, number in rows)


def _added(counts: Iterable[tuple[str | None, int]]) -> dict[str, int]:
    added = defaultdict[str, int](int)
    for value, number in counts:
        added[value or ""] += int(number)
    return dict(added)
