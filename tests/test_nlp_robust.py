"""Time and offsets on texts that no clinician writes: no input may hold up the case."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from spacy.language import Language

from pipeline.domain import Document, Page
from pipeline.nlp import annotate, load_nlp

MODELS = Path(__file__).parent.parent / "models"
LENGTH = 20_000
SECONDS = 3.0  # a quadratic step takes many times that; a slow machine does not


@pytest.fixture(scope="module")
def nlp() -> Language:
    return load_nlp(MODELS)


def document(text: str) -> Document:
    return Document("d", "other", "", (Page("f", 1, "text", 0, 1, 1, text, ()),))


def noise(letters: str) -> str:
    source = random.Random(1)
    return "".join(source.choice(letters) for _ in range(LENGTH))


@pytest.mark.parametrize(
    "unit",
    [
        *("(", ")", "*", "_", "-", ".", ". ", "?", '"', "$", "%", "{", "/", ",", ":", "\n", "\f", "\t", " "),
        *("N0", "N0 ", "T2 ", "N0(", "pT1a N0 M0 ", "TNM ", "AJCC ", "AJCC 8th edition T2 ", "stage ", "[x"),
        *("no ", "no mass ", "mass, ", "mother ", "right ", "1 of 2 nodes ", "1 x ", "(RCC)", "A(", "A: "),
        "renal cell carcinoma (RCC) ",
        "metastatic carcinoma in ",
        "\u0130",  # its small letter is two characters
        "\U0001f600",
    ],
)
def test_any_text_is_read_in_time(nlp: Language, unit: str) -> None:
    text = (unit * LENGTH)[:LENGTH]
    started = time.perf_counter()
    mentions = annotate(nlp, [document(text)])[0].mentions
    assert time.perf_counter() - started < SECONDS
    assert all(0 <= mention.start < mention.end <= len(text) for mention in mentions)


@pytest.mark.parametrize("letters", ["()[]{}NT0123 .,;:-\n/abcPM", "TNMpc0123abX ", "IVXABC123 stage:\n"])
def test_noise_is_read_in_time(nlp: Language, letters: str) -> None:
    started = time.perf_counter()
    annotate(nlp, [document(noise(letters))])
    assert time.perf_counter() - started < SECONDS


@pytest.mark.parametrize("text", ["", " ", "a  b", " a", "a ", "pT2 (m)\n\nN0", "\u0130 x", "a\t b", "__a_b"])
def test_tokens_join_to_the_text(nlp: Language, text: str) -> None:
    assert nlp.make_doc(text).text == text
