"""Whether a page's text layer can be taken for what a person sees on the page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.domain import Box
from pipeline.pages.geometry import Token

# Letters of English running text, percent. Clinical notes and forms, in capitals or not, stay close to
# it (cosine above 0.85); a font whose character map is missing or shifted does not (below 0.6).
_ENGLISH = {
    "e": 12.7,
    "t": 9.1,
    "a": 8.2,
    "o": 7.5,
    "i": 7.0,
    "n": 6.7,
    "s": 6.3,
    "h": 6.1,
    "r": 6.0,
    "d": 4.3,
    "l": 4.0,
    "c": 2.8,
    "u": 2.8,
    "m": 2.4,
    "w": 2.4,
    "f": 2.2,
    "g": 2.0,
    "y": 2.0,
    "p": 1.9,
    "b": 1.5,
    "v": 1.0,
    "k": 0.8,
    "j": 0.15,
    "x": 0.15,
    "q": 0.1,
    "z": 0.07,
}
_LIKE_ENGLISH = 0.72
_ENOUGH_LETTERS = 80
_UNREADABLE_SHARE = 0.1
_UNCOVERED_SHARE = 0.25


def is_garbage(tokens: Sequence[Token]) -> bool:
    """Whether the characters are not those that are drawn: unmapped, private use, or a shifted alphabet."""
    text = "".join(token.text for token in tokens)
    if not text:
        return True
    characters = Counter(text.lower())
    unreadable = sum(count for character, count in characters.items() if _unreadable(character))
    if unreadable + 5 * text.count("(cid:") > _UNREADABLE_SHARE * len(text):
        return True
    letters = Counter({letter: characters[letter] for letter in _ENGLISH if letter in characters})
    if letters.total() < _ENOUGH_LETTERS:
        # Too few letters to compare; a page with much text and no letters is no clinical page.
        return len(text) > 400 and letters.total() < 0.1 * len(text)
    return _likeness(letters) < _LIKE_ENGLISH


def _unreadable(character: str) -> bool:
    code = ord(character)
    return code == 0xFFFD or code < 0x20 or 0x7F <= code < 0xA0 or 0xE000 <= code <= 0xF8FF or code >= 0xF0000


def _likeness(letters: Counter[str]) -> float:
    dot = sum(_ENGLISH[letter] * count for letter, count in letters.items())
    length = math.sqrt(sum(count * count for count in letters.values()))
    return dot / (length * math.sqrt(sum(share * share for share in _ENGLISH.values())))


def drawn_in(changed: npt.NDArray[np.bool_], tokens: Sequence[Token], scale: float) -> list[Token]:
    """The words in whose boxes something of `changed`, at `scale` pixels to the point, is True."""
    return [token for token in tokens if changed[_slices(token.box, scale)].any()]


def leaves_ink_uncovered(ink: npt.NDArray[np.bool_], tokens: Sequence[Token], scale: float) -> bool:
    """Whether much of what is drawn lies outside the words: a scan with a stamp or a header as its only text.

    `ink` is the drawn page, True where dark, at `scale` pixels to the point.
    """
    total = int(ink.sum())
    if not total:
        return False
    rest = ink.copy()
    for token in tokens:
        rest[_slices(token.box, scale)] = False
    return int(rest.sum()) > _UNCOVERED_SHARE * total


def _slices(box: Box, scale: float) -> tuple[slice, slice]:
    x0, top, x1, bottom = (max(0, round(value * scale)) for value in box)
    return slice(max(0, top - 1), bottom + 2), slice(max(0, x0 - 1), x1 + 2)
