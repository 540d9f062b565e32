"""The words of a PDF page through pdfium, in a tenth of pdfplumber's time with the same text and boxes.

A page has thousands of characters, so what is asked of each is asked without pypdfium2's checks of its
arguments and worked on in arrays; that is half of the time.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pypdfium2.raw as pdfium

from pipeline.domain import Box
from pipeline.pages.geometry import Token, turned

INVISIBLE = frozenset([3, 7])  # text render modes that draw nothing (ISO 32000-1, table 106)

Boxes: TypeAlias = npt.NDArray[np.float64]
"""A row for each: left, top, right, bottom, as pdfium has rectangles in memory; y upwards."""

# Between words stand white space and what stands for no character. At U+0002, which is how pdfium tells a
# hyphen at a line's end, it has joined two lines: the word ends there.
_WORD = re.compile("[^\\s\0\ufffe\x02]*\x02|[^\\s\0\ufffe\x02]+")
_HYPHENS = str.maketrans("\x02\u00ad", "--")  # a soft hyphen that is drawn is a hyphen
_GAP = 3.0  # points; as pdfplumber's
_OTHER_LINE = 0.6  # of a character's height that the next one's middle is away

_Pointer: TypeAlias = ctypes.c_void_p


def _direct(function: Any, result: Any, *arguments: Any) -> Callable[..., Any]:
    """A function of pdfium that takes plain addresses."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return ctypes.CFUNCTYPE(result, *arguments)(address)


_unicode = _direct(pdfium.FPDFText_GetUnicode, ctypes.c_uint, _Pointer, ctypes.c_int)
_text = _direct(pdfium.FPDFText_GetText, ctypes.c_int, _Pointer, ctypes.c_int, ctypes.c_int, _Pointer)
_loose_box = _direct(pdfium.FPDFText_GetLooseCharBox, ctypes.c_int, _Pointer, ctypes.c_int, _Pointer)
_text_object = _direct(pdfium.FPDFText_GetTextObject, ctypes.c_size_t, _Pointer, ctypes.c_int)
_render_mode = _direct(pdfium.FPDFTextObj_GetTextRenderMode, ctypes.c_int, _Pointer)
_font_size = _direct(pdfium.FPDFText_GetFontSize, ctypes.c_double, _Pointer, ctypes.c_int)
_matrix = _direct(pdfium.FPDFText_GetMatrix, ctypes.c_int, _Pointer, ctypes.c_int, _Pointer)


def read_words(page: Any, *, some_invisible: bool) -> tuple[list[Token], int]:
    """(visible words on the page as a viewer shows it, degrees clockwise to turn it upright).

    Words outside the page are left out. `some_invisible` says whether some of the page's text may be of
    a render mode that draws nothing. Raises PdfiumError where pdfium cannot load the page's text.
    """
    textpage = page.get_textpage()
    try:
        degrees = _text_turn(textpage)
        words, boxes = _words(textpage, degrees, some_invisible)
        left, bottom, right, top = page.get_bbox()
        placed = np.column_stack(
            (boxes[:, 0] - left, top - boxes[:, 1], boxes[:, 2] - left, top - boxes[:, 3])
        )
        width, height, rotation = right - left, top - bottom, page.get_rotation()
        on_page = (placed[:, 2:] > 0).all(axis=1) & (placed[:, :2] < (width, height)).all(axis=1)
        if not on_page.all():
            words, placed = list(itertools.compress(words, on_page)), placed[on_page]
        found = list(map(Box._make, placed.tolist()))
        if rotation:
            found = [turned(box, rotation, width, height) for box in found]
        return list(map(Token, words, found)), (degrees - rotation) % 360
    finally:
        textpage.close()


