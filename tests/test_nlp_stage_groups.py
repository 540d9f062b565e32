"""Stage groups in every spelling, and stages of other things."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.stage_words import load_stage_words
from pipeline.nlp.stage_groups import find_stage_groups, roman

WORDS = load_stage_words(Path(__file__).parent.parent / "models")


def values(text: str) -> list[str]:
    return [
        mention.value for mention in sorted(find_stage_groups(text, WORDS), key=lambda mention: mention.start)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Stage IIA", ["IIA"]),
        ("stage 2A", ["IIA"]),
        ("Stg 1A", ["IA"]),
        ("stage two-A", ["IIA"]),
        ("stage one", ["I"]),
        ("clinical stage IB", ["IB"]),
        ("Stage group: IA2", ["IA2"]),
        ("AJCC stage IV", ["IV"]),
        ("pathologic stage III", ["III"]),
        ("Stage: IIIC", ["IIIC"]),
        ("stage IA3", ["IA3"]),
        ("FIGO stage IB1", ["IB1"]),
        ("FIGO IIB", ["IIB"]),
        ("T2a N0 M0, stage IB (AJCC 8th)", ["IB"]),
        ("cT2aN1M0 (IIB)", ["IIB"]),
        ("limited stage small cell", ["LIMITED"]),
        ("extensive-stage disease", ["EXTENSIVE"]),
        ("stage lA", ["IA"]),
        ("Stage 0", ["0"]),
        ("STAGE IIIA NON-SMALL CELL", ["IIIA"]),
        ("staged IIA", ["IIA"]),
        ("Stage at this request: [ ] I  [X] II  [ ] III  [ ] IV", ["II"]),
        ("Group  IIA", ["IIA"]),
        ("STAGE IV8", ["IVB"]),
        ("stage 1V", ["IV"]),
        ("Clinical stage: | disease", ["I"]),
        ("lung cancer, stage l", ["I"]),
        ("kidney disease stage 3; lung cancer stage IIA", ["IIA"]),
    ],
)
def test_groups(text: str, expected: list[str]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "CKD stage 3a",
        "chronic kidney disease, stage 3",
        "stage 4 CKD",
        "Stage III chronic kidney disease",
        "stage 2 pressure ulcer",
        "sacral decubitus stage IV",
        "NYHA class III",
        "hepatic fibrosis stage 4",
        "GOLD stage 3 COPD",
        "Tanner stage 5",
        "stage 3 sleep",
        "end-stage renal disease",
        "stage T2",
        "early stage disease",
        "staging CT",
        "Stage ........ blank",
        "stage of disease",
        "stage 1.5 cm",
        "heart failure, stage C",
        "AJCC 8",
        "Stage at this request: [ ] I  [ ] II  [ ] III  [ ] IV",
        "stage hypertension 2",
        "Chronic kidney\n disease, stage 3b",
        "chronic kidney disease (CKD), stage 3b",
        "cancer | stage | treatment",
        "stage l of the house",
        "stage i",
    ],
)
def test_not_a_tumour_stage(text: str) -> None:
    assert values(text) == []


def test_range_is_marked() -> None:
    mention = next(iter(find_stage_groups("stage I/II", WORDS)))
    assert (mention.value, mention.attributes["range"]) == ("I", "true")


@pytest.mark.parametrize(
    ("words", "value"),
    [("two-A", "IIA"), ("2a", "IIA"), ("llA", "IIA"), ("IVB", "IVB"), ("1A3", "IA3"), ("four", "IV")],
)
def test_roman(words: str, value: str) -> None:
    assert roman(words) == value
