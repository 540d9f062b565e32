"""Documents as a person cut them: which pages belong together, and where a person said it, of which type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.catalog.documents import DocumentTypes
from pipeline.dates import newest_year
from pipeline.documents.made import document_of
from pipeline.documents.missing import counted_not_received, numbered_not_received
from pipeline.documents.sheets import Run, Sheet, sheets_of
from pipeline.domain import Document, Page, Problem


@dataclass(frozen=True, slots=True)
class Cut:
    """One document of a file: its pages in their order; `type` only where a person gave it."""

    file: str
    pages: tuple[int, ...]
    type: str | None = None


def cut_documents(
    pages: Sequence[Page], types: DocumentTypes, *, cuts: Sequence[Cut]
) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    """What `split_documents` gives, with a person's cuts in place of its own.

    A page that no cut has belongs to no document; what its type, title and day are is read from the pages
    as ever, but for a type that a person gave.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    year = newest_year(page.text for page in pages)
    for file in dict.fromkeys(page.file for page in pages):
        own = sorted((cut for cut in cuts if cut.file == file), key=lambda cut: min(cut.pages))
        sheets = _sheets(file, pages, own, types)
        for cut in own:
            run = Run([sheets[number] for number in cut.pages])
            number = len(documents) + 1
            documents.append(document_of(run.sheets, types, number=number, newest=year, type_said=cut.type))
            problems += numbered_not_received(run, packet_pages=len(sheets))
    problems += counted_not_received(documents, types.pages, received=len(pages))
    return tuple(documents), tuple(problems)


def _sheets(file: str, pages: Sequence[Page], cuts: Sequence[Cut], types: DocumentTypes) -> dict[int, Sheet]:
    wanted = {number for cut in cuts for number in cut.pages}
    usable = [
        page
        for page in pages
        if page.file == file and (page.number in wanted or not (page.blank or page.duplicate_of))
    ]
    return {sheet.page.number: sheet for sheet in sheets_of(usable, types)}
