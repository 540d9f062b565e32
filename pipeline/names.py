"""Names of people as papers write them: read into last and first name, and compared."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from pipeline.spelling import fold, misreading_distance


class PersonName(NamedTuple):
    """A name's parts as written, without middle initials, titles and suffixes; either may be empty."""

    last: str
    first: str

    def __str__(self) -> str:
        return f"{_cased(self.last)}, {_cased(self.first)}"


# What follows the name of somebody who treats, and never of the patient.
_CREDENTIAL = re.compile(
    r"\s*,?\s*(?:M\.?D|D\.?O|R\.?N|N\.?P|P\.?A(?:-?C)?|APRN|APNP|CRNA|CNM|FNP|DPM|O\.?D|Ph\.?D|MBBS|FACS|PharmD|LPN|CMA)\b"
)

_PARTICLES = frozenset(
    {"de", "del", "della", "der", "di", "da", "du", "la", "le", "van", "von", "den", "el", "al", "bin"}
)

# Letters with apostrophes and hyphens; OCR puts digits for letters and blanks round hyphens.
_PART = r"[A-Za-z][A-Za-z'’.]*(?:\s?-\s?[A-Za-z'’]+)*"
_LONG = r"[A-Za-z][A-Za-z'’]+(?:\s?-\s?[A-Za-z'’]+)*"  # no initial: that is never part of a last name
_LAST_FIRST = re.compile(
    rf"\s*(?P<last>{_LONG}(?: {_LONG}){{0,2}})\s?,\s*(?P<first>{_PART})(?P<rest>(?: {_PART}){{0,2}})"
)
_IN_ORDER = re.compile(rf"\s*(?P<parts>{_PART}(?: {_PART}){{1,3}})")


def treats(text: str, end: int) -> bool:
    """Whether a degree or licence follows the name that ends at `end`."""
    return bool(_CREDENTIAL.match(text, end))


def read_name(
    text: str, *, not_names: Collection[str], suffixes: Collection[str]
) -> tuple[PersonName, int] | None:
    """The name at the start of `text` and where it ends there, or None where no name stands.

    "Last, First M", "First M. Last"; without a comma and in capitals, "LAST FIRST M" cannot be told
    from "FIRST LAST": it is read in written order, and `same_person` tries both.
    """
    if match := _LAST_FIRST.match(text):
        last, first = _without_debris(_clean(match["last"])), _clean(match["first"])
        words = [*last.lower().split(), first.lower()]
        if (
            not any(word.strip(".") in not_names for word in words)
            and first.lower().strip(".") not in suffixes
        ):
            return PersonName(last, first), match.end()
        return None
    if not (match := _IN_ORDER.match(text)):
        return None
    parts = []
    for part in _clean(match["parts"]).split():
        if part.lower().strip(".") in not_names:
            break
        parts.append(part)
    kept = [part for part in parts if part.lower().strip(".") not in suffixes]
    end = (
        match.end()
        if len(parts) == len(match["parts"].split())
        else match.start("parts") + len(" ".join(parts))
    )
    if len(kept) < 2 or not all(part[0].isupper() for part in kept):
        return None
    initials = [part for part in kept[1:] if len(part.strip(".")) == 1]
    if len(kept) == 2 and initials:  # "KOWALKE B", "Laverne S."
        return PersonName(kept[0], kept[1].strip(".")), end
    if len(initials) == 1 and kept[-1] in initials:  # "HAINES ROBERTA J"
        return PersonName(kept[0], kept[1]), end
    return PersonName(kept[-1], kept[0]), end


def name_likeness(name: PersonName, other: PersonName, same_first: Collection[Collection[str]]) -> int:
    """2: one person's name; 1: may be (initials, a nickname, one part shared); 0: alike but not the same,
    as misread or as another person; -2: different."""
    best = max(
        _likeness(name.last, name.first, other.last, other.first, same_first),
        _likeness(name.last, name.first, other.first, other.last, same_first),
    )
    return best


def _likeness(
    last: str, first: str, other_last: str, other_first: str, same_first: Collection[Collection[str]]
) -> int:
    lasts, firsts = _part_likeness(last, other_last), _first_likeness(first, other_first, same_first)
    if lasts == 2 and firsts == 2:
        return 2
    if (lasts >= 1 and firsts >= 1) or (firsts == 2 and lasts < 1 and not last):
        return 1
    if (lasts == 0 and firsts >= 0) or (lasts >= 0 and firsts == 0):
        return 0
    return -2


def _first_likeness(first: str, other: str, same_first: Collection[Collection[str]]) -> int:
    short, long = sorted((_key(first), _key(other)), key=len)
    if len(short) == 1 and long.startswith(short):
        return 1
    if short != long and any(short in group and long in group for group in same_first):
        return 2
    return _part_likeness(first, other)


def _part_likeness(part: str, other: str) -> int:
    """2 the same, 1 one holds the other or an initial, 0 alike, -2 different."""
    key, other_key = _key(part), _key(other)
    if not key or not other_key:
        return 1
    if fold(key) == fold(other_key) or key.replace("-", "") == other_key.replace("-", ""):
        return 2
    short, long = sorted((key, other_key), key=len)
    if len(short) == 1:
        return 1 if long.startswith(short) else -2
    if "-" in long and short in long.split("-"):
        return 1
    limit = 1.0 if len(short) <= 5 else 2.0
    distance = misreading_distance(key, other_key, limit)
    if distance <= 0.7:
        return 2
    return 0 if distance <= limit else -2


def _key(part: str) -> str:
    return re.sub(r"[^a-z0-9-]", "", part.lower())


def _without_debris(last: str) -> str:
    """Without small words in front that are no part of a name: dot leaders as OCR reads them."""
    parts = last.split()
    while len(parts) > 1 and parts[0].islower() and parts[0] not in _PARTICLES:
        parts.pop(0)
    return " ".join(parts)


def _clean(text: str) -> str:
    return re.sub(r"\s?-\s?", "-", " ".join(text.split()))


def _cased(part: str) -> str:
    """Capitals as in running text; mixed case stays as it was written."""
    if not part.isupper() and not part.islower():
        return part
    return re.sub(r"[A-Za-z]+", lambda match: match.group().capitalize(), part)
