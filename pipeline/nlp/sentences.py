"""Sentences of a text that was laid out in lines: wraps join, list items and table rows do not."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.domain import Section

_LIST_ITEM = re.compile(
    r"[ \t]*(?:\(?(?:\d{1,2}|[A-Za-z]|[ivxIVX]{1,4})[.)](?=\s)|[*•·▪>]|-{1,2}(?=\s|[A-Za-z])|\[[ xX]\]|#\d)"
)
_LABEL = re.compile(r"[ \t]*[A-Z][A-Za-z0-9 /&'(),.\-]{0,45}:(?!\d)")
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*(?=[\s,]+[A-Z0-9(\[\"*]|[ \t]*$)|\.,(?=[A-Z])", re.MULTILINE)
_NO_END = re.compile(
    r"(?:\b(?:dr|mr|mrs|ms|prof|st|vs|e\.?g|i\.?e|approx|dept|hosp|jr|sr|inc|no|nos|fig|cf|ca"
    r"|pt|pts|dob|max|min"
    r"|ph|ext|est|yrs?|mos?|wks?|resp|temp|incl|dx|hx|bx|tx|rx|ref|lt|rt|cm|mm|stg|gr|fhx?"
    r"|metas)\.|\b[A-Za-z]\.|(?:^|\s)\d{1,2}\.)$",
    re.IGNORECASE,
)
_NUMBER_IN_LINE = re.compile(r"(?<!\S)\(?(\d{1,2})\)(?=[ \t]+[A-Za-z])")
_GAP_IN_LINE = re.compile(r"(?<=[^\s.:;,?!])[ \t]{2,}(?=\S)|\t+")
_WIDE_GAP = re.compile(r"(?<=\S)[ \t]{5,}(?=\S)|\t+")
# A line of at least so many words of which so large a share stands apart is spaced out, not a table row.
_SPACED_WORDS, _SPACED_SHARE = 6, 0.4


class Sentence(NamedTuple):
    """A stretch of text in which one thing is said; `gaps` are where its second and later cells start."""

    start: int
    end: int
    gaps: tuple[int, ...] = ()


class _Line(NamedTuple):
    start: int
    end: int
    indent: int
    has_gap: bool


def find_sentences(text: str, sections: tuple[Section, ...]) -> tuple[Sentence, ...]:
    """The sentences of `text` in order; none runs over a heading, an empty line or a page's end."""
    return tuple(sentence for block in _blocks(text, sections) for sentence in _split(text, *block))


def _blocks(text: str, sections: tuple[Section, ...]) -> Iterator[tuple[int, int]]:
    """Stretches of lines that belong to one paragraph, list item or table row."""
    bodies = sorted({bound for section in sections for bound in (section.start, section.body)})
    lines = _lines(text)
    lengths = sorted(line.end - line.start for line in lines)
    width = lengths[int(len(lengths) * 0.9)] if lengths else 0
    start, previous = 0, None
    cuts: list[int] = list(bodies)
    for line in lines:
        if previous is not None and not _continues(text, previous, line, width):
            cuts.append(line.start)
        previous = line
    for cut in [*sorted(set(cuts)), len(text)]:
        if text[start:cut].strip():
            yield start, cut
        start = cut


def _lines(text: str) -> list[_Line]:
    lines, start = [], 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        content = text[start:end]
        stripped = content.lstrip()
        lines.append(_Line(start, end, len(content) - len(stripped), bool(_gaps(stripped.rstrip()))))
        start = end + 1
    return lines


def _continues(text: str, previous: _Line, line: _Line, width: int) -> bool:
    """Whether `line` goes on with the sentence of the line before it."""
    before, content = text[previous.start : previous.end].rstrip(), text[line.start : line.end]
    if not content.strip() or not before.strip() or "\f" in content:
        return False
    if _LIST_ITEM.match(content) or _LABEL.match(content):
        return False
    if line.has_gap:
        return False
    if previous.has_gap:
        return line.indent >= previous.indent + 4
    starts_small = content.lstrip()[0].islower()
    is_full = len(before) >= 0.6 * width
    return (
        starts_small
        or is_full
        or line.indent > previous.indent + 1
        or before.endswith((",", "-", " and", " or"))
    )


def _split(text: str, start: int, end: int) -> Iterator[Sentence]:
    """The sentences of one block."""
    position = start
    for cut in sorted({*_full_stops(text, start, end), *_numbers_in_line(text, start, end)}):
        if text[position:cut].strip():
            yield _sentence(text, position, cut)
        position = cut
    if text[position:end].strip():
        yield _sentence(text, position, end)


def _full_stops(text: str, start: int, end: int) -> Iterator[int]:
    """Where sentences end."""
    position = start
    for match in _SENTENCE_END.finditer(text, start, end):
        before = text[max(position, match.start() - 12) : match.start() + 1]
        if match.group().startswith(".") and _NO_END.search(before) and match.end() < end:
            continue
        yield match.end()
        position = match.end()


def _numbers_in_line(text: str, start: int, end: int) -> list[int]:
    """Where the items of a list in one line start ("1) hypertension 2) melanoma 3) nodule")."""
    found = [(int(match[1]), match.start()) for match in _NUMBER_IN_LINE.finditer(text, start, end)]
    counts_up = len(found) > 1 and all(b[0] == a[0] + 1 for a, b in itertools.pairwise(found))
    return [place for _, place in found if place > start] if counts_up else []


def _gaps(line: str) -> list[re.Match[str]]:
    """The column gaps of one line; in a line that is spaced out as a whole only wide gaps count."""
    found = list(_GAP_IN_LINE.finditer(line))
    words = len(line.split())
    if words >= _SPACED_WORDS and len(found) >= _SPACED_SHARE * (words - 1):
        return list(_WIDE_GAP.finditer(line))
    return found


def _sentence(text: str, start: int, end: int) -> Sentence:
    stop = start + len(text[start:end].rstrip())
    begin = start + len(text[start:end]) - len(text[start:end].lstrip())
    gaps, line_start = [], begin
    for line in text[begin:stop].split("\n"):
        gaps += [line_start + gap.end() for gap in _gaps(line)]
        line_start += len(line) + 1
    return Sentence(begin, stop, tuple(gaps))
