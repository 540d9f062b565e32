"""Finding the submission that a packet may be, sent again: candidates by their pages' fingerprints.

What is found is looked at page by page before anything is attached (see `pipeline.working`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Integer, cast, func, select
from sqlalchemy.dialects.postgresql import BIT

from pipeline.ledger.finishing import fingerprint_numbers
from pipeline.ledger.opening import Ledger
from pipeline.ledger.records import PageMark, State
from pipeline.ledger.tables import pages, submissions

_BITS: Final = 64
_MOST_APART: Final = 14  # of 64, as in pages.fingerprint: a first sieve, `is_like` decides
_MOST: Final = 10


def resent_candidates(
    ledger: Ledger,
    submission_id: str,
    marks: Sequence[PageMark],
    is_like: Callable[[str, str], bool],
) -> list[tuple[str, int]]:
    """(id, round) of submissions that are done and whose pages are like these, page by page, the latest
    first; none for a packet without a page that can be told by its words."""
    first = next((mark.fingerprint for mark in marks if mark.fingerprint), "")
    words, _ = fingerprint_numbers(first)
    if words is None or any(mark.state == "unread" for mark in marks):
        return []

    def work(db: Connection) -> list[tuple[str, int]]:
        c = submissions.c
        since = ledger.now(db) - ledger.limits.resent
        found = (
            select(c.id, c.round)
            .where(c.page_count == len(marks), c.received_at >= since, c.id != submission_id)
            .where(c.state == State.DONE, c.duplicate_of.is_(None), c.erased_at.is_(None))
            .where(_apart(ledger, c.mark_words, words) <= _MOST_APART)
            .order_by(c.received_at.desc())
            .limit(_MOST)
        )
        rows = db.execute(found).all()
        return [(row.id, row.round) for row in rows if _all_like(db, row.id, marks, is_like)]

    return ledger.read(work)


def _apart(ledger: Ledger, column: Any, number: int) -> Any:
    """In how many bits the two differ."""
    if ledger.database.is_sqlite:
        return func.bits_apart(column, number)
    return func.bit_count(cast(column.op("#")(number), BIT(_BITS)), type_=Integer)


def _all_like(
    db: Connection, original: str, marks: Sequence[PageMark], is_like: Callable[[str, str], bool]
) -> bool:
    kept = select(pages.c.state, pages.c.fingerprint).where(pages.c.submission_id == original)
    rows = db.execute(kept.order_by(pages.c.position, pages.c.number)).all()
    return len(rows) == len(marks) and all(
        is_like(row.fingerprint, mark.fingerprint)
        if row.fingerprint and mark.fingerprint
        else row.state == mark.state == "blank"
        for row, mark in zip(rows, marks, strict=True)
    )
