"""Words of upright strokes: I, II, III, and a 1 that is nothing else.

In many faces a capital I is an upright stroke, and recognition writes a bar, which it has learnt from
tables, or an l. A printed bar reaches below the line of writing; an I stands on it and is as tall as the
capitals beside it. "Ill" is the number of a stage or a grade except where a sentence can begin.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.ocr import Image, OcrWord

_BAR = re.compile(r"\|(?P<rest>[.,;:)]?)")
_STROKES = re.compile(r"(?P<strokes>(?=\|*[Il])[Il|]{2,3})(?P<rest>[.,;:)]?)")
_STANDS_ON_LINE = re.compile(r"[A-PR-Za-fhik-or-xz0-9.:-]*[A-PR-Zbdfhkl0-9][A-PR-Za-fhik-or-xz0-9.:-]*")
_SENTENCE_ENDS = (".", "!", "?", ":", ";")
_DARK, _PALE = 140, 170
_UPRIGHT = 0.75  # of the height that the stroke itself fills
_OFF = 0.15  # of the height of capitals: how far edges may lie apart and still be level
_FLAG = 0.35  # of its height from the top, in which a 1 has ink to the left of its stroke only


def read_strokes(sharp: Image, words: Sequence[OcrWord]) -> list[OcrWord]:
    """The words, with I, II, III and 1 where a bar or an l was read."""
    result: list[OcrWord] = []
    for index, word in enumerate(words):
        text = word.text
        if bar := _BAR.fullmatch(text):
            if _stands_like_a_capital(sharp, words, index):
                text = ("1" if _has_flag(sharp, _first_character(sharp, word)) else "I") + bar["rest"]
        elif (strokes := _STROKES.fullmatch(text)) and not (
            text[:3] == "Ill" and _begins_sentence(words, index)
        ):
            text = "I" * len(strokes["strokes"]) + strokes["rest"]
        result.append(word if text is word.text else word._replace(text=text))
    return result


def _begins_sentence(words: Sequence[OcrWord], index: int) -> bool:
    """Where "Ill" can be the word."""
    return index == 0 or words[index - 1].text.endswith(_SENTENCE_ENDS)


def _stands_like_a_capital(sharp: Image, words: Sequence[OcrWord], index: int) -> bool:
    """Whether the bar begins and ends where the nearest capitals and figures of its line do."""
    bar = words[index]
    others = [word for word in words if word.line == bar.line and _STANDS_ON_LINE.fullmatch(word.text)]
    if not others:
        return False
    near = min(others, key=lambda word: max(word.x0 - bar.x1, bar.x0 - word.x1))
    stroke, capital = _ink_rows(sharp, _first_character(sharp, bar)), _ink_rows(sharp, near)
    if stroke is None or capital is None:
        return False
    height = capital[1] - capital[0]
    return max(abs(stroke[0] - capital[0]), abs(stroke[1] - capital[1])) <= max(2.0, _OFF * height)


def _first_character(sharp: Image, word: OcrWord) -> OcrWord:
    top, left = max(0, int(word.top)), max(0, int(word.x0))
    columns = _runs((sharp[top : int(word.bottom), left : int(word.x1) + 1] < _DARK).any(axis=0))
    return word._replace(x1=left + columns[0][1] - 1) if columns else word


def _ink_rows(sharp: Image, word: OcrWord) -> tuple[int, int] | None:
    """First and last row of the ink in a word's columns, some way beyond its box too."""
    reach = round(0.3 * (word.bottom - word.top))
    top = max(0, int(word.top) - reach)
    ink = sharp[top : int(word.bottom) + reach, max(0, int(word.x0)) : int(word.x1) + 1] < _DARK
    runs = _runs(ink.any(axis=1))
    if not runs:
        return None
    first, last = max(runs, key=lambda run: run[1] - run[0])
    return top + first, top + last


def _has_flag(sharp: Image, word: OcrWord) -> bool:
    """Whether the head of the stroke bends to the left and not to the right."""
    top, left = max(0, int(word.top)), max(0, int(word.x0) - 1)
    ink = sharp[top : int(word.bottom), left : int(word.x1) + 2] < _PALE
    stroke = np.flatnonzero(ink.mean(axis=0) >= _UPRIGHT)
    if not stroke.size:
        return False
    head = ink[: round(_FLAG * len(ink))]
    return bool(head[:, : stroke[0]].sum() >= 2 > head[:, stroke[-1] + 1 :].sum())


def _runs(dark: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, end) of each run of dark rows or columns."""
    edges = np.flatnonzero(np.diff(np.pad(dark.astype(np.int8), 1)))
    return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]
