"""Names of people as papers write them: read into last and first name, and compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import NamedTuple

from pipeline.catalog.identity import NameRules
from pipeline.spelling import fold, misreading_distance


class PersonName(NamedTuple):
    """A name's parts as written, without middle initials, titles and suffixes; either may be empty."""

    last: str
    first: str

    def __str__(self) -> str:
        return f"{_cased(self.last)}, {_cased(self.first)}"


# Letters of any alphabet, an accent of its own behind them too; OCR puts blanks round hyphens.
_LETTER = r"(?:[^\W\d_][\u0300-\u036f]?)"
_PART = rf"{_LETTER}(?:{_LETTER}|['’.])*(?:\s?-\s?(?:{_LETTER}|['’])+)*"
# No initial, which is never part of a last name; "St. John" is.
_LONG = rf"(?:[Ss][Tt]e?\.|{_LETTER}(?:{_LETTER}|['’])+(?:\s?-\s?(?:{_LETTER}|['’])+)*)"
_LAST = rf"\s*(?P<last>{_LONG}(?: {_LONG}){{0,3}})"
_FIRST = rf"\s?,\s*(?P<first>{_PART})(?: {_PART}){{0,2}}"
_LAST_FIRST = re.compile(_LAST + _FIRST)
_LAST_SUFFIX_FIRST = re.compile(rf"{_LAST}\s?,?\s*(?P<suffix>{_LETTER}{{1,4}}\.?){_FIRST}")
# Letters that no accent makes, as Americans write them.
_LIGATURES = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "ß": "ss"})
_ABBREVIATED = 5  # characters of a first name cut short ("Chas.", "Thos."), its point included
_IN_ORDER = re.compile(rf"\s*(?P<parts>{_PART}(?: {_PART}){{1,5}})")


def treats(text: str, end: int, rules: NameRules) -> bool:
    """Whether a degree or licence follows the name that ends at `end`."""
    return bool(rules.credential.match(text, end))


def read_name(text: str, rules: NameRules, *, labelled: bool = False) -> tuple[PersonName, int] | None:
    """The name at the start of `text` and where it ends there, or None where no name stands.

    "Last, First M", "Last Jr, First", "First M. Last"; without a comma and in capitals, "LAST FIRST M"
    cannot be told from "FIRST LAST": it is read in written order, and `name_likeness` tries both.
    `labelled` tells that a label says a name stands here: then people called Case or Center are read too.
    """
    no_names = rules.never_names if labelled else rules.not_names
    return _last_first(text, rules, no_names, labelled=labelled) or _in_order(text, rules, no_names)


def _last_first(
    text: str, rules: NameRules, no_names: Collection[str], *, labelled: bool
) -> tuple[PersonName, int] | None:
    match = _LAST_SUFFIX_FIRST.match(text)
    if match is None or _plain(match["suffix"]) not in rules.suffixes:
        match = _LAST_FIRST.match(text)
    if match is None:
        return None
    lasts, first = _without_debris(_clean(match["last"]).split(), rules), _clean(match["first"])
    lasts = [part for part in lasts if _plain(part) not in rules.suffixes] or lasts
    if any(_plain(word) in no_names for word in (*lasts, first)) or _plain(first) in rules.suffixes:
        return None
    if not labelled and not (lasts[-1][0].isupper() and first[0].isupper()):
        return None
    return PersonName(" ".join(lasts), first), match.end()


def _in_order(text: str, rules: NameRules, no_names: Collection[str]) -> tuple[PersonName, int] | None:
    match = _IN_ORDER.match(text)
    if match is None:
        return None
    written = _clean(match["parts"]).split()
    parts: list[str] = []
    for part in written:
        if _plain(part) in no_names or _is_full(parts, rules):
            break
        parts.append(part)
    end = match.end() if parts == written else match.start("parts") + len(" ".join(parts))
    kept = [part for part in parts if _plain(part) not in rules.suffixes]
    particles = [_plain(part) in rules.particles for part in kept]
    if len(kept) < 2 or not all(
        part[0].isupper() or small for part, small in zip(kept, particles, strict=True)
    ):
        return None
    return _ordered(kept, particles), end


def _is_full(parts: Sequence[str], rules: NameRules) -> bool:
    """Whether four words that are no particles are read: a name has no more."""
    return sum(_plain(part) not in rules.particles for part in parts) == 4


def _ordered(kept: Sequence[str], particles: Sequence[bool]) -> PersonName:
    """Parts of a name in written order, as last and first name."""
    if particles[0] and not all(particles):  # "DE LA CRUZ MARIA"
        behind = particles.index(False) + 1
        return PersonName(" ".join(kept[:behind]), kept[behind] if behind < len(kept) else "")
    if len(kept[0]) > _ABBREVIATED and kept[0].endswith(
        "."
    ):  # OCR took the comma of "Vane, Robert" for a point
        return PersonName(kept[0].strip("."), kept[1])
    initials = [part for part in kept[1:] if len(part.strip(".")) == 1]
    if len(kept) == 2 and initials:  # "KOWALKE B", "Laverne S."
        return PersonName(kept[0], kept[1].strip("."))
    if len(initials) == 1 and kept[-1] in initials:  # "HAINES ROBERTA J"
        return PersonName(kept[0], kept[1])
    start = len(kept) - 1
    while start > 1 and particles[start - 1]:  # "Maria de la Cruz"
        start -= 1
    return PersonName(" ".join(kept[start:]), kept[0])


