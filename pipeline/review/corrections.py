"""What a person changes in a case, as a pure function: a case and its corrections give the corrected case.

Nothing that was read is lost: a value that is replaced or refused stays as an alternative with its words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pipeline.domain import Alternative, Case, Element, Evidence, Field, Met, Requirement, Status, Value
from pipeline.errors import UsageError

SURE: Final = 1.0
_PATIENT: Final = ("name", "dob", "member_id")


class Kind(StrEnum):
    """What a correction does to its subject."""

    ACCEPT = "accept"  # a person has looked: the value stands
    CHANGE = "change"  # another value
    REJECT = "reject"  # the packet does not say it
    SPLIT = "split"  # a document begins at the page
    MERGE = "merge"  # the document that begins at the page goes on the one before it
    MOVE = "move"  # the page belongs to the document of another page
    RETYPE = "retype"  # the page's document is of another type
    OUTCOME = "outcome"  # another outcome than the rules recommend
    UNDO = "undo"  # an earlier correction counts no more


OF_DOCUMENTS: Final = frozenset({Kind.SPLIT, Kind.MERGE, Kind.MOVE, Kind.RETYPE})
OUTCOME: Final = "outcome"
"""Subject of an outcome that a person sets."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One change. `subject` is `findings.intent`, `patient.dob`, `request.expedited`, or a required element,
    `elements.treatment_plan.treatment_area`; of documents a page, `pages.0.12` (its file from 0, its number);
    `outcome`; of an undo, the number of what it undoes.

    `before` and `after` are values as JSON has them; `why` is the person's reason; `evidence` the words that
    the person marked, for a change. Of documents, `before` is the type and `basis` the pages that the
    document had, `after` the new type, or the page to whose document it was moved.
    """

    number: int
    at: datetime
    actor: str
    kind: Kind
    subject: str
    before: Any = None
    after: Any = None
    basis: str | None = None
    why: str = ""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """A case with its corrections on top. `lapsed` are those that count no more though nobody undid them,
    by number, with the reason as a code: what they were said of is not there any more."""

    case: Case
    lapsed: Mapping[int, str] = field(default_factory=dict)


def in_effect(corrections: Iterable[Correction]) -> list[Correction]:
    """The corrections that nobody undid, in turn."""
    listed = list(corrections)
    undone = {int(one.subject) for one in listed if one.kind is Kind.UNDO}
    return [one for one in listed if one.kind is not Kind.UNDO and one.number not in undone]


def corrected(case: Case, corrections: Sequence[Correction]) -> Standing:
    """The case with the corrections of its answers applied in turn, those that were undone left out.

    What was accepted or refused is a value, and lapses with it; a value that a person gave stands on the
    words that were marked, whatever is read beside it. The evaluation is that of the case before: ask for
    another.
    """
    lapsed = dict[int, str]()
    for one in in_effect(corrections):
        if one.kind in OF_DOCUMENTS or one.kind is Kind.OUTCOME:
            continue
        if why := _lapse(case, one):
            lapsed[one.number] = why
        else:
            case = _applied(case, one)
    return Standing(case, lapsed)


def value_of(case: Case, subject: str) -> Value | None:
    """What the case says of a subject now. Raises UsageError for a subject that there is none of."""
    group, _, name = subject.partition(".")
    if group == "elements":
        return _element(case, name)[2].status.value
    return _field(case, group, name).value


def alternatives_of(case: Case, subject: str) -> tuple[Alternative, ...]:
    """The values that were not taken for a subject."""
    group, _, name = subject.partition(".")
    return () if group == "elements" else _field(case, group, name).alternatives


# --------------------------------------------------------------------------- inside


def _lapse(case: Case, one: Correction) -> str | None:
    try:
        now = value_of(case, one.subject)
    except UsageError:
        return "no_such_answer"
    if one.kind in (Kind.ACCEPT, Kind.REJECT):
        return None if now == one.before else "another_value"
    needs_words = one.after == Met.MET if one.subject.startswith("elements.") else True
    return "words_not_found" if needs_words and not one.evidence else None


def _applied(case: Case, one: Correction) -> Case:
    group, _, name = one.subject.partition(".")
    if group == "elements":
        return _with_element(case, name, one)
    before = _field(case, group, name)
    after = _changed(before, one)
    if group == "patient":
        return replace(case, patient=replace(case.patient, **{name: after}))
    if group == "request":
        return replace(case, request=replace(case.request, expedited=after))
    return replace(case, findings={**case.findings, name: after})


def _changed(field: Field, one: Correction) -> Field:
    if one.kind is Kind.ACCEPT:
        return replace(field, status=Status.FOUND, confidence=SURE)
    others = field.alternatives
    if field.value is not None:
        others = (Alternative(field.value, "overridden", field.evidence), *others)
    if one.kind is Kind.REJECT:
        return Field(status=Status.NOT_FOUND, alternatives=others)
    return Field(
        value=one.after,
        status=Status.FOUND,
        confidence=SURE,
        evidence=one.evidence,
        alternatives=tuple(other for other in others if other.value != one.after),
        basis=one.basis,
        edition=None,
    )


def _with_element(case: Case, path: str, one: Correction) -> Case:
    name, element_name, element = _element(case, path)
    if one.kind is Kind.CHANGE:
        element = Element(Met(one.after), one.evidence or element.evidence)
    elif one.kind is Kind.REJECT:
        element = Element(Met.MISSING)
    requirement = case.completeness.documents[name]
    elements = {**requirement.elements, element_name: element}
    documents = {
        **case.completeness.documents,
        name: replace(requirement, elements=elements, status=_status(requirement, elements.values())),
    }
    return replace(case, completeness=replace(case.completeness, documents=documents))


def _status(requirement: Requirement, elements: Any) -> Any:
    statuses = {element.status for element in elements}
    if statuses == {Met.MET}:
        return "present"
    if statuses == {Met.MISSING}:
        return "missing"
    return "incomplete" if Met.MISSING in statuses else "unclear"


def _field(case: Case, group: str, name: str) -> Field:
    if group == "findings" and name in case.findings:
        return case.findings[name]
    if group == "patient" and name in _PATIENT:
        field: Field = getattr(case.patient, name)
        return field
    if (group, name) == ("request", "expedited"):
        return case.request.expedited
    raise UsageError(f"A case has no {group}.{name} to correct.")


def _element(case: Case, path: str) -> tuple[str, str, Element]:
    name, _, element = path.partition(".")
    requirement = case.completeness.documents.get(name)
    if requirement is None or element not in requirement.elements:
        raise UsageError("The policy asks for no such element.")
    return name, element, requirement.elements[element]
