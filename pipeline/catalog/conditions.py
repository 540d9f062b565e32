"""The language in which a policy pack states its conditions: text in, a tree out.

    tumor_site is lung and lung_type is nsclc
    stage_group is one of I, IA, IB and not (n is N1 or node_status is positive)
    histology mentions melanoma, "spindle cell"
    lung_cancer                                      a condition that the pack has given a name

`is`, `is not`, `is one of` compare a fact with values; `mentions` looks for whole words in a fact
that holds a phrase (a star ends a word that has several endings); `not` binds tighter than `and`,
`and` tighter than `or`. Values that are not plain words stand in double quotes. What a fact or
value may be called is checked by `pipeline.catalog.policies`, which knows the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
  | "(?P<quoted>[^"\n]*)"
  | (?P<mark>[(),])
  | (?P<word>[\w.*'/+-]+)
    """,
    re.VERBOSE,
)
_KEYWORDS = frozenset({"and", "or", "not", "is", "one", "of", "mentions"})


@dataclass(frozen=True, slots=True)
class Is:
    """The fact has one of these values. `line` counts from 0 in the condition's text."""

    fact: str
    values: tuple[str, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Mentions:
    """The fact's phrase holds one of these phrases as whole words."""

    fact: str
    phrases: tuple[str, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    """A condition that the pack defines once under a name."""

    name: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    parts: tuple[Condition, ...]


Condition = Is | Mentions | Named | Not | All | Any
Atom = Is | Mentions | Named


class ConditionError(ValueError):
    """A condition that cannot be read. `line` counts from 0 in its text."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def parse(text: str) -> Condition:
    """The tree of one condition. Raises ConditionError with the line and what was expected."""
    parser = _Parser(text)
    condition = parser.any()
    parser.end()
    return condition


def atoms(condition: Condition) -> Iterator[Atom]:
    """The comparisons in a condition, in the order in which they are written."""
    match condition:
        case Not(part):
            yield from atoms(part)
        case All(parts) | Any(parts):
            for part in parts:
                yield from atoms(part)
        case _:
            yield condition


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int
    quoted: bool = False

    def is_word(self, word: str) -> bool:
        return not self.quoted and self.text == word


class _Parser:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0

    def any(self) -> Condition:
        parts = [self.all()]
        while self._take("or"):
            parts.append(self.all())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def all(self) -> Condition:
        parts = [self.one()]
        while self._take("and"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def one(self) -> Condition:
        if self._take("not"):
            return Not(self.one())
        if self._take("("):
            inner = self.any()
            self._expect(")")
            return inner
        return self._comparison()

    def end(self) -> None:
        token = self._peek()
        if token is not None:
            raise ConditionError(f"'and', 'or' or the end was expected before '{token.text}'", token.line)

    def _comparison(self) -> Condition:
        subject = self._name("a fact or a named condition")
        if self._take("mentions"):
            return Mentions(subject.text, self._values(several=True), subject.line)
        if not self._take("is"):
            return Named(subject.text, subject.line)
        if self._take("not"):
            return Not(Is(subject.text, self._values(several=False), subject.line))
        several = self._take("one")
        if several:
            self._expect("of")
        return Is(subject.text, self._values(several=several), subject.line)

    def _values(self, *, several: bool) -> tuple[str, ...]:
        values = [self._name("a value").text]
        while several and self._take(","):
            values.append(self._name("a value").text)
        return tuple(values)

    def _name(self, expected: str) -> _Token:
        token = self._peek()
        if token is None:
            raise ConditionError(f"{expected} was expected at the end", self._last_line())
        if not token.quoted and (token.text in _KEYWORDS or token.text in "(),"):
            raise ConditionError(f"{expected} was expected, not '{token.text}'", token.line)
        self._next += 1
        return token

    def _take(self, word: str) -> bool:
        token = self._peek()
        if token is None or not token.is_word(word):
            return False
        self._next += 1
        return True

    def _expect(self, word: str) -> None:
        token = self._peek()
        if not self._take(word):
            found = f"not '{token.text}'" if token else "at the end"
            raise ConditionError(f"'{word}' was expected, {found}", self._last_line())

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _last_line(self) -> int:
        token = self._peek() or (self._tokens[-1] if self._tokens else None)
        return token.line if token else 0


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        line = text.count("\n", 0, position)
        if match is None:
            raise ConditionError(f"'{text[position]}' cannot stand here", line)
        position = match.end()
        if match["quoted"] is not None:
            yield _Token(match["quoted"], line, quoted=True)
        elif match["blank"] is None:
            yield _Token(match[0], line)
