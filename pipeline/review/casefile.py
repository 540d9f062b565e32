"""One case as it stands: as it was read, with the corrections on top, and the evaluation of that.

A correction, the corrected case, its evaluation and the audit row are written in one transaction: after a
crash they are all there or none is. Who corrects names the version that was seen; another one since is
refused, so that two reviewers never overwrite each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, func, insert, select

from pipeline.case_json import from_json, to_json
from pipeline.cases import evaluate
from pipeline.catalog.fields import load_fields
from pipeline.domain import Box, Case, Evidence
from pipeline.errors import TriageError, UsageError
from pipeline.ledger import Item, Ledger, item, load, load_case, load_reading, save
from pipeline.review import audit, tables
from pipeline.review.corrections import Correction, Kind, check, corrected, marked, value_of
from pipeline.settings import Settings

_CORRECTION, _CORRECTED = "correction", "corrected"
_EVIDENCE = TypeAdapter(tuple[Evidence, ...])


class VersionChanged(TriageError):
    """Someone else changed the case since it was shown."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with its history. `read` is the case as it was read, `case` as it stands."""

    item: Item
    number: int
    read: Case
    case: Case
    corrections: tuple[Correction, ...]

    @property
    def version(self) -> str:
        """Changes with every correction and every new reading."""
        return f"{self.number}.{len(self.corrections)}"

    @property
    def undone(self) -> frozenset[int]:
        """Numbers of the corrections that count no more."""
        return frozenset(int(one.subject) for one in self.corrections if one.kind is Kind.UNDO)


@dataclass(frozen=True, slots=True)
class Mark:
    """An area that a person drew on a page; points, see `domain.Box`."""

    file: str
    page: int
    area: Box


@dataclass(frozen=True, slots=True)
class Change:
    """A correction as a person asks for it; see `Correction`."""

    kind: Kind
    subject: str
    after: Any = None
    basis: str | None = None
    why: str = ""
    marks: tuple[Mark, ...] = ()


def open_case(ledger: Ledger, submission_id: str) -> CaseFile | None:
    """The case as it stands; None while there is none. Raises UsageError where there is no submission."""
    listed = item(ledger, submission_id)
    number = listed.case_number
    if number is None or (data := load_case(ledger, submission_id, number)) is None:
        return None
    read = from_json(data)
    corrections = _corrections(ledger, submission_id, number)
    now = load(ledger, submission_id, _CORRECTED, corrections[-1].number) if corrections else None
    return CaseFile(listed, number, read, from_json(now) if now else read, corrections)


def correct(
    ledger: Ledger, settings: Settings, submission_id: str, change: Change, *, version: str, actor: str
) -> CaseFile:
    """The case file after one more correction.

    Raises VersionChanged where `version` is not the case's any more, UsageError where the correction makes
    no sense, EvaluatorError where the rules evaluator gives no answer: then nothing is changed.
    """
    file = open_case(ledger, submission_id)
    if file is None:
        raise UsageError("There is no case to correct yet.")
    if file.version != version:
        raise VersionChanged("Someone else changed this case.", next_step="Look at it again.")
    correction = _correction(ledger, file, change, actor)
    check(correction, file.case, load_fields(settings.models_dir)) if change.kind is not Kind.UNDO else None
    corrections = (*file.corrections, correction)
    case = corrected(file.read, corrections)
    case = evaluate(replace(case, evaluation=None), settings)

    def work(db: Connection) -> Correction:
        now = ledger.now(db)
        last = _last_number(db, submission_id)
        of_case = sum(one.case_number == file.number for one in _rows(db, submission_id))
        if of_case != len(file.corrections):
            raise VersionChanged("Someone else changed this case.", next_step="Look at it again.")
        made = replace(correction, number=last + 1, at=now)
        db.execute(
            insert(tables.corrections).values(
                submission_id=submission_id,
                number=made.number,
                case_number=file.number,
                at=now,
                actor=actor,
                kind=made.kind,
                subject=made.subject,
            )
        )
        save(ledger, db, submission_id, _CORRECTION, made.number, _to_json(made))
        save(ledger, db, submission_id, _CORRECTED, made.number, to_json(case))
        told = {"kind": made.kind, "subject": made.subject, "number": made.number, "case": file.number}
        audit.record(ledger, db, actor, "corrected", submission_id, told)
        return made

    made = ledger.write(work, durable=True)
    return replace(file, case=case, corrections=(*file.corrections, made))


def words_in(ledger: Ledger, file: CaseFile, mark: Mark, actor: str) -> Evidence:
    """The words that a person marked. Raises UsageError where there are none."""
    reading = load_reading(ledger, file.item.id, file.item.round)
    if reading is None:
        raise UsageError("The reading of this submission is not kept any more.")
    return marked(file.case, reading, mark.file, mark.page, mark.area, actor)


# --------------------------------------------------------------------------- inside


def _correction(ledger: Ledger, file: CaseFile, change: Change, actor: str) -> Correction:
    if change.kind is Kind.UNDO:
        return _undo(file, change)
    return Correction(
        number=0,
        at=file.item.updated_at,
        actor=actor,
        kind=change.kind,
        subject=change.subject,
        before=value_of(file.case, change.subject),
        after=change.after if change.kind is Kind.CHANGE else None,
        basis=change.basis if change.kind is Kind.CHANGE else None,
        why=change.why.strip(),
        evidence=tuple(words_in(ledger, file, mark, actor) for mark in change.marks),
    )


def _undo(file: CaseFile, change: Change) -> Correction:
    numbers = {one.number for one in file.corrections if one.kind is not Kind.UNDO} - file.undone
    if not change.subject.isdigit() or int(change.subject) not in numbers:
        raise UsageError("There is no such correction to undo.")
    return Correction(0, file.item.updated_at, "", Kind.UNDO, change.subject, why=change.why.strip())


def _corrections(ledger: Ledger, submission_id: str, case_number: int) -> tuple[Correction, ...]:
    rows = ledger.read(lambda db: _rows(db, submission_id))
    found = []
    for row in rows:
        if row.case_number != case_number:
            continue
        said = load(ledger, submission_id, _CORRECTION, row.number) or {}
        found.append(
            Correction(
                number=row.number,
                at=row.at,
                actor=row.actor,
                kind=Kind(row.kind),
                subject=row.subject,
                before=said.get("before"),
                after=said.get("after"),
                basis=said.get("basis"),
                why=said.get("why", ""),
                evidence=_EVIDENCE.validate_python(said.get("evidence", ())),
            )
        )
    return tuple(found)


def _rows(db: Connection, submission_id: str) -> Sequence[Any]:
    c = tables.corrections.c
    return db.execute(
        select(tables.corrections).filter_by(submission_id=submission_id).order_by(c.number)
    ).all()


def _last_number(db: Connection, submission_id: str) -> int:
    c = tables.corrections.c
    last = db.execute(select(func.max(c.number)).where(c.submission_id == submission_id)).scalar()
    return int(last or 0)


def _to_json(correction: Correction) -> dict[str, Any]:
    return {
        "before": correction.before,
        "after": correction.after,
        "basis": correction.basis,
        "why": correction.why,
        "evidence": _EVIDENCE.dump_python(correction.evidence, mode="json"),
    }
