"""Pages that belong together, as a document: of which type it is, its title and its day."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.catalog.documents import DocumentTypes
from pipeline.documents.classify import classify
from pipeline.documents.head import service_date, title_of
from pipeline.documents.sheets import Sheet
from pipeline.domain import Document

_SAID = 1.0  # confidence of a type that a person gave


def document_of(
    sheets: Sequence[Sheet],
    types: DocumentTypes,
    *,
    number: int,
    newest: int | None,
    type_said: str | None = None,
) -> Document:
    """The document of these pages in their order: of the type that a person gave it, else as they say."""
    verdict = classify([sheet.cues for sheet in sheets], types)
    first = sheets[0]
    type_ = type_said or verdict.type
    return Document(
        id=f"d{number}",
        type=type_,
        title=title_of(first, type_) or types[type_].title,
        pages=tuple(sheet.page for sheet in sheets),
        confidence=_SAID if type_said else verdict.confidence,
        service_date=service_date(first, types.pages, newest),
    )
