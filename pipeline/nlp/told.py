"""Values that are told in so many words: "ECOG: 1". Which words, `models/fields/` says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipeline.catalog.fields import FieldRule
from pipeline.domain import Mention

LABEL = "told:"
"""Before the field's name: the label of such a mention."""
_BETWEEN = r"[ \t\r\n:=-]{1,6}"


class ToldValues:
    """Finds the words of all fields that have any; of words that begin at one place the longest count."""

    def __init__(self, fields: Mapping[str, FieldRule]) -> None:
        self._meaning = {
            _key(term): (name, one.value)
            for name, rule in fields.items()
            for one in rule.told
            for term in one.terms
        }
        longest = sorted(self._meaning, key=len, reverse=True)
        either = "|".join(_BETWEEN.join(map(re.escape, term.split())) for term in longest)
        self._pattern = re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE) if either else None

    def find(self, text: str) -> Iterator[Mention]:
        """Their mentions in order."""
        for match in self._pattern.finditer(text) if self._pattern else ():
            name, value = self._meaning[_key(match.group())]
            yield Mention(LABEL + name, value, *match.span(), extractor="rule:told")


def _key(words: str) -> str:
    return " ".join(re.split(_BETWEEN, words.strip())).casefold()
