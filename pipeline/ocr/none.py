"""The engine that recognises nothing: for tests, and to read text layers only."""

from __future__ import annotations

from pipeline.ocr import Image, OcrWord


def recognize(image: Image, dpi: float) -> list[OcrWord]:
    """No words, whatever the image."""
    return []
