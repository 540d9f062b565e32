"""Tick boxes on page images: `[X]` and `[ ]`, whatever recognition made of their brackets.

A form's boxes are the worst read part of a fax: `[ ]` comes as `[|`, `{}`, `[1` or half, `[X]` as `|X]`.
Where a word can begin such a box, the image decides: a second upright stroke closes it, and there is ink
between the strokes, or there is none. Words that hold anything else between brackets ([1], [sic]) are
left as they were read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.ocr import Image, OcrWord

TICKED, UNTICKED = "[X]", "[ ]"
_BEGINS_BOX = re.compile(
    r"""
      [\[{|] [Xx×]{0,2} [\]}|)]{1,2} (?= $ | [A-Za-z0-9] )   # a box, alone or joined to its label
    | [\[{|] [Xx×] (?= $ | [A-Z0-9] )                       # its closing bracket was not read
    | [\[{|] [1lIJ]{0,2} $                                  # ... or was read as a letter, or as a word
    | [{(] [\]})|] $
    | I? [Xx×] [\]}] (?= $ | [A-Za-z0-9] )                  # its opening bracket was not
    """,
    re.VERBOSE,
)
_INSIDE_BOX = re.compile(r"[\[\]{}|()1lIJXx×]{1,3}")
_CROSS = re.compile(r"[Xx×]")
_DARK, _FAINT = 140, 190
_STROKE = 0.8  # of the height that a bracket's upright stroke fills
_NEAREST, _FARTHEST = 0.3, 2.0  # from the opening to the closing stroke, in heights
_EMPTY_SHARE, _TICKED_SHARE = 0.02, 0.06


class _Strokes(NamedTuple):
    """Where a box's upright strokes stand: end of the opening one, start and end of the closing one."""

    opened: int
    closing: int
    closed: int


def read_ticks(image: Image, words: Sequence[OcrWord]) -> list[OcrWord]:
    """The words with tick boxes in one notation."""
    result: list[OcrWord] = []
    index = 0
    while index < len(words):
        read, used = _box_at(image, words, index)
        result += read
        index += used
    return result


def _box_at(image: Image, words: Sequence[OcrWord], index: int) -> tuple[list[OcrWord], int]:
    """What stands at a word, and of how many words it is made: a box, its label, or the word as it is."""
    word = words[index]
    match = _BEGINS_BOX.match(word.text)
    strokes = _find_strokes(image, word) if match else None
    if match is None or strokes is None:
        return [word], 1
    parts, label = [match.group()], word.text[match.end() :]
    if label and word.x1 < strokes.closed + 2:
        return [word], 1  # its letters stand between the strokes
    used = 1
    while index + used < len(words) and _stands_before(words[index + used], word, strokes.closed):
        parts.append(words[index + used].text)
        used += 1
    tick = _tick(image, word, strokes, "".join(parts))
    if tick is None or (used > 1 and not all(map(_INSIDE_BOX.fullmatch, parts))):
        return [word], 1
    box = word._replace(text=tick, x1=float(strokes.closed))
    rest = [word._replace(text=label, x0=strokes.closed + 1.0)] if label else []
    return [box, *rest], used


def _find_strokes(image: Image, word: OcrWord) -> _Strokes | None:
    """The two upright strokes of a box that begins where the word begins; None where there are not two."""
    height = word.bottom - word.top
    left = max(0, round(word.x0) - 2)
    strip = _between(image, word, left, round(word.x0 + _FARTHEST * height)) < _DARK
    if not strip.size:
        return None
    columns = np.flatnonzero(strip.mean(axis=0) >= _STROKE)
    far = columns[columns > columns[0] + _NEAREST * height] if columns.size else columns
    if not far.size or columns[0] > 0.25 * height:
        return None
    opened = columns[columns < far[0]][-1]
    end = far[0]
    while end + 1 in far:
        end += 1
    return _Strokes(left + int(opened), left + int(far[0]), left + int(end))


def _between(image: Image, word: OcrWord, left: int, right: int) -> Image:
    """The image at the word's height, but for its upper and lower edge, between two columns."""
    margin = 0.15 * (word.bottom - word.top)
    return image[round(word.top + margin) : round(word.bottom - margin), max(0, left) : max(0, right)]


def _stands_before(word: OcrWord, first: OcrWord, edge: float) -> bool:
    return word.line == first.line and first.x0 < (word.x0 + word.x1) / 2 <= edge


def _tick(image: Image, word: OcrWord, strokes: _Strokes, text: str) -> str | None:
    """The box in the one notation; None where what was read and what is drawn do not make one."""
    inner = _between(image, word, strokes.opened + 2, strokes.closing - 1)
    ink = float(np.mean(inner < _DARK)) if inner.size else 0.0
    if _CROSS.search(text):
        return TICKED if ink > _TICKED_SHARE else None
    if ink < _EMPTY_SHARE and (text.strip("|") or _has_serif(image, word, strokes)):
        return UNTICKED
    return None


def _has_serif(image: Image, word: OcrWord, strokes: _Strokes) -> bool:
    """Whether the opening stroke bends inwards at its top: a bracket, not the rule of a table."""
    height = word.bottom - word.top
    top = image[
        round(word.top) : round(word.top + 0.15 * height),
        strokes.opened + 2 : strokes.opened + 2 + max(2, round(0.08 * height)),
    ]
    return bool(top.size and (top < _FAINT).mean() > 0.25)
