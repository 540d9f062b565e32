"""The packet strip as the desk shows it: pages in the order in which they came, bundled by document, and
what a person may do with each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.domain import Case, CaseDocument
from pipeline.report.strip import Sheet, sheets_of
from pipeline.report.titles import Titles
from pipeline.review.layout import subject_of


@dataclass(frozen=True, slots=True)
class Bundle:
    """Pages that follow one another and belong to one document, or to none.

    `goes_on` where a part of the document came before. `subject` is the document's first page as
    corrections name it, empty where there is no document.
    """

    title: str
    colour: str
    sheets: tuple[Sheet, ...]
    number: int = 0
    goes_on: bool = False
    subject: str = ""
    pages: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A document to which a page may be moved, named by its first page."""

    subject: str
    told: str


@dataclass(frozen=True, slots=True)
class Paging:
    """A page, and what can be done about the document that it belongs to."""

    sheet: Sheet
    subject: str
    position: int
    document: str
    type: str
    begins: bool
    before: str
    targets: tuple[Target, ...]


def bundles_of(case: Case, sheets: Sequence[Sheet]) -> list[Bundle]:
    """The strip's bundles."""
    documents = {(d.file, n): (i, d) for i, d in enumerate(case.documents, 1) for n in d.pages}
    found: list[Bundle] = []
    seen = set[int]()
    for sheet in sheets:
        at = (sheet.page.file, sheet.page.page) if sheet.page else None
        number, document = documents.get(at, (0, None)) if at else (0, None)
        last = found[-1] if found else None
        alike = last is not None and last.number == number and (number or last.title == sheet.type)
        if last and alike:
            found[-1] = _longer(last, sheet)
        else:
            found.append(_bundle(case, sheet, number, document, goes_on=number in seen))
        seen.add(number)
    return found


def paging(case: Case, titles: Titles, position: int, number: int) -> Paging | None:
    """A page with what can be done about its document; None where there is no such page."""
    if not 0 <= position < len(case.files):
        return None
    name = case.files[position].name
    sheets = sheets_of(case, titles)
    sheet = next((s for s in sheets if s.page and (s.page.file, s.page.page) == (name, number)), None)
    if sheet is None:
        return None
    own = next((d for d in case.documents if d.file == name and number in d.pages), None)
    others = [d for d in case.documents if d.file == name and d is not own]
    earlier = [d for d in others if own and min(d.pages) < min(own.pages)]
    return Paging(
        sheet=sheet,
        subject=f"pages.{position}.{number}",
        position=position,
        document=_told(case, titles, own) if own else "",
        type=own.type if own else "",
        begins=own is not None and own.pages[0] == number,
        before=_told(case, titles, earlier[-1]) if earlier else "",
        targets=tuple(Target(subject_of(case, d.file, d.pages[0]), _told(case, titles, d)) for d in others),
    )


def _told(case: Case, titles: Titles, document: CaseDocument) -> str:
    number = case.documents.index(document) + 1
    first, last = min(document.pages), max(document.pages)
    pages = f"page {first}" if first == last else f"pages {first} to {last}"
    return f"Document {number}: {titles.document(document.type)}, {pages}"


def _bundle(case: Case, sheet: Sheet, number: int, document: CaseDocument | None, *, goes_on: bool) -> Bundle:
    if document is None:
        return Bundle(sheet.type, "", (sheet,))
    return Bundle(
        title=sheet.type,
        colour=sheet.colour,
        sheets=(sheet,),
        number=number,
        goes_on=goes_on,
        subject=subject_of(case, document.file, document.pages[0]),
        pages=len(document.pages),
    )


def _longer(bundle: Bundle, sheet: Sheet) -> Bundle:
    return replace(bundle, sheets=(*bundle.sheets, sheet))
