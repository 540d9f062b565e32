"""Words and word pieces as the entity model reads them; training and use share this one reader.

A word is a run of letters and digits or one other sign; blanks count for nothing, so a text reads the
same however it was spaced. Pieces are those of BERT's uncased vocabulary, longest match first. What
the lower case loses is kept as one number a word, its shape.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

SHAPES = 4  # lower case or no letter, Capitalised, ALL CAPITALS, miXed
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_LONGEST = 100  # characters; a longer word is unknown, as in BERT's own reader


class Word(NamedTuple):
    """A word's span in its text, the ids of its pieces and its shape."""

    start: int
    end: int
    pieces: tuple[int, ...]
    shape: int


class WordPieces:
    """The reader of one vocabulary: a text file, one piece a line, the line's number its id."""

    def __init__(self, vocabulary: Path) -> None:
        lines = vocabulary.read_text(encoding="utf-8").splitlines()
        self._ids = {piece: id for id, piece in enumerate(lines)}
        self.first, self.last, self.padding = (self._ids[mark] for mark in ("[CLS]", "[SEP]", "[PAD]"))
        self._unknown = (self._ids["[UNK]"],)
        self._seen: dict[str, tuple[int, ...]] = {}

    def read(self, text: str, start: int, end: int) -> list[Word]:
        """The words of `text[start:end]`, in order; their offsets are those of `text` as it stands."""
        words = []
        for match in _WORD.finditer(text, start, end):
            word = match.group()
            words.append(Word(match.start(), match.end(), self.pieces(word), shape(word)))
        return words

    def pieces(self, word: str) -> tuple[int, ...]:
        """The ids of a word's pieces, at least one."""
        found = self._seen.get(word)
        if found is None:
            found = self._split(_plain(word))
            if len(self._seen) < 100_000:  # a bound: a worker reads any number of texts
                self._seen[word] = found
        return found

    def _split(self, word: str) -> tuple[int, ...]:
        if not word or len(word) > _LONGEST:
            return self._unknown
        ids: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                id = self._ids.get(("##" if start else "") + word[start:end])
                if id is not None:
                    ids.append(id)
                    start = end
                    break
            else:
                return self._unknown
        return tuple(ids)


def shape(word: str) -> int:
    """Which of the `SHAPES` a word has."""
    if word == word.lower():
        return 0
    if len(word) > 1 and word == word.upper():
        return 2
    return 1 if word[0].isupper() and word[1:] == word[1:].lower() else 3


def _plain(word: str) -> str:
    """The word in small letters without accents."""
    decomposed = unicodedata.normalize("NFD", word.lower())
    return "".join(sign for sign in decomposed if unicodedata.category(sign) != "Mn")
