"""A case as its page shows it: rows with what may be changed, the strip, the marks on the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.catalog.fields import FieldRule
from pipeline.domain import Alternative, Case, CriterionResult, Met
from pipeline.report.marks import Marks, marks_of
from pipeline.report.rows import Group, Row, groups_of
from pipeline.report.strip import Sheet, place_of, sheets_of
from pipeline.report.titles import Titles
from pipeline.review.casefile import CaseFile
from pipeline.review.corrections import OF_DOCUMENTS, Correction, Kind
from pipeline.review.layout import place_of as page_of
from pipeline.review.strip import Bundle, bundles_of
from pipeline.wording import OUTCOMES, label_of

_SUBJECTS = {
    "name": "patient.name",
    "date_of_birth": "patient.dob",
    "member_number": "patient.member_id",
    "expedited": "request.expedited",
}
_YES_NO = ("true", "false")
# Reasons of values that do not contradict the one that was taken.
_APART = frozenset(
    {
        "overridden",
        "historical",
        "history",
        "family",
        "ruled_out",
        "absent",
        "hypothetical",
        "conditional",
        "mentioned",
        "printed",
        "other_lesion",
    }
)


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
    bundles: Sequence[Bundle]

    @property
    def case(self) -> Case:
        return self.file.case

    @property
    def attention(self) -> list[Row]:
        """Rows that a person should look at first."""
        return [row for group in self.groups for row in group.rows if row.tone == "attention"]

    def sides(self, row: Row) -> list[Alternative]:
        """What stands against a value in conflict: statements about the same, and not what is told of another
        time, person or tumor."""
        against = [one for one in row.alternatives if one.reason not in _APART]
        return (against or list(row.alternatives)) if row.status == "conflict" else []

    def rest(self, row: Row) -> list[Alternative]:
        """The other values that were not taken."""
        against = self.sides(row)
        return [one for one in row.alternatives if one not in against]

    def criteria(self, result: str) -> list[CriterionResult]:
        """The policy's criteria that came out so."""
        evaluation = self.case.evaluation
        return [one for one in evaluation.criteria if one.result == result] if evaluation else []

    def subject(self, sheet: Sheet) -> str:
        """A page as corrections name it."""
        assert sheet.page is not None
        return f"pages.{self.positions[sheet.page.file]}.{sheet.page.page}"

    def told(self, one: Correction) -> str:
        """What a correction did, in words; what a packet says is not among them."""
        return told(self, one)

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
    sheets = sheets_of(file.case, titles)
    return CasePage(
        file=file,
        titles=titles,
        groups=groups,
        marks=marks_of(file.case, groups),
        sheets=sheets,
        editable=_editable(file, groups, rules),
        positions={one.name: position for position, one in enumerate(file.case.files)},
        bundles=bundles_of(file.case, sheets),
    )


def told(page: CasePage, one: Correction) -> str:
    """What a correction of documents or of the outcome did, in words; of an answer, which it is."""
    if one.kind in OF_DOCUMENTS:
        name, number = page_of(one.subject, page.case)
        place = page.place(name, number)
        if one.kind is Kind.SPLIT:
            return f"a document begins at {place}"
        if one.kind is Kind.MERGE:
            return f"{place} goes on with the document before it"
        if one.kind is Kind.MOVE:
            return f"{place} moved to the document of {page.place(*page_of(str(one.after), page.case))}"
        was, is_ = (page.titles.document(str(type_)) for type_ in (one.before, one.after))
        return f"the document of {place} is: {is_} (was: {was})"
    if one.kind is Kind.OUTCOME:
        return f"outcome set to “{OUTCOMES[str(one.after)]}” beside “{OUTCOMES[str(one.before)]}”"
    if one.kind is Kind.UNDO:
        return f"undid number {one.subject}"
    return f"{label_of(one.kind)} {label_of(one.subject.rpartition('.')[2])}"


def _editable(file: CaseFile, groups: Sequence[Group], rules: Mapping[str, FieldRule]) -> dict[str, Editable]:
    by = {
        one.subject: one.actor
        for one in file.corrections
        if one.kind is not Kind.UNDO and one.number not in file.undone and one.number not in file.lapsed
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
