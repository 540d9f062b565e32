"""What a page says of its place in a document: numbering, continuation, running header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.catalog.pages import PageRules
from pipeline.domain import Page

Range = tuple[int, int]

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
    rf"""(?:{_PAGE})?(?<![\d/.:-])(\d{{1,3}})\s*(?:of|0f|oF)\s*(\d{{1,3}})(?![\d/])
      | {_PAGE}(\d{{1,2}}|{_WORDS})\s+of\s+(\d{{1,2}}|{_WORDS})\b""",
    re.VERBOSE | re.IGNORECASE,
)
_SLASH = re.compile(
    rf"\((\d)\s*/\s*(\d{{1,2}})\)|{_PAGE}(\d{{1,3}})\s*/\s*(\d{{1,3}})\b",
    re.IGNORECASE,
)
_ALONE = re.compile(
    rf"""{_PAGE}(\d{{1,2}}|{_WORDS})\b(?!\s*(?:of|/|\d|{_MONTH}))
      | \b(first|second|third|fourth|fifth|sixth|1st|2nd|3rd|4th|5th|6th)\s(?:page|sheet|leaf)\b
      | (?:^|\s)[-–—~“”"]\s?(\d{{1,2}})\s?[-–—~“”"+](?:\s|$)   # -2-, and what OCR makes of the dashes""",
    re.VERBOSE | re.IGNORECASE,
)
_CONTINUED = re.compile(r"\b(?:cont(?:'d|d|inued|inuation)|cont\.)(?=\W|$)|\bcont$", re.IGNORECASE)
_NO_PAGES = re.compile(  # "Case 3 of 9" counts cases of a meeting
    r"(?:case|line|item|cycle|dose|fraction|step|part|visit|session|specimen)\s*#?\s*$", re.IGNORECASE
)

# A fax machine's line: a day or a time, and a telephone number or a sender, and mostly its own page count.
_TRANSMISSION = re.compile(
    r"""^(?=.*(?:\d{1,2}\s?[:.]?\s?\d{2}\b|\d{1,2}[/-]\d{1,2}))      # a time or a day
         (?=.*(?:\d{10,11}|\d{3}[\s.-]\d{3}[\s.-]\d{4}|\d{3}-\d{4}|fax|from))  # a telephone number
         (?=.*(?:\b(?:page|pag[ef]|pg|p)\b[.:]?\s*0?\d{1,3}\s?(?:/|of)?|\d{1,3}\s?/\s?\d{1,3}\s*$|\b\d{3}/\d{3}\b))""",
    re.VERBOSE | re.IGNORECASE,
)
_HEAD, _FOOT = 6, 3  # lines with words in which a running header and a footer stand
_CLOSING_LINES = 7
_MOST_PAGES = 40  # of a document; more are counted by a packet or a transmission
_MOST_SENT = 500


@dataclass(frozen=True)
class Numbering:
    """`number` of `total` as the page prints them (total 0: not printed); `continued` without a number.

    `line` is where the line stands that prints them.
    """

    number: int = 0
    total: int = 0
    continued: bool = False
    line: Range = (0, 0)


def transmission_lines(page: Page) -> tuple[Range, ...]:
    """Ranges of the page's text which a fax machine or portal added: not the document's own words."""
    found = [page.banner] if page.banner else []
    found += [line for line in edge_lines(page) if _TRANSMISSION.match(page.text[slice(*line)])]
    return tuple(dict.fromkeys(found))


def edge_lines(page: Page) -> Sequence[Range]:
    """The lines with words at which a machine prints its own: the first two and the last."""
    found = lines(page.text)
    return list(dict.fromkeys((*found[:2], *found[-1:])))


def counted_in(page: Page, line: Range) -> Numbering | None:
    """The page count that a line of a transmission bears, None where it cannot be read."""
    words = page.text[slice(*line)]
    match = _OF.search(words) or _SLASH.search(words) or re.search(r"\b(\d{1,3})\s?/\s?(\d{1,3})\s*$", words)
    if match is None:
        return None
    number, total = (_number(group) for group in match.groups() if group)
    return Numbering(number, total, line=line) if 1 <= number <= total <= _MOST_SENT else None


def numbering(page: Page, skip: Sequence[Range]) -> Numbering:
    """The document's own page number, from the page's head or foot; the transmission's is left out."""
    own = [line for line in lines(page.text) if not any(low <= line[0] < high for low, high in skip)]
    edges = (*own[:_HEAD], *own[-_FOOT:])
    for line in edges:
        words = page.text[slice(*line)]
        if match := _OF.search(words) or _SLASH.search(words):
            number, total = (_number(group) for group in match.groups() if group)
            if 1 <= number <= total <= _MOST_PAGES and not _NO_PAGES.search(words[: match.start()]):
                return Numbering(number, total, line=line)
    for line in edges:
        if match := _ALONE.search(page.text[slice(*line)]):
            number = _number(next(group for group in match.groups() if group))
            if 1 <= number <= _MOST_PAGES:
                return Numbering(number, line=line)
    return Numbering(continued=any(_CONTINUED.search(page.text[slice(*line)]) for line in own[:4]))


def _number(printed: str) -> int:
    return _NUMBER_WORDS.get(printed.lower()) or int(printed)


def header_words(page: Page, skip: Sequence[Range]) -> frozenset[str]:
    """The words with digits and the long words of the page's first lines: what a running header repeats."""
    words = (
        word.strip(".,:;()").lower() for line in head_lines(page, skip, count=5) for word in line.split()
    )
    return frozenset(word for word in words if len(word) >= 4)


def head_lines(page: Page, skip: Sequence[Range], *, count: int) -> list[str]:
    """The first `count` lines with words, as they stand."""
    own = [line for line in lines(page.text) if not any(low <= line[0] < high for low, high in skip)]
    return [page.text[start:end] for start, end in own[:count]]


def first_line(page: Page) -> tuple[int, int, str]:
    """The first line with words: (start, end) in the page's text, and the line."""
    start, end = next(iter(lines(page.text)), (0, 0))
    return start, end, page.text[start:end]


def closes(page: Page, rules: PageRules) -> bool:
    """Whether the page ends as a document does: signed, dated, with a greeting or copies."""
    return any(rules.closes.search(page.text[slice(*line)]) for line in lines(page.text)[-_CLOSING_LINES:])


def lines(text: str) -> Sequence[Range]:
    """Where the lines with words stand."""
    found, position = [], 0
    for line in text.split("\n"):
        if sum(map(str.isalnum, line)) >= 2:
            found.append((position, position + len(line)))
        position += len(line) + 1
    return found
