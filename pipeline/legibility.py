"""What a badly legible page does to a case: it is told to the clerk, and nothing read from it is sure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipeline.domain import Field, Page, Problem

# Mean word confidence below which a person should look at the page itself. Fine faxes of our own
# making read at 0.85 to 0.95, faint or dark ones of 204x98 dots at 0.5 to 0.75 with every tenth word wrong.
POOR = 0.75


def poor_pages(pages: Iterable[Page]) -> tuple[Problem, ...]:
    """A problem for each page that read badly, or on which something is but no word was found."""
    return tuple(problem for page in pages if (problem := _poor(page)) is not None)


def _poor(page: Page) -> Problem | None:
    if page.source == "ocr" and not page.words and not page.blank:
        told = "Something is on the page, but no words were found on it. Look at it yourself."
        return Problem(page.file, page.number, "no_words", told)
    if page.mean_confidence is None or page.mean_confidence >= POOR:
        return None
    told = "The page is hard to read. Check what was taken from it, or ask for a better copy."
    return Problem(page.file, page.number, "poor_quality", told)


def capped(fields: Mapping[str, Field], pages: Sequence[Page]) -> dict[str, Field]:
    """The fields, none surer than the most legible page that shows it."""
    legibility: dict[tuple[str | None, int | None], float | None] = {
        (page.file, page.number): page.mean_confidence for page in pages
    }

    def cap(field: Field) -> Field:
        if field.confidence is None:
            return field
        best = max(legibility.get((one.file, one.page)) or 0.0 for one in field.evidence)
        return replace(field, confidence=round(min(field.confidence, best), 3))

    return {name: cap(field) for name, field in fields.items()}
