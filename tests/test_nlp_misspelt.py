"""Tumour words with one character wrong are read; other words are left as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.terms import load_terms
from pipeline.nlp.terms import TermMatcher

MATCHER = TermMatcher(load_terms(Path(__file__).parent.parent / "models"))


def names(text: str) -> list[str]:
    return [m.value for m in MATCHER.find(MATCHER.vocabulary.read(text)) if m.label == "neoplasm"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ONCOCYTONA", "oncocytoma"),
        ("sqaumous cell carcinoma", "squamous cell carcinoma"),
        ("adenocarcnoma", "adenocarcinoma"),
        ("adenocarccinoma", "adenocarcinoma"),
        ("renal cell carcinome", "renal cell carcinoma"),
        ("hepatocelular carcinoma", "hepatocellular carcinoma"),
        ("mesothetioma", "mesothelioma"),
    ],
)
def test_one_character_wrong(text: str, name: str) -> None:
    assert names(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "hematoma",
        "a capillary leak",
        "granuloma",
        "glaucoma",
        "hyperplasia",
        "condyloma",
        "adnocarcnoma",
        "the aroma",
    ],
)
def test_words_of_their_own_and_two_errors_are_left(text: str) -> None:
    assert names(text) == []


def test_the_text_is_not_changed() -> None:
    words = MATCHER.vocabulary.read("Dx: ONCOCYTONA.")
    assert (words.forms[-1], words.text[words.starts[-1] : words.ends[-1]]) == ("oncocytoma", "ONCOCYTONA")
