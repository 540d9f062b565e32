"""Pages with all that is known of them before documents are made, and runs of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pipeline.catalog.documents import DocumentTypes
from pipeline.documents.classify import PageCues, page_cues
from pipeline.documents.pages import (
    Numbering,
    Range,
    counted_in,
    edge_lines,
    first_line,
    head_lines,
    header_words,
    numbering,
    transmission_lines,
)
from pipeline.domain import Page

SEPARATOR = "separator"  # its name in `models/shapes.toml`
_FEW_WORDS = 20  # on a sheet that a barcode makes a separator
TITLE_STARTS = 3.5  # title score from which a page is a document's first
TITLE_LINES = 7  # lines in which such a title stands
_BANNER_PAGES, _BANNER_SHARE = 4, 0.75  # pages of a file, and the share of them that begin alike
_SURE, _TOP = 6.0, 3  # score and line of a title that leaves no doubt
_IN_STEP = 0.6  # share of a file's pages whose numbers count the packet


@dataclass(frozen=True)
class Sheet:
    """A page with all that is known of it before documents are made.

    `skip` are ranges of its text that belong to no document, or say nothing of any.
    """

    page: Page
    cues: PageCues
    numbering: Numbering
    header: frozenset[str]
    lines: tuple[str, ...]
    skip: tuple[Range, ...] = ()

    @property
    def title_score(self) -> float:
        return max(self.cues.titles.values(), default=0.0)

    @property
    def is_separator(self) -> bool:
        """Whether it only parts documents: it says so, or bears a barcode and hardly a word."""
        return SEPARATOR in self.cues.shapes

    @property
    def is_titled(self) -> bool:
        """Whether a title stands at its head that a document's first page bears."""
        return self.title_score >= TITLE_STARTS and self.cues.title_line <= TITLE_LINES


@dataclass
class Run:
    """Pages that were found to belong together, in the order in which they came."""

    sheets: list[Sheet] = field(default_factory=list)

    @property
    def total(self) -> int:
        return max((sheet.numbering.total for sheet in self.sheets), default=0)

    @property
    def numbers(self) -> set[int]:
        """Page numbers that came; a first page often bears none."""
        printed = {sheet.numbering.number for sheet in self.sheets if sheet.numbering.number}
        return printed | ({1} if not self.sheets[0].numbering.number else set())

    def ordered(self) -> list[Sheet]:
        """As the document numbers its pages; pages without a number stay where they came."""
        if all(sheet.numbering.number or sheet is self.sheets[0] for sheet in self.sheets):
            return sorted(self.sheets, key=lambda sheet: sheet.numbering.number or 1)
        return self.sheets


def sheets_of(pages: Sequence[Page], types: DocumentTypes) -> list[Sheet]:
    """The sheets of one file's pages, with the lines of the transmission told apart."""
    common = _common_first_line(pages)
    marked = _with_counted_lines([replace(page, transmission=transmission_lines(page)) for page in pages])
    sheets = [_sheet(page, types, common) for page in marked]
    if counted := _counts_of_transmission(sheets):
        marked = [
            replace(s.page, transmission=(*s.page.transmission, s.numbering.line)) if s in counted else s.page
            for s in sheets
        ]
        sheets = [_sheet(page, types, common) for page in marked]
    return _without_packet_numbering(sheets)


def _sheet(page: Page, types: DocumentTypes, common: str | None) -> Sheet:
    skip = page.transmission
    start, end, line = first_line(page)
    if common is not None and _masked(line) == common:
        skip = (*skip, (start, end))
    cues = page_cues(page.text, types, misread=page.source == "ocr", skip=skip)
    if page.barcodes and len(page.text.split()) <= _FEW_WORDS:
        cues = replace(cues, shapes=cues.shapes | {SEPARATOR})
    return Sheet(
        page=page,
        cues=cues,
        numbering=numbering(page, skip),
        header=header_words(page, skip),
        lines=tuple(head_lines(page, skip, count=12)),
        skip=skip,
    )


def _common_first_line(pages: Sequence[Page]) -> str | None:
    """The first line that most pages of a file begin with, numbers apart: it says nothing of any of them."""
    if len(pages) < _BANNER_PAGES:
        return None
    line, count = Counter(_masked(first_line(page)[2]) for page in pages).most_common(1)[0]
    return line if count >= _BANNER_SHARE * len(pages) else None


def _masked(line: str) -> str:
    return re.sub(r"\d+", "#", " ".join(line.split()))


# --------------------------------------------------------------------------- counts that are no document's


def _with_counted_lines(pages: Sequence[Page]) -> list[Page]:
    """Where some pages' fax lines could be read: the same count on another page's edge is that line too."""
    steps = {
        (counted.total, counted.number - page.number)
        for page in pages
        for line in page.transmission
        if (counted := counted_in(page, line))
    }
    return [
        replace(page, transmission=(*page.transmission, *_lines_in_step(page, steps))) if steps else page
        for page in pages
    ]


def _lines_in_step(page: Page, steps: set[tuple[int, int]]) -> list[Range]:
    return [
        line
        for line in edge_lines(page)
        if line not in page.transmission
        and (counted := counted_in(page, line))
        and (counted.total, counted.number - page.number) in steps
    ]


def _counts_of_transmission(sheets: Sequence[Sheet]) -> list[Sheet]:
    """Sheets whose number counts what was sent: in step over pages on which several documents start.

    A document's own pages are in step too, but bear one title, and mostly begin with page 1.
    """
    groups: dict[tuple[int, int], list[Sheet]] = {}
    for sheet in sheets:
        at_edge = sheet.numbering.line in edge_lines(sheet.page)
        if sheet.numbering.total and at_edge:
            step = sheet.numbering.total, sheet.numbering.number - sheet.page.number
            groups.setdefault(step, []).append(sheet)
    return [
        sheet
        for (total, _), group in groups.items()
        if {s.numbering.number for s in group} != set(range(1, total + 1)) and len(_titles(group)) > 1
        for sheet in group
    ]


def _titles(sheets: Sequence[Sheet]) -> set[str]:
    """The kinds of document that these pages are titled as, beyond doubt."""
    titled = [s.cues.titles for s in sheets if s.title_score >= _SURE and s.cues.title_line <= _TOP]
    return {max(titles, key=lambda name: titles[name]) for titles in titled}


def _without_packet_numbering(sheets: Sequence[Sheet]) -> list[Sheet]:
    """Numbers that count the packet's pages, not a document's, say nothing about documents."""
    counted = [s for s in sheets if s.numbering.total and abs(s.numbering.total - len(sheets)) <= 1]
    in_step = [s for s in counted if abs(s.numbering.number - s.page.number) <= 1]
    if len(sheets) < 4 or len(in_step) < _IN_STEP * len(sheets):
        return list(sheets)
    return [replace(s, numbering=Numbering()) if s in in_step else s for s in sheets]
