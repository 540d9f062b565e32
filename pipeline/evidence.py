"""From a range of a document's text to the words shown to a reviewer."""

from __future__ import annotations

from pipeline.domain import Assertion, Document, Evidence, Mention


def evidence_for(
    document: Document,
    start: int,
    end: int,
    *,
    section: str | None = None,
    assertion: Assertion = Assertion.PRESENT,
    extractor: str,
) -> Evidence:
    """Evidence for `document.text[start:end]`, without the white space around it.

    A range that runs over a page's end is cut at the end of the page where it starts, since a
    quote stands on one page. Raises ValueError where nothing is left to quote.
    """
    page = document.page_at(start)
    end = min(end, document.page_span(page)[1])
    words = document.text[start:end]
    start, end = start + len(words) - len(words.lstrip()), end - len(words) + len(words.rstrip())
    if start >= end:
        raise ValueError(f"no words between {start} and {end} of document {document.id}")
    location = document.locate(start, end)
    return Evidence(
        file=location.file,
        page=location.page,
        document=document.id,
        start=start,
        end=end,
        quote=document.printed[start:end],
        boxes=location.boxes,
        section=section,
        assertion=assertion,
        source=page.source,
        extractor=extractor,
    )


def evidence_of(document: Document, mention: Mention, extractor: str) -> Evidence:
    """The words of a mention, with what they assert and where."""
    return evidence_for(
        document,
        mention.start,
        mention.end,
        section=mention.section,
        assertion=mention.assertion,
        extractor=extractor,
    )
