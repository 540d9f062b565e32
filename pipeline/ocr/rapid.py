"""RapidOCR (PP-OCR models through ONNX Runtime), an extra: `pip install 'clinical-triage[rapidocr]'`.

Its wheel carries its models, so nothing is fetched. It takes four to five times as long as Tesseract and up
to 1.2 GB, reads digits of a coarse fax better and loses spaces between words. It finds lines; a line's
words get their share of its box by their number of characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from pipeline.errors import ConfigurationError
from pipeline.ocr import Image, OcrWord


@cache
def _reader() -> Any:
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise ConfigurationError(
            "The OCR engine rapidocr is not installed.",
            next_step="Install it with: pip install 'clinical-triage[rapidocr]'.",
        ) from error
    return RapidOCR(params={"Global.log_level": "critical", "Global.max_side_len": 4000})


def recognize(image: Image, dpi: float) -> list[OcrWord]:
    """The words of an upright page, line by line, top to bottom."""
    found = _reader()(np.repeat(image[:, :, None], 3, axis=2), use_cls=False)
    if found.boxes is None:
        return []
    height, width = image.shape
    words: list[OcrWord] = []
    for line, (box, text, score) in enumerate(zip(found.boxes, found.txts, found.scores, strict=True), 1):
        corners = np.clip(np.asarray(box, dtype=np.float64), 0, (width, height))
        (x0, top), (x1, bottom) = corners.min(axis=0), corners.max(axis=0)
        if x1 > x0 and bottom > top:
            for word, left, right in _words(text, float(x0), float(x1)):
                words.append(OcrWord(word, left, float(top), right, float(bottom), float(score), line))
    return words


def _words(text: str, x0: float, x1: float) -> Iterator[tuple[str, float, float]]:
    """The words of a line with their left and right edges."""
    character, position = (x1 - x0) / max(1, len(text)), 0
    for word in text.split():
        start = text.index(word, position)
        position = start + len(word)
        yield word, x0 + start * character, x0 + position * character
