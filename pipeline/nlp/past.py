"""Whether a disease is over: by its treatment, by its year, by how long ago it was."""

from __future__ import annotations

import re

from pipeline.catalog.context import Course

_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")
_YEAR_AFTER = re.compile(
    r"[^.;\n]{0,25}?(?:\b(?:in|dx|diagnosed|since|age)\b)?[ ,(]{0,3}(?:\d{1,2}/)?((?:19|20)\d\d)\b"
)
_AGO = re.compile(
    r"[^.;]{0,30}?\b(\d{1,2}|several|many|two|three|four|five|six|seven|eight|nine"
    r"|ten)[ -](?:years?|yrs?|yr)[ -](?:ago|earlier|prior)",
    re.IGNORECASE,
)
# A disease dated so many years before the latest year of its text is over where nothing else is said.
_OVER = 2
_REACH = 90


class Past:
    """Reads whether a disease is over."""

    def __init__(self, course: Course) -> None:
        treatment, treated = "|".join(course.treatments), "|".join(course.treated)
        purpose = "|".join(course.purposes)
        self._now = re.compile(rf"\b(?:{'|'.join(course.now)})\s+(?:[\w-]+\s+){{0,3}}$", re.IGNORECASE)
        self._still = re.compile(rf"\b(?:{'|'.join(course.now)})\b", re.IGNORECASE)
        self._treated_for = re.compile(
            rf"\b(?:{treated})\s+(?:[\w/-]+\s+){{0,5}}?(?:{treatment})\s+(?:(?:{purpose})\s+)?(?:[\w-]+\s+){{0,4}}$",
            re.IGNORECASE,
        )
        self._treated_after = re.compile(
            rf"[\s,(-]{{1,3}}(?:(?:s/p|status[ -]post)\s+(?:[\w/-]+\s+){{0,2}}?|\((?:[^()\n]{{0,25}}[\s,/])?)"
            rf"(?:{treatment})\b(?P<rest>[^.;\n]{{0,60}})",
            re.IGNORECASE,
        )

    def is_now(self, text: str, start: int) -> bool:
        """Whether the words before a disease say that it is there now ("has prostate cancer")."""
        return bool(self._now.search(text[max(0, start - 40) : start]))

    def is_treated(self, text: str, start: int, end: int) -> bool:
        """Whether the words around a disease name a treatment that it has had ("s/p lobectomy for ...",
        "... (2004, lumpectomy)"), and not that it is there again."""
        before = text[max(0, start - _REACH) : start]
        if self._now.search(before[-30:]):
            return False
        if self._treated_for.search(before):
            return True
        after = self._treated_after.match(text, end)
        return after is not None and not self._still.search(after["rest"])

    @staticmethod
    def latest_year(text: str) -> int:
        """The latest year that a text names; 0 where it names none."""
        return max((year for year in map(int, _YEAR.findall(text)) if year < 2100), default=0)

    @staticmethod
    def is_dated_long_ago(rest: str, latest: int) -> bool:
        """Whether the words after a disease date it two years or more before the text's latest year."""
        if _AGO.match(rest):
            return True
        match = _YEAR_AFTER.match(rest)
        return match is not None and latest - int(match[1]) >= _OVER
