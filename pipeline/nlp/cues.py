"""The cues of `models/context.toml`, found in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.catalog.context import ContextRules, CueRule
from pipeline.domain import Assertion
from pipeline.nlp.words import TermIndex, Words, term_words

# So many words at most stand between "the" and the tumour that it makes known.
_ADJECTIVES = 3
_PAST = ("has", "have", "had", "was", "were")
_VERBS = ("is", "was", "are", "were", "does", "did", "do", "has", "have", "be")


class Meaning(NamedTuple):
    """What a cue says in one direction; the keys of `models/context.toml`."""

    says: Assertion
    tokens: int
    list: bool
    known: bool
    over_no: bool


class Cue(NamedTuple):
    """A cue or terminator: its first and last word, and what it says forward and backward."""

    first: int
    last: int
    forward: Meaning | None
    backward: Meaning | None
    stops: bool
    spares: frozenset[Assertion]


class _Entry:
    """All that one phrase means."""

    __slots__ = ("backward", "forward", "look_alike", "spares", "stops")

    def __init__(self) -> None:
        self.forward: Meaning | None = None
        self.backward: Meaning | None = None
        self.look_alike = self.stops = False
        self.spares: frozenset[Assertion] = frozenset()


class ContextIndex:
    """Cues, terminators and look-alikes, ready to be found; `rules` has the words around them."""

    def __init__(self, rules: ContextRules) -> None:
        self.rules = rules
        self.takes_back = re.compile(
            rf"[^.;\n]{{0,40}}?\b(?:{'|'.join(rules.clauses.takes_back)})\b", re.IGNORECASE
        )
        self.new_thought = re.compile(rf"\s*(?:{'|'.join(rules.clauses.new_thought)})", re.IGNORECASE)
        self.asks = re.compile(rf"\b(?:{'|'.join(map(re.escape, rules.clauses.asks))})\b", re.IGNORECASE)
        entries: dict[tuple[str, ...], _Entry] = {}
        for look_alike in rules.look_alike:
            for words in _spellings(look_alike.words):
                entries.setdefault(words, _Entry()).look_alike = True
        for rule in rules.cue:
            for words in _spellings(rule.words):
                _add(entries.setdefault(words, _Entry()), rule)
        for terminator in rules.terminator:
            for word in terminator.words:
                entry = entries.setdefault(term_words(word), _Entry())
                entry.stops, entry.spares = True, frozenset(terminator.spared)
        self._index: TermIndex[_Entry] = TermIndex()
        for words, entry in entries.items():
            self._index.add(words, entry)

    def makes_known(self, words: Sequence[str]) -> bool:
        """Whether `words`, up to a tumour, take it as known: "the small left" (mass), "his" (cancer)."""
        clauses = self.rules.clauses
        for word in reversed(words[-_ADJECTIVES - 1 :]):
            if word in clauses.known:
                return True
            if word in clauses.not_known:
                return False
        return False

    def cues(self, words: Words) -> list[Cue]:
        """Cues and terminators of a text, in order."""
        return [
            Cue(first, last, entry.forward, entry.backward, entry.stops, entry.spares)
            for first, last, entry in self._index.find(words)
            if not entry.look_alike
        ]


def _add(entry: _Entry, rule: CueRule) -> None:
    """What a phrase means by the first rule that names it, in each direction."""
    meaning = Meaning(rule.says, rule.tokens, rule.list, rule.known, rule.over_no)
    if rule.reach != "backward":
        entry.forward = entry.forward or meaning
    if rule.reach != "forward":
        entry.backward = entry.backward or meaning


def _spellings(phrases: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Each phrase, and what else it is found as: with the verb before its "not" ("is not" is a cue too), in a
    relative clause whose pronoun would end its reach ("which has been removed"), with OCR's zero in "no"."""
    for phrase in phrases:
        words = term_words(phrase)
        yield words
        if words[0] == "not":
            yield from ((verb, *words) for verb in _VERBS)
        if words[0] in _PAST:
            yield from ((relative, *words) for relative in ("which", "that"))
        if words[0] == "no" and len(words) > 1:
            yield ("n0", *words[1:])
