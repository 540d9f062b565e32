"""Pages become documents: where each starts and ends, of which type it is, which pages are missing."""

from __future__ import annotations

from pipeline.catalog.documents import DocumentTypes
from pipeline.documents.by_hand import Cut, cut_documents
from pipeline.documents.classify import classify, page_cues
from pipeline.documents.split import split_documents

__all__ = ["Cut", "classify_text", "cut_documents", "split_documents"]


def classify_text(text: str, types: DocumentTypes) -> tuple[str, float]:
    """The type of one plain text that is one document, with its confidence in 0..1."""
    verdict = classify([page_cues(text, types, misread=False)], types)
    return verdict.type, verdict.confidence
