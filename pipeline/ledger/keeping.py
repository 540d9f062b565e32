"""Sealed things that belong to no submission: a secret, an answer that is given again when it is asked for.

Each has a name, with which it is sealed so that none can stand in for another, and may have an end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, LargeBinary, String, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.ledger.opening import Ledger
from pipeline.ledger.tables import Utc, metadata

kept = Table(
    "kept",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("content", LargeBinary, nullable=False),  # sealed, see sealing.Keyring.seal
    Column("key_name", String(32), nullable=False, index=True),
    Column("ends_at", Utc, index=True),
)


def keep(
    ledger: Ledger, db: Connection, name: str, content: Mapping[str, Any], *, ends_at: datetime | None = None
) -> None:
    """Keep `content` (what JSON can hold), in place of an earlier one, in the caller's transaction."""
    sealed = ledger.keys.seal(json.dumps(content).encode(), name)
    upsert = sqlite.insert if ledger.database.is_sqlite else postgresql.insert
    values = {"content": sealed, "key_name": ledger.keys.current, "ends_at": ends_at}
    row = upsert(kept).values(name=name, **values)
    db.execute(row.on_conflict_do_update(index_elements=[kept.c.name], set_=values))


def look_up(ledger: Ledger, db: Connection, name: str) -> dict[str, Any] | None:
    """What `keep` was given; None where there is nothing. Raises SealBroken."""
    sealed = db.execute(select(kept.c.content).where(kept.c.name == name)).scalar()
    if sealed is None:
        return None
    content: dict[str, Any] = json.loads(ledger.keys.open(sealed, name))
    return content


def drop(db: Connection, name: str) -> None:
    """Forget one thing."""
    db.execute(delete(kept).where(kept.c.name == name))


def drop_ended(db: Connection, now: datetime) -> None:
    """Forget what has come to its end."""
    db.execute(delete(kept).where(kept.c.ends_at < now))


def seal_anew(ledger: Ledger, db: Connection, most: int) -> int:
    """Seal up to `most` of them with the current key; returns how many were not."""
    old = select(kept).where(kept.c.key_name != ledger.keys.current).limit(most)
    rows = db.execute(old.with_for_update()).all()
    for row in rows:
        content = ledger.keys.seal(ledger.keys.open(row.content, row.name), row.name)
        one = update(kept).where(kept.c.name == row.name)
        db.execute(one.values(content=content, key_name=ledger.keys.current))
    return len(rows)
