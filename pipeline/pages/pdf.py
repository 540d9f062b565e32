"""PDF through pypdfium2: words with boxes, and page images.

pdfium gives the words of a page in a thirteenth of pdfplumber's time, with the same text and boxes
(tests/test_pages_pdf.py compares them); pdfplumber (`plumber`) is asked where there are form fields or
drawn tick boxes, and when pdfium cannot load a page's text.
"""

from __future__ import annotations

import ctypes
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pypdfium2
import pypdfium2.raw as pdfium

from pipeline.domain import Box
from pipeline.errors import UnreadableFile
from pipeline.pages.geometry import Token, turned, turned_size
from pipeline.pages.stored import Raster, TextLayer
from pipeline.pages.textlayer import is_garbage, leaves_ink_uncovered

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_INVISIBLE = {3, 7}  # text render modes that draw nothing (ISO 32000-1, table 106)
_HYPHEN_AT_LINE_END = 2  # how pdfium tells a hyphen at which it joined two lines
_NO_CHARACTER = {0, 0xAD, 0xFFFE}  # soft hyphens and what stands for no character
_NOWHERE = (0.0, 0.0, 0.0, 0.0)
_PROBE_DPI = 60
_LEAST_DPI, _MOST_DPI = 200.0, 300.0
_LEGIBLE_DPI = 75.0
_BIG_IMAGE = 0.3
_FULL_PAGE = 0.85
_LITTLE_TEXT = 60  # characters
_OUTLINES = 80  # drawn paths

_Rect: TypeAlias = tuple[float, float, float, float]
"""left, bottom, right, top; y upwards, as PDF has it"""


class PdfPages:
    """A PDF as pages."""

    def __init__(self, path: Path, *, max_megapixels: int) -> None:
        self.path = path
        self._limit = max_megapixels
        try:
            self._pdf = pypdfium2.PdfDocument(path)
            self._pdf.init_forms()  # so that rendering draws what stands in form fields
        except pypdfium2.PdfiumError as error:
            raise _unreadable(error) from error

    def __len__(self) -> int:
        return len(self._pdf)

    def text_layer(self, number: int) -> TextLayer | None:
        with self._page(number) as page:
            width, height = page.get_width(), page.get_height()
            try:
                tokens, degrees = self._words(page, number)
            except UnreadableFile:
                return None  # what pdfplumber cannot read can still be drawn, and recognised
            if not tokens or is_garbage(tokens) or self._shows_more(page, tokens):
                return None
            if degrees:
                tokens = [token._replace(box=turned(token.box, degrees, width, height)) for token in tokens]
            size = turned_size(degrees, width, height)
            return TextLayer(tuple(tokens), *size, (page.get_rotation() + degrees) % 360)

    def _words(self, page: Any, number: int) -> tuple[list[Token], int]:
        """The words on the page as a viewer shows it, ticks among them, and by how much they are turned."""
        try:
            tokens, degrees = _words(page)
        except pypdfium2.PdfiumError:
            tokens, degrees = self._plumber().words(self.path, number), 0
        if _may_have_boxes(page):
            ticks, values = self._plumber().read_form(self.path, number)
            tokens = self._plumber().put_ticks(tokens, ticks, values)
        return tokens, degrees

    def _plumber(self) -> ModuleType:
        from pipeline.pages import plumber  # pdfminer takes a fifth of a second to load

        return plumber

    def _shows_more(self, page: Any, tokens: Sequence[Token]) -> bool:
        """Whether the page shows more than its words: a scan under them, outlines instead of letters."""
        images = list(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4))
        area = max((_area(image) for image in images), default=0.0)
        paper = page.get_width() * page.get_height()
        characters = sum(len(token.text) for token in tokens)
        if area < _BIG_IMAGE * paper and (characters >= _LITTLE_TEXT or not (images or _many_paths(page))):
            return False
        self._check_images(images)
        ink = self._render(page, min(_PROBE_DPI, self._most_dpi(page))) < 128
        return leaves_ink_uncovered(ink, tokens, ink.shape[1] / page.get_width())

    def raster(self, number: int) -> Raster:
        with self._page(number) as page:
            images = list(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4))
            self._check_images(images)
            native = _sole_image(page, images)
            return native if native is not None else self._rendered(page, images)

    def close(self) -> None:
        self._pdf.close()

    @contextmanager
    def _page(self, number: int) -> Iterator[Any]:
        """The page, closed afterwards. Raises UnreadableFile for whatever pdfium cannot do with it."""
        page = None
        try:
            page = self._pdf[number - 1]
            yield page
        except pypdfium2.PdfiumError as error:
            raise UnreadableFile(
                "truncated", "The page is damaged.", next_step="Ask the sender to send it again."
            ) from error
        finally:
            if page is not None:
                page.close()

    def _check_images(self, images: Sequence[Any]) -> None:
        for image in images:
            width, height = image.get_px_size()
            if width * height > self._limit * 1_000_000:
                raise self._too_large()

    def _most_dpi(self, page: Any) -> float:
        inches = max(1e-6, page.get_width() * page.get_height() / 72**2)
        return math.sqrt(self._limit * 1_000_000 / inches)

    def _too_large(self) -> UnreadableFile:
        return UnreadableFile(
            "too_large",
            f"The page's image has more than {self._limit} million pixels.",
            next_step="Ask the sender to scan at 200 to 300 dots an inch.",
        )

    def _rendered(self, page: Any, images: Sequence[Any]) -> Raster:
        dpi = min(self._most_dpi(page), max((_dpi(image) for image in images), default=_LEAST_DPI))
        if dpi < _LEGIBLE_DPI and self._most_dpi(page) < _LEGIBLE_DPI:
            raise self._too_large()
        dpi = min(max(dpi, _LEAST_DPI), _MOST_DPI, self._most_dpi(page))
        image = self._render(page, dpi)
        return Raster(
            image,
            image.shape[1] * 72 / page.get_width(),
            image.shape[0] * 72 / page.get_height(),
            page.get_rotation(),
        )

    def _render(self, page: Any, dpi: float) -> npt.NDArray[np.uint8]:
        return _array(page.render(scale=dpi / 72, grayscale=True))


