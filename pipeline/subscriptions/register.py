"""The subscriptions: made, listed, enabled again, removed. Each change is in the audit trail."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from pipeline import audit
from pipeline.errors import UsageError
from pipeline.ledger import Ledger
from pipeline.ledger.keeping import drop, keep
from pipeline.ledger.telling import Told, announcements, subscription_kinds, subscriptions
from pipeline.settings import Settings
from pipeline.subscriptions.places import check_url, places_in


@dataclass(frozen=True, slots=True)
class Subscription:
    """A system that is told. `failures` in a row were not taken; `waiting` are to be sent."""

    id: str
    url: str
    kinds: tuple[Told, ...]
    created_at: datetime
    created_by: str
    failures: int
    waiting: int
    disabled_at: datetime | None
    reason: str | None


def add(
    ledger: Ledger, settings: Settings, url: str, kinds: Sequence[Told], *, actor: str
) -> tuple[Subscription, str]:
    """A new subscription and the secret that signs what it is told, which is kept sealed and shown no more.
    Raises UsageError for an address that may not be told."""
    check_url(url, places_in(settings))
    own, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    asked = sorted(set(kinds))

    def work(db: Connection) -> None:
        row = {"id": own, "url": url, "created_by": actor[:80], "failures": 0, "created_at": ledger.now(db)}
        db.execute(insert(subscriptions), row)
        db.execute(insert(subscription_kinds), [{"subscription_id": own, "kind": kind} for kind in asked])
        keep(ledger, db, secret_name(own), {"secret": secret})
        audit.record(ledger, db, actor, "webhook_added", data={"webhook": own, "kinds": list(asked)})

    ledger.write(work, durable=True)
    return next(one for one in listed(ledger) if one.id == own), secret


def listed(ledger: Ledger) -> list[Subscription]:
    """All subscriptions, the oldest first."""

    def work(db: Connection) -> list[Subscription]:
        kinds: dict[str, list[Told]] = {}
        for row in db.execute(select(subscription_kinds).order_by(subscription_kinds.c.kind)):
            kinds.setdefault(row.subscription_id, []).append(Told(row.kind))
        a = announcements.c
        count = (
            select(a.subscription_id, func.count()).where(a.state == "waiting").group_by(a.subscription_id)
        )
        waiting = {row[0]: row[1] for row in db.execute(count)}
        rows = db.execute(select(subscriptions).order_by(subscriptions.c.created_at, subscriptions.c.id))
        return [
            Subscription(
                id=row.id,
                url=row.url,
                kinds=tuple(kinds.get(row.id, ())),
                created_at=row.created_at,
                created_by=row.created_by,
                failures=row.failures,
                waiting=waiting.get(row.id, 0),
                disabled_at=row.disabled_at,
                reason=row.reason,
            )
            for row in rows
        ]

    return ledger.read(work)


def enable(ledger: Ledger, subscription_id: str, *, actor: str) -> None:
    """Tell it again; what was not taken is sent again. Raises UsageError where there is none."""

    def work(db: Connection) -> None:
        now, s, a = ledger.now(db), subscriptions.c, announcements.c
        fresh = {"failures": 0, "disabled_at": None, "reason": None}
        if not db.execute(update(subscriptions).where(s.id == subscription_id).values(fresh)).rowcount:
            raise UsageError("There is no such subscription.", next_step="`triage webhook list` lists them.")
        failed = (a.subscription_id == subscription_id, a.state.in_(("failed", "waiting")))
        anew = {"state": "waiting", "attempts": 0, "claimable_at": now, "reason": None, "ended_at": None}
        db.execute(update(announcements).where(*failed).values(anew))
        audit.record(ledger, db, actor, "webhook_enabled", data={"webhook": subscription_id})

    ledger.write(work, durable=True)


def remove(ledger: Ledger, subscription_id: str, *, actor: str) -> bool:
    """Tell it no more, and forget what waits for it; False where there is none."""

    def work(db: Connection) -> bool:
        s, a, k = subscriptions.c, announcements.c, subscription_kinds.c
        # First, so that it is told nothing beside.
        if db.execute(select(s.id).where(s.id == subscription_id).with_for_update()).first() is None:
            return False
        db.execute(delete(announcements).where(a.subscription_id == subscription_id))
        db.execute(delete(subscription_kinds).where(k.subscription_id == subscription_id))
        db.execute(delete(subscriptions).where(s.id == subscription_id))
        drop(db, secret_name(subscription_id))
        audit.record(ledger, db, actor, "webhook_removed", data={"webhook": subscription_id})
        return True

    return ledger.write(work, durable=True)


def secret_name(subscription_id: str) -> str:
    """Under which the secret is kept."""
    return f"webhook|{subscription_id}"
