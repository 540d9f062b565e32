"""Marks by which a page is found again among earlier submissions."""

from __future__ import annotations

import dataclasses

import page_samples as samples
import pytest

from pipeline.domain import Box, Page, Word
from pipeline.pages.fingerprint import fingerprint, is_like

NOTE = " ".join(samples.NOTE)
OTHER = """\
Laboratory of Saltmarsh. Collected 06/29/2026. Sodium 141, potassium 4.5, creatinine 1.2, platelets 188,
hemoglobin 11.8; final report, results verified by the laboratory for Dr. Oldershaw."""
BANNER = "2026-07-13 09:12 FROM: 5550118 PAGE 003/014"


def page(text: str, banner: str = "") -> Page:
    words, position = list[Word](), 0
    whole = f"{banner} {text}".split()
    for word in whole:
        words.append(Word(word, Box(0, 0, 1, 1), position, position + len(word)))
        position += len(word) + 1
    head = (0, len(banner)) if banner else None
    return Page("fax.pdf", 1, "ocr", 0, 612, 792, " ".join(whole), tuple(words), banner=head)


def slips(text: str) -> str:
    """What a second reading may make of it."""
    return (
        text.replace("patient returns", "patlent retums").replace("lower", "iower").replace("heart", "hcart")
    )


@pytest.mark.parametrize(
    "again", [page(NOTE), page(NOTE, BANNER), page(slips(NOTE)), page(slips(NOTE), BANNER)]
)
def test_the_same_page_with_another_banner_or_some_slips_is_like(again: Page) -> None:
    assert is_like(fingerprint(page(NOTE)), fingerprint(again))


def test_the_banner_is_no_part_of_the_page() -> None:
    assert fingerprint(page(NOTE)) == fingerprint(page(NOTE, BANNER))


def test_another_page_is_not_like() -> None:
    assert not is_like(fingerprint(page(NOTE)), fingerprint(page(OTHER)))


def test_a_page_with_nothing_to_tell_it_by_is_like_none() -> None:
    blank = dataclasses.replace(page(""), blank=True)
    assert fingerprint(blank) == fingerprint(page("Page 3 of 9")) == ""
    assert not is_like(fingerprint(blank), fingerprint(blank))


def test_a_mark_holds_no_words() -> None:
    assert set(fingerprint(page(NOTE))) <= set("0123456789abcdef-")
    assert len(fingerprint(page(NOTE))) == 33
