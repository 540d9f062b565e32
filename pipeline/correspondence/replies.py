"""Replies in the ledger: found, joined to the submission that they answer, which is then worked again.

A submission is looked at once it has a case of its own. What joins two submissions is one transaction: the
original gets the reply's files and a reading with all pages, and waits for a worker; the reply keeps its own
case and history. Nothing of either is moved or lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from pipeline.case_json import from_json
from pipeline.cases import Knowledge
from pipeline.correspondence.apart import apart
from pipeline.correspondence.records import REQUEST, SENT, State, Waiting, unsealed
from pipeline.correspondence.tables import replies, requests
from pipeline.domain import Case, Reading, SourceFile, Submission
from pipeline.errors import UsageError
from pipeline.ledger import ENDED, Ledger, load, load_reading, save, standing_case
from pipeline.ledger import State as SubmissionState
from pipeline.ledger.changes import move, note
from pipeline.ledger.reading_json import reading_to_json
from pipeline.ledger.tables import events, files, submissions
from pipeline.ledger.texts import NAMES, READING
from pipeline.rejoin import Known, Match, Portrait, joined, match, portrait_of, references_in

_JOINED, _WAITING, _NONE = "joined", "waiting", "none"
_KNOWN_FOR = timedelta(days=180)


class _BeingWorked(UsageError):
    """The case is with a worker; what is joined to it now would be lost on it."""


def find_replies(ledger: Ledger, knowledge: Knowledge, *, actor: str) -> dict[str, Match]:
    """Every submission that was not looked at yet, held against the requests; the match by its id.

    What answers one is joined to it; what may answer one waits for a person (`waiting_replies`). A record
    that cannot be opened holds up nothing but its own.
    """
    rows = ledger.read(lambda db: _not_looked_at(ledger, db))
    known, broken = _known(ledger) if rows else ([], [])
    if not known and not broken:
        return {}
    found = {}
    for row in rows:
        with apart("Submission", row.id):
            if named := _bears(ledger, row, broken):
                _put_aside(ledger, row.id, "not_joinable", named, actor)
                continue
            answer = _match(ledger, knowledge, row, known)
            if answer.request is None:
                _put_aside(ledger, row.id, answer.reason or "unknown", answer.candidates, actor)
            elif not _joined(ledger, row.id, answer, actor):
                continue
            found[row.id] = answer
    return found


def _joined(ledger: Ledger, submission_id: str, answer: Match, actor: str) -> bool:
    """Join a reply to the request that it answers; False where the case is being worked just now: the reply
    is looked at again. What cannot be joined (the case was erased) is for a person."""
    assert answer.request is not None
    assert answer.request.reference is not None
    assert answer.by is not None
    try:
        _join(ledger, submission_id, answer.request.reference, answer.by, actor)
    except _BeingWorked:
        return False
    except UsageError:
        _put_aside(ledger, submission_id, "not_joinable", answer.candidates, actor)
    return True


def waiting_replies(ledger: Ledger) -> list[Waiting]:
    """Submissions of which a person must say whether and what they answer."""
    found = select(replies).where(replies.c.state == _WAITING).order_by(replies.c.at)
    rows = ledger.read(lambda db: db.execute(found).all())
    return [Waiting(row.submission_id, row.reason) for row in rows]


def join(ledger: Ledger, submission_id: str, reference: str, *, actor: str) -> None:
    """Join a submission to the request that it answers, because a person says so. Raises UsageError."""
    _join(ledger, submission_id, reference, "person", actor)


# --------------------------------------------------------------------------- matching


def _known(ledger: Ledger) -> tuple[list[Known], list[str]]:
    """Requests that a reply may be about, with what the open ones' cases say of the patients: those that are
    not open any more are known by their reference alone. And the references of those that are broken."""

    def work(db: Connection) -> Sequence[Row[Any]]:
        # The history has the moment at which a request was issued, its own row the day.
        sent = (
            (events.c.submission_id == requests.c.submission_id)
            & (events.c.kind == SENT)
            & (events.c.data["reference"].as_string() == requests.c.reference)
        )
        found = select(requests, events.c.at.label("issued_at")).join(events, sent, isouter=True)
        return db.execute(found.where(_recent(ledger, db)).order_by(requests.c.reference)).all()

    known, broken = list[Known](), list[str]()
    for row in ledger.read(work):
        broken.append(row.reference)
        with apart("Request", row.reference):
            one = _known_of(ledger, row)
            known.extend([one] if one is not None else [])
            broken.pop()
    return known, broken


def _known_of(ledger: Ledger, row: Row[Any]) -> Known | None:
    record = load(ledger, row.submission_id, REQUEST, row.number)
    is_open = row.state == State.OPEN
    case = standing_case(ledger, row.submission_id) if is_open else None
    if record is None or (case is None and is_open):
        return None
    portrait = portrait_of(from_json(case)) if case is not None else Portrait()
    return Known(unsealed(record)[0], portrait, row.issued_at, is_open)


def _recent(ledger: Ledger, db: Connection) -> Any:
    """Which requests a reply may be about: what is open, and what was until not long ago."""
    return requests.c.closed_at.is_(None) | (requests.c.closed_at > ledger.now(db) - _KNOWN_FOR)


def _not_looked_at(ledger: Ledger, db: Connection) -> Sequence[Row[Any]]:
    """Submissions that ended with a case, since the first request that a reply may be about, and that no
    request is about."""
    first = db.execute(select(func.min(requests.c.issued_on)).where(_recent(ledger, db))).scalar()
    if first is None:
        return []
    # The plan's day: wherever the plan is, it has not begun a day before it begins in UTC.
    since = datetime.combine(first, time(), UTC) - timedelta(days=1)
    looked_at = select(replies.c.submission_id)
    asked_about = select(requests.c.submission_id)
    c = submissions.c
    found = (
        select(c.id, c.round, c.received_at)
        .where(c.state.in_(ENDED), c.state != SubmissionState.REJECTED, c.case_number.is_not(None))
        .where(c.id.not_in(looked_at), c.id.not_in(asked_about), c.duplicate_of.is_(None))
        .where(c.updated_at >= since)
    )
    return db.execute(found.order_by(c.received_at)).all()


def _bears(ledger: Ledger, row: Row[Any], references: Sequence[str]) -> list[str]:
    """Which of these references stand on a submission's pages."""
    reading = load_reading(ledger, row.id, row.round) if references else None
    if reading is None:
        return []
    seen = references_in(reading, references)
    return sorted(seen.barcodes | seen.printed | seen.misread)


