"""What a channel tells of itself: whether it works and since when, and what it could not take in.

These are events without a submission, written when something changes and not at every look.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, func, select

from pipeline.ledger.changes import note
from pipeline.ledger.opening import Ledger
from pipeline.ledger.records import ChannelStanding
from pipeline.ledger.tables import deliveries, events

WORKING: Final = "working"
_STANDING: Final = "channel"
_REFUSED: Final = "refused"
_LATELY: Final = timedelta(days=7)


def channel_stands(ledger: Ledger, channel: str, cause: str, left: Mapping[str, int]) -> None:
    """Write down how the channel does from now on; see `ChannelStanding`. What is so already is not written
    again. Raises LedgerUnavailable."""

    def work(db: Connection) -> None:
        last = _last(db, channel)
        if last is None or (last.cause, last.data["left"]) != (cause, dict(left)):
            data = {"left": dict(left)}
            note(db, None, _STANDING, at=ledger.now(db), actor=_actor(channel), cause=cause, data=data)

    ledger.write(work)


def refused(ledger: Ledger, channel: str, cause: str, reference: str, **counts: int) -> None:
    """Write down that something at the channel's source is not received, and why: codes and figures. The
    same `reference` is written once."""

    def work(db: Connection) -> None:
        at = ledger.now(db)
        told = select(events.c.data).where(*_of(channel, _REFUSED), events.c.at >= at - _LATELY)
        if all(data["reference"] != reference for data in db.execute(told).scalars()):
            data = {"reference": reference, **counts}
            note(db, None, _REFUSED, at=at, actor=_actor(channel), cause=cause, data=data)

    ledger.write(work, durable=True)


def channel_standing(ledger: Ledger, channel: str) -> ChannelStanding | None:
    """How the channel does; None where it has told nothing yet."""

    def work(db: Connection) -> ChannelStanding | None:
        last = _last(db, channel)
        if last is None:
            return None
        lately = ledger.now(db) - _LATELY
        number = select(func.count()).where(*_of(channel, _REFUSED), events.c.at >= lately)
        received = select(func.max(deliveries.c.at)).where(deliveries.c.channel == channel)
        return ChannelStanding(
            name=channel,
            cause=last.cause,
            since=last.at,
            left=last.data["left"],
            refused=db.execute(number).scalar_one(),
            last_received=db.execute(received).scalar_one_or_none(),
        )

    return ledger.read(work)


def _last(db: Connection, channel: str) -> Any:
    newest = select(events.c.at, events.c.cause, events.c.data).where(*_of(channel, _STANDING))
    return db.execute(newest.order_by(events.c.id.desc()).limit(1)).one_or_none()


def _of(channel: str, kind: str) -> list[Any]:
    return [events.c.submission_id.is_(None), events.c.kind == kind, events.c.actor == _actor(channel)]


def _actor(channel: str) -> str:
    return f"channel:{channel}"
