"""Dates as American offices write them, with the offsets they stand at."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.spelling import misreading_distance


class Dated(NamedTuple):
    """A date in a text; `day` is ISO 8601. `two_digit_year` tells that the century was inferred."""

    day: str
    start: int
    end: int
    two_digit_year: bool


LATEST_YEAR = 2035  # that a two-digit year may mean where nothing else tells
_OLDEST_PAPER = "2000-01-01"  # an older day is a birth date, or one that a history tells
_FEW = 0.03  # share of a packet's dates below which a year is not one of its papers

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_LONG = 6  # letters of the name of a month from which one may be misread, and two from one more letter on

_DATE = re.compile(
    r"""
    (?<![\d/.-])(?:
      (?P<iso_y>(?:19|20)\d\d)-(?P<iso_m>\d{1,2})-(?P<iso_d>\d{1,2})
    | (?P<m>\d{1,2})\s?(?P<sep>[/.-])\s?(?P<d>\d{1,2})\s?(?P=sep)\s?(?P<y>(?:19|20)\d\d|\d\d)
    | (?P<name_m>[A-Za-z]{3,9})\.?\s{1,2}(?P<name_d>\d{1,2})(?:st|nd|rd|th)?,?\s{1,2}(?P<name_y>(?:19|20)\d\d)
    | (?P<day_d>\d{1,2})[\s-](?P<day_m>[A-Za-z]{3,9})\.?,?[\s-](?P<day_y>(?:19|20)\d\d)
    )(?![\d/])
    """,
    re.VERBOSE,
)


def find_dates(text: str, *, latest_year: int = LATEST_YEAR) -> Iterator[Dated]:
    """Every valid date of `text`, month before day. A two-digit year is of the last hundred years.

    `latest_year` is the last year that a two-digit year may mean: with 2035, 35 is 2035 and 36 is 1936.
    """
    for match in _DATE.finditer(text):
        part = match.groupdict()
        year = part["iso_y"] or part["y"] or part["name_y"] or part["day_y"]
        month = part["iso_m"] or part["m"] or _month(part["name_m"] or part["day_m"] or "")
        day = part["iso_d"] or part["d"] or part["name_d"] or part["day_d"]
        short = len(year) == 2
        full = int(year) + (2000 if short else 0)
        if short and full > latest_year:
            full -= 100
        try:
            found = datetime.date(full, int(month), int(day))
        except ValueError:
            continue
        yield Dated(found.isoformat(), match.start(), match.end(), short)


def newest_year(texts: Iterable[str]) -> int | None:
    """The latest year in which papers are dated, None where no date tells.

    One that several dates name, so that neither a misread year nor "effective through 12/31/2099" counts.
    Where every date has a year of two digits, the year that most of them name.
    """
    dates = [date for text in texts for date in find_dates(text) if date.day >= _OLDEST_PAPER]
    whole = Counter(int(date.day[:4]) for date in dates if not date.two_digit_year)
    if whole:
        often = [year for year, count in whole.items() if count >= max(2, _FEW * whole.total())]
        return max(often or whole)
    short = Counter(int(date.day[:4]) for date in dates)
    return short.most_common(1)[0][0] if short else None


def _month(name: str) -> str:
    """The number of a month by its name, cut short or written out and then perhaps misread; "0" for none.

    "Junuary" begins as June does and is January.
    """
    word = name.lower()
    for number, month in enumerate(_MONTHS, 1):
        if month.startswith(word) or _is_misread(word, month):
            return str(number)
    return next((str(n) for n, month in enumerate(_MONTHS, 1) if month[:3] == word[:3]), "0")


def _is_misread(word: str, month: str) -> bool:
    """Whether a word is a month's name with letters misread, both so long that it is no other word."""
    length = min(len(word), len(month))
    edits = 1.0 if length == _LONG else 2.0
    return length >= _LONG and word[0] == month[0] and misreading_distance(word, month, edits) <= edits
