"""Receiving: bytes into the vault, then the submission into the ledger, then the source may forget them."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from sqlalchemy import Connection, Table, bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from pipeline.errors import UsageError
from pipeline.files import printable, submission_id, unused_name
from pipeline.ledger.changes import move, note
from pipeline.ledger.database import unanswered
from pipeline.ledger.opening import Ledger
from pipeline.ledger.records import Arrival, Incoming, Receipt, State
from pipeline.ledger.tables import blobs, deliveries, files, submissions
from pipeline.ledger.texts import NAMES, TOLD, count, save
from pipeline.vault import Stored

_LONGEST_REFERENCE: Final = 200
_TRIES: Final = 5


def _refer_to(insert: Callable[[Table], Any]) -> Any:
    return insert(blobs).on_conflict_do_update(index_elements=["sha256"], set_={"erased_at": None})


# Built once: building a statement costs as much as running it.
_REFER: Final = {True: _refer_to(sqlite.insert), False: _refer_to(postgresql.insert)}  # by: is it SQLite
_BEFORE: Final = (
    select(submissions.c.state, submissions.c.erased_at, submissions.c.round)
    .where(submissions.c.id == bindparam("of"))
    .with_for_update()
)
_DELIVERIES: Final = select(deliveries.c.id, deliveries.c.channel, deliveries.c.reference).where(
    deliveries.c.submission_id == bindparam("of")
)
_TAKEN: Final = select(deliveries.c.id).where(
    deliveries.c.channel == bindparam("through"), deliveries.c.reference == bindparam("as")
)
_SUBMISSION: Final = insert(submissions)
_FILES: Final = insert(files)
_DELIVERY: Final = insert(deliveries)


class _Vanished(Exception):
    """A file that was there already has just been erased."""


@dataclass(frozen=True)
class _Kept:
    """An arrival whose bytes are in the vault. `delivery` is drawn once: a repeated try is the same one."""

    arrival: Arrival
    delivery: str
    id: str
    stored: tuple[Stored, ...]


def receive(ledger: Ledger, arrivals: Sequence[Arrival]) -> list[Receipt]:
    """Take the arrivals in, all or none. When this returns they are on the disk and in the ledger, and
    their sources may be told so; several at once cost little more than one.

    The same bytes again, in whatever order and under whatever names, are attached to the submission that
    they are as another delivery; nothing is worked twice. Raises StorageFull, LedgerUnavailable, and
    UsageError for an arrival without files: then nothing is received and the sources keep theirs.
    """
    if not all(arrival.files for arrival in arrivals):
        raise UsageError("An arrival has no files.")
    drawn = [uuid.uuid4().hex for _ in arrivals]
    for left in reversed(range(_TRIES)):
        try:
            return _receive(ledger, arrivals, drawn)
        except (_Vanished, IntegrityError):
            # Erased, or received by another, between two statements: looked at again, it is clear.
            if not left:
                raise
    raise AssertionError("unreachable")


def _receive(ledger: Ledger, arrivals: Sequence[Arrival], drawn: Sequence[str]) -> list[Receipt]:
    with closing(_streams(arrivals)) as streams:
        stored = iter(ledger.vault.keep(streams))
    kept = [
        _kept(arrival, delivery, tuple(islice(stored, len(arrival.files))))
        for arrival, delivery in zip(arrivals, drawn, strict=True)
    ]
    return ledger.write(lambda db: [_enter(ledger, db, one) for one in kept], durable=True)


def _kept(arrival: Arrival, delivery: str, stored: tuple[Stored, ...]) -> _Kept:
    return _Kept(arrival, delivery, submission_id(one.sha256 for one in stored), stored)


def _streams(arrivals: Sequence[Arrival]) -> Generator[IO[bytes], None, None]:
    """One after the other: a packet may have more files than a process may have open."""
    for arrival in arrivals:
        for file in arrival.files:
            with _stream(file) as stream:
                yield stream


@contextmanager
def _stream(file: Incoming) -> Iterator[IO[bytes]]:
    if isinstance(file.content, bytes):
        yield io.BytesIO(file.content)
    elif isinstance(file.content, Path):
        with file.content.open("rb") as stream:
            yield stream
    elif callable(file.content):
        with file.content() as stream:
            yield stream
    else:
        file.content.seek(0)  # a repeated try starts anew
        yield file.content


def _enter(ledger: Ledger, db: Connection, kept: _Kept) -> Receipt:
    if (known := _known(db, kept)) is not None:
        return known
    for stored in kept.stored:
        _refer(ledger, db, stored)
    at = ledger.now(db)
    actor = f"channel:{kept.arrival.channel}"
    before = db.execute(_BEFORE, {"of": kept.id}).one_or_none()
    if before is not None and (known := _known(db, kept)) is not None:
        return known  # another told of the same delivery while this one waited for the locks
    data = {"files": len(kept.stored), "bytes": sum(one.size for one in kept.stored)}
    if before is None:
        with unanswered(db):
            _enter_new(ledger, db, kept, at)
            note(db, kept.id, "received", at=at, actor=actor, state=State.RECEIVED, data=data)
    elif before.erased_at is not None:
        _save_names(ledger, db, kept)
        received_at = kept.arrival.received_at or at
        move(
            db,
            kept.id,
            State.RECEIVED,
            "received_after_erasure",
            at=at,
            actor=actor,
            received_at=received_at,
            due_at=ledger.deadlines.due(received_at, expedited=kept.arrival.expedited),
            expedited=kept.arrival.expedited,
            # Nothing of its former life but the history.
            reason=None,
            outcome=None,
            decided=None,
            missing=None,
            duplicate_of=None,
            erased_at=None,
            round=before.round + 1,
            attempts=0,
            claimable_at=at,
        )
    else:
        note(db, kept.id, "delivered_again", at=at, actor=actor, data=data)
    _enter_delivery(db, kept, at)
    if kept.arrival.told is not None:
        number = count(db, kept.id, TOLD) + 1
        save(ledger, db, kept.id, TOLD, number, kept.arrival.told)
    return Receipt(kept.id, new=before is None or before.erased_at is not None)


def _known(db: Connection, kept: _Kept) -> Receipt | None:
    """The receipt of a delivery that is in the ledger: by this call's earlier try, or by its reference.

    A reference that a channel uses for other files is no proof of anything: those are received.
    """
    rows = db.execute(_DELIVERIES, {"of": kept.id}).all()
    if kept.delivery in [row.id for row in rows]:
        return Receipt(kept.id, new=len(rows) == 1)
    told = kept.arrival.channel, kept.arrival.reference
    if kept.arrival.reference is not None and told in [(row.channel, row.reference) for row in rows]:
        return Receipt(kept.id, new=False, repeated=True)
    return None


def _refer(ledger: Ledger, db: Connection, stored: Stored) -> None:
    """Note that the vault's file is referred to. Its row is locked from here on: an erasure of the same
    bytes is over, in which case they are gone and kept anew, or waits and finds the reference."""
    row = {"sha256": stored.sha256, "bytes": stored.size, "kept_at": ledger.now(db)}
    db.execute(_REFER[ledger.database.is_sqlite], row)
    if not ledger.vault.has(stored.sha256):
        raise _Vanished


def _enter_new(ledger: Ledger, db: Connection, kept: _Kept, at: Any) -> None:
    received_at = kept.arrival.received_at or at
    expedited = kept.arrival.expedited
    db.execute(
        _SUBMISSION,
        {
            "id": kept.id,
            "state": State.RECEIVED,
            "channel": kept.arrival.channel,
            "expedited": expedited,
            "received_at": received_at,
            "due_at": ledger.deadlines.due(received_at, expedited=expedited),
            "updated_at": at,
            "round": 1,
            "attempts": 0,
            "token": 0,
            "claimable_at": at,
            "file_count": len(kept.stored),
            "byte_count": sum(one.size for one in kept.stored),
        },
    )
    rows = [
        {
            "submission_id": kept.id,
            "position": position,
            "sha256": one.sha256,
            "media_type": one.media_type,
            "bytes": one.size,
        }
        for position, one in enumerate(kept.stored)
    ]
    db.execute(_FILES, rows)
    _save_names(ledger, db, kept)


def _save_names(ledger: Ledger, db: Connection, kept: _Kept) -> None:
    names: list[str] = []
    for file in kept.arrival.files:
        names.append(unused_name(printable(file.name), names))
    save(ledger, db, kept.id, NAMES, 0, {"names": names})


def _enter_delivery(db: Connection, kept: _Kept, at: Any) -> None:
    reference = kept.arrival.reference
    told = {"through": kept.arrival.channel, "as": reference}
    if reference is not None and (
        len(reference) > _LONGEST_REFERENCE or db.execute(_TAKEN, told).first() is not None
    ):
        reference = None
        note(
            db,
            kept.id,
            "reference_dropped",
            at=at,
            actor=f"channel:{kept.arrival.channel}",
            cause="used_for_other_files",
        )
    row = {"id": kept.delivery, "submission_id": kept.id, "at": at, "channel": kept.arrival.channel}
    db.execute(_DELIVERY, row | {"reference": reference})


def attach_delivery(db: Connection, original: str, resent: str, at: Any) -> None:
    """Note with `original` that the submission `resent` was the same, sent again."""
    channel = db.execute(select(submissions.c.channel).where(submissions.c.id == resent)).scalar_one()
    db.execute(
        insert(deliveries).values(
            id=uuid.uuid4().hex, submission_id=original, at=at, channel=channel, resent_as=resent
        )
    )
