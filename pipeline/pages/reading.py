"""One page of an open file to a `Page`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pipeline.domain import Barcode, Box, Page, SourceFile, Word
from pipeline.errors import UnreadableFile
from pipeline.ocr import Engine, OcrWord
from pipeline.pages.banner import find_banner
from pipeline.pages.geometry import Token
from pipeline.pages.layout import Placed, lay_out
from pipeline.pages.limits import Limits
from pipeline.pages.stored import Raster, StoredPages, TextLayer

if TYPE_CHECKING:
    from pipeline.pages.raster import Prepared

_TAIL = 4096  # bytes in which a PDF says that it ends; some writers add a little after it
# What offices send that is not a fax or a scan: (where it says so, how, what it is).
_KINDS = (
    (0, b"PK\x03\x04", "a ZIP archive or an Office document (Word, Excel)"),
    (0, b"\xd0\xcf\x11\xe0", "an old Office document (Word, Excel)"),
    (0, b"{\\rtf", "a text document (RTF)"),
    (0, b"<html", "a web page"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"BM", "a BMP picture"),
    (4, b"ftypheic", "a HEIC photograph"),
    (128, b"DICM", "a DICOM image"),
    (0, b"From: ", "a mail message"),
    (0, b"Received: ", "a mail message"),
)
_HEAD = 4096
_RESEND = "Ask the sender to send it again."
# Tesseract's confidences of how a page lies: above 6 it was never wrong on our pages, below 1 it tells
# nothing. In between the page is read as it says, and the other ways too if that gives poor words.
_SURE_OF_ORIENTATION, _HINT_OF_ORIENTATION = 6.0, 1.0
_SIDEWAYS = 0.5  # of `lies_sideways`; skewed upright pages reach 0.3
_WELL = 0.7  # mean confidence that a page upside down never reaches (0.2 to 0.5)
# Characters of a text layer up to which its page is drawn to look for barcodes: a cover or a separator
# sheet has less, a page of a note more. Drawing takes three times as long as reading the layer.
_LITTLE_TEXT = 1800
_POOR = 0.55  # mean confidence below which a page may have been read the wrong way up


def open_file(path: Path, media_type: str, limits: Limits) -> StoredPages:
    """The file's pages. Raises UnreadableFile with the reason why there are none."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UnreadableFile("changed", "The file is there no more.", next_step=_RESEND) from error
    if size == 0:
        raise UnreadableFile("empty", "The file is empty.", next_step=_RESEND)
    if size > limits.max_file_mb * 2**20:
        raise UnreadableFile(
            "too_large",
            f"The file is larger than {limits.max_file_mb} MB.",
            next_step="Ask the sender to send it in parts.",
        )
    pages = _opened(path, media_type, limits)
    if len(pages) > limits.max_pages:
        count = len(pages)
        pages.close()
        raise UnreadableFile(
            "too_many_pages",
            f"The file has {count} pages; {limits.max_pages} are allowed.",
            next_step="Ask the sender to send the pages that belong to the request.",
        )
    return pages


def is_cut_off(file: SourceFile) -> bool:
    """Whether a PDF lacks its end. Some of its pages can often be read all the same."""
    if file.media_type != "application/pdf":
        return False  # a TIFF's pages show it themselves
    with file.path.open("rb") as stream:
        stream.seek(max(0, file.path.stat().st_size - _TAIL))
        return b"%%EOF" not in stream.read()


def _opened(path: Path, media_type: str, limits: Limits) -> StoredPages:
    # Each library is loaded when the first file needs it: a packet of PDFs never waits for the others.
    if media_type == "application/pdf":
        from pipeline.pages.pdf import PdfPages

        return PdfPages(path, max_megapixels=limits.max_page_megapixels)
    if media_type in ("image/tiff", "image/png", "image/jpeg"):
        from pipeline.pages.images import ImagePages

        return ImagePages(path, max_megapixels=limits.max_page_megapixels)
    raise UnreadableFile(
        "unsupported_type",
        f"The file is not a PDF, TIFF, PNG or JPEG{_other_kind(path)}.",
        next_step="Ask the sender for one of these.",
    )


