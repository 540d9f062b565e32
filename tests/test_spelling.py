"""Phrases in text that OCR may have misread."""

from __future__ import annotations

import pytest

from pipeline.spelling import Phrases, fold, misreading_distance, tokenize

PHRASES = Phrases(["telephone encounter", "h&p", "radiolog*", "plan of care"])


def found(text: str, *, misread: bool = False) -> list[str]:
    return [hit.phrase for hit in PHRASES.find(tokenize(text), misread=misread)]


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("TELEPHONE  ENCOUNTER today", ["telephone encounter"]),
        ("an H&P was sent", ["h&p"]),
        ("Dept of Radiology, radiologist on call", ["radiolog*", "radiolog*"]),
        ("plan of\ncare", ["plan of care"]),
        ("T E L E P H O N E   E N C O U N T E R", ["telephone encounter"]),
        ("H & P of today", ["h&p"]),
        ("plan for care", []),
        ("Telephome Encounler", []),
    ],
)
def test_phrases_as_written(text: str, phrases: list[str]) -> None:
    assert found(text) == phrases


def test_misread_words_are_read_as_known_ones() -> None:
    assert found("Telephome Encounler", misread=True) == ["telephone encounter"]


def test_a_short_word_is_never_read_as_another() -> None:
    assert found("plum of care", misread=True) == []


def test_offsets_are_those_of_the_text() -> None:
    text = "see  PLAN OF CARE."
    (hit,) = PHRASES.find(tokenize(text))
    assert text[hit.start : hit.end] == "PLAN OF CARE"


def test_confusable_characters_are_one() -> None:
    assert fold("B1LL") == fold("8ill")
    assert fold("bell") != fold("ball")


@pytest.mark.parametrize(
    ("word", "other", "limit", "near"),
    [("c0nsult", "consult", 1.0, True), ("consull", "consult", 1.0, True), ("result", "consult", 1.0, False)],
)
def test_distance_counts_confusable_pairs_less(word: str, other: str, limit: float, near: bool) -> None:
    assert (misreading_distance(word, other, limit) <= limit) is near
