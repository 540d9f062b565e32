"""PDF through pypdfium2: words with boxes, and page images.

Words come from pdfium (`pdftext`); pdfplumber (`plumber`) is asked where there are form fields or drawn tick
boxes, and when pdfium cannot load a page's text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2
import pypdfium2.raw as pdfium

from pipeline.errors import UnreadableFile
from pipeline.pages.geometry import Token, turned, turned_size
from pipeline.pages.pdfobjects import MOST_DEPTH, Drawn, drawn_on, without_text
from pipeline.pages.pdftext import INVISIBLE, read_words
from pipeline.pages.stored import Carried, Raster, TextLayer
from pipeline.pages.textlayer import drawn_in, is_garbage, leaves_ink_uncovered

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_SCRIPT = re.compile(rb"/S\s*/JavaScript\b")  # ISO 32000-1, 12.6.4.16
_BLOCK = 1 << 20
_PROBE_DPI = 60
_FAINTEST = 8  # of 255 by which a drawn word changes the page somewhere
_LEAST_DPI, _MOST_DPI = 200.0, 300.0
_LEGIBLE_DPI = 75.0
_LARGEST_PAPER, _LETTER_LENGTH = 20.0, 11.0  # inches
_SCANNED_DPI = 150.0  # what a scanner makes of paper at least
_BIG_IMAGE = 0.3
_FULL_PAGE = 0.85
_LITTLE_TEXT = 60  # characters
_OUTLINES = 80  # drawn paths


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

    def carried(self) -> Carried:
        files = max(0, pdfium.FPDFDoc_GetAttachmentCount(self._pdf))
        return Carried(files, pdfium.FPDFDoc_GetJavaScriptActionCount(self._pdf) > 0 or self._has_script())

    def _has_script(self) -> bool:
        """Whether a script is named where the file is not packed: pdfium tells only of some kinds."""
        with self.path.open("rb") as stream:
            before = b""
            while block := stream.read(_BLOCK):
                if _SCRIPT.search(before + block):
                    return True
                before = block[-len(b"/JavaScript") - 8 :]
        return False

    def text_layer(self, number: int) -> TextLayer | None:
        with self._page(number) as page:
            width, height = page.get_width(), page.get_height()
            drawn = drawn_on(page)
            try:
                tokens, degrees = self._words(page, number, drawn)
            except UnreadableFile:
                return None  # what pdfplumber cannot read can still be drawn, and recognised
            if not tokens or is_garbage(tokens) or self._shows_more(page, tokens, drawn.images, drawn.paths):
                return None
            if degrees:
                tokens = [token._replace(box=turned(token.box, degrees, width, height)) for token in tokens]
            size = turned_size(degrees, width, height)
            turn = (page.get_rotation() + degrees) % 360
            return TextLayer(tuple(tokens), *size, turn, drawn.pictured)

    def _words(self, page: Any, number: int, drawn: Drawn) -> tuple[list[Token], int]:
        """The words on the page as a viewer shows it, ticks among them, and by how much they are turned."""
        try:
            tokens, degrees = read_words(page, some_invisible=drawn.invisible)
        except pypdfium2.PdfiumError:
            tokens, degrees = self._plumber().words(self.path, number), 0
        if drawn.doubtful or any(_area(image) >= _BIG_IMAGE * _paper(page) for image in drawn.images):
            tokens = self._seen(page, tokens, drawn.images)
        if drawn.squares or _has_fields(page):
            ticks, values = self._plumber().read_form(self.path, number)
            tokens = self._plumber().put_ticks(tokens, ticks, values)
        return tokens, degrees

    def _plumber(self) -> ModuleType:
        from pipeline.pages import plumber  # pdfminer takes a fifth of a second to load

        return plumber

    def _seen(self, page: Any, tokens: Sequence[Token], images: Sequence[Any]) -> list[Token]:
        """The words without which the page would look otherwise: not white on white, nor under a scan."""
        with_words = self._probe(page, images)
        with without_text(page):
            bare = self._probe(page, images)
        changed = np.abs(with_words.astype(np.int16) - bare) >= _FAINTEST
        return drawn_in(changed, tokens, changed.shape[1] / page.get_width())

    def _shows_more(self, page: Any, tokens: Sequence[Token], images: Sequence[Any], paths: int) -> bool:
        """Whether the page shows more than its words: a scan under them, outlines instead of letters."""
        area = max((_area(image) for image in images), default=0.0)
        characters = sum(len(token.text) for token in tokens)
        if area < _BIG_IMAGE * _paper(page) and (
            characters >= _LITTLE_TEXT or not (images or paths >= _OUTLINES)
        ):
            return False
        ink = self._probe(page, images) < 128
        return leaves_ink_uncovered(ink, tokens, ink.shape[1] / page.get_width())

    def _probe(self, page: Any, images: Sequence[Any]) -> npt.NDArray[np.uint8]:
        """The page drawn small, to see where something stands."""
        self._check_images(images)
        return self._render(page, min(_PROBE_DPI, self._most_dpi(page)))

    def raster(self, number: int) -> Raster:
        with self._page(number) as page:
            images = list(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=MOST_DEPTH))
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

    def _too_large_page(self, page: Any) -> UnreadableFile:
        inches = " by ".join(f"{points / 72:.0f}" for points in (page.get_width(), page.get_height()))
        return UnreadableFile(
            "too_large",
            f"The page is {inches} inches large; at that size it cannot be read.",
            next_step="Ask the sender to send it on paper of letter size.",
        )

    def _too_large(self) -> UnreadableFile:
        return UnreadableFile(
            "too_large",
            f"The page's image has more than {self._limit} million pixels.",
            next_step="Ask the sender to scan at 200 to 300 dots an inch.",
        )

    def _rendered(self, page: Any, images: Sequence[Any]) -> Raster:
        dpi = min(self._most_dpi(page), max((_dpi(image) for image in images), default=_LEAST_DPI))
        if dpi < _LEGIBLE_DPI and self._most_dpi(page) < _LEGIBLE_DPI:
            raise self._too_large_page(page)
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


def _has_fields(page: Any) -> bool:
    return any(_is_widget(page, index) for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), 1000)))


def _is_widget(page: Any, index: int) -> bool:
    annotation = pdfium.FPDFPage_GetAnnot(page, index)
    if not annotation:
        return False
    try:
        return bool(pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_WIDGET)
    finally:
        pdfium.FPDFPage_CloseAnnot(annotation)


def _paper(page: Any) -> float:
    """Square points."""
    return float(page.get_width() * page.get_height())


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
    others = [item for item in page.get_objects(max_depth=MOST_DEPTH) if _draws(item)]
    image, matrix = images[0], images[0].get_matrix()
    stands = matrix.a > 0 and matrix.d > 0 and abs(matrix.b) + abs(matrix.c) < 1e-3 * matrix.a
    boxes = page.get_bbox()
    paper = (boxes[2] - boxes[0]) * (boxes[3] - boxes[1])
    if others or not stands or image.level or _area(image) < _FULL_PAGE * paper:
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
    scale = 1.0
    long = max(right - left, top - bottom) / 72
    if long > _LARGEST_PAPER and max(x_dpi, y_dpi) < _SCANNED_DPI:
        # A photograph's dots were taken for points; nothing is that large, and blown up it is unreadable.
        scale = long / _LETTER_LENGTH
    upright = np.ascontiguousarray(np.rot90(pixels, -turn // 90))
    return Raster(upright, x_dpi * scale, y_dpi * scale, turn, scale)


def _draws(item: Any) -> bool:
    if item.type == pdfium.FPDF_PAGEOBJ_TEXT:
        return pdfium.FPDFTextObj_GetTextRenderMode(item) not in INVISIBLE
    return item.type in (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_SHADING)
