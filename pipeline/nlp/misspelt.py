"""Tumour words with one character wrong: "oncocytona", "sqaumous", "adenocarcnoma"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.catalog.terms import Misspelt


class NearWords:
    """Finds the one known word that a written word is by one character changed, left out, put in, or two
    neighbours exchanged.

    Only long words with the endings of `models/abbreviations.toml` are sought: a short word, or one that is
    itself a word, is never corrected.
    """

    def __init__(self, words: Iterable[str], rules: Misspelt) -> None:
        self._own = rules.own_words
        self._shortest = rules.shortest
        sought = {word for word in words if len(word) >= rules.shortest and word.endswith(rules.endings)}
        sought |= rules.also
        # A written word that has one character wrong has either its start or its end right.
        self._heads = {word[:3] for word in sought}
        self._tails = {word[-3:] for word in sought}
        self._by_part: dict[str, set[str]] = {}
        for word in sought:
            for part in _parts(word):
                self._by_part.setdefault(part, set()).add(word)

    def find(self, written: str) -> str | None:
        """The known word, None where there is none or several."""
        if len(written) < self._shortest - 1 or written in self._own:
            return None
        if written[:3] not in self._heads and written[-3:] not in self._tails:
            return None
        near = {
            word for part in _parts(written) for word in self._by_part.get(part, ()) if _near(written, word)
        }
        return near.pop() if len(near) == 1 else None


def _parts(word: str) -> Iterator[str]:
    """The word and what remains of it without each of its characters."""
    yield word
    for index in range(len(word)):
        yield word[:index] + word[index + 1 :]


def _near(one: str, other: str) -> bool:
    """Whether the words differ by one character, or by two neighbours in the other order."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) == 1:
        return any(part == short for part in _parts(long))
    if len(long) != len(short):
        return False
    differ = [index for index, (a, b) in enumerate(zip(short, long, strict=True)) if a != b]
    if len(differ) == 2:
        first, second = differ
        return second == first + 1 and short[first] == long[second] and short[second] == long[first]
    return len(differ) == 1
