"""A second look at what recognition passed over.

Tesseract's page analysis takes a label with a row of dots for a rule, or a narrow column of numbers for
a picture, and drops it without a word. What it dropped is seen: it is ink in no word's box. So the page is
read again, as single words, with everything wiped out that was read the first time; most pages have
nothing left to read.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.ocr import Engine, Image, OcrWord

_DARK = 140
_AROUND = 4  # pixels at 200 dpi that a word's ink may reach beyond its box
_LEAST_HEIGHT, _LEAST_WIDTH, _LEAST_INK = 12, 12, 45  # of a list's number in small print, at 200 dpi
_MOST_HEIGHT = 120  # pictures, signatures and stamps are taller
_MARGIN = 12
_LEAST_CONFIDENCE = 0.4


def look_again(image: Image, dpi: float, words: list[OcrWord], engine: Engine) -> list[OcrWord]:
    """The words of a page, those of a second look after `words`, those of the first."""
    if engine.recognize_sparse is None:
        return words
    words = _without_upright_columns(words)
    rest = _wiped(image, words, dpi / 200)
    regions = _text_like(rest, dpi / 200)
    if not regions:
        return words
    alone = np.full_like(image, 255)
    for region in regions:
        alone[region] = rest[region]
    last = max((word.line for word in words), default=0)
    return words + [
        word._replace(line=word.line + last)
        for word in engine.recognize_sparse(alone, dpi)
        if word.confidence >= _LEAST_CONFIDENCE and any(character.isalnum() for character in word.text)
    ]


def _without_upright_columns(words: Sequence[OcrWord]) -> list[OcrWord]:
    """Without what comes of a column of numbers that is taken for one word written upwards."""
    if not words:
        return []
    height = statistics.median(word.bottom - word.top for word in words)
    return [
        word
        for word in words
        if word.confidence >= _LEAST_CONFIDENCE
        or word.bottom - word.top < 2.2 * height
        or word.bottom - word.top < word.x1 - word.x0
    ]


def _wiped(image: Image, words: Sequence[OcrWord], scale: float) -> Image:
    """The image without what was read. A box many times as high as wide is a rule, not a word."""
    rest = image.copy()
    around = round(_AROUND * scale)
    for word in words:
        top, left = max(0, round(word.top) - around), max(0, round(word.x0) - around)
        rest[top : round(word.bottom) + around, left : round(word.x1) + around] = 255
    return rest


def _text_like(rest: Image, scale: float) -> list[tuple[slice, slice]]:
    """Where ink of the size of words is left."""
    ink = (rest < _DARK).astype(np.uint8)
    joined = cv2.dilate(ink, np.ones((round(5 * scale), round(25 * scale)), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    amounts: npt.NDArray[np.intp] = np.bincount(labels[ink > 0], minlength=count)
    regions = []
    for (x, y, width, height, _), amount in zip(stats[1:], amounts[1:], strict=True):
        fits = _LEAST_HEIGHT * scale <= height - 4 * scale <= _MOST_HEIGHT * scale
        if fits and width - 24 * scale >= _LEAST_WIDTH * scale and amount >= _LEAST_INK * scale**2:
            margin = round(_MARGIN * scale)
            regions.append(
                (
                    slice(max(0, y - margin), y + height + margin),
                    slice(max(0, x - margin), x + width + margin),
                )
            )
    return regions
