"""The packet strip: every page that came, what it is, and what is remarkable about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.domain import Case, CaseDocument, CasePage
from pipeline.report.titles import Titles

_POORLY_READ = 0.75  # mean confidence of the words
_COLOURS = 6  # documents' colours in report.css


@dataclass(frozen=True, slots=True)
class Badge:
    """A remark on a page; `tone` is plain, attention or person."""

    text: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page of the packet, or one that could not be read (`page` is None; `why` says why)."""

    id: str
    place: str
    file: str
    type: str
    document: str = ""
    colour: str = ""
    badges: tuple[Badge, ...] = ()
    page: CasePage | None = None
    why: str = ""


def sheets_of(case: Case, titles: Titles) -> list[Sheet]:
    """All pages in the order of the files, with those that could not be read in their places."""
    sheets: list[Sheet] = []
    documents = {
        (document.file, number): (ordinal, document)
        for ordinal, document in enumerate(case.documents, 1)
        for number in document.pages
    }
    pages = {(page.file, page.page): page for page in case.pages}
    for file, number, why in _places(case):
        sheet_id = f"p{len(sheets) + 1}"
        place = place_of(case, file, number)
        page = pages.get((file, number)) if number else None
        if page is None:
            badges = (Badge("not read", "attention"),)
            sheets.append(Sheet(sheet_id, place, file, "Could not be read", badges=badges, why=why))
            continue
        ordinal, document = documents.get((page.file, page.page), (0, None))
        sheets.append(
            Sheet(
                id=sheet_id,
                place=place,
                file=file,
                type=titles.document(document.type) if document else _without_document(page),
                document=_position(ordinal, document, page) if document else "",
                colour=f"d{ordinal % _COLOURS}" if document else "",
                badges=tuple(_badges(case, page, document)),
                page=page,
            )
        )
    return sheets


def place_of(case: Case, file: str | None, page: int | None) -> str:
    """`page 3`; `file 2, page 3` where there are several files, whose names may name patients."""
    ordinal = next((n for n, one in enumerate(case.files, 1) if one.name == file), None)
    parts = [f"file {ordinal}"] if ordinal and (len(case.files) > 1 or page is None) else []
    return ", ".join(parts + ([f"page {page}"] if page else []))


def _places(case: Case) -> Iterator[tuple[str, int | None, str]]:
    """(file, page, why it could not be read); a file without pages is one place."""
    reasons = {(problem.file, problem.page): problem.message for problem in case.problems}
    for file in case.files:
        numbers = {page.page for page in case.pages if page.file == file.name} | set(range(1, file.pages + 1))
        if not numbers:
            yield file.name, None, reasons.get((file.name, None), "")
        for number in sorted(numbers):
            yield file.name, number, reasons.get((file.name, number), "")


def _position(ordinal: int, document: CaseDocument, page: CasePage) -> str:
    position = document.pages.index(page.page) + 1
    if len(document.pages) == 1:
        return f"document {ordinal}"
    return f"document {ordinal}, its page {position} of {len(document.pages)}"


def _without_document(page: CasePage) -> str:
    if page.duplicate_of is not None:
        return "Copy of an earlier page"
    return "Blank page" if page.blank else "Of no document"


def _badges(case: Case, page: CasePage, document: CaseDocument | None) -> Iterator[Badge]:
    if document is not None and document.belongs_to_patient is False:
        yield Badge("other patient", "person")
    if page.blank:
        yield Badge("blank")
    if page.duplicate_of is not None:
        file, _, number = page.duplicate_of.rpartition("#")
        yield Badge(f"same as {place_of(case, file, int(number))}")
    if page.rotation:
        yield Badge(f"turned {page.rotation}°")
    if page.source == "ocr" and page.mean_confidence is not None and page.mean_confidence < _POORLY_READ:
        yield Badge("hard to read", "attention")
