"""The plan's number for its member, by whatever name its label calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.identity import load_identity
from pipeline.domain import Box, Document, Field, Page, Status, Word
from pipeline.member_number import (
    BARE,
    EXPLICIT,
    NAMED,
    UNLABELLED,
    NumberSeen,
    member_numbers,
)
from pipeline.member_number import member_field as field_of

RULES = load_identity(Path(__file__).parents[1] / "models")
LABELS, BELIEVED = RULES.numbers, RULES.believed


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


@pytest.mark.parametrize("text", ["Group     AB-2210-556", "Group        Plan\nAB-2210-556  Choice PPO"])
def test_a_group_number_is_not_even_a_last_resort(text: str) -> None:
    assert read(text) == []


def test_a_sex_or_a_date_behind_the_number_is_no_part_of_it() -> None:
    assert read("Member ID QRS 410227983 F 04/05/1950") == [("QRS 410227983", EXPLICIT)]


def test_the_number_of_another_plan_counts_least() -> None:
    assert read("Secondary: Medicaid      Recipient ID: 55019927733") == [("55019927733", UNLABELLED)]
    assert read("Medicaid plan      Recipient ID: 55019927733") == [("55019927733", EXPLICIT)]


# --------------------------------------------------------------------------- several papers


def seen(
    number: str,
    paper: int,
    *,
    ocr: float | None = None,
    word: float = 0.9,
    weight: float = 3,
    confirmed: bool = True,
    behind: str = "",
) -> NumberSeen:
    """`number` on paper `paper`: in a text layer, or on a page recognised with mean confidence `ocr`."""
    text = number + behind
    words = (Word(text, Box(0, 0, 9, 9), 0, len(text), 1.0 if ocr is None else word, confirmed),)
    page = Page(
        "fax.pdf", paper, "text" if ocr is None else "ocr", 0, 612, 792, text, words, mean_confidence=ocr
    )
    return NumberSeen(Document(f"d{paper}", "fax_cover", "", (page,)), 0, len(number), weight)


def member_field(numbers: list[NumberSeen]) -> Field:
    return field_of(numbers, BELIEVED)


def told(field: Field) -> tuple[Status, object, list[object]]:
    return field.status, field.value, [other.value for other in field.alternatives]


def test_papers_that_agree_are_sure() -> None:
    field = member_field([seen("QRS 410", 1, ocr=0.5, word=0.1), seen("QRS410", 2, ocr=0.8)])
    assert (field.status, field.value, field.confidence) == (Status.FOUND, "QRS410", 0.99)


def test_two_papers_that_print_it_differently_are_shown_both() -> None:
    field = member_field([seen("QRS 410227983", 1, ocr=0.9), seen("QRS 410227933", 2, ocr=0.8)])
    assert told(field) == (Status.CONFLICTING, "QRS 410227983", ["QRS 410227933"])


@pytest.mark.parametrize(
    "others",
    [
        [seen("QRS 410227983", 1)],  # a text layer against a recognised page
        [seen("QRS 410227983", 1, ocr=0.7), seen("QRS 410227983", 3, ocr=0.7)],  # two against one
    ],
)
def test_better_papers_decide(others: list[NumberSeen]) -> None:
    field = member_field([seen("QRS 410227933", 2, ocr=0.9), *others])
    assert told(field) == (Status.FOUND, "QRS 410227983", [])


def test_another_number_altogether_is_no_reading_of_it() -> None:
    field = member_field([seen("QRS 410227983", 1, ocr=0.9, weight=6), seen("88-2201", 2, ocr=0.9)])
    assert told(field) == (Status.FOUND, "QRS 410227983", [])


@pytest.mark.parametrize(("ocr", "word"), [(0.5, 0.9), (0.8, 0.1)])
def test_one_paper_alone_that_can_hardly_be_read_is_for_a_person(ocr: float, word: float) -> None:
    field = member_field([seen("QRS 410227983", 1, ocr=ocr, word=word)])
    assert told(field) == (Status.UNCERTAIN, None, ["QRS 410227983"])
    assert field.evidence[0].page == 1


@pytest.mark.parametrize(
    "numbers",
    [
        [seen("QRS 410227983", 1, ocr=0.9, confirmed=False)],
        # papers of one office are misread alike
        [seen("QRS 410227983", paper, ocr=0.9, confirmed=False) for paper in (1, 2)],
    ],
)
def test_digits_of_a_coarse_fax_that_nothing_confirms_are_for_a_person(numbers: list[NumberSeen]) -> None:
    field = member_field(numbers)
    assert told(field) == (Status.UNCERTAIN, None, ["QRS 410227983"])
    assert [other.reason for other in field.alternatives] == ["not_readable"]


@pytest.mark.parametrize(
    ("numbers", "confidence"),
    [
        ([seen("QRS 410227983", 1, ocr=0.9)], 0.9),
        ([seen("QRS 410227983", 1, ocr=0.9), seen("QRS410227983", 2, ocr=0.9, confirmed=False)], 0.99),
        ([seen("QRS 410227983", 1), seen("QRS 410227988", 2, ocr=0.9, confirmed=False)], 0.9),
        ([seen("QRS 410227983", 1, ocr=0.65, word=0.35)], 0.65),
    ],
)
def test_one_paper_with_confirmed_digits_is_enough(numbers: list[NumberSeen], confidence: float) -> None:
    field = member_field(numbers)
    assert told(field) == (Status.FOUND, numbers[0].text, [])
    assert field.confidence == confidence


def test_the_confirmed_of_two_readings_is_shown_first() -> None:
    field = member_field(
        [seen("QRS 410227988", 1, ocr=0.95, confirmed=False), seen("QRS 410227983", 2, ocr=0.8)]
    )
    assert told(field) == (Status.CONFLICTING, "QRS 410227983", ["QRS 410227988"])


def test_of_two_readings_that_nothing_confirms_neither_is_the_answer() -> None:
    field = member_field(
        [
            seen("QRS 410227988", 1, ocr=0.95, confirmed=False),
            seen("QRS 410227983", 2, ocr=0.8, confirmed=False),
        ]
    )
    assert told(field) == (Status.UNCERTAIN, None, ["QRS 410227988", "QRS 410227983"])
    assert [other.evidence[0].page for other in field.alternatives] == [1, 2]


@pytest.mark.parametrize(
    ("behind", "status"),
    [("|", Status.UNCERTAIN), (")", Status.UNCERTAIN), (" |", Status.UNCERTAIN), (".", Status.FOUND)],
)
def test_a_mark_at_its_end_may_be_a_digit(behind: str, status: Status) -> None:
    assert member_field([seen("QRS 41022798", 1, ocr=0.9, behind=behind)]).status is status
    assert member_field([seen("QRS 41022798", 1, behind=behind)]).status is Status.FOUND


def test_no_number() -> None:
    assert member_field([]).status is Status.NOT_FOUND
