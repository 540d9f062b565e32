"""The plan's number for its member, by whatever name its label calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.identity import load_identity
from pipeline.member_number import BARE, EXPLICIT, NAMED, UNLABELLED, member_numbers

LABELS = load_identity(Path(__file__).parents[1] / "models").numbers


def read(text: str) -> list[tuple[str, int]]:
    return [(text[n.start : n.end], n.rank) for n in member_numbers(text, LABELS, misread=False)]


LABELLED = [
    ("Member ID     QRS 410227983     Sex F", "QRS 410227983", EXPLICIT),
    ("Subscriber's number  QRS/88-4150-627", "QRS/88-4150-627", EXPLICIT),
    ("  Policy ............ QRS 4400 71926 B            relation ..... self", "QRS 4400 71926 B", EXPLICIT),
    ("card no. ............ QRS*60-2274-1", "QRS*60-2274-1", EXPLICIT),
    ("Enrollee # 209.553.18", "209.553.18", EXPLICIT),
    ("carrier no.   QR 4471-9028-6", "QR 4471-9028-6", EXPLICIT),
    ("Insurance no.   QRS 330/77419     (under father)", "QRS 330/77419", EXPLICIT),
    ("Ruth Pell, Plan ID Q-3390-6712-88", "Q-3390-6712-88", EXPLICIT),
    ("silver star id ........ SS-7-4418-03395", "SS-7-4418-03395", NAMED),
    ("re ... RUTH PELL     10/24/1939     QST# 5583-0027-A", "5583-0027-A", NAMED),
    ("ID 5583-0027-A", "5583-0027-A", BARE),
    ("Number    QRS 41 0077 826", "QRS 41 0077 826", BARE),
    ("Member ID             Name\nQRS 410227983         Pell, Ruth", "QRS 410227983", EXPLICIT),
    ("Ruth Pell, 11-17-1939, QR 4471-9028-6", "QR 4471-9028-6", UNLABELLED),
]


@pytest.mark.parametrize(("text", "number", "rank"), LABELLED)
def test_numbers_by_their_label(text: str, number: str, rank: int) -> None:
    assert read(text) == [(number, rank)]


OTHERS = [
    "MRN 4471902",
    "Group no. 0102-1187",
    "Chart no.  HG 0550-2193",
    "NPI number  1999999991",
    "Phone no. (402) 555-0137",
    "Policy holder   Pell, Ruth   born 04/05/1950",
    "Procedure code  50593",
    "Claim # 26-0715-3390",
    "No. of pages 12",
    "Sent AUG-26-2026",
]


@pytest.mark.parametrize("text", OTHERS)
def test_other_numbers(text: str) -> None:
    assert [number for number in read(text) if number[1] > UNLABELLED] == []


def test_a_sex_or_a_date_behind_the_number_is_no_part_of_it() -> None:
    assert read("Member ID QRS 410227983 F 04/05/1950") == [("QRS 410227983", EXPLICIT)]
