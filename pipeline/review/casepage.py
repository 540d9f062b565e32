"""A case as its page shows it: rows with what may be changed, the strip, the marks on the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.catalog.fields import FieldRule
from pipeline.domain import Case, Met
from pipeline.report.marks import Marks, marks_of
from pipeline.report.rows import Group, Row, groups_of
from pipeline.report.strip import Sheet, place_of, sheets_of
from pipeline.report.titles import Titles
from pipeline.review.casefile import CaseFile
from pipeline.review.corrections import Kind

_SUBJECTS = {
    "name": "patient.name",
    "date_of_birth": "patient.dob",
    "member_number": "patient.member_id",
    "expedited": "request.expedited",
}
_YES_NO = ("true", "false")


@dataclass(frozen=True, slots=True)
class Editable:
    """What a row's form offers. `options` are all that the value can be; without them it is free text."""

    subject: str
    options: tuple[str, ...] = ()
    has_value: bool = False
    corrected_by: str = ""


@dataclass(frozen=True, slots=True)
class CasePage:
    """Everything that the case page shows."""

    file: CaseFile
    titles: Titles
    groups: Sequence[Group]
    marks: Marks
    sheets: Sequence[Sheet]
    editable: Mapping[str, Editable]
    positions: Mapping[str, int]

    @property
    def case(self) -> Case:
        return self.file.case

    @property
    def attention(self) -> list[Row]:
        """Rows that a person should look at first."""
        return [row for group in self.groups for row in group.rows if row.tone == "attention"]

    def place(self, file: str | None, page: int | None) -> str:
        return place_of(self.case, file, page)

    def picture(self, sheet: Sheet, size: str) -> str:
        """Where the image of a sheet is."""
        assert sheet.page is not None
        position = self.positions[sheet.page.file]
        return f"/cases/{self.file.item.id}/pages/{position}/{sheet.page.page}.png?size={size}"


def case_page(file: CaseFile, titles: Titles, rules: Mapping[str, FieldRule]) -> CasePage:
    """The page of a case file."""
    groups = groups_of(file.case, titles)
    return CasePage(
        file=file,
        titles=titles,
        groups=groups,
        marks=marks_of(file.case, groups),
        sheets=sheets_of(file.case, titles),
        editable=_editable(file, groups, rules),
        positions={one.name: position for position, one in enumerate(file.case.files)},
    )


def _editable(file: CaseFile, groups: Sequence[Group], rules: Mapping[str, FieldRule]) -> dict[str, Editable]:
    by = {
        one.subject: one.actor
        for one in file.corrections
        if one.kind is not Kind.UNDO and one.number not in file.undone
    }
    elements = [
        (name, element)
        for name, requirement in file.case.completeness.documents.items()
        for element in requirement.elements
    ]
    rows = [row for group in groups for row in group.rows]
    element_rows = (row for row in rows if row.kind == "element")
    subjects = {
        row.id: f"elements.{name}.{element}"
        for row, (name, element) in zip(element_rows, elements, strict=True)
    }
    for row in rows:
        if row.kind == "finding":
            subjects[row.id] = f"findings.{row.name}"
        elif row.kind == "request" and row.name in _SUBJECTS:
            subjects[row.id] = _SUBJECTS[row.name]
    by_id = {row.id: row for row in rows}
    return {
        row_id: Editable(
            subject=subject,
            options=_options(subject, rules),
            has_value=by_id[row_id].value is not None,
            corrected_by=by.get(subject, ""),
        )
        for row_id, subject in subjects.items()
    }


def _options(subject: str, rules: Mapping[str, FieldRule]) -> tuple[str, ...]:
    group, _, name = subject.partition(".")
    if group == "elements":
        return tuple(Met)
    if subject == "request.expedited":
        return _YES_NO
    if group == "findings" and name in rules:
        return _YES_NO if rules[name].kind == "flag" else rules[name].values
    return ()
