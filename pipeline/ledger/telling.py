"""What other systems are told of: a row of `announcements` for each subscription, written in the transaction
that makes the thing it tells of, so that none is forgotten and none told of that did not happen.

A row names its kind and ids, nothing of a patient. Who sends them is `pipeline.subscriptions`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    insert,
    literal,
    select,
    text,
)

from pipeline.ledger.records import RESENT, State
from pipeline.ledger.tables import Number, Utc, metadata


class Told(StrEnum):
    """What a subscription can ask to be told of."""

    CASE_DONE = "case.done"
    CASE_PARTIAL = "case.partial"
    CASE_PARKED = "case.parked"
    REQUEST_SENT = "request.sent"
    REQUEST_ANSWERED = "request.answered"
    CORRECTION_MADE = "correction.made"


subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("url", String(500), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("created_by", String(80), nullable=False),
    Column("failures", Integer, nullable=False),  # sendings in a row that were not taken
    Column("disabled_at", Utc),
    Column("reason", String(40)),  # why it is disabled: a code
)

subscription_kinds = Table(
    "subscription_kinds",
    metadata,
    Column("subscription_id", String(16), ForeignKey("subscriptions.id"), primary_key=True),
    Column("kind", String(24), primary_key=True),
)

announcements = Table(
    "announcements",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("subscription_id", String(16), ForeignKey("subscriptions.id"), nullable=False, index=True),
    Column("event", String(32), nullable=False),  # the same for all who are told of it
    Column("kind", String(24), nullable=False),
    Column("submission_id", String(32), nullable=False),
    Column("data", JSON, nullable=False),  # a case's or a correction's number, a request's reference
    Column("at", Utc, nullable=False),
    Column("state", String(12), nullable=False),  # waiting, delivered, failed
    Column("attempts", Integer, nullable=False),
    Column("token", Integer, nullable=False),  # of the last claim
    Column("claimable_at", Utc),
    Column("reason", String(40)),
    Column("ended_at", Utc),
    Index(
        "announcements_claimable",
        "claimable_at",
        "id",
        sqlite_where=text("claimable_at IS NOT NULL"),
        postgresql_where=text("claimable_at IS NOT NULL"),
    ),
)

_BY_STATE: Final = {
    State.DONE: Told.CASE_DONE,
    State.PARTIAL: Told.CASE_PARTIAL,
    State.PARKED: Told.CASE_PARKED,
}
_NAMED: Final = ("case", "reference", "number", "correction")
"""What of an event's data goes out with it: numbers and references."""


def tell(
    db: Connection,
    kind: Told,
    submission_id: str,
    *,
    at: datetime,
    data: Mapping[str, Any],
) -> None:
    """Let everybody who asked for it be told, in the caller's transaction."""
    s, k = subscriptions.c, subscription_kinds.c
    asked = (
        select(
            s.id,
            literal(secrets.token_hex(16)),
            literal(kind.value),
            literal(submission_id),
            literal({name: data[name] for name in _NAMED if name in data}, announcements.c.data.type),
            literal(at, Utc),
            literal("waiting"),
            literal(0),
            literal(0),
            literal(at, Utc),
        )
        .join(subscription_kinds, k.subscription_id == s.id)
        .where(k.kind == kind.value, s.disabled_at.is_(None))
        # One that is being removed just now is waited for, and is then gone: nothing fails on it.
        .with_for_update(read=True, key_share=True, of=subscriptions)
    )
    columns = "subscription_id event kind submission_id data at state attempts token claimable_at"
    db.execute(insert(announcements).from_select(columns.split(), asked))


def told_by(kind: str, state: State | None, data: Mapping[str, Any]) -> Told | None:
    """Of what an event of the history tells other systems, if of anything."""
    if state in _BY_STATE:
        # What turned out to be another one, sent again, is done without a case of its own.
        return _BY_STATE[state] if kind != RESENT else None
    if kind == "request_sent":
        return Told.REQUEST_SENT
    if kind == "request_settled" and not data.get("open"):
        return Told.REQUEST_ANSWERED
    return None