def _text_turn(textpage: Any) -> int:
    """By how many degrees clockwise the stored page is to be turned for most of its characters to stand."""
    count = pdfium.FPDFText_CountChars(textpage)
    step = max(1, count // 60)
    angles = Counter[int]()
    for index in range(0, count, step):
        angle = pdfium.FPDFText_GetCharAngle(textpage, index)
        if angle >= 0 and not pdfium.FPDFText_IsGenerated(textpage, index):
            angles[-round(math.degrees(angle) / 90) * 90 % 360] += 1
    return angles.most_common(1)[0][0] if angles else 0


def _words(textpage: Any, turn: int, some_invisible: bool) -> tuple[list[str], Boxes]:
    """Words and their boxes in the page's own coordinates. `turn` is how the text lies."""
    count = pdfium.FPDFText_CountChars(textpage)
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    text = _characters(handle, count)
    if some_invisible:
        text = _without_invisible(handle, text)
    runs = [match.span() for match in _WORD.finditer(text)]
    if not runs:
        return [], np.empty((0, 4))
    boxes = _character_boxes(handle, count)
    runs = _cut_apart(runs, boxes, vertical=turn % 180 != 0)
    if not _HYPHENS.keys().isdisjoint(map(ord, set(text))):
        text = text.translate(_HYPHENS)
    return [text[start:end] for start, end in runs], _of_size(
        _around(boxes, runs), _sizes(handle, runs), turn
    )


def _characters(handle: int | None, count: int) -> str:
    """The page's characters; each stands at the index by which pdfium knows it."""
    buffer = ctypes.create_string_buffer(4 * count + 4)
    units = _text(handle, 0, count, ctypes.addressof(buffer))
    text = buffer.raw[: 2 * max(0, units - 1)].decode("utf-16-le", "replace")
    if len(text) == count and "\ufffe" not in text:
        return text
    # Asked for at once, pdfium leaves some out and does not tell a line's hyphen from what is no character.
    codes = map(_unicode, itertools.repeat(handle), range(count))
    return "".join(
        chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd" for code in codes
    )


def _without_invisible(handle: int | None, text: str) -> str:
    modes: dict[int, bool] = {}
    shown = []
    for index, character in enumerate(text):
        item = _text_object(handle, index)
        if item not in modes:
            modes[item] = bool(item) and _render_mode(item) in INVISIBLE
        shown.append(" " if modes[item] else character)
    return "".join(shown)


def _character_boxes(handle: int | None, count: int) -> npt.NDArray[np.float32]:
    boxes = np.zeros((count, 4), np.float32)
    start, step = boxes.ctypes.data, boxes.strides[0]
    for _ in map(
        _loose_box, itertools.repeat(handle), range(count), range(start, start + step * count, step)
    ):
        pass
    return boxes


def _cut_apart(
    runs: list[tuple[int, int]], boxes: npt.NDArray[np.float32], *, vertical: bool
) -> list[tuple[int, int]]:
    """The runs, cut where a character stands away from the one before: another line, or a gap."""
    left, top, right, bottom = boxes.T
    start, end, low, high = (bottom, top, left, right) if vertical else (left, right, bottom, top)
    middle = low + high
    apart = (start[1:] - end[:-1] > _GAP) | (start[:-1] - end[1:] > _GAP)
    apart |= np.abs(middle[1:] - middle[:-1]) > 2 * _OTHER_LINE * (high - low)[:-1]
    cuts = (np.flatnonzero(apart) + 1).tolist()
    if not cuts:
        return runs
    pieces, next_cut = [], iter(cuts)
    cut = next(next_cut, len(boxes))
    for begin, finish in runs:
        while cut <= begin:
            cut = next(next_cut, len(boxes))
        while cut < finish:
            pieces.append((begin, cut))
            begin, cut = cut, next(next_cut, len(boxes))
        pieces.append((begin, finish))
    return pieces


def _around(boxes: npt.NDArray[np.float32], runs: list[tuple[int, int]]) -> Boxes:
    """The box around the characters of each run."""
    edges = np.array(runs).ravel()
    left, top, right, bottom = np.vstack((boxes, boxes[-1:])).T  # a run may end where the text does
    low = (np.minimum.reduceat(side, edges)[::2] for side in (left, bottom))
    high = (np.maximum.reduceat(side, edges)[::2] for side in (right, top))
    (left, bottom), (right, top) = low, high
    return np.column_stack((left, top, right, bottom)).astype(np.float64)


def _sizes(handle: int | None, runs: list[tuple[int, int]]) -> npt.NDArray[np.float64]:
    """Points from line to line as each word's font is set; 0 where pdfium does not tell."""
    matrix = pdfium.FS_MATRIX()
    address, known, sizes = ctypes.addressof(matrix), dict[int, float](), []
    firsts = [start for start, _ in runs]
    for index, item in zip(firsts, map(_text_object, itertools.repeat(handle), firsts), strict=True):
        size = known.get(item)
        if size is None:
            told = _matrix(handle, index, address)
            size = _font_size(handle, index) * math.hypot(matrix.c, matrix.d) if told else 0.0
            known[item] = size
        sizes.append(size)
    return np.array(sizes)


def _of_size(boxes: Boxes, sizes: npt.NDArray[np.float64], turn: int) -> Boxes:
    """The boxes as high as their font is large: pdfium's reach to the font's tallest accents."""
    left, top, right, bottom = boxes.T
    fits = (sizes > 0) & (sizes < (right - left if turn % 180 else top - bottom))
    match turn:
        case 0:
            top[fits] = (bottom + sizes)[fits]
        case 90:
            left[fits] = (right - sizes)[fits]
        case 180:
            bottom[fits] = (top - sizes)[fits]
        case _:
            right[fits] = (left + sizes)[fits]
    return boxes
