"""Barcodes: the request letter's own, on covers that come back by fax or upload, and none where none are."""

from __future__ import annotations

import io
from pathlib import Path

import fpdf
import numpy as np
import PIL.Image
import pytest
import zxingcpp

from pipeline.domain import Box, Page
from pipeline.ocr import Engine, load
from pipeline.pages import read_pages
from pipeline.pages.barcodes import read_barcodes
from tests.page_samples import NOTE, draw, fax, image_pdf, iou, source

SAID = "CT1:4KW7M9XTAC"
PLACE = Box(400, 560, 472, 632)  # one inch, as our letters print it
MARGIN = 72 * 4 / 29  # points; four of 29 modules of white around the code
INK = Box(PLACE.x0 + MARGIN, PLACE.top + MARGIN, PLACE.x1 - MARGIN, PLACE.bottom - MARGIN)


def barcode(kind: zxingcpp.BarcodeFormat) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.asarray(zxingcpp.create_barcode(SAID, kind).to_image(scale=6)))


def letter(path: Path, *, lines: int = len(NOTE), code: bool = True) -> Path:
    """A page of text with a QR code at PLACE."""
    pdf = fpdf.FPDF(unit="pt", format="letter")
    pdf.set_auto_page_break(False)
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    for row in range(lines):
        pdf.text(60, 70 + row * 11, NOTE[row % len(NOTE)])
    if code:
        picture = io.BytesIO()
        barcode(zxingcpp.BarcodeFormat.QRCode).save(picture, "PNG")
        pdf.image(picture, PLACE.x0, PLACE.top, PLACE.x1 - PLACE.x0, PLACE.bottom - PLACE.top)
    pdf.output(str(path))
    return path


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load("tesseract")


def only_page(path: Path, engine: Engine) -> Page:
    (page,) = read_pages(source(path), engine).pages
    return page


@pytest.mark.parametrize("kind", ["QRCode", "DataMatrix", "PDF417", "Code128"])
def test_formats(kind: str) -> None:
    code = barcode(getattr(zxingcpp.BarcodeFormat, kind))
    paper = np.full((code.height + 200, code.width + 200), 255, np.uint8)
    paper[100:-100, 100:-100] = np.asarray(code.convert("L"))
    assert [found.text for found in read_barcodes(paper)] == [SAID]


@pytest.mark.parametrize("dpi", [(204, 196), (204, 98)], ids=["fine", "standard"])
@pytest.mark.parametrize("turned", [0, 180], ids=["upright", "upside down"])
def test_on_a_fax(tmp_path: Path, engine: Engine, dpi: tuple[int, int], turned: int) -> None:
    sent = fax(letter(tmp_path / "letter.pdf"), dpi).rotate(turned)
    page = only_page(image_pdf(tmp_path / "fax.pdf", sent), engine)
    (code,) = page.barcodes
    assert (code.text, page.rotation) == (SAID, turned)
    assert iou(code.box, INK) > 0.9


def test_on_an_upload_with_little_text(tmp_path: Path) -> None:
    page = only_page(letter(tmp_path / "letter.pdf"), load("none"))
    (code,) = page.barcodes
    assert (page.source, code.text) == ("text", SAID)
    assert iou(code.box, INK) > 0.9


def test_a_full_page_of_text_is_not_drawn_for_it(tmp_path: Path) -> None:
    page = only_page(letter(tmp_path / "letter.pdf", lines=60), load("none"))
    assert (page.source, page.barcodes) == ("text", ())


def test_print_is_no_barcode(tmp_path: Path) -> None:
    assert read_barcodes(draw(letter(tmp_path / "letter.pdf", lines=60, code=False)), 200) == ()
    assert read_barcodes(np.full((2200, 1700), 255, np.uint8), 200) == ()


def test_what_it_says_stays_out_of_logs(tmp_path: Path) -> None:
    page = only_page(letter(tmp_path / "letter.pdf"), load("none"))
    assert SAID not in repr(page)
