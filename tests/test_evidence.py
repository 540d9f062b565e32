"""Evidence: the quote is the document's own words, on one page."""

from __future__ import annotations

import pytest

from pipeline.domain import PAGE_BREAK, Box, Document, Page, Word
from pipeline.evidence import evidence_for


def page(number: int, text: str) -> Page:
    words, position = [], 0
    for index, token in enumerate(text.split()):
        position = text.index(token, position)
        box = Box(10.0 * index, 20.0, 10.0 * index + 9, 30.0)
        words.append(Word(token, box, position, position + len(token)))
        position += len(token)
    return Page("fax.pdf", number, "ocr", 0, 612, 792, text, tuple(words))


DOCUMENT = Document("d1", "consultation", "", (page(4, "a mass is seen"), page(5, "in the kidney")))


def test_quote_is_the_untouched_text_at_its_offsets() -> None:
    found = evidence_for(DOCUMENT, 1, 7, extractor="rule:site")
    assert (found.start, found.end, found.quote) == (2, 6, "mass")
    assert (found.file, found.page, found.document, found.source) == ("fax.pdf", 4, "d1", "ocr")
    assert found.boxes == (Box(10.0, 20.0, 19.0, 30.0),)


def test_quote_stops_at_the_page_end() -> None:
    found = evidence_for(DOCUMENT, 10, len(DOCUMENT.text), extractor="rule:site")
    assert (found.page, found.quote) == (4, "seen")


def test_second_page_counts_in_document_offsets() -> None:
    start = len("a mass is seen") + len(PAGE_BREAK)
    found = evidence_for(DOCUMENT, start, start + 2, extractor="rule:site")
    assert (found.page, found.quote, found.boxes) == (5, "in", (Box(0.0, 20.0, 9.0, 30.0),))


def test_nothing_to_quote_is_an_error() -> None:
    with pytest.raises(ValueError, match="no words"):
        evidence_for(DOCUMENT, 1, 2, extractor="rule:site")
