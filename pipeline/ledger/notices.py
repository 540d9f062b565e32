"""Notices: a channel has told of something that is still to be fetched (a fax, at its provider).

A notice is in the ledger before the teller gets its answer, and stays there until what it tells of is
received, or a person has withdrawn it: waiting → fetched, or parked with a reason after hours of trying.
Fetching is claimed with lease and token, like all work. The address is sealed: it may open what it names.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.errors import ConfigurationError, LeaseLost, UsageError
from pipeline.ledger.changes import check_reason, note
from pipeline.ledger.opening import Ledger
from pipeline.ledger.tables import notices
from pipeline.sealing import SealBroken

WAITING, FETCHED, PARKED, WITHDRAWN = "waiting", "fetched", "parked", "withdrawn"
LEASE: Final = timedelta(minutes=10)
"""So long one fetch may take; what a dead worker held comes back after that."""
_FIRST_PAUSE: Final = timedelta(seconds=30)
_LONGEST_PAUSE: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class NewNotice:
    """What a channel tells: `reference` is its own id of it, `told_at` when it said so, `received_at` when it
    got what it tells of. `address` is from where that is to be had."""

    channel: str
    reference: str
    address: str = field(repr=False)
    received_at: datetime
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Fetching:
    """A notice in a worker's hands; see `records.Claim`."""

    id: str
    channel: str
    reference: str
    address: str = field(repr=False)
    received_at: datetime
    token: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it is listed. `due_at` is the standard clock's, from when the teller had it."""

    id: str
    channel: str
    reference: str
    state: str
    reason: str | None
    received_at: datetime
    since: datetime
    attempts: int
    claimable_at: datetime | None
    submission_id: str | None
    due_at: datetime = field(default=datetime.max)


_COLUMNS: Final = [notices.c[one.name] for one in fields(Notice) if one.name != "due_at"]


def enter(ledger: Ledger, told: NewNotice) -> str:
    """Keep what was told; returns its id. When this returns it is on the disk. Told again, it is one notice:
    only a newer word changes where it is to be had, and has it tried again at once."""
    drawn = uuid.uuid4().hex
    try:
        return ledger.write(lambda db: _enter(ledger, db, told, drawn), durable=True)
    except IntegrityError:  # two tell of it at the same moment
        return ledger.write(lambda db: _enter(ledger, db, told, drawn), durable=True)


def claim_notices(ledger: Ledger, worker: str, most: int = 1) -> list[Fetching]:
    """Up to `most` things to fetch, the oldest first. One whose address cannot be opened is parked, and holds
    up none behind it."""

    def work(db: Connection) -> list[Fetching]:
        now = ledger.now(db)
        found = select(notices).where(notices.c.state == WAITING, notices.c.claimable_at <= now)
        found = found.order_by(notices.c.claimable_at, notices.c.id)
        held = list[Fetching]()
        while len(held) < most:
            rows = db.execute(found.limit(most - len(held)).with_for_update(skip_locked=True)).all()
            if not rows:
                break
            taken = (_claim(ledger, db, row, worker, now) for row in rows)
            held += [one for one in taken if one is not None]
        return held

    return ledger.write(work)


def fetched(ledger: Ledger, held: Fetching, submission_id: str) -> None:
    """It was received as that submission. Raises LeaseLost."""

    def work(db: Connection) -> None:
        now = _held(ledger, db, held)
        values: dict[str, Any] = {"content": None, "key_name": None, "reason": None, "claimable_at": None}
        _set(db, held.id, state=FETCHED, submission_id=submission_id, ended_at=now, worker=None, **values)
        _note(db, held.id, "fetched", now, f"channel:{held.channel}", submission_id=submission_id)

    ledger.write(work, durable=True)


def not_fetched(ledger: Ledger, held: Fetching, reason: str, *, until: timedelta, can_pass: bool) -> str:
    """It could not be had: tried again after a pause that grows, or parked where waiting cannot help, or
    after `until`; returns its state. Raises LeaseLost."""

    def work(db: Connection) -> str:
        now = _held(ledger, db, held)
        since = db.execute(select(notices.c.since).where(notices.c.id == held.id)).scalar_one()
        pause = min(_FIRST_PAUSE * float(2 ** min(held.attempt - 1, 10)), _LONGEST_PAUSE)
        if can_pass and now + pause < since + until:
            _set(db, held.id, reason=reason, worker=None, claimable_at=now + pause)
            return WAITING
        _set(db, held.id, state=PARKED, reason=reason, worker=None, claimable_at=None, ended_at=now)
        actor = f"channel:{held.channel}"
        _note(db, held.id, "notice_parked", now, actor, cause=reason, tries=held.attempt)
        return PARKED

    return ledger.write(work, durable=True)


def fetch_again(ledger: Ledger, notice_id: str, *, actor: str) -> None:
    """A person has it tried again, at once and for as long as at first. Raises UsageError."""

    def work(db: Connection) -> None:
        now = ledger.now(db)
        _must_be(db, notice_id, (WAITING, PARKED))
        values = {"state": WAITING, "attempts": 0, "since": now, "claimable_at": now, "ended_at": None}
        _set(db, notice_id, **values)
        _note(db, notice_id, "fetch_again", now, actor)

    ledger.write(work, durable=True)


