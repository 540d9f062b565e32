"""Where a phrase stands on a page: in its title lines, as a heading, or in running text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Cell(NamedTuple):
    """A run of words of one line without a column gap; `line` counts the page's lines with words from 0."""

    line: int
    start: int
    end: int


_CELL = re.compile(r"\S+(?: \S+)*")
_BEFORE_HEADING = re.compile(r"(?:^|\n|\f)[\s•*·\-–=|.\d()\[\]_]*$|\s{2,}\S?$|[,;|]\s*$|[.:,]\s{1,2}$|^\s*$")
_AFTER_HEADING = re.compile(
    r"\s*(?:[:;=]|\.{2,}|\?)|[ \t]{2,}|[ \t]*(?:\n|$)|[ \t]+[-–—] |\s*\(s\)\s*:|\.[ ,]|\s?#"
)
# A date, a telephone or record number, a label with its value, an end of a sentence: what no title holds.
_VALUE = re.compile(
    r"\d{4,}|\d{3}[-. ]\d{4}|\d{1,2}/\d{2,4}|[a-z]{3}[.;?!] |:\s*\S*\d|\bplease\b|^\S+:\s", re.IGNORECASE
)
_PERSON = re.compile(r"(?:Mrs?|Ms|Miss|Dr|Drs|Dear)\b")
_WORD = re.compile(r"[A-Za-z&/-]{3,}|H&P|CT|US|MR|ED|ER|OR|TB")
_SHORT_TITLE = 6  # words of a title in small letters ("Planning sheet - office cryo")
_LINE_START = re.compile(r"(?:^|\n)[ \t•*\-\d.)]*$")


def head_cells(text: str, *, skip: tuple[tuple[int, int], ...] = (), lines: int = 14) -> Iterator[Cell]:
    """The cells of the first `lines` lines with words, leaving out the ranges in `skip`."""
    number, position = 0, 0
    for line in text.split("\n"):
        start, position = position, position + len(line) + 1
        if not any(map(str.isalnum, line)) or any(low <= start < high for low, high in skip):
            continue
        for match in _CELL.finditer(line):
            yield Cell(number, start + match.start(), start + match.end())
        number += 1
        if number == lines:
            return


def is_title(words: str, named_at: int) -> bool:
    """Whether a cell whose words at `named_at` name a document is set as its title.

    A title begins with a capital and has no sentence, number or value in it: "CT 04/11/2026, US 06/2024.",
    "Facsimile (614) 555-0119" and "Please send the consultation note" are none.
    """
    bare = words.strip(" -–—*_=#")
    if not bare[:1].isupper() or bare.endswith((".", ",", ";", "?", "!")):
        return False
    if _VALUE.search(bare) or _PERSON.match(bare):
        return False
    if not _WORD.search(bare) or ":" in words[:named_at]:
        return False
    long = _WORD.findall(bare)
    capitals = sum(word[0].isupper() for word in long)
    return capitals >= 0.6 * len(long) or len(bare.split()) <= _SHORT_TITLE


def is_heading(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` is a heading: at the start of a line or cell, set off from what follows."""
    words = text[start:end]
    before, after = text[max(0, start - 24) : start], text[end : end + 12]
    if len(words) == 1 and not (words.isupper() and _LINE_START.search(before) and re.match(r":|  ", after)):
        return False
    if not _BEFORE_HEADING.search(before):
        return False
    if before.rstrip()[-1:] in {".", ",", ":", ";"} and "\n" not in before[-4:]:
        # inside a line: only a capitalised heading with its colon, as dictation systems print them
        return words[0].isupper() and after.lstrip().startswith(":")
    if _AFTER_HEADING.match(after):
        return True
    return words.isupper() and bool(_LINE_START.search(before)) and after.startswith(" ")
