"""Words of a text in a form in which they can be compared, each with its offsets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Generic, TypeVar

_WORD = re.compile(r"[a-z0-9]+|\?|&|\([-+]\)")
_CONFUSABLE = str.maketrans("0158|!", "olsbll")
# What may stand between two words of one term: one space, a hyphen, a slash, an apostrophe, a line
# wrap, or a full stop that a line wrap left before a small letter.
_GAP = re.compile(r"(?:[ /'’\-]{1,3}|[ ]?,?[ ]?-?[ \t]*\n[ \t]*|)\Z")
_COMMA_GAP = re.compile(r"[ ]?,[ ]?\Z")
_WRAP_GAP = re.compile(r"\.[ \n]\Z")

# So many words of past texts are remembered as misspelt or not.
_REMEMBERED = 20_000

Payload = TypeVar("Payload")


def lower_same_length(text: str) -> str:
    """`text` in lower case, character for character (a few capitals would become two characters)."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


def skeleton(word: str) -> str:
    """The form in which characters that OCR confuses are the same: carcin0rna and carcinoma."""
    return word.translate(_CONFUSABLE).replace("rn", "m").replace("vv", "w").replace("i", "l")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one text in order: lower-case forms with the offsets where they stand."""

    text: str = field(repr=False)
    forms: tuple[str, ...] = field(repr=False)
    starts: tuple[int, ...] = field(repr=False)
    ends: tuple[int, ...] = field(repr=False)


class Vocabulary:
    """Reads words as they were meant: other spellings, OCR's confusions in long words, misspelt ones."""

    def __init__(
        self,
        spelling: Mapping[str, str],
        known: Iterable[str],
        misspelt: Callable[[str], str | None] = lambda word: None,
    ) -> None:
        self._meant: dict[str, str] = {word: word for word in known}
        self._skeletons = {skeleton(word): word for word in self._meant if len(word) > 5}
        self._meant.update(spelling)
        self._misspelt = lru_cache(_REMEMBERED)(misspelt)

    def read(self, text: str) -> Words:
        """The words of `text`."""
        forms, starts, ends = [], [], []
        meant = self._meant
        for match in _WORD.finditer(lower_same_length(text)):
            word = match.group()
            form = meant.get(word)
            if form is None:
                form = self._guess(word)
            forms.append(form)
            starts.append(match.start())
            ends.append(match.end())
        return Words(text, tuple(forms), tuple(starts), tuple(ends))

    def is_misread(self, word: str) -> bool:
        """Whether a small-letter word is neither a known word nor another spelling of one."""
        return len(word) > 5 and word not in self._meant

    def _guess(self, word: str) -> str:
        if len(word) <= 5:
            return word
        return self._skeletons.get(skeleton(word)) or self._misspelt(word) or word


def term_words(term: str) -> tuple[str, ...]:
    """The words of a dictionary term."""
    return tuple(_WORD.findall(term.lower()))


def plural(words: tuple[str, ...]) -> tuple[str, ...]:
    """The plural of a term: its last word in the plural."""
    last = words[-1]
    if last.endswith(("s", "x", "ch")):
        return (*words[:-1], last + "es")
    return (*words[:-1], last[:-1] + "ies" if last.endswith("y") else last + "s")


class _Node(Generic[Payload]):
    """One word of the terms in a `TermIndex`, with the words that can follow it."""

    __slots__ = ("following", "payload")

    def __init__(self) -> None:
        self.following: dict[str, _Node[Payload]] = {}
        self.payload: Payload | None = None


class TermIndex(Generic[Payload]):
    """Finds the longest terms in a text. The first payload that a term is added with is kept."""

    def __init__(self) -> None:
        self._root: _Node[Payload] = _Node()

    def add(self, words: Sequence[str], payload: Payload) -> None:
        """Let `words` mean `payload`."""
        node = self._root
        for word in words:
            node = node.following.setdefault(word, _Node())
        if node.payload is None:
            node.payload = payload

    def find(self, words: Words) -> Iterator[tuple[int, int, Payload]]:
        """(first word, last word, payload) of every longest match, in order, none within another."""
        forms, starts, index, count = words.forms, self._root.following, 0, len(words.forms)
        while index < count:
            node = starts.get(forms[index])
            if node is None:
                index += 1
                continue
            last, payload = self._longest(words, index, node)
            if payload is None:
                index += 1
                continue
            yield index, last, payload
            index = last + 1

    def _longest(self, words: Words, index: int, node: _Node[Payload]) -> tuple[int, Payload | None]:
        last, payload = index, node.payload
        for position in range(index + 1, len(words.forms)):
            following = node.following.get(words.forms[position])
            if following is None or not joined(words, position - 1):
                break
            node = following
            if node.payload is not None:
                last, payload = position, node.payload
        return last, payload


def joined(words: Words, index: int) -> bool:
    """Whether word `index` and the next one can belong to one term."""
    end, start = words.ends[index], words.starts[index + 1]
    if start - end == 1 and words.text[end] in " -/":
        return True
    gap = words.text[end:start]
    if _GAP.match(gap) or _COMMA_GAP.match(gap):
        return True
    following = words.text[start]
    return bool(_WRAP_GAP.match(gap)) and (following.islower() or words.text[end - 1].isupper())
