"""The audit trail: who saw, changed, sent or exported what. Append-only and chained.

A row's `chain` is a keyed digest (HMAC-SHA256) over the row and the chain of the row before, so that a row
that is changed, put in, taken out or moved breaks every link after it, and nobody without the key can mend
them. Rows cut off at the end leave the rest whole: keep the head (`triage audit verify` prints it) somewhere
else and give it at the next check. The database itself refuses to change or delete a row (triggers of its
own): the chain is for who may take those away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Integer,
    String,
    Table,
    UniqueConstraint,
    insert,
    select,
    text,
)

from pipeline.errors import UsageError
from pipeline.ledger.opening import Ledger
from pipeline.ledger.tables import Utc, metadata

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1, without a gap
    Column("at", Utc, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("action", String(40), nullable=False),
    Column("submission_id", String(32), index=True),
    Column("data", JSON, nullable=False),  # codes, counts, ids
    Column("chain", String(140), nullable=False),  # NAME:hex, over this row and the one before
    UniqueConstraint("chain", name="one_link_a_row"),
)

_LOCK: Final = 0x7A1A6F  # PostgreSQL's advisory lock: one row after another
_START: Final = "start"
_BATCH: Final = 5000
_HEAD: Final = re.compile(rf"{_START}|[^:\s]+:[0-9a-f]{{64}}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the trail. `data` holds codes, counts and ids; never what a page says."""

    number: int
    at: datetime
    actor: str
    action: str
    submission_id: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: the rows that are whole, the first that is not, and the head of the chain."""

    rows: int
    broken: int | None
    head: str

    @property
    def whole(self) -> bool:
        return self.broken is None


def record(
    ledger: Ledger,
    db: Connection,
    actor: str,
    action: str,
    submission_id: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add a row in the caller's transaction: what it tells of and the row are there together, or neither.

    The ledger calls whoever uses the desk `user:NAME`; the trail calls them by the name alone.
    """
    if not ledger.database.is_sqlite:
        db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    last = db.execute(select(audit.c.number, audit.c.chain).order_by(audit.c.number.desc()).limit(1)).first()
    number, before = (last.number + 1, last.chain) if last else (1, _START)
    entry = Entry(
        number, ledger.now(db), actor.removeprefix("user:")[:80], action, submission_id, dict(data or {})
    )
    db.execute(
        insert(audit).values(
            number=entry.number,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            submission_id=entry.submission_id,
            data=entry.data,
            chain=ledger.keys.mark(_bytes(entry, before)),
        )
    )


def write(ledger: Ledger, actor: str, action: str, submission_id: str | None = None, **data: Any) -> None:
    """Add a row by itself: of something that was seen, or refused."""
    ledger.write(lambda db: record(ledger, db, actor, action, submission_id, data))


def verify(ledger: Ledger, *, head: str | None = None) -> Verdict:
    """Check every link from the first row on; `head` is one that an earlier check printed.

    A trail that no longer has the row of `head` is broken at its end. Raises UsageError where `head` is
    none that a check prints: a slip of the pen is no broken trail.
    """
    if head is not None and not _HEAD.fullmatch(head):
        raise UsageError(
            "This is no head of the trail.", next_step="`triage audit verify` prints it behind `Head:`."
        )
    before, seen_head, rows = _START, head in (None, _START), 0
    while True:
        batch = ledger.read(
            lambda db, after=rows: db.execute(  # type: ignore[misc]
                select(audit).where(audit.c.number > after).order_by(audit.c.number).limit(_BATCH)
            ).all()
        )
        for row in batch:
            entry = Entry(row.number, row.at, row.actor, row.action, row.submission_id, row.data)
            if row.number != rows + 1 or not ledger.keys.is_marked(_bytes(entry, before), row.chain):
                return Verdict(rows, rows + 1, before)
            before, rows = row.chain, row.number
            seen_head = seen_head or before == head
        if len(batch) < _BATCH:
            return Verdict(rows, None if seen_head else rows + 1, before)


def entries(
    ledger: Ledger,
    *,
    submission_id: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    before: int | None = None,
    most: int = 100,
) -> Sequence[Entry]:
    """Rows from the newest back; `before` is the number of the last one of the page before."""
    found = select(audit).order_by(audit.c.number.desc()).limit(most)
    if submission_id is not None:
        found = found.where(audit.c.submission_id == submission_id)
    if actor is not None:
        found = found.where(audit.c.actor == actor)
    if action is not None:
        found = found.where(audit.c.action == action)
    if before is not None:
        found = found.where(audit.c.number < before)
    return [
        Entry(row.number, row.at, row.actor, row.action, row.submission_id, row.data)
        for row in ledger.read(lambda db: db.execute(found).all())
    ]


def _bytes(entry: Entry, before: str) -> bytes:
    parts = [
        before,
        entry.number,
        entry.at.isoformat(),
        entry.actor,
        entry.action,
        entry.submission_id,
        entry.data,
    ]
    return json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
