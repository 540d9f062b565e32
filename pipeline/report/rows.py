"""What the report says, row by row: each answer of a case with its status and its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from pipeline.domain import Alternative, Case, Evidence, Field, IdentityConflict, Status, Value
from pipeline.report.titles import Titles, in_words

# The prefixes of a T, N or M (AJCC).
_BASES = {
    "c": "clinical",
    "p": "pathological",
    "yc": "clinical, after treatment",
    "yp": "pathological, after treatment",
    "r": "at recurrence",
    "rc": "clinical, at recurrence",
}
# Why a value was not taken, in a reviewer's words; a reason that is not here stands as it is.
_REASONS = {
    "conflicting": "the packet says both",
    "other_lesion": "of another lesion",
    "historical": "past history",
    "history": "past history",
    "family": "a relative's",
    "ruled_out": "ruled out",
    "suspected": "only suspected",
    "hypothetical": "not a fact: only considered",
    "conditional": "not a fact: under a condition",
    "possible": "only possible",
    "absent": "said not to be there",
    "superseded": "a newer statement stands",
    "outweighed": "less support than the value taken",
    "printed": "printed form text, not about the patient",
    "mentioned": "mentioned, not planned",
}
_SURE = 0.9  # confidence from which a value is shown without it
_STATUSES = {
    Status.FOUND: "",
    Status.CONFLICTING: "conflict",
    Status.UNCERTAIN: "uncertain",
    Status.NOT_FOUND: "not stated",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One answer. `name` is what criteria call it, `label` what stands beside its boxes.

    `kind` says how its boxes look: request, finding, element or person (another patient's).
    `tone` is good, attention or plain; `status` says the same in a word.
    """

    id: str
    name: str
    label: str
    kind: str
    value: str | None
    status: str
    tone: str
    notes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    silent: bool = False
    """Whether the packet says nothing of it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows under one heading, with a word on the whole where there is one."""

    title: str
    rows: tuple[Row, ...]
    status: str = ""
    tone: str = "plain"

    @property
    def told(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row.silent)

    @property
    def silent(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.silent)


def groups_of(case: Case, titles: Titles) -> list[Group]:
    """All rows of a case under their headings; ids are unique in the page."""
    numbers = count(1)
    groups = [
        Group("Patient and request", tuple(_fields(_request(case), "request", numbers))),
        Group("Findings: the tumor to be treated", tuple(_fields(case.findings.items(), "finding", numbers))),
        *_requirements(case, titles, numbers),
    ]
    conflict = case.completeness.identity_conflict
    if conflict.value:
        groups.insert(0, Group("Another patient's pages", (_other_patient(conflict, numbers),)))
    return [group for group in groups if group.rows]


def reason(alternative: Alternative) -> str:
    """Why the value was not taken."""
    return _REASONS.get(alternative.reason, in_words(alternative.reason))


def plain(value: Value) -> str:
    """A value as a person says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if " " in value else in_words(value)


def _request(case: Case) -> Iterator[tuple[str, Field]]:
    if not case.documents:
        return
    yield "name", case.patient.name
    yield "date_of_birth", case.patient.dob
    yield "member_number", case.patient.member_id
    yield from (("CPT", code) for code in case.request.cpt)
    yield from (("ICD-10-CM", code) for code in case.request.icd10)
    yield "expedited", case.request.expedited


def _fields(named: Iterable[tuple[str, Field]], kind: str, numbers: Iterator[int]) -> Iterator[Row]:
    for name, field in named:
        yield _field(name, field, kind, f"r{next(numbers)}")


def _field(name: str, field: Field, kind: str, row_id: str) -> Row:
    return Row(
        id=row_id,
        name=name,
        label=in_words(name).upper() if name in ("t", "n", "m") else in_words(name),
        kind=kind,
        value=None if field.value is None else plain(field.value),
        status=_STATUSES[field.status],
        tone="attention" if field.status in (Status.CONFLICTING, Status.UNCERTAIN) else "plain",
        notes=tuple(_notes(field)),
        evidence=field.evidence,
        alternatives=field.alternatives,
        silent=field.status is Status.NOT_FOUND and not field.alternatives,
    )


def _notes(field: Field) -> Iterator[str]:
    if field.basis:
        yield _BASES.get(field.basis, field.basis)
    if field.edition:
        yield f"edition {field.edition}"
    if field.code:
        yield f"{field.code.system} {field.code.code}"
    if field.confidence is not None and field.confidence < _SURE:
        yield f"confidence {field.confidence:.0%}"


def _requirements(case: Case, titles: Titles, numbers: Iterator[int]) -> Iterator[Group]:
    for name, requirement in case.completeness.documents.items():
        rows = tuple(
            Row(
                id=f"r{next(numbers)}",
                name=element_name,
                label=in_words(element_name),
                kind="element",
                value=None,
                status="found" if element.status == "met" else element.status,
                tone="good" if element.status == "met" else "attention",
                evidence=element.evidence,
            )
            for element_name, element in requirement.elements.items()
        )
        tone = "good" if requirement.status == "present" else "attention"
        yield Group(f"Required: {titles.requirement(name)}", rows, requirement.status, tone)


def _other_patient(conflict: IdentityConflict, numbers: Iterator[int]) -> Row:
    return Row(
        id=f"r{next(numbers)}",
        name="identity_conflict",
        label="identity",
        kind="person",
        value="Nothing was taken from the other patient's pages.",
        status="two patients",
        tone="attention",
        evidence=conflict.evidence,
    )
