"""Corrections, and what a case stands on since, as the ledger keeps them: of each correction a row of codes
in clear, what it says in sealed records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, insert, select

from pipeline.case_json import from_json, to_json
from pipeline.domain import Case, Evidence
from pipeline.errors import TriageError
from pipeline.ledger import Ledger, load, save
from pipeline.ledger.texts import CORRECTED
from pipeline.review import tables
from pipeline.review.corrections import Correction, Kind
from pipeline.review.standing import Basis, Result

_CORRECTION: Final = "correction"
_BASIS: Final = "basis"  # what a corrected case stands on, by the number of the case
_EVIDENCE = TypeAdapter(tuple[Evidence, ...])


class RecordMissing(TriageError):
    """A sealed record of the case is not in the ledger: what is left is not the case as it stands."""


def rows_of(db: Connection, submission_id: str) -> Sequence[Any]:
    """The rows of all corrections of a submission, of whichever reading, in turn."""
    c = tables.corrections.c
    return db.execute(
        select(tables.corrections).filter_by(submission_id=submission_id).order_by(c.number)
    ).all()


def correction_of(ledger: Ledger, row: Any) -> Correction:
    """The correction of a row. Raises RecordMissing."""
    said = required(load(ledger, row.submission_id, _CORRECTION, row.number))
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


def corrected_case(ledger: Ledger, submission_id: str, number: int) -> Case:
    """A corrected case, by its number, as it stands. Raises RecordMissing."""
    return from_json(required(load(ledger, submission_id, CORRECTED, number)))


def basis_of(
    ledger: Ledger, submission_id: str, number: int, read: Case, *, cut: bool
) -> tuple[Basis, Mapping[int, str]]:
    """What a corrected case stands on, and `CaseFile.lapsed`.

    Raises RecordMissing where documents were `cut` by hand and that is not kept.
    """
    record = load(ledger, submission_id, _BASIS, number)
    if cut:
        required(record)
    if record is None:  # corrected before documents could be
        return Basis(read), {}
    case = read if record["case"] is None else from_json(record["case"])
    return Basis(case, tuple(record["by"])), dict(record["lapsed"])


def lapsed_of(ledger: Ledger, submission_id: str, number: int) -> Mapping[int, str]:
    """`CaseFile.lapsed` of a case by its number, without opening the case; nothing where nothing is kept."""
    record = load(ledger, submission_id, _BASIS, number)
    return dict(record["lapsed"]) if record is not None else {}


def keep(
    ledger: Ledger, db: Connection, submission_id: str, case_number: int, made: Correction, result: Result
) -> None:
    """A correction, and the case as it stands since."""
    db.execute(
        insert(tables.corrections).values(
            submission_id=submission_id,
            number=made.number,
            case_number=case_number,
            at=made.at,
            actor=made.actor,
            kind=made.kind,
            subject=made.subject,
        )
    )
    save(ledger, db, submission_id, _CORRECTION, made.number, _to_json(made))
    save(ledger, db, submission_id, CORRECTED, case_number, to_json(result.case))
    save(ledger, db, submission_id, _BASIS, case_number, _basis_to_json(result))


def required(record: dict[str, Any] | None) -> dict[str, Any]:
    """A record that must be there. Raises RecordMissing."""
    if record is None:
        raise RecordMissing(
            "A record of this case is missing, so it is not shown.",
            next_step="Tell who runs the desk.",
        )
    return record


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
