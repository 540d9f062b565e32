"""Dates as offices write them."""

from __future__ import annotations

import pytest

from pipeline.dates import find_dates


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("DOB 02/17/1954", "1954-02-17"),
        ("born 2-17-54", "1954-02-17"),
        ("seen 8/3/26", "2026-08-03"),
        ("February 17, 1954", "1954-02-17"),
        ("17 Feb 1954", "1954-02-17"),
        ("17-Feb-1954", "1954-02-17"),
        ("1954-02-17", "1954-02-17"),
        ("Feb. 17 1954", "1954-02-17"),
        ("Sept 17, 1954", "1954-09-17"),
        ("Junuary 17, 1954", "1954-01-17"),
        ("Saptember 17, 1954", "1954-09-17"),
        ("17 Aprii 1954", "1954-04-17"),
        ("Novem 17, 1954", "1954-11-17"),
        ("Septbr 17, 1954", "1954-09-17"),
    ],
)
def test_a_date(text: str, day: str) -> None:
    found = next(find_dates(text))
    assert found.day == day


@pytest.mark.parametrize(
    "text",
    [
        "13/45/2020",
        "02/30/1954",
        "call 555-0117",
        "ratio 1/2",
        "12/1954",
        "10/20/30/40",
        "Gleason 3+4",
        "Remember 12 2020",
        "Search 5, 2020",
        "Adjust 12 1998",
        "Jaguar 5 1998",
    ],
)
def test_no_date(text: str) -> None:
    assert not list(find_dates(text))


def test_century_of_a_short_year() -> None:
    assert [date.day for date in find_dates("6/1/26 and 6/1/44", latest_year=2030)] == [
        "2026-06-01",
        "1944-06-01",
    ]


def test_offsets() -> None:
    text = "on 02/17/1954."
    found = next(find_dates(text))
    assert text[found.start : found.end] == "02/17/1954"
