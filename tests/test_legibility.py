"""A page that reads badly is told, and caps the confidence of what only it shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain import NOT_FOUND, Box, Evidence, Field, Page, Status, Word
from pipeline.legibility import POOR, capped, doubted, poor_pages


def page(number: int, mean_confidence: float | None) -> Page:
    words = () if mean_confidence is None else (Word("x", Box(0, 0, 9, 9), 0, 1, mean_confidence),)
    return Page("fax.pdf", number, "ocr", 0, 612, 792, "x", words, mean_confidence=mean_confidence)


def shown_on(*pages: int, confidence: float = 0.9) -> Field:
    evidence = tuple(Evidence("fax.pdf", number, "d1", 0, 1, "x") for number in pages)
    return Field("kidney", Status.FOUND, confidence, evidence=evidence)


PAGES = [page(1, 0.95), page(2, POOR), page(3, POOR - 0.01), page(4, None)]


def test_pages_below_the_limit_are_told_and_pages_with_something_but_no_words() -> None:
    blank = replace(page(5, None), blank=True)
    told = [(problem.page, problem.code) for problem in poor_pages([*PAGES, blank])]
    assert told == [(3, "poor_quality"), (4, "no_words")]


@pytest.mark.parametrize(
    ("field", "confidence"),
    [
        (shown_on(1), 0.9),
        (shown_on(3), 0.74),
        (shown_on(3, 1), 0.9),
        (shown_on(3, confidence=0.5), 0.5),
        (NOT_FOUND, None),
    ],
)
def test_confidence_is_capped_by_the_most_legible_page(field: Field, confidence: float | None) -> None:
    assert capped({"tumor_site": field}, PAGES)["tumor_site"].confidence == confidence


@pytest.mark.parametrize(
    ("name", "confidences", "status"),
    [
        ("stage_group", (0.3,), Status.UNCERTAIN),
        ("stage_group", (0.3, 0.9), Status.FOUND),
        ("stage_group", (0.8,), Status.FOUND),
        ("tumor_site", (0.3,), Status.FOUND),
    ],
)
def test_a_stage_that_was_hardly_read_is_no_answer(
    name: str, confidences: tuple[float, ...], status: Status
) -> None:
    box = Box(0, 0, 30, 10)
    words = [(Word("Iva", box, 0, 3, confidence),) for confidence in confidences]
    pages = [Page("fax.pdf", n, "ocr", 0, 612, 792, "Iva", said) for n, said in enumerate(words, 1)]
    evidence = tuple(
        Evidence("fax.pdf", n, "d1", 0, 3, "Iva", boxes=(box,), source="ocr")
        for n in range(1, len(pages) + 1)
    )
    field = doubted({name: Field("IVA", Status.FOUND, 0.9, evidence=evidence)}, pages)[name]
    assert field.status is status
    assert field.value == (None if status is Status.UNCERTAIN else "IVA")
    if status is Status.UNCERTAIN:
        assert [(one.value, one.reason) for one in field.alternatives] == [("IVA", "hardly_legible")]
