"""Values that are told in so many words: "ECOG: 1". Which words, `models/fields/` says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipeline.catalog.fields import FieldRule
from pipeline.domain import Mention

LABEL = "told:"
"""Before the field's name: the label of such a mention."""
_BETWEEN = r"[ \t\r\n:=-]{1,6}"
_BEFORE_NUMBER = r"(?:[ \t]*[:=][ \t]*|[ \t]{1,6})"  # on the next line a number is a list's
# "ECOG 0-1", "ECOG 1.5", "ECOG 1/4": another value, or none that can be told.
_NO_MORE = r"(?!\w|[ \t]?[.,/\u2013-][ \t]?\d)"


class ToldValues:
    """Finds the words of all fields that have any; of words that begin at one place the longest count."""

    def __init__(self, fields: Mapping[str, FieldRule]) -> None:
        self._meaning = {
            _key(term): (name, one.value)
            for name, rule in fields.items()
            for one in rule.told
            for term in one.terms
        }
        either = "|".join(map(_pattern, sorted(self._meaning, key=len, reverse=True)))
        self._pattern = re.compile(rf"(?<!\w)(?:{either}){_NO_MORE}", re.IGNORECASE) if either else None

    def find(self, text: str) -> Iterator[Mention]:
        """Their mentions in order."""
        for match in self._pattern.finditer(text) if self._pattern else ():
            name, value = self._meaning[_key(match.group())]
            yield Mention(LABEL + name, value, *match.span(), extractor="rule:told")


def _pattern(term: str) -> str:
    words = term.split()
    return re.escape(words[0]) + "".join(
        (_BEFORE_NUMBER if word[0].isdigit() else _BETWEEN) + re.escape(word) for word in words[1:]
    )


def _key(words: str) -> str:
    return " ".join(re.split(_BETWEEN, words.strip())).casefold()
