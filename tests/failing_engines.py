"""OCR engines that go wrong in the ways native code does, by what is drawn: see tests/test_pages.py."""

from __future__ import annotations

import os
import time

from pipeline.ocr import Image, OcrWord


def _is_marked(image: Image) -> bool:
    """Whether the page carries the black bar of `bad_page`."""
    return bool((image[: image.shape[0] // 10] < 128).mean() > 0.5)


def crash(image: Image, dpi: float) -> list[OcrWord]:
    if _is_marked(image):
        os.abort()
    return [OcrWord("fine", 100, 100, 200, 120, 0.9, 1)]


def hang(image: Image, dpi: float) -> list[OcrWord]:
    if _is_marked(image):
        time.sleep(600)
    return [OcrWord("fine", 100, 100, 200, 120, 0.9, 1)]


def eat(image: Image, dpi: float) -> list[OcrWord]:
    if _is_marked(image):
        held = [bytearray(64 * 2**20) for _ in range(200)]
        return [OcrWord(str(len(held)), 0, 0, 1, 1, 0.9, 1)]
    return [OcrWord("fine", 100, 100, 200, 120, 0.9, 1)]


def fail(image: Image, dpi: float) -> list[OcrWord]:
    raise RuntimeError("Edwina Marlow has a mass in her kidney")