def _match(ledger: Ledger, knowledge: Knowledge, row: Row[Any], known: Sequence[Known]) -> Match:
    case: Case = from_json(standing_case(ledger, row.id))
    reading = load_reading(ledger, row.id, row.round) or Reading((), (), {})
    seen = references_in(reading, [one.reference for one in known])
    return match(case, seen, known, knowledge.catalog.letters, received_at=row.received_at)


def _put_aside(
    ledger: Ledger, submission_id: str, reason: str, candidates: Sequence[str], actor: str
) -> None:
    state = _NONE if reason == "unknown" else _WAITING

    def work(db: Connection) -> None:
        _hold(db, submission_id)
        if _looked_at(db, submission_id) is not None:
            return
        now = ledger.now(db)
        values = {"submission_id": submission_id, "state": state, "reason": reason, "at": now}
        db.execute(insert(replies).values(values))
        if state == _WAITING:
            data = {"candidates": list(candidates)}
            note(db, submission_id, "reply_waits", at=now, actor=actor, cause=reason, data=data)

    ledger.write(work)


# --------------------------------------------------------------------------- joining


def _join(ledger: Ledger, reply_id: str, reference: str, by: str, actor: str) -> None:
    original_id = _original(ledger, reference)
    if original_id == reply_id:
        raise UsageError(f"Submission {reply_id} is the one that the request is about.")
    (original, round_number), (reply, _) = _held(ledger, original_id), _held(ledger, reply_id)
    submission, reading = joined(original, reply)

    def work(db: Connection) -> None:
        _hold(db, reply_id)
        row = _hold(db, original_id)
        known = _looked_at(db, reply_id)
        if known is not None and known.state == _JOINED:
            if known.reference != reference:
                raise UsageError(f"Submission {reply_id} is joined to request {known.reference}.")
            return
        if row.state not in ENDED or row.round != round_number:
            raise _BeingWorked(
                f"The case of request {reference} is being worked.", next_step="Try again in a minute."
            )
        now = ledger.now(db)
        new = submission.files[len(original[0].files) :]
        _add_files(ledger, db, submission, reply_id, [file.sha256 for file in new])
        save(ledger, db, original_id, READING, round_number + 1, reading_to_json(reading))
        data = {"reference": reference, "reply": reply_id, "files": len(new), "pages": len(reading.pages)}
        _work_again(db, submission, round_number, data, now, actor)
        values = {"state": _JOINED, "reference": reference, "found_by": by, "reason": None, "at": now}
        if known is None:
            db.execute(insert(replies).values(submission_id=reply_id, **values))
        else:
            db.execute(update(replies).where(replies.c.submission_id == reply_id).values(**values))
        data = {"reference": reference, "original": original_id}
        note(db, reply_id, "joined", at=now, actor=actor, cause=by, data=data)

    ledger.write(work, durable=True)


