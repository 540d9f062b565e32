"""Words that a person marked on a page, as evidence; found again where the documents were cut anew."""

from __future__ import annotations

from dataclasses import replace

from pipeline.domain import PAGE_BREAK, Assertion, Box, Case, CaseDocument, Evidence, Page, Reading
from pipeline.errors import UsageError


def marked(case: Case, reading: Reading, file: str, page: int, area: Box, actor: str) -> Evidence:
    """The words of a page that lie in `area` (points, see `Box`), as evidence of a person's.

    A word counts where its middle lies inside. Raises UsageError where there is none, or where the page
    belongs to no document.
    """
    source = next((one for one in reading.pages if (one.file, one.number) == (file, page)), None)
    if source is None:
        raise UsageError("This page belongs to no document of the case.")
    inside = [word for word in source.words if _middle_in(word.box, area)]
    if not inside:
        raise UsageError("No words lie in the marked area.")
    start, end = min(word.start for word in inside), max(word.end for word in inside)
    return _evidence(case, reading, source, start, end, actor)


def said(case: Case, reading: Reading, file: str, page: int, text: str, actor: str) -> Evidence:
    """The words of a page that read `text`, spaces and case apart, as evidence of a person's: for who does
    not point. Raises UsageError where they do not stand there, or in several places."""
    source = next((one for one in reading.pages if (one.file, one.number) == (file, page)), None)
    wanted = [part.casefold() for part in text.split()]
    if source is None or not wanted:
        raise UsageError("There is no such page, or no words are given.")
    words = [word.text.casefold() for word in source.words]
    places = [n for n in range(len(words)) if words[n : n + len(wanted)] == wanted]
    if len(places) != 1:
        raise UsageError(
            "These words stand in several places on the page: give more of them."
            if places
            else "These words do not stand on the page as they were read."
        )
    first, last = (source.words[places[0]], source.words[places[0] + len(wanted) - 1])
    return _evidence(case, reading, source, first.start, last.end, actor)


def found_again(evidence: Evidence, case: Case, reading: Reading) -> Evidence | None:
    """The same words on the same page, in the documents that the case has now; None where the page
    belongs to none."""
    document = next((d for d in case.documents if d.file == evidence.file and evidence.page in d.pages), None)
    page = next((p for p in reading.pages if (p.file, p.number) == (evidence.file, evidence.page)), None)
    if document is None or page is None:
        return None
    base = _start_of(document, page, reading)
    start = page.text.find(evidence.quote)
    while start >= 0:
        end = start + len(evidence.quote)
        if page.boxes(start, end) == evidence.boxes:
            return replace(evidence, document=document.id, start=base + start, end=base + end)
        start = page.text.find(evidence.quote, start + 1)
    return None


def _evidence(case: Case, reading: Reading, page: Page, start: int, end: int, actor: str) -> Evidence:
    document = next((d for d in case.documents if d.file == page.file and page.number in d.pages), None)
    if document is None:
        raise UsageError("This page belongs to no document of the case.")
    base = _start_of(document, page, reading)
    return Evidence(
        file=page.file,
        page=page.number,
        document=document.id,
        start=base + start,
        end=base + end,
        quote=document.text[base + start : base + end],
        boxes=page.boxes(start, end),
        assertion=Assertion.PRESENT,
        source=page.source,
        extractor=f"person:{actor}",
    )


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
