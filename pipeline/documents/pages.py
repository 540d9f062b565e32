"""What a page says of its place in a document: numbering, continuation, running header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.domain import Page

# "Page 2 of 4", "2/4", "Pg 2 of 4", "sheet 2 / 2", "page two of two", "SECOND PAGE", "-2-", "(2/2)",
# "continued"
_NUMBER_WORDS = {
    **dict(zip(("one", "two", "three", "four", "five", "six", "seven", "eight"), range(1, 9), strict=True)),
    **dict(zip(("first", "second", "third", "fourth", "fifth", "sixth"), range(1, 7), strict=True)),
    **dict(zip(("1st", "2nd", "3rd", "4th", "5th", "6th"), range(1, 7), strict=True)),
}
_PAGE = r"\b(?:page|pag[ef]|pg|p|sheet|leaf)\b[.:]?[ ]{0,3}"
_WORDS = r"one|two|three|four|five|six|seven|eight"
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\b"
_OF = re.compile(
    rf"""(?:{_PAGE})?(?<![\d/.:-])(\d{{1,2}})\s*(?:of|0f|oF)\s*(\d{{1,2}})(?![\d/])
      | {_PAGE}(\d{{1,2}}|{_WORDS})\s+of\s+(\d{{1,2}}|{_WORDS})\b""",
    re.VERBOSE | re.IGNORECASE,
)
_SLASH = re.compile(
    rf"\((\d)\s*/\s*(\d{{1,2}})\)|{_PAGE}(\d{{1,2}})\s*/\s*(\d{{1,2}})\b",
    re.IGNORECASE,
)
_ALONE = re.compile(
    rf"""{_PAGE}(\d{{1,2}}|{_WORDS})\b(?!\s*(?:of|/|\d|{_MONTH}))
      | \b(first|second|third|fourth|fifth|sixth|1st|2nd|3rd|4th|5th|6th)\s(?:page|sheet|leaf)\b
      | (?:^|\s)[-–—~“”"]\s?(\d{{1,2}})\s?[-–—~“”"+](?:\s|$)   # -2-, and what OCR makes of the dashes""",
    re.VERBOSE | re.IGNORECASE,
)
_CONTINUED = re.compile(r"\b(?:cont(?:'d|d|inued|inuation)|cont\.)(?=\W|$)|\bcont$", re.IGNORECASE)

# A fax machine's line: a day or a time, and a telephone number or a sender, and mostly its own page count.
_TRANSMISSION = re.compile(
    r"""^(?=.*(?:\d{1,2}\s?[:.]?\s?\d{2}\b|\d{1,2}[/-]\d{1,2}))      # a time or a day
         (?=.*(?:\d{10,11}|\d{3}[\s.-]\d{3}[\s.-]\d{4}|\d{3}-\d{4}|fax|from))  # a telephone number
         (?=.*(?:\b(?:page|pag[ef]|pg|p)\b[.:]?\s*0?\d{1,3}\s?(?:/|of)?|\d{1,3}\s?/\s?\d{1,3}\s*$|\b\d{3}/\d{3}\b))""",
    re.VERBOSE | re.IGNORECASE,
)
_CLOSING = re.compile(
    r"""\b(?:electronically|digitally|e-?)\s?sign | \bsigned\b | \bsignature\b | \bdictated\b | \bsincerely\b
      | \byours\b | \bregards\b | ^\s*cc: | \bprinted\ by\b
      | (?:,|\s)(?:M\.?D|D\.?O|NP|PA-C|RN|APNP|CNM)\b\.?\s*(?:$|\s{2}|\d)""",
    re.VERBOSE | re.IGNORECASE,
)
_HEAD, _FOOT = 6, 3  # lines with words in which a running header and a footer stand


@dataclass(frozen=True)
class Numbering:
    """`number` of `total` as the page prints them (total 0: not printed); `continued` without a number."""

    number: int = 0
    total: int = 0
    continued: bool = False


def transmission_lines(page: Page) -> tuple[tuple[int, int], ...]:
    """Ranges of the page's text which a fax machine or portal added: not the document's own words."""
    found = [page.banner] if page.banner else []
    lines = _lines(page.text)
    found += [
        (start, end) for start, end in (*lines[:2], *lines[-1:]) if _TRANSMISSION.match(page.text[start:end])
    ]
    return tuple(dict.fromkeys(found))


def numbering(page: Page, skip: tuple[tuple[int, int], ...]) -> Numbering:
    """The document's own page number, from the page's head or foot; the transmission's is left out."""
    lines = [
        page.text[start:end]
        for start, end in _lines(page.text)
        if not any(low <= start < high for low, high in skip)
    ]
    for line in (*lines[:_HEAD], *lines[-_FOOT:]):
        if match := _OF.search(line) or _SLASH.search(line):
            number, total = (_number(group) for group in match.groups() if group)
            if 1 <= number <= total <= 40 and total > 0 and not _case_number(line, match.start()):
                return Numbering(number, total)
    for line in (*lines[:_HEAD], *lines[-_FOOT:]):
        if match := _ALONE.search(line):
            number = _number(next(group for group in match.groups() if group))
            if 1 <= number <= 40:
                return Numbering(number)
    return Numbering(continued=any(_CONTINUED.search(line) for line in lines[:4]))


def _number(printed: str) -> int:
    return _NUMBER_WORDS.get(printed.lower()) or int(printed)


def header_words(page: Page, skip: tuple[tuple[int, int], ...]) -> frozenset[str]:
    """The words with digits and the long words of the page's first lines: what a running header repeats."""
    lines = [
        page.text[start:end]
        for start, end in _lines(page.text)
        if not any(low <= start < high for low, high in skip)
    ][:5]
    words = (word.strip(".,:;()").lower() for line in lines for word in line.split())
    return frozenset(word for word in words if len(word) >= 4)


def head_lines(page: Page, skip: tuple[tuple[int, int], ...], *, count: int) -> list[str]:
    """The first `count` lines with words, as they stand."""
    lines = [line for line in _lines(page.text) if not any(low <= line[0] < high for low, high in skip)]
    return [page.text[start:end] for start, end in lines[:count]]


def first_line(page: Page) -> tuple[int, int, str]:
    """The first line with words: (start, end) in the page's text, and the line."""
    start, end = next(iter(_lines(page.text)), (0, 0))
    return start, end, page.text[start:end]


def closes(page: Page) -> bool:
    """Whether the page ends as a document does: signed, dated, with a greeting or copies."""
    lines = _lines(page.text)[-7:]
    return any(_CLOSING.search(page.text[start:end]) for start, end in lines)


def _case_number(line: str, position: int) -> bool:
    """ "Case 3 of 9" counts cases of a meeting, "1 of 7 factors" something else again."""
    before = line[:position].lower()
    return bool(
        re.search(r"(?:case|line|item|cycle|dose|fraction|step|part|visit|session|specimen)\s*#?\s*$", before)
    )


def _lines(text: str) -> Sequence[tuple[int, int]]:
    found, position = [], 0
    for line in text.split("\n"):
        if sum(map(str.isalnum, line)) >= 2:
            found.append((position, position + len(line)))
        position += len(line) + 1
    return found
