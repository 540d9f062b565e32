"""A case as it stands: read, its documents cut as a person says, its answers corrected, the rules asked.

Where a person cut documents, everything that follows from documents is made anew from the reading that is
kept: what is found in a text depends on which paper it stands on and where that paper ends. Completeness and
evaluation alone would leave, say, a stage from a page that is now known to be a form's instructions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock

from pipeline.cases import Knowledge, build_case
from pipeline.documents import Cut, cut_documents
from pipeline.domain import Case, Reading, SourceFile, Submission
from pipeline.evaluation import evaluate
from pipeline.review.corrections import OF_DOCUMENTS, Correction, corrected, in_effect
from pipeline.review.layout import layout_of
from pipeline.review.marking import found_again
from pipeline.settings import Settings

_building = Lock()  # one case at a time: the language pipeline is not known to be safe for several threads


@dataclass(frozen=True, slots=True)
class Basis:
    """What the corrections of answers are applied to: the case as it was read, or built anew with the
    documents that the corrections `by` (their numbers) make."""

    case: Case
    by: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A case as it stands, what it stands on, and the corrections that count no more (`Standing.lapsed`)."""

    case: Case
    basis: Basis
    lapsed: Mapping[int, str] = field(default_factory=dict)


def stand(
    read: Case,
    basis: Basis,
    corrections: Sequence[Correction],
    reading: Reading | None,
    settings: Settings,
) -> Result:
    """The case with all its corrections; `basis` is the one before, used again where it is the same.

    `reading` is needed where documents were ever cut by hand. Raises EvaluatorError.
    """
    cutting = [one for one in in_effect(corrections) if one.kind in OF_DOCUMENTS]
    by = tuple(one.number for one in cutting)
    layout = layout_of(read, cutting)
    if by != basis.by:
        assert reading is not None
        basis = Basis(rebuilt(read, reading, layout.cuts, settings) if cutting else read, by)
    if reading is not None and any(one.kind in OF_DOCUMENTS for one in corrections):
        corrections = [_found_again(one, basis.case, reading) for one in corrections]
    standing = corrected(basis.case, corrections)
    return Result(_judged(standing.case, settings), basis, {**layout.lapsed, **standing.lapsed})


def rebuilt(read: Case, reading: Reading, cuts: Sequence[Cut], settings: Settings) -> Case:
    """The case of a reading with documents as a person cut them; not evaluated."""
    files = tuple(SourceFile(one.name, Path(), one.sha256, one.media_type) for one in read.files)
    submission = Submission(read.case_id, files, read.received)
    with _building:
        split = partial(cut_documents, cuts=cuts)
        return build_case(submission, reading, knowledge_of(settings), split=split)


@lru_cache(maxsize=4)
def knowledge_of(settings: Settings) -> Knowledge:
    """The knowledge files of the settings, read once for the process."""
    return Knowledge(settings)


def _judged(case: Case, settings: Settings) -> Case:
    if case.status == "parked":
        return replace(case, evaluation=None)
    return replace(case, evaluation=evaluate(case, settings))


def _found_again(one: Correction, case: Case, reading: Reading) -> Correction:
    found = (found_again(evidence, case, reading) for evidence in one.evidence)
    return replace(one, evidence=tuple(evidence for evidence in found if evidence is not None))
