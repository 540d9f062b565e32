"""One case as it stands: as it was read, with the corrections on top, and the evaluation of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.case_json import from_json
from pipeline.domain import Case
from pipeline.errors import TriageError
from pipeline.ledger import Item, Ledger, item, load_case
from pipeline.review.correction_records import (
    RecordMissing,
    basis_of,
    corrected_case,
    correction_of,
    required,
    rows_of,
)
from pipeline.review.corrections import OF_DOCUMENTS, Correction, Kind, in_effect
from pipeline.review.standing import Basis


class VersionChanged(TriageError):
    """Someone else changed the case since it was shown."""


class CaseErased(TriageError):
    """The submission's pages and texts were erased when their time to be kept was over."""


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


def open_case(ledger: Ledger, submission_id: str) -> CaseFile | None:
    """The case as it stands; None while there is none.

    Raises UsageError where there is no submission, CaseErased where it was erased, RecordMissing where a
    part of it is gone and nobody erased it.
    """
    listed = item(ledger, submission_id)
    check_kept(listed.erased_at)
    if listed.case_number is None:
        return None
    try:
        return _opened(ledger, listed, listed.case_number)
    except RecordMissing:
        check_kept(item(ledger, submission_id).erased_at)  # erased while it was opened
        raise


def check_kept(erased_at: datetime | None) -> None:
    """Raises CaseErased where the submission was erased."""
    if erased_at is not None:
        raise CaseErased(f"The pages and the case were erased on {erased_at:%Y-%m-%d}, as is the rule.")


def _opened(ledger: Ledger, listed: Item, number: int) -> CaseFile:
    read = from_json(required(load_case(ledger, listed.id, number)))
    rows = ledger.read(lambda db: rows_of(db, listed.id))
    own = [row for row in rows if row.case_number == number]
    corrections = tuple(correction_of(ledger, row) for row in own)
    earlier = len(rows) - len(own)
    if not own:
        return CaseFile(listed, number, read, read, corrections, Basis(read), earlier=earlier)
    now = corrected_case(ledger, listed.id, number)
    cut = any(one.kind in OF_DOCUMENTS for one in corrections)
    basis, lapsed = basis_of(ledger, listed.id, number, read, cut=cut)
    return CaseFile(listed, number, read, now, corrections, basis, lapsed, earlier)
