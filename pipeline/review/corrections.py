"""What a person changes in a case, as a pure function: a case and its corrections give the corrected case.

Nothing that was read is lost: a value that is replaced or refused stays as an alternative with its words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from pipeline.catalog.fields import FieldRule
from pipeline.domain import (
    PAGE_BREAK,
    Alternative,
    Assertion,
    Box,
    Case,
    CaseDocument,
    Element,
    Evidence,
    Field,
    Met,
    Page,
    Reading,
    Requirement,
    Status,
    Value,
)
from pipeline.errors import UsageError

SURE: Final = 1.0
_PATIENT: Final = ("name", "dob", "member_id")
_BASES: Final = ("c", "p", "yc", "yp", "r", "rc")
_LONGEST_VALUE, _LONGEST_REASON, _MOST_MARKS = 300, 2000, 20


class Kind(StrEnum):
    """What a correction does to its subject."""

    ACCEPT = "accept"  # a person has looked: the value stands
    CHANGE = "change"  # another value
    REJECT = "reject"  # the packet does not say it
    UNDO = "undo"  # an earlier correction counts no more


@dataclass(frozen=True, slots=True)
class Correction:
    """One change. `subject` is `findings.intent`, `patient.dob`, `request.expedited`, or a required element,
    `elements.treatment_plan.treatment_area`; of an undo, the number of what it undoes.

    `before` and `after` are values as JSON has them; `why` is the person's reason; `evidence` the words that
    the person marked, for a change.
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


def corrected(case: Case, corrections: Sequence[Correction]) -> Case:
    """The case with the corrections applied in turn, those that were undone left out.

    Its evaluation is that of the case before: ask for another.
    """
    undone = {int(one.subject) for one in corrections if one.kind is Kind.UNDO}
    for one in corrections:
        if one.kind is not Kind.UNDO and one.number not in undone:
            case = _applied(case, one)
    return case


def value_of(case: Case, subject: str) -> Value | None:
    """What the case says of a subject now. Raises UsageError for a subject that there is none of."""
    group, _, name = subject.partition(".")
    if group == "elements":
        return _element(case, name)[2].status.value
    return _field(case, group, name).value


def check(correction: Correction, case: Case, rules: Mapping[str, FieldRule]) -> None:
    """Raises UsageError where a correction makes no sense for its case: what it says cannot be, or is
    not shown."""
    group, _, name = correction.subject.partition(".")
    now = value_of(case, correction.subject)
    if correction.kind is Kind.ACCEPT and now is None:
        raise UsageError("There is no value to accept.")
    if correction.kind is Kind.REJECT and now is None:
        raise UsageError("There is no value to reject.")
    if correction.kind is not Kind.ACCEPT and not correction.why.strip():
        raise UsageError("A change needs its reason.")
    if len(correction.why) > _LONGEST_REASON:
        raise UsageError(f"The reason is longer than {_LONGEST_REASON} characters.")
    if correction.kind is not Kind.CHANGE:
        return
    if group == "elements":
        if correction.after not in tuple(Met):
            raise UsageError("An element is met, missing or unclear.")
        if correction.after == Met.MET and not correction.evidence:
            raise UsageError("Mark the words that show it.")
        return
    if not correction.evidence:
        raise UsageError("Mark the words that show the value.")
    if len(correction.evidence) > _MOST_MARKS:
        raise UsageError(f"More than {_MOST_MARKS} places are marked.")
    if group == "findings":
        if name not in rules:
            raise UsageError("This finding is not known any more.")
        _check_finding(correction, rules[name])
    elif correction.subject == "request.expedited":
        _check_flag(correction.after)
    else:
        _check_text(correction.after)
        if correction.subject == "patient.dob" and not _is_day(correction.after):
            raise UsageError("A date of birth is written year-month-day, as 1950-02-28.")


def marked(case: Case, reading: Reading, file: str, page: int, area: Box, actor: str) -> Evidence:
    """The words of a page that lie in `area` (points, see `Box`), as evidence of a person's.

    A word counts where its middle lies inside. Raises UsageError where there is none, or where the page
    belongs to no document.
    """
    document = next(
        (one for one in case.documents if one.file == file and page in one.pages),
        None,
    )
    source = next((one for one in reading.pages if (one.file, one.number) == (file, page)), None)
    if document is None or source is None:
        raise UsageError("This page belongs to no document of the case.")
    inside = [word for word in source.words if _middle_in(word.box, area)]
    if not inside:
        raise UsageError("No words lie in the marked area.")
    start, end = min(word.start for word in inside), max(word.end for word in inside)
    base = _start_of(document, source, reading)
    quote = document.text[base + start : base + end]
    return Evidence(
        file=file,
        page=page,
        document=document.id,
        start=base + start,
        end=base + end,
        quote=quote,
        boxes=_lines(source, start, end),
        assertion=Assertion.PRESENT,
        source=source.source,
        extractor=f"person:{actor}",
    )


# --------------------------------------------------------------------------- inside


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


def _check_finding(correction: Correction, rule: FieldRule) -> None:
    if rule.kind == "flag":
        _check_flag(correction.after)
    else:
        _check_text(correction.after)
    if rule.kind == "choice" and correction.after not in rule.values:
        raise UsageError(f"{rule.title}: one of {', '.join(rule.values)}.")
    if correction.basis is not None and correction.basis not in _BASES:
        raise UsageError(f"The prefix is one of {', '.join(_BASES)}.")


def _check_flag(value: Any) -> None:
    if not isinstance(value, bool):
        raise UsageError("The value is yes or no.")


def _check_text(value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise UsageError("The value is empty.")
    if len(value) > _LONGEST_VALUE or not value.isprintable():
        raise UsageError(f"The value is one line of at most {_LONGEST_VALUE} characters.")


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _middle_in(box: Box, area: Box) -> bool:
    x, y = (box.x0 + box.x1) / 2, (box.top + box.bottom) / 2
    return area.x0 <= x <= area.x1 and area.top <= y <= area.bottom


def _start_of(document: CaseDocument, page: Page, reading: Reading) -> int:
    """Where the page's text begins in its document's (see `Document.printed`)."""
    texts = {(one.file, one.number): one.text for one in reading.pages}
    start = 0
    for number in document.pages:
        if number == page.number:
            return start
        start += len(texts[page.file, number]) + len(PAGE_BREAK)
    raise UsageError("This page belongs to no document of the case.")


def _lines(page: Page, start: int, end: int) -> tuple[Box, ...]:
    """One box for each line of the page that the range touches."""
    lines: list[list[Box]] = []
    previous = None
    for word in page.words:
        if word.end <= start or word.start >= end:
            continue
        if previous is None or "\n" in page.text[previous.end : word.start]:
            lines.append([])
        lines[-1].append(word.box)
        previous = word
    return tuple(
        Box(
            min(box.x0 for box in line),
            min(box.top for box in line),
            max(box.x1 for box in line),
            max(box.bottom for box in line),
        )
        for line in lines
    )
