"""Sealing anew, with the current key, what an older one sealed."""

from __future__ import annotations

from functools import partial
from typing import Final

from sqlalchemy import Connection, select, update

from pipeline.ledger.changes import note
from pipeline.ledger.keeping import seal_anew
from pipeline.ledger.notices import about as address_of
from pipeline.ledger.opening import Ledger
from pipeline.ledger.tables import notices, records
from pipeline.ledger.texts import about

_AT_ONCE: Final = 100


def rekey(ledger: Ledger, *, actor: str) -> tuple[int, int]:
    """Seal everything with the current key; returns how many records and files were sealed anew. It may be
    broken off and begun again, and work goes on beside it. Raises ConfigurationError where a key that is
    needed is not there."""
    sealed = 0
    for some in (_records, _notices, partial(seal_anew, most=_AT_ONCE)):
        while step := ledger.write(partial(some, ledger)):
            sealed += step
    resealed = sum(ledger.vault.reseal(name) for name in sorted(ledger.vault.names()))
    data = {"key": ledger.keys.current, "records": sealed, "files": resealed}
    ledger.write(
        lambda db: note(db, None, "rekeyed", at=ledger.now(db), actor=actor, data=data), durable=True
    )
    return sealed, resealed


def _records(ledger: Ledger, db: Connection) -> int:
    old = select(records).where(records.c.key_name != ledger.keys.current).limit(_AT_ONCE)
    rows = db.execute(old.with_for_update()).all()
    for row in rows:
        name = about(row.submission_id, row.kind, row.number)
        content = ledger.keys.seal(ledger.keys.open(row.content, name), name)
        one = update(records).where(
            records.c.submission_id == row.submission_id,
            records.c.kind == row.kind,
            records.c.number == row.number,
        )
        db.execute(one.values(content=content, key_name=ledger.keys.current))
    return len(rows)


def _notices(ledger: Ledger, db: Connection) -> int:
    old = select(notices).where(notices.c.key_name != ledger.keys.current).limit(_AT_ONCE)
    rows = db.execute(old.with_for_update()).all()
    for row in rows:
        name = address_of(row.id)
        content = ledger.keys.seal(ledger.keys.open(row.content, name), name)
        one = update(notices).where(notices.c.id == row.id)
        db.execute(one.values(content=content, key_name=ledger.keys.current))
    return len(rows)
