"""Tick boxes on page images: `[X]` and `[ ]`, whatever recognition made of their brackets.

A form's boxes are the worst read part of a fax: `[ ]` comes as `[|`, `{}` or `[1`, `[X]` as `|X]`. Where a
word can be such a box, the image decides: there is ink between the brackets, or there is none. Words
that hold anything else between brackets ([1], [sic]) are left as they were read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipeline.ocr import Image, OcrWord

TICKED, UNTICKED = "[X]", "[ ]"
_BRACKET = r"[\[\]{}|]"
_BOX = re.compile(
    r"""
      (?P<empty>  [\[{|(][\]}|)1lIJ]? | [\[{|(]\s?[\[\]}|)]{1,2} )
    | (?P<ticked> [\[{|(I]?[Xx×]{1,2}[\]}|]{1,2} | [\[{|][Xx×]{1,2}[\]}|)Il1]{0,2} )
    """,
    re.VERBOSE,
)
_WITH_LABEL = re.compile(r"\[[Xx]?[\])}|](?=[A-Za-z0-9])|(?:\[[Xx]|[\[|]\|)(?=[A-Z0-9])")
_CLOSING = re.compile(r"[\]}|)1lIJ]{1,2}")
_DARK = 140
_EMPTY_SHARE, _TICKED_SHARE = 0.02, 0.06
_LEAST_ASPECT, _MOST_ASPECT = 0.45, 2.4  # width to height of a whole box


def read_ticks(image: Image, words: Sequence[OcrWord]) -> list[OcrWord]:
    """The words with tick boxes in one notation."""
    joined = _joined([part for word in words for part in _split(word)])
    return [_ticked_or_not(image, word) for word in joined]


def _split(word: OcrWord) -> list[OcrWord]:
    """A box that was read together with its label, apart; the place of the cut is an estimate."""
    match = _WITH_LABEL.match(word.text)
    if match is None:
        return [word]
    # A box is about as wide as it is high; its label begins after that, whatever its characters.
    cut = word.x0 + min((word.x1 - word.x0) * 0.8, (word.bottom - word.top) * 1.1)
    return [
        word._replace(text=match.group(), x1=cut),
        word._replace(text=word.text[match.end() :], x0=cut),
    ]


def _joined(words: Sequence[OcrWord]) -> list[OcrWord]:
    """An opening and a closing bracket that were read as two words, as one."""
    result: list[OcrWord] = []
    skip = False
    for word, after in pairwise([*words, None]):
        if skip or word is None:
            skip = False
            continue
        height = word.bottom - word.top
        opens = re.fullmatch(r"[\[{|(]", word.text) is not None
        if (
            opens
            and after is not None
            and after.line == word.line
            and _CLOSING.fullmatch(after.text)
            and after.x1 - word.x0 < 1.6 * height
        ):
            skip = True
            word = OcrWord(
                word.text + after.text,
                word.x0,
                min(word.top, after.top),
                after.x1,
                max(word.bottom, after.bottom),
                min(word.confidence, after.confidence),
                word.line,
            )
        result.append(word)
    return result


def _ticked_or_not(image: Image, word: OcrWord) -> OcrWord:
    match = _BOX.fullmatch(word.text)
    aspect = (word.x1 - word.x0) / max(1.0, word.bottom - word.top)
    if match is None or not _LEAST_ASPECT < aspect < _MOST_ASPECT:
        return word
    inside = _ink_inside(image, word)
    if match["ticked"] and inside > _TICKED_SHARE:
        return word._replace(text=TICKED)
    if match["empty"] and inside < _EMPTY_SHARE and re.search(_BRACKET, word.text):
        return word._replace(text=UNTICKED)
    return word


def _ink_inside(image: Image, word: OcrWord) -> float:
    """Share of ink in the middle of the word's box, away from its brackets."""
    width, height = word.x1 - word.x0, word.bottom - word.top
    part = image[
        round(word.top + 0.15 * height) : round(word.bottom - 0.15 * height),
        round(word.x0 + 0.35 * width) : round(word.x1 - 0.35 * width) + 1,
    ]
    return float(np.mean(part < _DARK)) if part.size else 0.0
