"""What a case says of its patient, and how much of it a reply says: so a reply without its sheet is told.

A coarse fax misreads digits and letters, so that what was extracted from a reply is not compared; the reply's
pages are searched for what the case knows. Dates count beside the name or a label of birth alone.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from pipeline.dates import find_dates
from pipeline.domain import Case
from pipeline.spelling import misreading_distance

_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*[A-Za-z]")
_CONTENT = re.compile(r"[a-z]{4,}")
_NUMBER = re.compile(r"[A-Za-z]{0,4} ?\d[\d -]{4,14}\d")
_BIRTH = re.compile(r"(?i)\b(?:d\.?o\.?b|birth|born|bdate)\b")
_DIGITS = str.maketrans("oODQlIi|SsBbZzgG", "0000111155882296")
# Digits that a coarse fax turns into one another: half a difference.
_CONFUSED = ({"0", "3", "5", "6", "8", "9"}, {"1", "4", "7"})
NEAR = 1.5
"""Differences up to which a day or a number may be a misreading of another: three confused digits, or one
that is confused and one that is not."""
_ONE_MORE = 0.5
_SHARE_MISREAD = 0.25  # of a name's letters
_NEAR_NAME = 3  # words between the parts of a name


@dataclass(frozen=True, slots=True)
class Portrait:
    """What is known of a case's patient and of what its papers are about. `numbers` stand beside the
    patient's name (record and member numbers), digits only."""

    last: str = field(default="", repr=False)
    first: str = field(default="", repr=False)
    dob: str | None = field(default=None, repr=False)
    numbers: frozenset[str] = field(default=frozenset(), repr=False)
    words: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Said:
    """How much of a portrait a text says. `name` is 0 to 1 (every letter of both parts); `dob` and `number`
    the digits by which the nearest one differs, None where there is none; `other_dob` says that another
    birth date stands beside the name, and not this one; `words` is the share of the text's telling words
    that the portrait has, 0 to 1."""

    name: float = 0.0
    dob: float | None = None
    other_dob: bool = False
    number: float | None = None
    words: float = 0.0


def portrait_of(case: Case) -> Portrait:
    """The portrait of a case, from the documents that are the patient's.

    What was read of a name or a day serves, sure or not: a reply is held against it with misreading in mind.
    """
    name = case.patient.name.likeliest
    last, _, first = (name if isinstance(name, str) else "").partition(", ")
    dob = case.patient.dob.likeliest
    member = case.patient.member_id.value
    texts = [document.text for document in case.documents if document.belongs_to_patient is not False]
    numbers = {_digits(member)} if isinstance(member, str) else set()
    for line in _lines(texts):
        if last and last.lower() in line.lower():
            numbers |= {_digits(found) for found in _NUMBER.findall(line) if not _is_date(found)}
    return Portrait(
        last=last,
        first=first.split(" ")[0],
        dob=dob if isinstance(dob, str) else None,
        numbers=frozenset(number for number in numbers if len(number) >= 6),
        words=frozenset(word for text in texts for word in _CONTENT.findall(text.lower())),
    )


class Telling:
    """How much each word tells: one that stands in every open case tells nothing."""

    def __init__(self, portraits: Sequence[Portrait]) -> None:
        self._count = len(portraits)
        self._cases = Counter(word for portrait in portraits for word in portrait.words)

    def weight(self, word: str) -> float:
        """0.0 for a word of no case: recognition makes many of them."""
        cases = self._cases[word]
        return math.log((self._count + 1) / cases) if cases else 0.0


class Reader:
    """The texts of one reply, made ready to be held against many portraits."""

    def __init__(self, texts: Sequence[str], telling: Telling) -> None:
        self._lines = [line for text in texts for line in text.splitlines() if line.strip()]
        self._words = [_WORD.findall(line) for line in self._lines]
        self._births = [line for line in self._lines if _BIRTH.search(line)]
        self._numbers = {_digits(found) for line in self._lines for found in _NUMBER.findall(line)}
        content = {word for text in texts for word in _CONTENT.findall(text.lower())}
        self._weights = {word: weight for word in content if (weight := telling.weight(word))}
        self._weight = sum(self._weights.values())

    def said_of(self, portrait: Portrait) -> Said:
        """How much of a portrait the texts say. A day of birth is looked for only where the name or a number
        is near: alone it would decide nothing."""
        named = [
            (_name_in(words, portrait), line) for words, line in zip(self._words, self._lines, strict=True)
        ]
        beside = [line for likeness, line in named if likeness > 0]
        number = _nearest_number(portrait.numbers, self._numbers)
        dob = self._birth(portrait, beside) if beside or is_near(number) else None
        return Said(
            name=max((likeness for likeness, _ in named), default=0.0),
            dob=dob,
            other_dob=bool(portrait.dob) and not is_near(dob) and _states_birth(beside),
            number=number,
            words=self._share(portrait),
        )

    def is_of_another(self, portrait: Portrait) -> bool:
        """Whether the texts state a day of birth, and nothing in them is this patient's."""
        said = self.said_of(portrait)
        nothing = not (said.name or is_near(said.number) or is_near(self._birth(portrait, [])))
        return nothing and _states_birth(self._births)

    def _birth(self, portrait: Portrait, beside: Sequence[str]) -> float | None:
        return _nearest_day(portrait.dob, {*beside, *self._births}) if portrait.dob else None

    def _share(self, portrait: Portrait) -> float:
        shared = sum(weight for word, weight in self._weights.items() if word in portrait.words)
        return shared / self._weight if self._weight else 0.0