def _other_kind(path: Path) -> str:
    """What a file that cannot be read seems to be, where its first bytes tell."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head.strip(b"\0"):
        return "; it holds nothing but zeros"
    kinds = (kind for offset, sign, kind in _KINDS if head.startswith(sign, offset))
    return f"; it seems to be {kind}" if (kind := next(kinds, "")) else ""


def read_page(file: SourceFile, pages: StoredPages, number: int, engine: Engine) -> Page:
    """Page `number` of an open file: its text layer where that shows what the page shows, else recognised."""
    layer = pages.text_layer(number)
    if layer is not None:
        text, placed = lay_out(layer.tokens)
        words = tuple(Word(token.text, token.box, start, end) for token, start, end in placed)
        may_have_code = layer.pictured and len(text) <= _LITTLE_TEXT
        codes = _drawn_barcodes(pages, number, layer) if may_have_code else ()
        return _page(
            file, number, "text", layer.rotation, layer.width, layer.height, text, words, placed, codes
        )
    stored = pages.raster(number)
    return _enlarged(_recognised(file, number, stored, engine), stored.scale)


def _enlarged(page: Page, scale: float) -> Page:
    """The page at the size that its file says, see `Raster.scale`."""
    if scale == 1.0:
        return page

    def large(box: Box) -> Box:
        return Box(*(edge * scale for edge in box))

    return replace(
        page,
        width=page.width * scale,
        height=page.height * scale,
        words=tuple(replace(word, box=large(word.box)) for word in page.words),
        barcodes=tuple(replace(code, box=large(code.box)) for code in page.barcodes),
    )


def _drawn_barcodes(pages: StoredPages, number: int, layer: TextLayer) -> tuple[Barcode, ...]:
    """The barcodes of a page with a text layer; none where the page cannot be drawn."""
    from pipeline.pages import raster as images
    from pipeline.pages.barcodes import read_barcodes

    try:
        drawn = pages.raster(number)
    except UnreadableFile:
        return ()
    return read_barcodes(*images.squared(images.turn(drawn, (layer.rotation - drawn.rotation) % 360)))


def _recognised(file: SourceFile, number: int, stored: Raster, engine: Engine) -> Page:
    # OpenCV is loaded when the first page needs it: a text layer never waits for it.
    from pipeline.pages import raster as images
    from pipeline.pages.barcodes import read_barcodes
    from pipeline.pages.leftover import look_again
    from pipeline.pages.second_opinion import read_digits_again
    from pipeline.pages.strokes import read_strokes
    from pipeline.pages.ticks import read_ticks

    raster = images.clean(stored)
    if images.is_blank(raster):
        return Page(
            file.name, number, "ocr", raster.rotation, raster.width, raster.height, "", (), blank=True
        )
    raster, prepared, found = _recognise_upright(raster, engine)
    found = look_again(prepared.image, prepared.dpi, found, engine)
    coarse = images.is_coarse(raster)
    found = read_digits_again(prepared.sharp, prepared.image, found, engine, coarse=coarse)
    found = read_strokes(prepared.sharp, read_ticks(prepared.image, found))
    text, placed = lay_out(
        [
            Token(word.text, prepared.level_box(*word[1:5]), word.confidence, word.line, word.confirmed)
            for word in found
        ]
    )
    words = tuple(
        Word(token.text, prepared.page_box(token.box), start, end, token.confidence, token.confirmed)
        for token, start, end in placed
    )
    codes = tuple(
        Barcode(code.text, prepared.page_box(code.box))
        for code in read_barcodes(prepared.image, prepared.dpi)
    )
    return _page(
        file, number, "ocr", raster.rotation, raster.width, raster.height, text, words, placed, codes
    )


class _Attempt(NamedTuple):
    """A page read one way up."""

    raster: Raster
    prepared: Prepared
    words: list[OcrWord]


def _recognise_upright(raster: Raster, engine: Engine) -> _Attempt:
    """The page the way up in which it reads best.

    Most pages come upright, and a page that reads well is: the engine is asked how a page lies only
    when it does not, or when its lines seem to run upwards. That saves a fifth of the time.
    """
    from pipeline.pages import raster as images

    if engine.orientation is None:
        return _recognise(raster, 0, engine)
    square = images.squared(raster)
    attempts: dict[int, _Attempt] = {}
    if images.lies_sideways(*square) <= _SIDEWAYS:
        attempts[0] = _recognise(raster, 0, engine)
        if _confidence(attempts[0].words) >= _WELL:
            return attempts[0]
    lies = engine.orientation(*square)
    turns = [lies.degrees, (lies.degrees + 180) % 360]
    for degrees in turns if lies.confidence >= _HINT_OF_ORIENTATION else [0, 180, 90, 270]:
        if degrees not in attempts:
            attempts[degrees] = _recognise(raster, degrees, engine)
        if lies.confidence >= _SURE_OF_ORIENTATION or _confidence(attempts[degrees].words) >= _POOR:
            return attempts[degrees]
    return max(attempts.values(), key=lambda attempt: _confidence(attempt.words))


def _recognise(raster: Raster, degrees: int, engine: Engine) -> _Attempt:
    from pipeline.pages import raster as images

    upright = images.turn(raster, degrees)
    prepared = images.prepare(upright)
    return _Attempt(upright, prepared, engine.recognize(prepared.image, prepared.dpi))


def _confidence(words: Sequence[OcrWord]) -> float:
    """Mean confidence, each character counting once: specks read as letters weigh little.

    None at all where words run up or down the page: Tesseract reads some sideways pages well as they
    lie, but their lines and boxes are then those of a page that nobody reads so.
    """
    long = [word for word in words if len(word.text) > 3]
    if sum(word.bottom - word.top > word.x1 - word.x0 for word in long) > 0.5 * len(long):
        return 0.0
    characters = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) / characters if characters else 0.0


def _page(
    file: SourceFile,
    number: int,
    source: Literal["text", "ocr"],
    rotation: int,
    width: float,
    height: float,
    text: str,
    words: tuple[Word, ...],
    placed: Sequence[Placed],
    barcodes: tuple[Barcode, ...],
) -> Page:
    return Page(
        file=file.name,
        number=number,
        source=source,
        rotation=rotation,
        width=width,
        height=height,
        text=text,
        words=words,
        banner=find_banner(text, placed, height),
        mean_confidence=statistics.fmean(word.confidence for word in words) if words else None,
        barcodes=barcodes,
    )
