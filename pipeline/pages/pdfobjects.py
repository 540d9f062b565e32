"""What is drawn on a PDF page beside and over its words, found in one pass over the page's objects."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pypdfium2
import pypdfium2.raw as pdfium

from pipeline.pages.pdftext import INVISIBLE

MOST_DEPTH = 4  # of forms within forms
# Paths looked at for tick boxes and for what covers words. A form has some hundreds; a drawing has more, no
# tick boxes, and pdfplumber would take minutes over it.
_MOST_PATHS = 5000
_BARS, _BAR_WIDTH = 20, 8.0  # the fewest bars of a barcode, and how wide in points the widest may be
_MODULES = 60  # corners of a path that may be a barcode drawn at once
_PALE = 240  # of 255; the darkest of a colour that may not be seen on paper
_TRANSPARENT = 40  # of 255
_COVERING = 6.0  # points that a cover is high and wide; rules and underlines are thinner

_Rect: TypeAlias = tuple[float, float, float, float]
"""left, bottom, right, top; y upwards, as PDF has it"""


@dataclass(slots=True)
class Drawn:
    """`invisible`: some text draws nothing. `doubtful`: some words may be of the colour of what they stand
    on, or covered by what is drawn later. `squares`: something is drawn that may be a tick box; `bars`: how
    many paths may be of a barcode."""

    images: list[Any] = field(default_factory=list)
    paths: int = 0
    squares: bool = False
    bars: int = 0
    invisible: bool = False
    doubtful: bool = False

    @property
    def pictured(self) -> bool:
        """Whether a barcode may be drawn."""
        return bool(self.images) or self.bars >= _BARS


def drawn_on(page: Any) -> Drawn:
    """What is drawn on a page, forms within forms included."""
    found, texts, colour = Drawn(), list[tuple[int, Any]](), [ctypes.c_uint() for _ in range(4)]
    for container, raw, kind in _objects(page):
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            found.invisible |= pdfium.FPDFTextObj_GetTextRenderMode(raw) in INVISIBLE
            found.doubtful |= _is_pale(raw, colour)
            texts.append((container, raw))
            continue
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            found.images.append(pypdfium2.PdfObject(raw, page=page, pdf=page.pdf))
        elif kind == pdfium.FPDF_PAGEOBJ_PATH:
            found.paths += 1
            if found.paths > _MOST_PATHS:
                continue
            bounds = _bounds(raw)
            found.squares |= _is_square(bounds)
            found.bars += _is_bar(bounds)
            if not _is_filled(raw):
                continue
            if pdfium.FPDFPath_CountSegments(raw) >= _MODULES:
                found.bars = max(found.bars, _BARS)
        else:
            continue
        if texts and not found.doubtful:
            found.doubtful = _covers(_bounds(raw), [text for where, text in texts if where == container])
    found.squares = found.squares and found.paths <= _MOST_PATHS
    return found


@contextmanager
def without_text(page: Any) -> Iterator[None]:
    """While this lasts, the page is drawn without its words."""
    texts = [raw for _, raw, kind in _objects(page) if kind == pdfium.FPDF_PAGEOBJ_TEXT]
    for raw in texts:
        pdfium.FPDFPageObj_SetIsActive(raw, False)
    try:
        yield
    finally:
        for raw in texts:
            pdfium.FPDFPageObj_SetIsActive(raw, True)


def _objects(page: Any) -> Iterator[tuple[int, Any, int]]:
    """(which form it stands in, handle, kind) of each object of a page, as they are drawn."""
    containers = iter(range(1, 1 << 30))

    def walk(count: Any, get: Any, parent: Any, container: int, depth: int) -> Iterator[tuple[int, Any, int]]:
        for index in range(count(parent)):
            raw = get(parent, index)
            if not raw:
                raise pypdfium2.PdfiumError("Failed to get pageobject.")
            kind = pdfium.FPDFPageObj_GetType(raw)
            yield container, raw, kind
            if kind == pdfium.FPDF_PAGEOBJ_FORM and depth < MOST_DEPTH:
                inner = pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject
                yield from walk(*inner, raw, next(containers), depth + 1)

    yield from walk(pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject, page, 0, 1)


def _bounds(raw: Any) -> _Rect:
    edges = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(raw, *edges):
        return 0.0, 0.0, 0.0, 0.0
    left, bottom, right, top = (edge.value for edge in edges)
    return left, bottom, right, top


def _is_pale(raw: Any, colour: Sequence[ctypes.c_uint]) -> bool:
    """Whether a text may not be seen on paper. `colour` is written over."""
    if not pdfium.FPDFPageObj_GetFillColor(raw, *colour):
        return False
    red, green, blue, alpha = (part.value for part in colour)
    return min(red, green, blue) >= _PALE or alpha < _TRANSPARENT


def _is_filled(raw: Any) -> bool:
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    return bool(pdfium.FPDFPath_GetDrawMode(raw, mode, stroke)) and mode.value != pdfium.FPDF_FILLMODE_NONE


def _is_square(bounds: _Rect) -> bool:
    """Whether something this large may be a tick box."""
    width, height = bounds[2] - bounds[0], bounds[3] - bounds[1]
    return 4.5 <= width <= 19 and 4.5 <= height <= 19 and 0.75 <= width / height <= 1.33


def _is_bar(bounds: _Rect) -> bool:
    """Whether something this large may be a bar or a square of a barcode."""
    width, height = bounds[2] - bounds[0], bounds[3] - bounds[1]
    return width < _BAR_WIDTH and (height > 2 * width or height < _BAR_WIDTH)


def _covers(bounds: _Rect, texts: Sequence[Any]) -> bool:
    """Whether something drawn after `texts` lies over the middle of one of them."""
    left, bottom, right, top = bounds
    if right - left < _COVERING or top - bottom < _COVERING:
        return False
    for text in texts:
        x0, y0, x1, y1 = _bounds(text)
        if left < (x0 + x1) / 2 < right and bottom < (y0 + y1) / 2 < top:
            return True
    return False
