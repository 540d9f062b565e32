"""One page of an open file to a `Page`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pipeline.domain import Page, SourceFile, Word
from pipeline.errors import UnreadableFile
from pipeline.ocr import Engine, Orientation
from pipeline.pages.banner import find_banner
from pipeline.pages.geometry import Token
from pipeline.pages.layout import Placed, lay_out
from pipeline.pages.limits import Limits
from pipeline.pages.stored import Raster, StoredPages

if TYPE_CHECKING:
    from pipeline.pages.raster import Prepared

_TAIL = 4096  # bytes in which a PDF says that it ends; some writers add a little after it
_RESEND = "Ask the sender to send it again."
# Tesseract's confidences: above 6 it was never wrong on our pages, below 1 it tells nothing. In between
# the page is read as it says, and the other ways too if that gives poor words.
_SURE_OF_ORIENTATION, _HINT_OF_ORIENTATION = 6.0, 1.0
_POOR = 0.55  # mean confidence below which a page may have been read the wrong way up


def open_file(path: Path, media_type: str, limits: Limits) -> StoredPages:
    """The file's pages. Raises UnreadableFile with the reason why there are none."""
    size = path.stat().st_size
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
        "The file is not a PDF, TIFF, PNG or JPEG.",
        next_step="Ask the sender for one of these.",
    )


def read_page(file: SourceFile, pages: StoredPages, number: int, engine: Engine) -> Page:
    """Page `number` of an open file: its text layer where that shows what the page shows, else recognised."""
    layer = pages.text_layer(number)
    if layer is not None:
        text, placed = lay_out(layer.tokens)
        words = tuple(Word(token.text, token.box, start, end) for token, start, end in placed)
        return _page(file, number, "text", layer.rotation, layer.width, layer.height, text, words, placed)
    return _recognised(file, number, pages.raster(number), engine)


def _recognised(file: SourceFile, number: int, stored: Raster, engine: Engine) -> Page:
    raster, tokens, prepared = _recognise_upright(stored, engine)
    if prepared is None:
        return Page(
            file.name, number, "ocr", raster.rotation, raster.width, raster.height, "", (), blank=True
        )
    text, placed = lay_out(tokens)
    words = tuple(
        Word(token.text, prepared.page_box(token.box), start, end, token.confidence)
        for token, start, end in placed
    )
    return _page(file, number, "ocr", raster.rotation, raster.width, raster.height, text, words, placed)


class _Attempt(NamedTuple):
    """A page read one way up; `prepared` is None where it is blank."""

    raster: Raster
    tokens: list[Token]
    prepared: Prepared | None


def _recognise_upright(stored: Raster, engine: Engine) -> _Attempt:
    # OpenCV is loaded when the first page needs it: a text layer never waits for it.
    from pipeline.pages import raster as images

    raster = images.clean(stored)
    if images.is_blank(raster):
        return _Attempt(raster, [], None)
    found = engine.orientation(*images.squared(raster)) if engine.orientation else Orientation(0, math.inf)
    turns = [found.degrees, (found.degrees + 180) % 360]
    if found.confidence < _HINT_OF_ORIENTATION:
        turns = [0, 180, 90, 270]
    best: _Attempt | None = None
    for degrees in turns:
        attempt = _recognise(images.turn(raster, degrees), engine)
        if best is None or _confidence(attempt.tokens) > _confidence(best.tokens):
            best = attempt
        if found.confidence >= _SURE_OF_ORIENTATION or _confidence(best.tokens) >= _POOR:
            break
    assert best is not None
    return best


def _recognise(raster: Raster, engine: Engine) -> _Attempt:
    from pipeline.pages import raster as images
    from pipeline.pages.leftover import recognize_twice
    from pipeline.pages.ticks import read_ticks

    prepared = images.prepare(raster)
    tokens = [
        Token(word.text, prepared.level_box(*word[1:5]), word.confidence, word.line)
        for word in read_ticks(prepared.image, recognize_twice(prepared.image, prepared.dpi, engine))
    ]
    return _Attempt(raster, tokens, prepared)


def _confidence(tokens: Sequence[Token]) -> float:
    """Mean confidence, each character counting once: specks read as letters weigh little."""
    characters = sum(len(token.text) for token in tokens)
    return sum(token.confidence * len(token.text) for token in tokens) / characters if characters else 0.0


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
    )
