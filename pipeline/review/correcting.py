"""How a correction is made: what a person asks for is checked, the rules are asked, and all is written.

A correction, the corrected case, its evaluation and the audit row are written in one transaction: after a
crash they are all there or none is. Who corrects names the version that was seen; another one since is
refused, so that two reviewers never overwrite each other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select, update

from pipeline import audit
from pipeline.domain import Box, Evidence, Reading
from pipeline.errors import UsageError
from pipeline.ledger import Ledger, State, load_reading
from pipeline.ledger.tables import submissions
from pipeline.ledger.telling import Told, tell
from pipeline.review.casefile import CaseFile, VersionChanged, check_kept, open_case
from pipeline.review.checking import check
from pipeline.review.correction_records import keep, rows_of
from pipeline.review.corrections import OF_DOCUMENTS, Correction, Kind, alternatives_of, value_of
from pipeline.review.layout import cut_at, pages_said, place_of
from pipeline.review.marking import marked, said
from pipeline.review.roles import Permission
from pipeline.review.standing import Result, knowledge_of, stand
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Mark:
    """An area that a person drew on a page; points, see `domain.Box`."""

    file: str
    page: int
    area: Box


@dataclass(frozen=True, slots=True)
class Said:
    """Words that a person says stand on a page."""

    file: str
    page: int
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A correction as a person asks for it; see `Correction`.

    What shows a new value are the `marks`, the words `said` to stand on a page, or, without either, the words
    of an alternative that has this value: a person takes what was not taken.
    """

    kind: Kind
    subject: str
    after: Any = None
    basis: str | None = None
    why: str = ""
    marks: tuple[Mark, ...] = ()
    said: Said | None = None


def correct(
    ledger: Ledger, settings: Settings, submission_id: str, change: Change, *, version: str, actor: str
) -> CaseFile:
    """The case file after one more correction.

    Raises VersionChanged where `version` is not the case's any more, CaseErased, UsageError where the
    correction makes no sense, EvaluatorError where the rules evaluator gives no answer: then nothing is
    changed.
    """
    file = open_case(ledger, submission_id)
    if file is None:
        raise UsageError("There is no case to correct yet.")
    if file.version != version:
        raise VersionChanged("Someone else changed this case.", next_step="Look at it again.")
    correction = replace(_correction(ledger, file, change, actor), number=file.next_number)
    if change.kind is not Kind.UNDO:
        check(correction, file.case, knowledge_of(settings).catalog)
    result = _standing(ledger, settings, file, correction)

    def work(db: Connection) -> Correction:
        now = ledger.now(db)
        # One correction after another, none beside a new reading or an erasure: each takes this row first.
        c = submissions.c
        held = select(c.case_number, c.erased_at, c.state).where(c.id == submission_id).with_for_update()
        row = db.execute(held).one()
        check_kept(row.erased_at)
        rows = rows_of(db, submission_id)
        last = rows[-1].number if rows else 0
        of_case = sum(one.case_number == file.number for one in rows)
        if (row.case_number, of_case, last + 1) != (file.number, len(file.corrections), correction.number):
            raise VersionChanged("Someone else changed this case.", next_step="Look at it again.")
        if row.state in (State.RECEIVED, State.IN_FLIGHT):
            # What is read anew would leave the correction behind, and an evaluation to come overtakes it.
            raise UsageError("The packet is being worked on.", next_step="Correct it when that is done.")
        made = replace(correction, at=now)
        keep(ledger, db, submission_id, file.number, made, result)
        # The worklist says what the case says; what the rules said of the reading stays in `cases`.
        db.execute(update(submissions).where(c.id == submission_id).values(_listed(result, file, made)))
        told = {"kind": made.kind, "subject": made.subject, "number": made.number, "case": file.number}
        audit.record(ledger, db, actor, "corrected", submission_id, told)
        number = {"case": file.number, "correction": made.number}
        tell(db, Told.CORRECTION_MADE, submission_id, at=now, data=number)
        return made

    made = ledger.write(work, durable=True)
    return replace(
        file,
        item=replace(file.item, **_listed(result, file, made)),
        case=result.case,
        corrections=(*file.corrections, made),
        basis=result.basis,
        lapsed=result.lapsed,
    )


