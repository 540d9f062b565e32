"""What a badly legible page does to a case: it is told to the clerk, and nothing read from it is sure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipeline.domain import Alternative, Box, Evidence, Field, Page, Problem, Status

# Mean word confidence below which a person should look at the page itself. Fine faxes of our own
# making read at 0.85 to 0.95, faint or dark ones of 204x98 dots at 0.5 to 0.75 with every tenth word wrong.
POOR = 0.75
# Findings of which one misread character makes another value, and the confidence of a word below which
# recognition was mostly guessing (words read wrong on our faxes have 0.2 to 0.5, right ones 0.8 and more).
_ONE_CHARACTER = ("t", "n", "m", "stage_group", "derived_stage_group")
_HARDLY_READ = 0.4


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


def doubted(fields: Mapping[str, Field], pages: Sequence[Page]) -> dict[str, Field]:
    """The fields, a stage or category uncertain where every place that shows it was hardly read.

    One character makes another stage (IVB, IVA), and no word around it gives that away: such a value is an
    alternative and no answer.
    """
    shown = {(page.file, page.number): page for page in pages}

    def doubt(name: str, field: Field) -> Field:
        # A derived group rests on each of its categories, a stated one on any place that states it.
        how = any if name == "derived_stage_group" else all
        if field.value is None or not how(_hardly_read(one, shown) for one in field.evidence):
            return field
        other = Alternative(field.value, "hardly_legible", field.evidence)
        return Field(status=Status.UNCERTAIN, alternatives=(other, *field.alternatives))

    return {name: doubt(name, field) if name in _ONE_CHARACTER else field for name, field in fields.items()}


def _hardly_read(evidence: Evidence, pages: Mapping[tuple[str, int], Page]) -> bool:
    page = pages.get((evidence.file or "", evidence.page or 0))
    if page is None or page.source != "ocr":
        return False
    said = [
        word.confidence
        for word in page.words
        if sum(map(str.isalnum, word.text)) > 1
        and word.text in evidence.quote
        and any(_inside(word.box, box) for box in evidence.boxes)
    ]
    return min(said, default=1.0) < _HARDLY_READ


def _inside(word: Box, box: Box) -> bool:
    x, y = (word.x0 + word.x1) / 2, (word.top + word.bottom) / 2
    return box.x0 <= x <= box.x1 and box.top <= y <= box.bottom