def _unreadable(error: pypdfium2.PdfiumError) -> UnreadableFile:
    if error.err_code == _PASSWORD_ERROR:
        return UnreadableFile(
            "encrypted",
            "The PDF is locked with a password.",
            next_step="Ask the sender for a copy without a password.",
        )
    return UnreadableFile(
        "truncated", "The PDF is damaged or cut off.", next_step="Ask the sender to send it again."
    )


def _array(bitmap: Any) -> npt.NDArray[np.uint8]:
    """The bitmap in grey; a copy, for the bitmap's memory goes with it."""
    pixels = np.asarray(bitmap.to_numpy())
    if pixels.ndim == 3:
        if pixels.shape[2] >= 3:
            grey = pixels[..., :3].astype(np.float32) @ np.array([0.114, 0.587, 0.299], np.float32)
            return np.asarray(np.rint(grey), dtype=np.uint8)
        pixels = pixels[..., 0]
    return np.array(pixels, dtype=np.uint8, order="C")


def _many_paths(page: Any) -> bool:
    """Whether the page may be letters drawn as outlines."""
    paths = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH], max_depth=4)
    return sum(1 for _ in itertools.islice(paths, _OUTLINES)) == _OUTLINES


def _may_have_boxes(page: Any) -> bool:
    """Whether the page has form fields, or small squares that may be tick boxes."""
    if any(_is_widget(page, index) for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), 1000))):
        return True
    paths = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH], max_depth=4)
    return any(_is_square(*path.get_bounds()) for path in itertools.islice(paths, 2000))


def _is_widget(page: Any, index: int) -> bool:
    annotation = pdfium.FPDFPage_GetAnnot(page, index)
    if not annotation:
        return False
    try:
        return bool(pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_WIDGET)
    finally:
        pdfium.FPDFPage_CloseAnnot(annotation)


def _is_square(left: float, bottom: float, right: float, top: float) -> bool:
    width, height = right - left, top - bottom
    return 4.5 <= width <= 19 and 4.5 <= height <= 19 and 0.75 <= width / height <= 1.33


def _area(image: Any) -> float:
    left, bottom, right, top = image.get_bounds()
    return float(max(0.0, right - left) * max(0.0, top - bottom))


def _dpi(image: Any) -> float:
    """Resolution of a placed image, the finer of its two; 0 for one drawn to nothing."""
    left, bottom, right, top = image.get_bounds()
    width, height = image.get_px_size()
    long, short = sorted((width, height)), sorted((right - left, top - bottom))
    return max(
        (pixels * 72 / points for pixels, points in zip(long, short, strict=True) if points > 1), default=0.0
    )