def part_key(part: str) -> str:
    """The letters of a part of a name, small and without accents, whatever stands between them."""
    return _key(part).replace("-", "")


def spelled_alike(part: str, other: str, rules: NameRules) -> bool:
    """Whether two parts are one as papers may print it, a few letters misread; initials and short forms
    ("Bob" for Robert) are not."""
    key, other_key = part_key(part), part_key(other)
    shorter = min(len(key), len(other_key))
    if key != other_key and any(key in group and other_key in group for group in rules.same_first):
        return False
    return shorter > 1 and misreading_distance(key, other_key, _limit(shorter)) <= _limit(shorter)


def turned(name: PersonName, like: PersonName, rules: NameRules) -> PersonName:
    """`name`, first and last exchanged where it is more like another so: "VANE AGNES" in capitals."""
    other = PersonName(name.first, name.last)
    return other if _likeness(like, other, rules) > _likeness(like, name, rules) else name


def shares_first(name: PersonName, other: PersonName, rules: NameRules) -> bool:
    """Whether a first name, or what may be one in capitals without a comma, is the other's too."""
    return any(_first_likeness(name.first, part, rules) >= 0 for part in (other.first, other.last))


def name_likeness(name: PersonName, other: PersonName, rules: NameRules) -> int:
    """2: one person's name; 1: may be (initials, a nickname, one part shared); 0: alike but not the same,
    as misread or as another person; -2: different."""
    return max(
        _likeness(name, other, rules),
        _likeness(name, PersonName(other.first, other.last), rules),
    )


def _likeness(name: PersonName, other: PersonName, rules: NameRules) -> int:
    lasts = _part_likeness(name.last, other.last, rules)
    firsts = _first_likeness(name.first, other.first, rules)
    if lasts == 2 and firsts == 2:
        return 2
    if (lasts >= 1 and firsts >= 1) or (firsts == 2 and lasts < 1 and not name.last):
        return 1
    if (lasts == 0 and firsts >= 0) or (lasts >= 0 and firsts == 0):
        return 0
    return -2


def _first_likeness(first: str, other: str, rules: NameRules) -> int:
    short, long = sorted((_key(first), _key(other)), key=len)
    if len(short) == 1 and long.startswith(short):
        return 1
    if short != long and any(short in group and long in group for group in rules.same_first):
        return 2
    return _part_likeness(first, other, rules)


def _part_likeness(part: str, other: str, rules: NameRules) -> int:
    """2 the same, 1 one holds the other or an initial, 0 alike, -2 different."""
    key, other_key = _key(part), _key(other)
    if not key or not other_key:
        return 1
    if fold(key) == fold(other_key) or key.replace("-", "") == other_key.replace("-", ""):
        return 2
    short, long = sorted((key, other_key), key=len)
    if len(short) == 1:
        return 1 if long.startswith(short) else -2
    shorter, longer = _own_words(short, rules), _own_words(long, rules)
    if shorter and longer and (shorter <= longer or longer <= shorter):
        return 1  # "Thornbury-Vane" and "Vane", "de la Cruz" and "Cruz"
    limit = _limit(len(short))
    distance = misreading_distance(key, other_key, limit)
    if distance <= 0.7:
        return 2
    return 0 if distance <= limit else -2


def _limit(length: int) -> float:
    """Edits between two parts of a name, the shorter one so long, that may be misreading."""
    return 1.0 if length <= 5 else 2.0


def _own_words(key: str, rules: NameRules) -> frozenset[str]:
    return frozenset(key.split("-")) - rules.particles


def _key(part: str) -> str:
    """Letters without accents, words joined by hyphens; "Saint" is written "St." too."""
    letters = unicodedata.normalize("NFKD", part.lower().translate(_LIGATURES))
    words = re.findall(r"[a-z0-9]+", re.sub(r"[^a-z0-9\s-]", "", letters))
    return "-".join("st" if word == "saint" else word for word in words)


def _without_debris(parts: Sequence[str], rules: NameRules) -> list[str]:
    """Without small words in front that are no part of a name: dot leaders as OCR reads them."""
    kept = list(parts)
    while len(kept) > 1 and kept[0].islower() and _plain(kept[0]) not in rules.particles:
        kept.pop(0)
    return kept


def _plain(part: str) -> str:
    return part.lower().replace(".", "")


def _clean(text: str) -> str:
    return re.sub(r"\s?-\s?", "-", " ".join(text.split()))


def _cased(part: str) -> str:
    """Capitals as in running text; mixed case stays as it was written."""
    if not part.isupper() and not part.islower():
        return part
    return re.sub(r"[^\W\d_]+", lambda match: match.group().capitalize(), part)
