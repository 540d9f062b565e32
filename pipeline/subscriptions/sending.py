"""From a row of `announcements` to the other side: claimed with a lease and a token as whatever goes out is,
so that a sender that dies leaves it to the next, under the same key."""

from __future__ import annotations

import json
import logging
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
from sqlalchemy import Connection, delete, select, update

from pipeline import audit
from pipeline.delivery import http
from pipeline.delivery.webhook import KEY, NONCE, SIGNATURE, TIMESTAMP, sign
from pipeline.errors import ConfigurationError, DeliveryError
from pipeline.ledger import Ledger
from pipeline.ledger.changes import pause
from pipeline.ledger.keeping import look_up
from pipeline.ledger.telling import announcements, subscriptions
from pipeline.sealing import SealBroken
from pipeline.settings import Settings
from pipeline.subscriptions.places import Pinned, Resolve, places_in
from pipeline.subscriptions.register import secret_name

_log = logging.getLogger(__name__)
_GONE: Final = 410
_KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Telling:
    """One thing to tell one system, in a sender's hands."""

    id: int
    subscription_id: str
    url: str
    secret: str = field(repr=False)
    event: str
    kind: str
    submission_id: str
    data: Mapping[str, Any]
    at: datetime
    token: int
    attempt: int


def send_due(
    ledger: Ledger,
    settings: Settings,
    *,
    most: int = 10,
    transport: httpx.BaseTransport | None = None,
    resolve: Resolve = socket.getaddrinfo,
) -> int:
    """Send up to `most` that are due; returns how many were tried. Raises ConfigurationError."""
    places = places_in(settings)
    tried = 0
    while tried < most and (one := _claim(ledger)) is not None:
        tried += 1
        way = Pinned(places, transport or httpx.HTTPTransport(), resolve)
        try:
            with http.client(one.url, settings.webhook_timeout_s, way) as connection:
                http.post(connection, one.url, body_of(one), _headers(one), what="The webhook")
        except DeliveryError as error:
            _not_taken(ledger, settings, one, error)
        else:
            _taken(ledger, one)
    return tried


def body_of(one: Telling) -> bytes:
    """What is posted. The same telling has the same body each time."""
    told = {
        "id": one.event,
        "kind": one.kind,
        "at": one.at.isoformat(),
        "submission_id": one.submission_id,
        "data": dict(one.data),
    }
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def tidy(ledger: Ledger) -> int:
    """Forget what ended a month ago; returns how many."""
    a = announcements.c

    def work(db: Connection) -> int:
        return db.execute(delete(announcements).where(a.ended_at < ledger.now(db) - _KEPT)).rowcount

    return ledger.write(work)


# --------------------------------------------------------------------------- inside


def _headers(one: Telling) -> dict[str, str]:
    timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
    return {
        "Content-Type": "application/json",
        KEY: one.event,
        TIMESTAMP: timestamp,
        NONCE: nonce,
        SIGNATURE: sign(one.secret, timestamp, nonce, body_of(one)),
    }


def _claim(ledger: Ledger) -> Telling | None:
    """The next that is due. One alone: those behind a slow answer would outlive their lease."""
    a, s = announcements.c, subscriptions.c

    def work(db: Connection) -> Telling | None:
        now = ledger.now(db)
        due = select(announcements, s.url).join(subscriptions, s.id == a.subscription_id)
        due = due.where(a.claimable_at <= now, s.disabled_at.is_(None)).order_by(a.claimable_at, a.id)
        due = due.limit(1).with_for_update(of=announcements, skip_locked=True)
        while (row := db.execute(due).first()) is not None:
            this = update(announcements).where(a.id == row.id)
            try:
                kept = look_up(ledger, db, secret_name(row.subscription_id))
            except (SealBroken, ConfigurationError):  # it must not hold up those behind it
                ends = {"state": "failed", "claimable_at": None, "ended_at": now, "reason": "sealed"}
                db.execute(this.values(ends))
                _log.error("The secret of webhook %s cannot be opened; it was not told.", row.subscription_id)
                continue
            if kept is None:
                return None  # it is being removed
            until = now + ledger.limits.lease
            values = {"token": row.token + 1, "attempts": row.attempts + 1}
            db.execute(this.values(claimable_at=until, **values))
            return _held(row, kept["secret"])
        return None

    return ledger.write(work)


def _held(row: Any, secret: str) -> Telling:
    return Telling(
        id=row.id,
        subscription_id=row.subscription_id,
        url=row.url,
        secret=secret,
        event=row.event,
        kind=row.kind,
        submission_id=row.submission_id,
        data=row.data,
        at=row.at,
        token=row.token + 1,
        attempt=row.attempts + 1,
    )


def _taken(ledger: Ledger, one: Telling) -> None:
    def work(db: Connection) -> None:
        ended = {"state": "delivered", "claimable_at": None, "ended_at": ledger.now(db), "reason": None}
        if _change(db, one, ended):
            fine = update(subscriptions).where(subscriptions.c.id == one.subscription_id)
            db.execute(fine.where(subscriptions.c.failures > 0).values(failures=0))

    ledger.write(work)


def _not_taken(ledger: Ledger, settings: Settings, one: Telling, error: DeliveryError) -> None:
    status = error.status if isinstance(error, http.Refused) else None
    reason = f"status_{status}" if status is not None else "no_answer"

    def work(db: Connection) -> bool:
        now, s = ledger.now(db), subscriptions.c
        again = one.attempt < ledger.limits.delivery_attempts
        asked = timedelta(seconds=error.wait_s)
        later = now + max(pause(ledger.limits.first_pause, one.attempt), asked)
        waits = {"claimable_at": later, "reason": reason}
        ends = {"state": "failed", "claimable_at": None, "ended_at": now, "reason": reason}
        if not _change(db, one, waits if again else ends):
            return False
        row = db.execute(select(subscriptions).where(s.id == one.subscription_id).with_for_update()).one()
        values: dict[str, Any] = {"failures": row.failures + 1}
        is_enough = status == _GONE or values["failures"] >= settings.webhook_failures
        if is_enough and row.disabled_at is None:
            values |= {"disabled_at": now, "reason": "gone" if status == _GONE else "failures"}
            told = {"webhook": one.subscription_id, "reason": values["reason"]}
            audit.record(ledger, db, "ledger", "webhook_disabled", data=told)
        db.execute(update(subscriptions).where(s.id == one.subscription_id).values(values))
        return "disabled_at" in values

    if ledger.write(work):
        _log.error(
            "Webhook %s was not taken too often and is left alone; `triage webhook enable` tells it again.",
            one.subscription_id,
        )


def _change(db: Connection, one: Telling, values: Mapping[str, Any]) -> bool:
    """False where somebody else holds it by now, or it was removed."""
    a = announcements.c
    held = (a.id == one.id, a.token == one.token, a.state == "waiting")
    return db.execute(update(announcements).where(*held).values(values)).rowcount > 0