def withdraw(ledger: Ledger, notice_id: str, *, reason: str, actor: str) -> None:
    """A person gives it up, with a reason: it is not to be had, or came by another way. Raises UsageError."""
    check_reason(reason)

    def work(db: Connection) -> None:
        now = ledger.now(db)
        _must_be(db, notice_id, (WAITING, PARKED))
        values: dict[str, Any] = {"claimable_at": None, "content": None, "key_name": None, "worker": None}
        token = select(notices.c.token).where(notices.c.id == notice_id).scalar_subquery()
        _set(db, notice_id, state=WITHDRAWN, reason=reason, ended_at=now, token=token + 1, **values)
        _note(db, notice_id, "notice_withdrawn", now, actor, cause=reason)

    ledger.write(work, durable=True)


def listed(ledger: Ledger, *, states: Sequence[str] = (WAITING, PARKED), most: int = 1000) -> list[Notice]:
    """Notices by how they stand, the longest received first."""
    found = select(*_COLUMNS).where(notices.c.state.in_(states))
    rows = ledger.read(
        lambda db: db.execute(found.order_by(notices.c.received_at, notices.c.id).limit(most)).all()
    )
    due = ledger.deadlines.due
    return [Notice(**row._mapping, due_at=due(row.received_at, expedited=False)) for row in rows]


def notices_by_state(db: Connection) -> dict[str, int]:
    """How many notices there are in each state."""
    rows = db.execute(select(notices.c.state, func.count().label("number")).group_by(notices.c.state)).all()
    none = dict.fromkeys((WAITING, FETCHED, PARKED, WITHDRAWN), 0)
    return none | {row.state: row.number for row in rows}


def about(notice_id: str) -> str:
    """What an address is sealed with."""
    return f"notice|{notice_id}"


def _enter(ledger: Ledger, db: Connection, told: NewNotice, drawn: str) -> str:
    where = (notices.c.channel == told.channel, notices.c.reference == told.reference)
    row = db.execute(select(notices).where(*where).with_for_update()).one_or_none()
    now = ledger.now(db)
    if row is not None:
        if row.state in (WAITING, PARKED) and told.told_at > row.told_at:
            sealed = _sealed(ledger, row.id, told.address)
            again = {"state": WAITING, "told_at": told.told_at, "claimable_at": now, "ended_at": None}
            _set(db, row.id, **sealed, **again, since=now if row.state == PARKED else row.since)
            _note(db, row.id, "announced_again", now, f"channel:{told.channel}")
        return str(row.id)
    db.execute(
        insert(notices).values(
            id=drawn,
            channel=told.channel,
            reference=told.reference,
            state=WAITING,
            received_at=told.received_at,
            told_at=told.told_at,
            since=now,
            attempts=0,
            token=0,
            claimable_at=now,
            **_sealed(ledger, drawn, told.address),
        )
    )
    _note(db, drawn, "announced", now, f"channel:{told.channel}")
    return drawn


def _claim(ledger: Ledger, db: Connection, row: Row[Any], worker: str, now: datetime) -> Fetching | None:
    """The notice in the worker's hands; parked, and None, where its address cannot be opened."""
    token, attempt = row.token + 1, row.attempts + 1
    try:
        address = json.loads(ledger.keys.open(row.content, about(row.id)))["address"]
    except (SealBroken, ConfigurationError):
        _set(db, row.id, state=PARKED, reason="sealed", claimable_at=None, ended_at=now, token=token)
        actor = f"channel:{row.channel}"
        _note(db, row.id, "notice_parked", now, actor, cause="sealed", tries=row.attempts)
        return None
    _set(db, row.id, token=token, attempts=attempt, worker=worker, claimable_at=now + LEASE)
    return Fetching(row.id, row.channel, row.reference, address, row.received_at, token, attempt)


def _sealed(ledger: Ledger, notice_id: str, address: str) -> dict[str, Any]:
    content = ledger.keys.seal(json.dumps({"address": address}).encode(), about(notice_id))
    return {"content": content, "key_name": ledger.keys.current}


def _held(ledger: Ledger, db: Connection, held: Fetching) -> datetime:
    row = db.execute(select(notices).where(notices.c.id == held.id).with_for_update()).one()
    if (row.token, row.state) != (held.token, WAITING):
        raise LeaseLost(f"Notice {held.id} is not held any more.")
    return ledger.now(db)


def _must_be(db: Connection, notice_id: str, states: Sequence[str]) -> None:
    found = select(notices.c.state).where(notices.c.id == notice_id).with_for_update()
    if db.execute(found).scalar() not in states:
        raise UsageError(
            f"There is no notice {notice_id} that waits or is parked.",
            next_step="`triage queue announced` lists them.",
        )


def _set(db: Connection, notice_id: str, **values: Any) -> None:
    db.execute(update(notices).where(notices.c.id == notice_id).values(values))


def _note(
    db: Connection,
    notice_id: str,
    kind: str,
    at: datetime,
    actor: str,
    *,
    cause: str | None = None,
    submission_id: str | None = None,
    **data: Any,
) -> None:
    note(db, submission_id, kind, at=at, actor=actor, cause=cause, data={"notice": notice_id, **data})
