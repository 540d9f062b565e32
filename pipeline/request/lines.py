"""A paper of the request line by line: what labels stand over a line, how its lines were read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.domain import Document
from pipeline.spelling import Phrases, tokenize

_BLOCK = 7  # lines above a line in which its label may stand
_NEXT_CODE = re.compile(r"\b(?:[A-Z]\d[0-9A-Z]\.?\d*|\d{4}[0-9T])\b|[\[(]\s?[xX]?\s?[\])]|\b\d\)")
_CELL = re.compile(r"[^\s|](?:[^|\s]|[ ](?![ |]))*")
_RULE = re.compile(r"[\s_=+|.-]*")
_ASIDE = 3  # characters by which a cell may stand beside the one above it
_DEEPER = (" ", "\t", "|", "+", "-", "_", "=", "[", "(", "{")


class Line(NamedTuple):
    """A line of a text; `start:end` are its offsets there."""

    start: int
    end: int
    text: str


class StatedCode(NamedTuple):
    """A code as a paper states it: `value` in normal form, the words at `start:end`, the line's number.

    `column` is how far into its line it stands; `ticked`: its line carries a tick mark.
    """

    value: str
    start: int
    end: int
    line: int
    column: int
    ticked: bool = False


def lines_of(text: str) -> list[Line]:
    """All lines of `text`, in order."""
    found, position = [], 0
    for line in text.split("\n"):
        found.append(Line(position, position + len(line), line))
        position += len(line) + 1
    return found


def is_misread(document: Document) -> bool:
    """Whether words of the document may be misread: a page of it was recognised."""
    return any(page.source == "ocr" for page in document.pages)


def in_context(lines: Sequence[Line], number: int, labels: Phrases, *, misread: bool) -> bool:
    """Whether a label stands on the line, or heads the block or table that the line belongs to."""
    blanks = 0
    for line in reversed(lines[max(0, number - _BLOCK) : number + 1]):
        if not line.text.strip():
            blanks += 1
            if blanks > 1:
                return False
            continue
        if any(_opens(line.text, hit.start) for hit in labels.find(tokenize(line.text), misread=misread)):
            return True
        if line is not lines[number] and not line.text.startswith(_DEEPER):
            return False
    return False


def _opens(line: str, start: int) -> bool:
    """At the start of the line or of a cell, or after a mark: not in the middle of a sentence."""
    before = line[:start]
    return not before.strip(" .|+-_=*\t()#0123456789") or before.endswith(("  ", "| ", ": ", ", ", "- "))


def words_beside(line: str, end: int) -> str:
    """What stands behind a code in its line, up to the next code or tick box."""
    behind = line[end:]
    following = _NEXT_CODE.search(behind)
    return behind[: following.start()] if following else behind


class Cell(NamedTuple):
    """Words of a line that no gap or bar parts: the line's number, their column, the words."""

    line: int
    column: int
    text: str


def cell_below(lines: Sequence[Line], number: int, start: int, end: int) -> Cell | None:
    """The cell under columns `start:end` of a line; a drawn line and one empty line may lie between."""
    return _cell_beside(lines, range(number + 1, min(number + 4, len(lines))), start, end)


def cell_above(lines: Sequence[Line], number: int, start: int, end: int) -> Cell | None:
    """The cell over columns `start:end` of a line; a drawn line and one empty line may lie between."""
    return _cell_beside(lines, range(number - 1, max(number - 4, -1), -1), start, end)


def _cell_beside(lines: Sequence[Line], numbers: range, start: int, end: int) -> Cell | None:
    for other in numbers:
        text = lines[other].text
        if _RULE.fullmatch(text):
            continue
        for match in _CELL.finditer(text):
            if match.start() <= end + _ASIDE and match.end() >= start - _ASIDE:
                return Cell(other, match.start(), match.group())
        return None
    return None
