"""Sentences in laid-out text: wraps join; list items, table rows and headings do not."""

from __future__ import annotations

import pytest

from pipeline.nlp.sentences import find_sentences


def sentences(text: str) -> list[str]:
    return [" ".join(text[s.start : s.end].split()) for s in find_sentences(text, ())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One thing. Another thing.", ["One thing.", "Another thing."]),
        ("There is no evidence\nof metastatic disease.", ["There is no evidence of metastatic disease."]),
        ("1. No mass.\n2. A nodule.", ["1. No mass.", "2. A nodule."]),
        ("- pain\n- mass", ["- pain", "- mass"]),
        ("Liver: normal\nKidneys: mass", ["Liver: normal", "Kidneys: mass"]),
        ("L base      benign\nL mid       carcinoma", ["L base benign", "L mid carcinoma"]),
        ("First paragraph\n\nSecond paragraph", ["First paragraph", "Second paragraph"]),
        ("Seen by Dr. Miller today.", ["Seen by Dr. Miller today."]),
        ("It measures 2.5 cm and is new.", ["It measures 2.5 cm and is new."]),
        ("Margins free of. tumor.", ["Margins free of. tumor."]),
        ("Bladder tumor.,PROCEDURE done", ["Bladder tumor.", ",PROCEDURE done"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert [s.lstrip(",") for s in sentences(text)] == [s.lstrip(",") for s in expected]


def test_cells_of_a_row_are_told_apart() -> None:
    (row,) = find_sentences("apex    benign    none", ())
    assert len(row.gaps) == 2


def test_a_spaced_out_line_is_no_table_row() -> None:
    (line,) = find_sentences("No  enlarged  nodes  are  seen  in  the  pelvis", ())
    assert line.gaps == ()