def permission_for(file: CaseFile, change: Change) -> Permission:
    """What a person must be allowed to make this change."""
    undone = next((one for one in file.corrections if str(one.number) == change.subject), None)
    of_outcome = change.kind is Kind.OUTCOME or (
        change.kind is Kind.UNDO and undone is not None and undone.kind is Kind.OUTCOME
    )
    return Permission.OVERRIDE if of_outcome else Permission.CORRECT


def words_in(ledger: Ledger, file: CaseFile, mark: Mark, actor: str) -> Evidence:
    """The words that a person marked. Raises UsageError where there are none."""
    reading = _reading(ledger, file)
    return marked(file.case, reading, mark.file, mark.page, mark.area, actor)


# --------------------------------------------------------------------------- inside


def _reading(ledger: Ledger, file: CaseFile) -> Reading:
    reading = load_reading(ledger, file.item.id, file.item.round)
    if reading is None:
        raise UsageError("The reading of this submission is not kept any more.")
    return reading


def _standing(ledger: Ledger, settings: Settings, file: CaseFile, correction: Correction) -> Result:
    corrections = (*file.corrections, correction)
    by_hand = any(one.kind in OF_DOCUMENTS for one in corrections)
    reading = _reading(ledger, file) if by_hand else None
    return stand(file.read, file.basis, corrections, reading, settings)


def _listed(result: Result, file: CaseFile, made: Correction) -> dict[str, Any]:
    """What the worklist has of the case in clear: codes."""
    case = result.case
    decision = replace(file, corrections=(*file.corrections, made)).decision
    evaluation = case.evaluation
    return {
        "outcome": evaluation.outcome if evaluation else None,
        "missing": tuple(one.code for one in evaluation.missing) if evaluation else None,
        "decided": decision.after if decision else None,
    }


def _correction(ledger: Ledger, file: CaseFile, change: Change, actor: str) -> Correction:
    if change.kind is Kind.UNDO:
        return _undo(file, change, actor)
    if change.kind in OF_DOCUMENTS:
        return _of_documents(file, change, actor)
    if change.kind is Kind.OUTCOME:
        recommended = file.case.evaluation.outcome if file.case.evaluation else None
        return _made(file, change, actor, before=recommended, after=change.after)
    new = change.kind is Kind.CHANGE
    return _made(
        file,
        change,
        actor,
        before=value_of(file.case, change.subject),
        after=change.after if new else None,
        basis=change.basis if new else None,
        evidence=_shown(ledger, file, change, actor),
    )


def _shown(ledger: Ledger, file: CaseFile, change: Change, actor: str) -> tuple[Evidence, ...]:
    if change.marks:
        return tuple(words_in(ledger, file, mark, actor) for mark in change.marks)
    if change.said:
        place = change.said
        reading = _reading(ledger, file)
        return (said(file.case, reading, place.file, place.page, place.text, actor),)
    if change.kind is not Kind.CHANGE:
        return ()
    others = alternatives_of(file.case, change.subject)
    return next((one.evidence for one in others if one.value == change.after), ())


def _of_documents(file: CaseFile, change: Change, actor: str) -> Correction:
    place = place_of(change.subject, file.case)
    cut = cut_at(file.case, place)
    pages = set(cut.pages) if cut else set()
    document = next(
        (d for d in file.case.documents if cut and d.file == cut.file and set(d.pages) == pages), None
    )
    after = change.after if change.kind in (Kind.MOVE, Kind.RETYPE) else None
    before = document.type if document else None
    return _made(file, change, actor, before=before, after=after, basis=pages_said(cut) if cut else None)


def _made(file: CaseFile, change: Change, actor: str, **values: Any) -> Correction:
    at = file.item.updated_at
    return Correction(0, at, actor, change.kind, change.subject, why=change.why.strip(), **values)


def _undo(file: CaseFile, change: Change, actor: str) -> Correction:
    numbers = {one.number for one in file.corrections if one.kind is not Kind.UNDO} - file.undone
    if not re.fullmatch("[1-9][0-9]{0,8}", change.subject) or int(change.subject) not in numbers:
        raise UsageError("There is no such correction to undo.")
    return _made(file, change, actor)
