"""Labelled lines: `Treatment area:  left lower pole mass`, in the ways that plans and forms write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pipeline.marks import line_of

_BULLET = r"(?:[-*•>]|\(?\d{1,2}[.)]|[a-zA-Z][.)])?"
# Looks like the next label of a form: a few words, then a colon or a column gap.
_NEXT_LABEL = re.compile(
    r"""[ \t]*(?:[-*•]|\(?\d{1,2}[.)])?[ \t]*
    [A-Za-z][\w/&+()'?.\ -]{0,34}?(?::|[ \t]{3,}\S|\.{3,}|[ \t]{2,}(?=\S))""",
    re.VERBOSE,
)
# A line of this length has been wrapped at the margin, characters.
_FULL_LINE = 66
_COLUMN = re.compile(r"[ \t]{4,}(?=[A-Z][\w/ ]{1,24}:|\[)")


class Labelled(NamedTuple):
    """A label and its value: `text[start:body]` is the label, `text[body:end]` the value, which may
    run over lines."""

    label: str
    start: int
    body: int
    end: int


@lru_cache(maxsize=256)
def _label_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    ordered = sorted(labels, key=len, reverse=True)
    names = "|".join(re.escape(label).replace(r"\ ", r"[ \t]+") for label in ordered)
    return re.compile(
        rf"""(?:^|(?<=[ ]{{3}})|(?<=\t))[ \t]*{_BULLET}[ \t]*
        (?P<label>{names})(?:[ \t]*\([^()\n]{{1,40}}\))?
        (?P<gap>[ \t]*(?::|\.{{2,}}|=|[-–—](?=[ \t]))[ \t.]*   # label: value, label .... value, label - value
          | [ \t]{{2,}}                                         # a column gap
          | [ \t]*$)                                           # alone: the value follows below
        """,
        re.VERBOSE | re.IGNORECASE | re.MULTILINE,
    )


