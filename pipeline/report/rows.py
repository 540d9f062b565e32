"""What the report says, row by row: each answer of a case with its status and its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from pipeline.domain import NOT_FOUND, Alternative, Case, Evidence, Field, IdentityConflict, Status
from pipeline.report.titles import Titles
from pipeline.wording import BASES, label_of, plain

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


def _request(case: Case) -> Iterator[tuple[str, Field]]:
    if not case.documents:
        return
    yield "name", case.patient.name
    yield "date_of_birth", case.patient.dob
    yield "member_number", case.patient.member_id
    yield from (("CPT", code) for code in case.request.cpt or (NOT_FOUND,))
    yield from (("ICD-10-CM", code) for code in case.request.icd10 or (NOT_FOUND,))
    yield "expedited", case.request.expedited
    yield "provider", case.request.provider
    yield "NPI", case.request.npi


def _fields(named: Iterable[tuple[str, Field]], kind: str, numbers: Iterator[int]) -> Iterator[Row]:
    for name, field in named:
        yield _field(name, field, kind, f"r{next(numbers)}")


def _field(name: str, field: Field, kind: str, row_id: str) -> Row:
    return Row(
        id=row_id,
        name=name,
        label=label_of(name),
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
        yield BASES.get(field.basis, field.basis)
    if field.edition:
        yield f"edition {field.edition}"
    if field.code:
        same = field.code.code == field.value  # of a code its name is told
        yield field.code.display if same else f"{field.code.system} {field.code.code}"
    if field.confidence is not None and field.confidence < _SURE:
        yield f"confidence {field.confidence:.0%}"


def _requirements(case: Case, titles: Titles, numbers: Iterator[int]) -> Iterator[Group]:
    for name, requirement in case.completeness.documents.items():
        rows = tuple(
            Row(
                id=f"r{next(numbers)}",
                name=element_name,
                label=label_of(element_name),
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
