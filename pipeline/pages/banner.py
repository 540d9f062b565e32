"""The line that a fax machine prints at the edge of every page it sends."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.pages.layout import Placed

# What such a line is made of. Characters that recognition mistakes for one another are let through: the
# line is small, stands at the edge, and is the worst printed of the page.
_DATE = re.compile(
    r"""
    \b (?: (?:19|20)\d\d [-/.] \d\d? [-/.] \d\d?          # 2026-08-19
         | \d\d? [-/.] \d\d? [-/.] (?:\d\d){1,2}          # 08/19/2026
         | (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* [.\s-]* \d\d? [,\s-]+ (?:\d\d){1,2}
         | \d\d? [\s-]* (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* [\s,-]* (?:\d\d){1,2}
    ) \b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_TIME = re.compile(r"\b[0-2]?\d[:. ][0-5]\d(?:[:.][0-5]\d)?\s*(?:[ap]\.?m\b)?", re.IGNORECASE)
_PAGE = re.compile(
    r"\b(?:p(?:age|g)?)[.:\s]*\d{1,4}(?:\s*(?:/|of)\s*\d{1,4})?|\b\d{1,3}/\d{1,3}$", re.IGNORECASE
)
_PHONE = re.compile(r"(?:\+?1[\s.-]?)?(?:\(?\d{3}\)?[\s.-]*)?\b\d{3}[\s.-]\d{4}\b|\b\d{10,11}\b")
_WORDS = re.compile(
    r"\b(?:from|fr0m|to|fax|tx|rx|tel|id|csid|tsi|tti|received|rcvd|sent|via|job|no)\b[.:#]?", re.IGNORECASE
)
_EDGE = 0.09  # of the page's height


def find_banner(text: str, placed: Sequence[Placed], height: float) -> tuple[int, int] | None:
    """(start, end) of the banner in `text`: the first or last line of the page, None where there is none.

    A clinic's own head or foot may hold a date and a page number too; a banner holds at least three of
    date, time, page, telephone number and a word of transmission, among them the time.
    """
    if not placed:
        return None
    first, last = _line_around(text, placed[0].start), _line_around(text, placed[-1].start)
    if placed[0].token.box.top < _EDGE * height and _is_banner(text[slice(*first)], needed=3):
        return first
    if placed[-1].token.box.bottom > (1 - _EDGE) * height and _is_banner(text[slice(*last)], needed=4):
        return last
    return None


def _line_around(text: str, offset: int) -> tuple[int, int]:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text[start : end if end >= 0 else len(text)]
    return start + len(line) - len(line.lstrip()), start + len(line.rstrip())


def _is_banner(line: str, *, needed: int) -> bool:
    signs = [bool(sign.search(line)) for sign in (_DATE, _PAGE, _PHONE, _WORDS)]
    return bool(_TIME.search(line)) and sum(signs) + 1 >= needed and (signs[2] or signs[3])
