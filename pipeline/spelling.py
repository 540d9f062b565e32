"""Finding known phrases in a text that OCR may have misread, with the offsets they stand at.

A text becomes lower-case tokens with their offsets; a token that no phrase knows is read as the
known word that it is a misreading of (`Telephome` -> `telephone`). The text is never changed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple


class Token(NamedTuple):
    """A word of a text: `word` is its lower-case form, `start:end` where it stands."""

    word: str
    start: int
    end: int


class Hit(NamedTuple):
    """A phrase found in a text: `phrase` as the knowledge file writes it."""

    phrase: str
    start: int
    end: int


# "a/p", "h&p", "H & P" and "w/o" are one word each; a slash between longer words parts them. Titles are
# also printed with a blank between letters: "F A X   C O V E R".
_TOKEN = re.compile(
    r"""(?<![A-Za-z0-9])[A-Za-z]{1,2}(?:[&/]|[ ]&[ ])[A-Za-z]{1,2}(?![A-Za-z0-9])
      | (?<!\S)[A-Z](?:[ ][A-Z]){2,}(?!\S)
      | [^\W_]+""",
    re.VERBOSE,
)

# What OCR makes of a digit where only digits can stand.
DIGITS = str.maketrans({"O": "0", "I": "1", "l": "1", "S": "5", "B": "8", "o": "0", "/": "7", "J": "3"})

# What OCR takes for one another at no cost, folded to one letter each.
_CONFUSABLE = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "8": "b", "9": "g", "6": "b"})


def tokenize(text: str) -> list[Token]:
    """The words of `text` with their offsets."""
    return [
        Token(match.group().replace(" ", "").lower(), match.start(), match.end())
        for match in _TOKEN.finditer(text)
    ]


def fold(word: str) -> str:
    """A form of equal length in which characters that OCR confuses are one: `B1LL` and `8ill`."""
    return word.lower().translate(_CONFUSABLE)


def misreading_distance(word: str, other: str, limit: float) -> float:
    """Edits between two words, a confusable pair counting a third; above `limit` just above it."""
    if abs(len(word) - len(other)) > limit:
        return limit + 1
    previous = [float(column) for column in range(len(other) + 1)]
    for row, letter in enumerate(word, 1):
        current = [float(row)]
        for column, wanted in enumerate(other, 1):
            same = 0.0 if letter == wanted else (0.34 if fold(letter) == fold(wanted) else 1.0)
            current.append(min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + same))
        if min(current) > limit:
            return limit + 1
        previous = current
    return previous[-1]


class Phrases:
    """A set of phrases to look for. A word of a phrase that ends in `*` stands for all its endings."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._by_first: dict[str, list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
        self._by_stem: list[tuple[str, str, tuple[str, ...]]] = []
        words: set[str] = set()
        for phrase in dict.fromkeys(phrases):
            parts = _with_stars(phrase)
            words.update(part for part in parts if not part.endswith("*"))
            if parts[0].endswith("*"):
                self._by_stem.append((parts[0][:-1], phrase, parts))
            else:
                self._by_first[parts[0]].append((phrase, parts))
        self._words = frozenset(words)
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for word in sorted(words):
            if len(word) >= 5 and word.isalpha():
                self._by_length[len(word)].append(word)
        self._read = lru_cache(maxsize=20_000)(self._read_word)

    def find(self, tokens: Sequence[Token], *, misread: bool = False) -> list[Hit]:
        """Every occurrence, in text order. With `misread`, words are first read as OCR meant them."""
        words = [self._read(token.word) if misread else token.word for token in tokens]
        hits = []
        for index, word in enumerate(words):
            candidates = list(self._by_first.get(word, ()))
            candidates += [(phrase, parts) for stem, phrase, parts in self._by_stem if word.startswith(stem)]
            for phrase, parts in candidates:
                if _follows(words, index, parts):
                    hits.append(Hit(phrase, tokens[index].start, tokens[index + len(parts) - 1].end))
        return hits

    def _read_word(self, word: str) -> str:
        if word in self._words or len(word) < 5:
            return word
        limit = 1.0 if len(word) < 8 else 2.0
        best, distance = word, limit + 0.01
        for length in range(len(word) - int(limit), len(word) + int(limit) + 1):
            for known in self._by_length.get(length, ()):
                if fold(known[0]) != fold(word[0]) and fold(known[-1]) != fold(word[-1]):
                    continue
                found = misreading_distance(word, known, distance)
                if found < distance:
                    best, distance = known, found
        return best


def _with_stars(phrase: str) -> tuple[str, ...]:
    return tuple(
        token.word + ("*" if phrase[token.end : token.end + 1] == "*" else "") for token in tokenize(phrase)
    )


def _follows(words: Sequence[str], index: int, parts: Sequence[str]) -> bool:
    if index + len(parts) > len(words):
        return False
    return all(
        word.startswith(part[:-1]) if part.endswith("*") else word == part
        for word, part in zip(words[index : index + len(parts)], parts, strict=True)
    )