def _add_files(
    ledger: Ledger, db: Connection, submission: Submission, reply_id: str, new: Sequence[str]
) -> None:
    """The original gets the reply's files that it does not have, behind its own."""
    found = select(files).where(files.c.submission_id == reply_id, files.c.sha256.in_(new))
    rows = {row.sha256: row for row in db.execute(found).all()}
    first = len(submission.files) - len(new)
    for position, sha256 in enumerate(new, first):
        row = rows[sha256]
        values = {"sha256": sha256, "media_type": row.media_type, "bytes": row.bytes, "pages": row.pages}
        db.execute(insert(files).values(submission_id=submission.id, position=position, **values))
    save(ledger, db, submission.id, NAMES, 0, {"names": [file.name for file in submission.files]})


def _work_again(
    db: Connection,
    submission: Submission,
    round_number: int,
    data: dict[str, Any],
    now: datetime,
    actor: str,
) -> None:
    total = select(func.sum(files.c.bytes)).where(files.c.submission_id == submission.id)
    move(
        db,
        submission.id,
        SubmissionState.RECEIVED,
        "reply_joined",
        at=now,
        actor=actor,
        data=data,
        round=round_number + 1,
        attempts=0,
        claimable_at=now,
        reason=None,
        outcome=None,
        decided=None,
        missing=None,
        file_count=len(submission.files),
        byte_count=db.execute(total).scalar_one(),
    )


def _hold(db: Connection, submission_id: str) -> Row[Any]:
    """The submission, which nobody else changes until the caller's transaction ends."""
    return db.execute(select(submissions).where(submissions.c.id == submission_id).with_for_update()).one()


def _original(ledger: Ledger, reference: str) -> str:
    found = select(requests.c.submission_id).where(
        requests.c.reference == reference, requests.c.state.in_([State.OPEN, State.EXPIRED])
    )
    submission_id = ledger.read(lambda db: db.execute(found).scalar())
    if submission_id is None:
        raise UsageError(f"There is no open request {reference}.", next_step="`triage request list`.")
    return str(submission_id)


def _held(ledger: Ledger, submission_id: str) -> tuple[tuple[Submission, Reading], int]:
    """A submission's files by name and hash, without their bytes, and what was read of them in its round.
    Raises UsageError."""

    def work(db: Connection) -> tuple[Any, Any]:
        rows = select(files).where(files.c.submission_id == submission_id).order_by(files.c.position)
        round_ = select(submissions.c.round).where(submissions.c.id == submission_id)
        return db.execute(rows).all(), db.execute(round_).scalar()

    rows, round_number = ledger.read(work)
    names = load(ledger, submission_id, NAMES, 0)
    reading = None if round_number is None else load_reading(ledger, submission_id, round_number)
    if names is None or reading is None:
        raise UsageError(f"Submission {submission_id} is not in the ledger, was not read, or is erased.")
    held = tuple(
        SourceFile(name, Path(), row.sha256, row.media_type)
        for name, row in zip(names["names"], rows, strict=True)
    )
    return (Submission(submission_id, held), reading), int(round_number)


def _looked_at(db: Connection, submission_id: str) -> Row[Any] | None:
    return db.execute(select(replies).where(replies.c.submission_id == submission_id)).one_or_none()