@lru_cache(maxsize=64)
def _loose_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Labels of several words, or in capitals, need no gap: OCR may have lost it."""
    ordered = sorted(labels, key=len, reverse=True)
    names = "|".join(re.escape(label).replace(r"\ ", r"[ \t]+") for label in ordered if " " in label)
    capitals = "|".join(
        re.escape(label.upper()).replace(r"\ ", r"[ \t]+") for label in ordered if len(label) > 3
    )
    return re.compile(
        rf"""^[ \t]*{_BULLET}[ \t]*
        (?P<label>(?i:{names or "(?!)"})|(?:{capitals or "(?!)"}))
        (?P<gap>[ \t]+)(?=[A-Za-z0-9(])""",
        re.VERBOSE | re.MULTILINE,
    )


@lru_cache(maxsize=64)
def _inline_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Labels in run-on dictation: `PROBES: 3. TREATMENT AREA: LEFT UPPER POLE. INTENT: ...`."""
    ordered = sorted(labels, key=len, reverse=True)
    names = "|".join(re.escape(label).replace(r"\ ", r"\s+") for label in ordered)
    return re.compile(rf"(?<=[.;:,)])\s+(?P<label>{names})(?P<gap>\s*:\s*)", re.IGNORECASE)


def labelled(
    text: str, start: int, end: int, labels: tuple[str, ...], *, loose: bool = False
) -> Iterator[Labelled]:
    """Every line of `text[start:end]` that begins with one of `labels`, with its value.

    `loose` also takes a label that only a single blank parts from its value.
    """
    patterns = [_label_pattern(labels), *([_loose_pattern(labels)] if loose else [])]
    seen: set[int] = set()
    for pattern in patterns:
        for match in pattern.finditer(text, start, end):
            if match.start("label") in seen:
                continue
            seen.add(match.start("label"))
            body, stop = _value(text, match, end)
            if text[body:stop].strip():
                yield Labelled(match["label"].lower(), match.start("label"), body, stop)
    for match in _inline_pattern(labels).finditer(text, start, end):
        if match.start("label") not in seen:
            stop = _sentence_end(text, match.end(), end)
            yield Labelled(" ".join(match["label"].lower().split()), match.start("label"), match.end(), stop)


# Any label, known or not: a list mark, up to six words, then a colon, dots, a bar or a column gap.
_ANY_ROW = re.compile(
    r"""(?:^|(?<=[ ]{4}))[ \t]*(?:[-*•>|]|\(?\d{1,2}[.):]?(?=[ \t]))?[ \t]*
    (?P<label>[A-Za-z][\w/&+()'?,\-]*\.?(?:[ ][\w/&+()'?,\-]+\.?){0,6}?)
    (?P<gap>[ \t]*(?::(?!\d)|(?:\.[ ]?){3,}|…|=|\|)[ \t.]*|[ \t]{2,}(?:[-–—][ ])?|[ ][-–—][ ])
    (?=[^\s|])""",
    re.VERBOSE | re.MULTILINE,
)
# A label alone on its line; what it heads is indented below.
_HEADED_ROW = re.compile(
    r"^[ \t]*(?P<label>[A-Za-z][\w/&+' -]{2,34}?)(?P<gap>[ \t]*:?[ \t]*)$(?=\n[ \t]+\S)", re.MULTILINE
)
# Run-on dictation: ". TARGET: LEFT UPPER POLE, 2 CM. GOAL: ..."; label and value wrap at the margin.
_RUN_ON_ROW = re.compile(
    r"""(?<=[.;])\s+ (?P<label>[A-Z][\w/&()-]*(?:\s[\w/&()-]+){0,5}?)
    \s?:[ \t]*(?:\n[ \t]*)? (?=\S)""",
    re.VERBOSE,
)
_NEXT_CELL = re.compile(r"[ \t]{4,}(?=\S)|[ \t]*\|")


def rows(text: str, start: int, end: int) -> Iterator[Labelled]:
    """Every row of `text[start:end]` that reads as a label and its value, whatever the label says."""
    for pattern in (_ANY_ROW, _HEADED_ROW):
        for match in pattern.finditer(text, start, end):
            body, stop = _value(text, match, end)
            cell = _NEXT_CELL.search(text, body, min(stop, line_of(text, body)[1]))
            stop = cell.start() if cell else stop
            if text[body:stop].strip():
                label = " ".join(match["label"].lower().split())
                yield Labelled(label, match.start("label"), body, stop)
    for match in _RUN_ON_ROW.finditer(text, start, end):
        label = " ".join(match["label"].lower().split())
        yield Labelled(label, match.start("label"), match.end(), _sentence_end(text, match.end(), end))


def _sentence_end(text: str, body: int, limit: int) -> int:
    """Where the sentence that starts at `body` ends, at most at the next blank line."""
    stop = re.compile(r"\.(?=\s|$)|\n\s*\n").search(text, body, limit)
    return stop.start() if stop else limit


def _value(text: str, match: re.Match[str], limit: int) -> tuple[int, int]:
    """(body, end) of the value: the rest of the line and the lines that continue it."""
    body = match.end()
    line_start, line_end = line_of(text, body)
    if not text[body:line_end].strip():
        body = line_end + 1
        while body < limit and not text[body : line_of(text, body)[1]].strip():
            body = line_of(text, body)[1] + 1
        line_start, line_end = line_of(text, min(body, len(text)))
        if body >= limit:
            return limit, limit
        body += len(text[body:line_end]) - len(text[body:line_end].lstrip())
    column = _COLUMN.search(text, body, line_end)
    if column:
        return body, column.start()
    label_indent = match.start("label") - line_of(text, match.start("label"))[0]
    value_indent = body - line_start
    end = line_end
    while end < min(limit, len(text)) and _goes_on(text, body, end, label_indent, value_indent):
        end = line_of(text, end + 1)[1]
    return body, min(end, limit)


def _goes_on(text: str, body: int, end: int, label_indent: int, value_indent: int) -> bool:
    """Whether the line after `end` continues the value: indented below it and no label of its own."""
    if text[body:end].rstrip()[-1:] == "." or end + 1 >= len(text):
        return False
    start, stop = line_of(text, end + 1)
    line = text[start:stop]
    indent = len(line) - len(line.lstrip())
    if not line.strip() or line.lstrip()[0] in "(-*•[" or re.match(r"\s*\d{1,2}[.)]\s", line):
        return False
    if abs(indent - value_indent) <= 2 and value_indent - label_indent > 4:
        return True
    if abs(indent - label_indent) <= 1 and end - line_of(text, end)[0] >= _FULL_LINE:
        return not _NEXT_LABEL.match(line)  # dictation that wraps at the margin
    return indent > label_indent + 1 and not _NEXT_LABEL.match(line)
