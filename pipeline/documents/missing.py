"""Pages that were announced and did not come: by a document's own numbers, by a cover sheet's count."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.catalog.pages import PageRules
from pipeline.documents.sheets import Run
from pipeline.domain import Document, Problem

CODE = "missing_page"
_COVER = "fax_cover"
_NEAR = 40  # characters behind a count in which it says what it leaves out


def numbered_not_received(run: Run, *, packet_pages: int) -> list[Problem]:
    """One problem for each page that the document's own numbering announces and that did not come."""
    total = run.total
    if not total or (total == packet_pages and len(run.sheets) == 1):  # the packet's own count
        return []
    first = run.ordered()[0].page
    return [
        Problem(first.file, first.number, CODE, f"page {number} of {total} of this document was not received")
        for number in sorted(set(range(1, total + 1)) - run.numbers)
    ]


def counted_not_received(documents: Iterable[Document], rules: PageRules, *, received: int) -> list[Problem]:
    """A problem for each cover sheet that counts more pages than came with the whole submission.

    Blank pages and pages sent twice count as received: a sender counts them too.
    """
    problems = []
    for document in documents:
        count = _counted(document.text, rules) if document.type == _COVER else None
        if count is not None and count > received:
            told = f"{count} pages were announced by the cover sheet, {received} were received"
            problems.append(Problem(document.file, document.first_page, CODE, told))
    return problems


def _counted(text: str, rules: PageRules) -> int | None:
    """How many pages a cover sheet says were sent, itself among them; None where it does not say."""
    match = rules.page_count.search(text)
    if match is None:
        return None
    line_end = text.find("\n", match.end())
    behind = text[match.end() : min(match.end() + _NEAR, line_end if line_end >= 0 else len(text))]
    count = int(match["behind"] or match["before"])
    return count + bool(rules.leaves_out_cover.search(behind)) if count else None
