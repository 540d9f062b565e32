"""Later pages find their document: by its numbers, the day in its running head, its words, and nearness.

Pages that came in order are settled by their neighbours already; this mends what was interleaved or
shuffled. A page moves only where another document fits it clearly better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.catalog.documents import DocumentTypes
from pipeline.dates import find_dates, newest_year
from pipeline.documents.head import OLDEST
from pipeline.documents.sheets import Run, Sheet
from pipeline.documents.starts import gain

# What speaks for a page's belonging to a run, in points; see `_fit`.
_SAME_TOTAL, _OTHER_TOTAL = 4.0, -6.0
_NEXT_NUMBER, _TAKEN_NUMBER = 1.5, -4.0
_SAME_DAY, _OTHER_DAY = 3.0, -1.5
_SAME_WORDS = 2.0
_OTHER_KIND, _MOST_OTHER = -0.4, -2.5
_NEIGHBOUR = 1.0
_CLEARLY = 1.5  # points by which another run must fit better
_HEAD, _FIRST_HEAD = 3, 8  # lines of a running head, and of the head of a first page
_COMMON = 0.5  # share of a file's heads from which a day or word is the patient's, and tells no document


def settled(runs: Sequence[Run], types: DocumentTypes) -> list[Run]:
    """The runs with every later page where it fits best; runs that lost all their pages are left out."""
    heads = _Heads.of([sheet for run in runs for sheet in run.sheets], types)
    whole = [Run(list(run.sheets)) for run in runs]
    for sheet in sorted(heads.sheets, key=lambda sheet: sheet.page.number):
        if not _is_later(sheet):
            continue
        home = next(run for run in whole if sheet in run.sheets)
        others = [run for run in whole if run is not home and run.sheets and not run.sheets[0].is_separator]
        others = [run for run in others if not _is_later(run.sheets[0])]
        if not others:
            continue
        best = max(others, key=lambda run: _fit(sheet, run, heads, types))
        alone = len(home.sheets) == 1
        stays = 0.0 if alone else _fit(sheet, home, heads, types)
        if _fit(sheet, best, heads, types) >= stays + _CLEARLY:
            home.sheets.remove(sheet)
            best.sheets.append(sheet)
    return [run for run in whole if run.sheets]


def _is_later(sheet: Sheet) -> bool:
    return sheet.numbering.number > 1 or sheet.numbering.continued


@dataclass(frozen=True)
class _Heads:
    """The days and words of the pages' heads, less those that most of them bear."""

    sheets: Sequence[Sheet]
    common_days: frozenset[str]
    common_words: frozenset[str]
    types: DocumentTypes
    oldest: str

    @classmethod
    def of(cls, sheets: Sequence[Sheet], types: DocumentTypes) -> _Heads:
        year = newest_year(sheet.page.text for sheet in sheets)
        oldest = f"{year - OLDEST}-01-01" if year else ""
        days = Counter(
            day for sheet in sheets for day in _days(sheet, types, lines=_FIRST_HEAD, oldest=oldest)
        )
        words = Counter(word for sheet in sheets for word in sheet.header)
        most = max(2.0, _COMMON * len(sheets))
        return cls(
            sheets,
            frozenset(day for day, count in days.items() if count > most),
            frozenset(word for word, count in words.items() if count > most),
            types,
            oldest,
        )

    def days(self, sheet: Sheet, lines: int) -> frozenset[str]:
        return _days(sheet, self.types, lines=lines, oldest=self.oldest) - self.common_days


def _days(sheet: Sheet, types: DocumentTypes, *, lines: int, oldest: str) -> frozenset[str]:
    """The days in the first lines that are no birth date: neither called so nor older than papers are."""
    head = "\n".join(sheet.lines[:lines])
    return frozenset(
        date.day
        for date in find_dates(head)
        if date.day >= oldest
        and not types.pages.before_birth_date.search(head[max(0, date.start - 28) : date.start])
    )


def _fit(sheet: Sheet, run: Run, heads: _Heads, types: DocumentTypes) -> float:
    """How well a later page goes with a run, itself left out of it."""
    others = [other for other in run.sheets if other is not sheet]
    rest = Run(others)
    numbers = (sheet.numbering.number, sheet.numbering.total)
    fit = _fit_of_numbers(*numbers, rest)
    days = heads.days(sheet, _HEAD)
    first_days = heads.days(others[0], _FIRST_HEAD)
    if days and first_days:
        fit += _SAME_DAY if days & first_days else _OTHER_DAY
    known = sheet.header & frozenset().union(*(s.header for s in heads.sheets if s is not sheet))
    known -= heads.common_words
    if known:
        fit += _SAME_WORDS * len(known & others[0].header) / len(known)
    fit += max(_MOST_OTHER, _OTHER_KIND * max(0.0, gain(sheet, rest, types)))
    return fit + _NEIGHBOUR * any(other.page.number == sheet.page.number - 1 for other in others)


def _fit_of_numbers(number: int, total: int, rest: Run) -> float:
    printed = {other.numbering.number for other in rest.sheets if other.numbering.number}
    fit = 0.0
    if total and rest.total:
        fit += _SAME_TOTAL if total == rest.total else _OTHER_TOTAL
    if number and number in printed:
        fit += _TAKEN_NUMBER
    elif number and len(rest.sheets) == number - 1:
        fit += _NEXT_NUMBER
    if rest.total and len(rest.sheets) >= rest.total:
        fit += _OTHER_TOTAL  # that document is whole
    return fit