def _sole_image(page: Any, images: Sequence[Any]) -> Raster | None:
    """The image that is the whole page, pixel for pixel as it was sent; None where the page is more.

    Despeckling needs the fax's own pixels, which rendering to square ones would smear.
    """
    if len(images) != 1 or pdfium.FPDFPage_GetAnnotCount(page) > 0:
        return None
    others = [item for item in page.get_objects(max_depth=4) if _draws(item)]
    image, matrix = images[0], images[0].get_matrix()
    upright = matrix.a > 0 and matrix.d > 0 and abs(matrix.b) + abs(matrix.c) < 1e-3 * matrix.a
    boxes = page.get_bbox()
    paper = (boxes[2] - boxes[0]) * (boxes[3] - boxes[1])
    if others or not upright or image.level or _area(image) < _FULL_PAGE * paper:
        return None
    left, bottom, right, top = image.get_bounds()
    if max(boxes[0] - left, left - boxes[0], right - boxes[2], boxes[2] - right) > 2:
        return None  # cropped or inset: positions would be those of the image, not of the page
    if max(abs(bottom - boxes[1]), abs(top - boxes[3])) > 2:
        return None
    pixels = _array(image.get_bitmap())
    x_dpi, y_dpi = pixels.shape[1] * 72 / (right - left), pixels.shape[0] * 72 / (top - bottom)
    turn = page.get_rotation()
    if turn % 180:
        x_dpi, y_dpi = y_dpi, x_dpi
    return Raster(np.ascontiguousarray(np.rot90(pixels, -turn // 90)), x_dpi, y_dpi, turn)


def _draws(item: Any) -> bool:
    if item.type == pdfium.FPDF_PAGEOBJ_TEXT:
        return pdfium.FPDFTextObj_GetTextRenderMode(item) not in _INVISIBLE
    return item.type in (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_SHADING)


def _words(page: Any) -> tuple[list[Token], int]:
    """The visible words on the page as a viewer shows it, and by how much they are turned on it."""
    textpage = page.get_textpage()
    try:
        degrees = _text_turn(textpage)
        left, bottom, right, top = page.get_bbox()
        rotation = page.get_rotation()
        tokens = []
        for text, (x0, y0, x1, y1) in _runs(textpage, degrees):
            box = Box(x0 - left, top - y1, x1 - left, top - y0)
            tokens.append(Token(text, turned(box, rotation, right - left, top - bottom) if rotation else box))
        return tokens, (degrees - rotation) % 360
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


def _runs(textpage: Any, turn: int) -> Iterator[tuple[str, _Rect]]:
    """Words as pdfium finds them, with their boxes in the page's own coordinates (y upwards).

    `turn` is how the text lies, see `_text_turn`.
    """
    rect = pdfium.FS_RECTF()
    pointer, matrix = ctypes.byref(rect), pdfium.FS_MATRIX()
    handle = textpage.raw
    # A page has thousands of characters: what is asked of each is looked up once.
    unicode_of, box_of, vertical = (
        pdfium.FPDFText_GetUnicode,
        pdfium.FPDFText_GetLooseCharBox,
        turn % 180 != 0,
    )
    letters: list[str] = []
    box, size = _NOWHERE, 0.0
    for index in range(pdfium.FPDFText_CountChars(handle)):
        code = unicode_of(handle, index)
        hyphen = code == _HYPHEN_AT_LINE_END
        character = "-" if hyphen else chr(code) if code < 0x110000 else "\ufffd"
        if character.isspace() or code in _NO_CHARACTER:
            if letters:
                yield "".join(letters), _of_size(box, size, turn)
                letters = []
            continue
        box_of(handle, index, pointer)
        here = (rect.left, rect.bottom, rect.right, rect.top)
        if letters and _apart(box, here, vertical):
            yield "".join(letters), _of_size(box, size, turn)
            letters = []
        if letters:
            box = _both(box, here)
        elif _hidden(handle, index):
            continue
        else:
            box, size = here, _font_size(handle, index, matrix)
        letters.append(character)
        if hyphen:
            yield "".join(letters), _of_size(box, size, turn)
            letters = []
    if letters:
        yield "".join(letters), _of_size(box, size, turn)


def _both(one: _Rect, other: _Rect) -> _Rect:
    """The smallest box around two; written out, for `min` and `max` cost three times as much."""
    left, bottom, right, top = other
    return (
        one[0] if one[0] < left else left,
        one[1] if one[1] < bottom else bottom,
        one[2] if one[2] > right else right,
        one[3] if one[3] > top else top,
    )


def _font_size(textpage: Any, index: int, matrix: Any) -> float:
    """Points from line to line as the font is set; 0 where pdfium does not tell. `matrix` is written over."""
    if not pdfium.FPDFText_GetMatrix(textpage, index, ctypes.byref(matrix)):
        return 0.0
    return float(pdfium.FPDFText_GetFontSize(textpage, index)) * math.hypot(matrix.c, matrix.d)


def _of_size(box: _Rect, size: float, turn: int) -> _Rect:
    """The box as high as its font is large: pdfium's reaches to the font's tallest accents."""
    x0, y0, x1, y1 = box
    if not 0 < size < (x1 - x0 if turn % 180 else y1 - y0):
        return box
    match turn:
        case 0:
            return x0, y0, x1, y0 + size
        case 90:
            return x1 - size, y0, x1, y1
        case 180:
            return x0, y1 - size, x1, y1
        case _:
            return x0, y0, x0 + size, y1


def _apart(word: _Rect, character: _Rect, vertical: bool) -> bool:
    """Whether a character stands away from the word before it: another line, or a gap of 3 points."""
    if vertical:
        low, start, high, end = word
        character_low, character_start, character_high, character_end = character
    else:
        start, low, end, high = word
        character_start, character_low, character_end, character_high = character
    if character_start - end > 3 or start - character_end > 3:
        return True
    return abs(character_low + character_high - low - high) > 1.2 * (high - low)


def _hidden(textpage: Any, index: int) -> bool:
    item = pdfium.FPDFText_GetTextObject(textpage, index)
    return bool(item) and pdfium.FPDFTextObj_GetTextRenderMode(item) in _INVISIBLE
