from __future__ import annotations

import pytest

from pipeline.findings.lines import labelled
from pipeline.marks import answer_after, choice_around, ticked


@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        ("[X] kidney   [ ] lung", "kidney", True),
        ("[X] kidney   [ ] lung", "lung", False),
        ("( ) cryo  (x) RF  ( ) MW", "RF", True),
        ("( ) cryo  (x) RF  ( ) MW", "MW", False),
        ("☒ cure  ☐ palliation", "cure", True),
        ("☒ cure  ☐ palliation", "palliation", False),
        ("kidney, left", "kidney", None),
        # A box far to the left belongs to other words.
        ("[X] standard      kidney", "kidney", None),
        # A blank to be filled in is no box.
        ("Area: ____________________. Goal: cure", "cure", None),
    ],
)
def test_the_box_before_a_choice(line: str, word: str, expected: bool | None) -> None:
    assert ticked(line, line.index(word)) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Obstruction?   no", False),
        ("Obstruction? yes", True),
        ("Obstruction ........ N", False),
        ("Obstruction?   [ ] Yes  [X] No", False),
        ("Obstruction?   [X] Yes  [ ] No", True),
        ("Obstruction?   [ ] Yes  [ ] No", None),
        ("Obstruction was seen", None),
        ("Obstruction?", None),
        ("Obstruction   Y (N)", False),
        ("Obstruction   (Y)  N", True),
    ],
)
def test_the_answer_to_a_printed_question(line: str, expected: bool | None) -> None:
    assert answer_after(line, len("Obstruction")) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Area: left upper pole", ["left upper pole"]),
        ("AREA    left upper pole\nDATE    1/2", ["left upper pole"]),
        ("Area ........ left upper pole", ["left upper pole"]),
        ("2. Area: left upper pole", ["left upper pole"]),
        ("PROBES: 3. AREA: LEFT UPPER\nPOLE, 2 CM. DATE: 1/2.", ["LEFT UPPER\nPOLE, 2 CM"]),
        ("Area:\n  left upper pole\n\nDate: 1/2", ["left upper pole"]),
        ("The area was seen.", []),
    ],
)
def test_labelled_values(text: str, expected: list[str]) -> None:
    assert [text[line.body : line.end] for line in labelled(text, 0, len(text), ("area",))] == expected


@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        ("Type:  [X] NSCLC   [ ] SCLC   [ ] Metastasis to lung", "NSCLC", "NSCLC"),
        ("Type:  [X] NSCLC   [ ] SCLC   [ ] Metastasis to lung", "Metastasis", "Metastasis to lung"),
        ("Type:  NSCLC", "NSCLC", None),
    ],
)
def test_the_words_of_a_choice(line: str, word: str, expected: str | None) -> None:
    found = choice_around(line, line.index(word))
    assert (line[slice(*found)].strip() if found else None) == expected
