"""What holds text of a patient: names of files, readings, cases. Sealed in the ledger, opened on demand.

A record has its submission, a kind and a number: `names` 0, a `reading` the round it was read in, a `case`
its own number. Other parts of the program may keep kinds of their own with `save` and `load`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.domain import Reading, SourceFile, Submission
from pipeline.errors import UsageError
from pipeline.ledger.opening import Ledger
from pipeline.ledger.reading_json import reading_from_json
from pipeline.ledger.tables import files, records, submissions

NAMES, READING, CASE = "names", "reading", "case"
CORRECTED = "corrected"  # of the number of the case that it corrects
TOLD = "told"  # what a channel said besides the files, numbered from 1 as the deliveries came


def _keep(insert: Callable[[Table], Any]) -> Any:
    row = insert(records)
    again = {"content": row.excluded.content, "key_name": row.excluded.key_name}
    return row.on_conflict_do_update(index_elements=list(records.primary_key), set_=again)


# Built once: building a statement costs as much as running it.
_KEEP: Final = {True: _keep(sqlite.insert), False: _keep(postgresql.insert)}  # by: is it SQLite
_CONTENT: Final = select(records.c.content).where(
    records.c.submission_id == bindparam("of"),
    records.c.kind == bindparam("kind"),
    records.c.number == bindparam("number"),
)
_NAMES: Final = records.alias()
_FILES: Final = (
    select(files.c.sha256, files.c.media_type, submissions.c.received_at, _NAMES.c.content.label("names"))
    .join(submissions, submissions.c.id == files.c.submission_id)
    .outerjoin(
        _NAMES,
        (_NAMES.c.submission_id == files.c.submission_id) & (_NAMES.c.kind == NAMES) & (_NAMES.c.number == 0),
    )
    .where(files.c.submission_id == bindparam("of"))
    .order_by(files.c.position)
)


def save(
    ledger: Ledger, db: Connection, submission_id: str, kind: str, number: int, content: Mapping[str, Any]
) -> None:
    """Keep `content` (what JSON can hold), in place of an earlier one, in the caller's transaction."""
    data = json.dumps(content, separators=(",", ":"), ensure_ascii=True).encode()
    sealed = ledger.keys.seal(data, about(submission_id, kind, number))
    row = {
        "submission_id": submission_id,
        "kind": kind,
        "number": number,
        "content": sealed,
        "key_name": ledger.keys.current,
    }
    db.execute(_KEEP[ledger.database.is_sqlite], row)


def load(ledger: Ledger, submission_id: str, kind: str, number: int) -> dict[str, Any] | None:
    """What `save` kept, None where there is nothing. Raises SealBroken."""
    where = {"of": submission_id, "kind": kind, "number": number}
    sealed = ledger.glance(lambda db: db.execute(_CONTENT, where).scalar())
    if sealed is None:
        return None
    content: dict[str, Any] = json.loads(ledger.keys.open(sealed, about(submission_id, kind, number)))
    return content


def count(db: Connection, submission_id: str, kind: str) -> int:
    """How many records of a kind a submission has."""
    where = {"submission_id": submission_id, "kind": kind}
    return db.execute(select(func.count()).select_from(records).filter_by(**where)).scalar_one()


def load_all(ledger: Ledger, submission_id: str, kind: str) -> list[dict[str, Any]]:
    """All records of a kind that a submission has, by their numbers. Raises SealBroken."""
    found = select(records.c.number, records.c.content).order_by(records.c.number)
    found = found.filter_by(submission_id=submission_id, kind=kind)
    rows = ledger.glance(lambda db: db.execute(found).all())
    opened = (ledger.keys.open(row.content, about(submission_id, kind, row.number)) for row in rows)
    return [json.loads(content) for content in opened]


def names(ledger: Ledger, submission_id: str) -> list[str]:
    """The sender's names of a submission's files, in their order; empty where they are erased."""
    content = load(ledger, submission_id, NAMES, 0)
    return list(content["names"]) if content else []


@contextmanager
def opened(ledger: Ledger, submission_id: str) -> Iterator[Submission]:
    """The submission with plain copies of its files while the block runs.

    Raises UsageError where it is not there or its files are erased, SealBroken where one was damaged.
    """

    rows = ledger.glance(lambda db: db.execute(_FILES, {"of": submission_id}).all())
    if not rows or rows[0].names is None:
        raise UsageError(
            f"Submission {submission_id} is not in the ledger, or its files are erased.",
            next_step="`triage queue show` tells.",
        )
    called = json.loads(ledger.keys.open(rows[0].names, about(submission_id, NAMES, 0)))["names"]
    with ledger.vault.opened([row.sha256 for row in rows]) as paths:
        yield Submission(
            id=submission_id,
            files=tuple(
                SourceFile(name, path, row.sha256, row.media_type)
                for name, path, row in zip(called, paths, rows, strict=True)
            ),
            received=rows[0].received_at.date(),
        )


@contextmanager
def opened_file(ledger: Ledger, submission_id: str, position: int) -> Iterator[SourceFile]:
    """One file of the submission, by its position from 0, with a plain copy while the block runs; without
    its sender's name for it. Raises as `opened`."""
    where = {"submission_id": submission_id, "position": position}
    row = ledger.read(
        lambda db: db.execute(select(files.c.sha256, files.c.media_type).filter_by(**where)).first()
    )
    if row is None or not ledger.vault.has(row.sha256):
        raise UsageError(f"Submission {submission_id} has no such file, or it is erased.")
    with ledger.vault.opened([row.sha256]) as (path,):
        yield SourceFile("", path, row.sha256, row.media_type)


def load_reading(ledger: Ledger, submission_id: str, round_number: int) -> Reading | None:
    """What was read in that round, equal record for record; None where nothing was yet."""
    content = load(ledger, submission_id, READING, round_number)
    return None if content is None else reading_from_json(content)


def rename(ledger: Ledger, submission_id: str, new: Sequence[tuple[str, str]]) -> None:
    """Give the submission's files other names, as (sha256, name) in any order. Raises UsageError where
    these are not its files."""

    def work(db: Connection) -> None:
        own = select(files.c.sha256).where(files.c.submission_id == submission_id).order_by(files.c.position)
        left, ordered = list(new), list[str]()
        for sha256 in db.execute(own).scalars():
            found = next((pair for pair in left if pair[0] == sha256), None)
            if found is None:
                raise UsageError(f"These are not the files of submission {submission_id}.")
            left.remove(found)
            ordered.append(found[1])
        save(ledger, db, submission_id, NAMES, 0, {"names": ordered})

    ledger.write(work)


def load_case(ledger: Ledger, submission_id: str, number: int | None = None) -> dict[str, Any] | None:
    """The JSON of a case, of the latest without a number; None where there is none."""
    if number is None:
        query = select(submissions.c.case_number).where(submissions.c.id == submission_id)
        number = ledger.glance(lambda db: db.execute(query).scalar())
    return None if number is None else load(ledger, submission_id, CASE, number)


def standing_case(ledger: Ledger, submission_id: str, number: int | None = None) -> dict[str, Any] | None:
    """The JSON of a case as it stands: as a person corrected it, else as it was read (`load_case`)."""
    if number is None:
        query = select(submissions.c.case_number).where(submissions.c.id == submission_id)
        number = ledger.glance(lambda db: db.execute(query).scalar())
    if number is None:
        return None
    return load(ledger, submission_id, CORRECTED, number) or load(ledger, submission_id, CASE, number)


def about(submission_id: str, kind: str, number: int) -> str:
    """What a record is sealed with, so that none can stand in for another."""
    return f"{submission_id}|{kind}|{number}"
