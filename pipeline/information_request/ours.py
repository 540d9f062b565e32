"""Pages that the plan itself sent and that come back: its letter and its cover sheet.

A letter that says "History and Physical" in large type is no record, and none of its words may count as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.domain import Page
from pipeline.information_request.reference import from_barcode, looks_printed
from pipeline.spelling import Phrases, tokenize

RUNNING = "Request for records"
"""What the line over each page of a letter begins with."""

_HEAD_LINES = 6
_PAGE_OF = re.compile(r"(?i)\bpa[gq][eco]?\s*\d+\s*[o0]f\s*\d+")
_PHRASES = Phrases([RUNNING])


def without_ours(pages: Iterable[Page]) -> list[Page]:
    """The pages that somebody else wrote."""
    return [page for page in pages if not is_ours(page)]


def is_ours(page: Page) -> bool:
    """Whether the page bears a barcode of ours, or the line that runs over our letters."""
    if any(from_barcode(code.text) for code in page.barcodes):
        return True
    head = [line for line in page.text.splitlines() if line.strip()][:_HEAD_LINES]
    return any(
        _PAGE_OF.search(line) and looks_printed(line) and _PHRASES.find(tokenize(line), misread=True)
        for line in head
    )
