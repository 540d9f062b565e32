"""Erasing what need not be kept, with proof: an event that names each file's hash, its length and the time.

What stays of an erased submission is its history, counts and codes; no file, no text, no fingerprint.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.ledger.balance import unreferenced
from pipeline.ledger.changes import note
from pipeline.ledger.opening import Ledger
from pipeline.ledger.records import State
from pipeline.ledger.tables import blobs, files, outbox, pages, records, submissions

_ERASABLE: Final = (State.DONE, State.PARTIAL, State.REJECTED)
_ORPHAN_S: Final = 24 * 3600.0


def erase_old(ledger: Ledger, keep: timedelta, *, actor: str, most: int = 1000) -> list[str]:
    """Erase submissions that ended longer than `keep` ago; returns their ids. Parked ones wait for a person
    and are kept, and so is what is still to be sent."""

    def due(db: Connection) -> Sequence[str]:
        c = submissions.c
        unsent = select(outbox.c.submission_id).where(outbox.c.state == "waiting")
        found = select(c.id).where(c.state.in_(_ERASABLE), c.erased_at.is_(None), c.id.not_in(unsent))
        found = found.where(c.updated_at < ledger.now(db) - keep, c.pended_at.is_(None))
        return db.execute(found.order_by(c.updated_at).limit(most)).scalars().all()

    erased = [name for name in ledger.read(due) if _erase(ledger, name, keep, actor)]
    if erased and ledger.database.is_sqlite:
        ledger.database.truncate_log()
    return erased


def sweep(ledger: Ledger) -> list[str]:
    """Remove files of the vault that nothing refers to, a day old or more, and what killed processes left
    half-written; returns the files' hashes."""
    ledger.vault.sweep()
    old = [name for name in ledger.read(lambda db: unreferenced(ledger, db)) if _is_old(ledger, name)]
    return [sha256 for sha256 in old if ledger.write(partial(_sweep, ledger, sha256))]


def _erase(ledger: Ledger, submission_id: str, keep: timedelta, actor: str) -> bool:
    def work(db: Connection) -> bool:
        now = ledger.now(db)
        c = submissions.c
        row = db.execute(select(submissions).where(c.id == submission_id).with_for_update()).one()
        if row.erased_at is not None or row.state not in _ERASABLE or row.updated_at >= now - keep:
            return False  # it is worked again, or was erased by another, since it was looked for
        own = select(files.c.sha256, files.c.bytes).where(files.c.submission_id == submission_id)
        rows = db.execute(own.order_by(files.c.position)).all()
        cleared = {"erased_at": now, "mark_words": None, "mark_digits": None}
        db.execute(update(submissions).where(c.id == submission_id).values(cleared))
        gone = [row for row in rows if _remove(ledger, db, row.sha256, now)]
        db.execute(delete(records).where(records.c.submission_id == submission_id))
        db.execute(update(pages).where(pages.c.submission_id == submission_id).values(fingerprint=None))
        proof: dict[str, Any] = {
            "files": [{"sha256": row.sha256, "bytes": row.bytes} for row in gone],
            "kept_for_others": [row.sha256 for row in rows if row not in gone],
        }
        note(db, submission_id, "erased", at=now, actor=actor, cause="retention", data=proof)
        return True

    return ledger.write(work, durable=True)


def _remove(ledger: Ledger, db: Connection, sha256: str, now: Any) -> bool:
    """Take a file away unless another submission has it.

    Its row stays locked until the transaction ends, and a receipt of the same bytes looks into the vault
    under the same lock (see `receiving`), so none relies on a file that is about to go. If the transaction
    then fails, the file is gone and the next run says so.
    """
    db.execute(select(blobs.c.sha256).where(blobs.c.sha256 == sha256).with_for_update())
    c = submissions.c
    others = select(files.c.sha256).join(submissions, files.c.submission_id == c.id)
    if db.execute(others.where(files.c.sha256 == sha256, c.erased_at.is_(None)).limit(1)).first():
        return False
    ledger.vault.remove(sha256)
    db.execute(update(blobs).where(blobs.c.sha256 == sha256).values(erased_at=now))
    return True


def _is_old(ledger: Ledger, sha256: str) -> bool:
    try:
        return ledger.vault.age_s(sha256) > _ORPHAN_S
    except FileNotFoundError:
        return False


def _sweep(ledger: Ledger, sha256: str, db: Connection) -> bool:
    upsert = sqlite.insert if ledger.database.is_sqlite else postgresql.insert
    now = ledger.now(db)
    row = upsert(blobs).values(sha256=sha256, bytes=0, kept_at=now, erased_at=now)
    db.execute(row.on_conflict_do_nothing())  # locks the name as a receipt does
    if sha256 not in unreferenced(ledger, db) or not _remove(ledger, db, sha256, now):
        return False
    note(db, None, "unreferenced_file_removed", at=now, actor="ledger", data={"sha256": sha256})
    return True
