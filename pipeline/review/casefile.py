"""One case as it stands: as it was read, with the corrections on top, and the evaluation of that.

A correction, the corrected case, its evaluation and the audit row are written in one transaction: after a
crash they are all there or none is. Who corrects names the version that was seen; another one since is
refused, so that two reviewers never overwrite each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, func, insert, select, update

from pipeline import audit
from pipeline.case_json import from_json, to_json
from pipeline.domain import Box, Case, Evidence, Reading
from pipeline.errors import TriageError, UsageError
from pipeline.ledger import Item, Ledger, State, item, load, load_case, load_reading, save
from pipeline.ledger.announcing import Told, announce
from pipeline.ledger.tables import submissions
from pipeline.ledger.texts import CORRECTED
from pipeline.review import tables
from pipeline.review.checking import check
from pipeline.review.corrections import OF_DOCUMENTS, Correction, Kind, alternatives_of, in_effect, value_of
from pipeline.review.layout import cut_at, pages_said, place_of
from pipeline.review.marking import marked, said
from pipeline.review.roles import Permission
from pipeline.review.standing import Basis, Result, knowledge_of, stand
from pipeline.settings import Settings

_CORRECTION = "correction"
_BASIS = "basis"  # what a corrected case stands on, by the number of the case
_EVIDENCE = TypeAdapter(tuple[Evidence, ...])


class VersionChanged(TriageError):
    """Someone else changed the case since it was shown."""


class CaseErased(TriageError):
    """The submission's pages and texts were erased when their time to be kept was over."""


class RecordMissing(TriageError):
    """A sealed record of the case is not in the ledger: what is left is not the case as it stands."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with its history. `read` is the case as it was read, `case` as it stands on its `basis`;
    `lapsed` are corrections that count no more though nobody undid them, with the reason; `earlier` counts
    the corrections of an earlier reading, which are not applied to this one."""

    item: Item
    number: int
    read: Case
    case: Case
    corrections: tuple[Correction, ...]
    basis: Basis
    lapsed: Mapping[int, str] = field(default_factory=dict)
    earlier: int = 0

    @property
    def version(self) -> str:
        """Changes with every correction and every new reading."""
        return f"{self.number}.{len(self.corrections)}"

    @property
    def next_number(self) -> int:
        """Of the next correction: all of the submission are counted, whichever reading they are of."""
        return self.earlier + len(self.corrections) + 1

    @property
    def undone(self) -> frozenset[int]:
        """Numbers of the corrections that count no more."""
        return frozenset(int(one.subject) for one in self.corrections if one.kind is Kind.UNDO)

    @property
    def decision(self) -> Correction | None:
        """The outcome that a person set beside the recommendation; it never takes its place."""
        set_ = [one for one in in_effect(self.corrections) if one.kind is Kind.OUTCOME]
        return set_[-1] if set_ else None


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


def open_case(ledger: Ledger, submission_id: str) -> CaseFile | None:
    """The case as it stands; None while there is none.

    Raises UsageError where there is no submission, CaseErased where it was erased, RecordMissing where a
    part of it is gone and nobody erased it.
    """
    listed = item(ledger, submission_id)
    _check_kept(listed.erased_at)
    if listed.case_number is None:
        return None
    try:
        return _opened(ledger, listed, listed.case_number)
    except RecordMissing:
        _check_kept(item(ledger, submission_id).erased_at)  # erased while it was opened
        raise


def lapsed_of(ledger: Ledger, submission_id: str, number: int) -> Mapping[int, str]:
    """`CaseFile.lapsed` of a case by its number, without opening the case; nothing where nothing is kept."""
    record = load(ledger, submission_id, _BASIS, number)
    return dict(record["lapsed"]) if record is not None else {}


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
        _check_kept(row.erased_at)
        last = _last_number(db, submission_id)
        of_case = sum(one.case_number == file.number for one in _rows(db, submission_id))
        if (row.case_number, of_case, last + 1) != (file.number, len(file.corrections), correction.number):
            raise VersionChanged("Someone else changed this case.", next_step="Look at it again.")
        if row.state in (State.RECEIVED, State.IN_FLIGHT):
            # What is read anew would leave the correction behind, and an evaluation to come overtakes it.
            raise UsageError("The packet is being worked on.", next_step="Correct it when that is done.")
        made = replace(correction, at=now)
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
        save(ledger, db, submission_id, CORRECTED, file.number, to_json(result.case))
        save(ledger, db, submission_id, _BASIS, file.number, _basis_to_json(result))
        # The worklist says what the case says; what the rules said of the reading stays in `cases`.
        db.execute(update(submissions).where(c.id == submission_id).values(_listed(result, file, made)))
        told = {"kind": made.kind, "subject": made.subject, "number": made.number, "case": file.number}
        audit.record(ledger, db, actor, "corrected", submission_id, told)
        number = {"case": file.number, "correction": made.number}
        announce(db, Told.CORRECTION_MADE, submission_id, at=now, data=number)
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
    return Correction(0, file.item.updated_at, actor, Kind.UNDO, change.subject, why=change.why.strip())


def _check_kept(erased_at: datetime | None) -> None:
    if erased_at is not None:
        raise CaseErased(f"The pages and the case were erased on {erased_at:%Y-%m-%d}, as is the rule.")


def _opened(ledger: Ledger, listed: Item, number: int) -> CaseFile:
    read = from_json(_kept(load_case(ledger, listed.id, number)))
    rows = ledger.read(lambda db: _rows(db, listed.id))
    own = [row for row in rows if row.case_number == number]
    corrections = tuple(_loaded(ledger, row) for row in own)
    earlier = len(rows) - len(own)
    if not own:
        return CaseFile(listed, number, read, read, corrections, Basis(read), earlier=earlier)
    now = from_json(_kept(load(ledger, listed.id, CORRECTED, number)))
    record = load(ledger, listed.id, _BASIS, number)
    if any(one.kind in OF_DOCUMENTS for one in corrections):
        _kept(record)
    basis, lapsed = _basis_from_json(record, read)
    return CaseFile(listed, number, read, now, corrections, basis, lapsed, earlier)


def _kept(record: dict[str, Any] | None) -> dict[str, Any]:
    if record is None:
        raise RecordMissing(
            "A record of this case is missing, so it is not shown.",
            next_step="Tell who runs the desk.",
        )
    return record


def _loaded(ledger: Ledger, row: Any) -> Correction:
    said = _kept(load(ledger, row.submission_id, _CORRECTION, row.number))
    return Correction(
        number=row.number,
        at=row.at,
        actor=row.actor,
        kind=Kind(row.kind),
        subject=row.subject,
        before=said["before"],
        after=said["after"],
        basis=said["basis"],
        why=said["why"],
        evidence=_EVIDENCE.validate_python(said["evidence"]),
    )


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


def _basis_to_json(result: Result) -> dict[str, Any]:
    basis = result.basis
    return {
        "case": to_json(basis.case) if basis.by else None,
        "by": list(basis.by),
        "lapsed": [[number, why] for number, why in result.lapsed.items()],
    }


def _basis_from_json(record: dict[str, Any] | None, read: Case) -> tuple[Basis, dict[int, str]]:
    if record is None:  # corrected before documents could be
        return Basis(read), {}
    case = read if record["case"] is None else from_json(record["case"])
    return Basis(case, tuple(record["by"])), dict(record["lapsed"])