def is_near(differing: float | None) -> bool:
    """Whether a day or number may be a misreading of the other."""
    return differing is not None and differing <= NEAR


# --------------------------------------------------------------------------- name


def _name_in(words: Sequence[str], portrait: Portrait) -> float:
    """How well both parts of the name stand near one another in a line: 1 letter for letter, 0 not at all."""
    if not portrait.last or not portrait.first:
        return 0.0
    lasts = [(place, _alike(word, portrait.last)) for place, word in enumerate(words)]
    if not any(likeness for _, likeness in lasts):
        return 0.0
    firsts = [(place, _alike(word, portrait.first)) for place, word in enumerate(words)]
    return max(
        (
            min(last, first)
            for at, last in lasts
            for place, first in firsts
            if last and first and 0 < abs(at - place) <= _NEAR_NAME
        ),
        default=0.0,
    )


def _alike(word: str, name: str) -> float:
    """1 for the same word, less for each letter misread, 0 above a quarter of them."""
    limit = max(1.0, _SHARE_MISREAD * len(name))
    distance = misreading_distance(word.lower(), name.lower(), limit)
    return 1 - distance / len(name) if distance <= limit else 0.0


# --------------------------------------------------------------------------- dates and numbers


def _nearest_day(day: str, lines: Iterable[str]) -> float | None:
    """The digits by which the nearest reading of a day differs, in any way in which days are written."""
    forms = _forms(date.fromisoformat(day))
    return min((found for line in lines for form in forms for found in _readings(form, line)), default=None)


def _forms(day: date) -> list[str]:
    months = f"{day:%B}", f"{day:%b}"
    written = [f"{month} {day.day}, {day.year}" for month in months]
    written += [f"{day.day} {month} {day.year}" for month in months]
    pairs = {(f"{day.month:02d}", f"{day.day:02d}"), (str(day.month), str(day.day))}
    for month, number in pairs:
        written += [f"{month}/{number}/{day.year}", f"{month}/{number}/{day.year % 100:02d}"]
    return [*written, day.isoformat()]


def _readings(form: str, line: str) -> list[float]:
    """How far each stretch of the line that is built like `form` differs from it; above 3 is none."""
    found = []
    plain, wanted = line.lower(), form.lower()
    for start in range(len(plain) - len(wanted) + 1):
        cost = 0.0
        for letter, other in zip(plain[start : start + len(wanted)], wanted, strict=True):
            cost += _cost(letter, other)
            if cost > 3:
                break
        else:
            found.append(cost)
    return found


def _cost(letter: str, wanted: str) -> float:
    if letter == wanted:
        return 0.0
    if wanted.isdigit():
        read = letter.translate(_DIGITS)
        if read == wanted:
            return 0.0
        return 0.5 if any(read in group and wanted in group for group in _CONFUSED) else 1.0
    if wanted.isalpha():
        return 0.5
    return 0.25 if not letter.isalnum() else 0.5  # a slash read as a letter


def _states_birth(lines: Iterable[str]) -> bool:
    """Whether a day of birth stands in one of the lines, whatever it is."""
    return any(_BIRTH.search(line) and next(find_dates(line), None) for line in lines)


def _nearest_number(numbers: Iterable[str], read: Iterable[str]) -> float | None:
    found = [_number_apart(number, wanted) for wanted in numbers for number in read]
    return min((apart for apart in found if apart is not None), default=None)


def _number_apart(number: str, wanted: str) -> float | None:
    """The digits by which two numbers differ; a speck may have been read as one more."""
    if len(number) == len(wanted) + 1:
        without = (number[:place] + number[place + 1 :] for place in range(len(number)))
        return _ONE_MORE + min(_digits_apart(left, wanted) for left in without)
    return _digits_apart(number, wanted) if len(number) == len(wanted) else None


def _digits_apart(number: str, wanted: str) -> float:
    return sum(_cost(letter, other) for letter, other in zip(number, wanted, strict=True))


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _is_date(text: str) -> bool:
    return next(find_dates(text), None) is not None


def _lines(texts: Iterable[str]) -> Iterable[str]:
    return (line for text in texts for line in text.splitlines() if line.strip())
