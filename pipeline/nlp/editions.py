"""Which edition of the staging manual a text names beside a stage."""

from __future__ import annotations

import bisect
import re
from dataclasses import replace

from pipeline.domain import Mention

_EDITION = re.compile(
    r"(?:AJCC|UICC|TNM|staging|edition|manual)[^.;\n]{0,30}?\b(?:(?P<n>[5-9])(?:th|\b)"
    r"|(?P<year>199[27]|20(?:02|09|10|16|17|18|24|25)))"
    r"|\b(?P<n2>[5-9])th\s+ed(?:ition|\.)?|\b(?P<w>sixth|seventh|eighth|ninth)\s+ed",
    re.IGNORECASE,
)
_YEARS = {
    "1992": "4",
    "1997": "5",
    "2002": "6",
    "2009": "7",
    "2010": "7",
    "2016": "8",
    "2017": "8",
    "2018": "8",
    "2024": "9",
    "2025": "9",
}
_ORDINALS = {"sixth": "6", "seventh": "7", "eighth": "8", "ninth": "9"}
# Characters before and after a stage within which an edition named is the stage's: a line or two.
_BEFORE, _AFTER = 120, 80


class Editions:
    """The editions ("8") that a text names, found once and asked for beside each of its stages."""

    def __init__(self, text: str) -> None:
        self._named = [(match, _edition(match)) for match in _EDITION.finditer(text)]
        self._starts = [match.start() for match, _ in self._named]

    def near(self, start: int, end: int) -> str | None:
        """The edition named first within a line or two of a stage, None where none is."""
        index = bisect.bisect_left(self._starts, start - _BEFORE)
        if index == len(self._named):
            return None
        match, edition = self._named[index]
        return edition if match.end() <= end + _AFTER else None

    def added_to(self, mention: Mention) -> Mention:
        """The mention with the attribute `edition` where one is named beside it."""
        edition = self.near(mention.start, mention.end)
        if edition is None:
            return mention
        return replace(mention, attributes={**mention.attributes, "edition": edition})


def _edition(match: re.Match[str]) -> str | None:
    if match["year"]:
        return _YEARS.get(match["year"])
    return match["n"] or match["n2"] or _ORDINALS[match["w"].lower()]
