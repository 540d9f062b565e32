"""Small pages with known words, made with fpdf2, pikepdf and Pillow, and the truth about their boxes."""

from __future__ import annotations

import datetime
import io
from collections.abc import Sequence
from pathlib import Path

import fpdf
import numpy as np
import numpy.typing as npt
import pikepdf
import PIL.Image
import pypdfium2
import pypdfium2.raw as pdfium

from pipeline.domain import Box, Page, SourceFile
from pipeline.intake.folder import receive

LETTER = (612.0, 792.0)
WRITTEN = datetime.datetime(2026, 8, 19, 9, 30, tzinfo=datetime.UTC)  # the same bytes each time
NOTE = (
    "RIDGELINE SURGICAL ASSOCIATES",
    "Patient: Marlow, Edwina   DOB 11/23/1948",
    "",
    "The patient returns to discuss the mass in the lower pole of the",
    "right kidney, which measured 2.7 cm on the scan of 03/14/2026. She",
    "has no fever, no weight loss and no blood in the urine. The chest is",
    "clear and the abdomen is soft. We talked about watching it, about",
    "surgery and about freezing it through the skin, and she prefers the",
    "last of these because of her heart disease and her age.",
    "",
    "Plan: percutaneous cryoablation of the right lower pole mass.",
)


def text_pdf(
    path: Path,
    lines: Sequence[str] = NOTE,
    *,
    font: str = "Helvetica",
    size: float = 11,
    left: float = 60,
    top: float = 70,
    pages: int = 1,
) -> Path:
    """A PDF with a text layer, one line of `lines` below the other."""
    pdf = fpdf.FPDF(unit="pt", format="letter")
    pdf.set_creation_date(WRITTEN)
    pdf.set_auto_page_break(False)
    for _ in range(pages):
        pdf.add_page()
        pdf.set_font(font, size=size)
        for row, line in enumerate(lines):
            if line:
                pdf.text(left, top + row * 1.3 * size, line)
    pdf.output(str(path))
    return path


def draw(path: Path, dpi: tuple[float, float] = (200, 200), number: int = 1) -> npt.NDArray[np.uint8]:
    """A page of a PDF as a grey image; the dots across and down an inch may differ, as on a fax."""
    page = pypdfium2.PdfDocument(path)[number - 1]
    image = page.render(scale=400 / 72, grayscale=True).to_pil()
    size = (round(page.get_width() * dpi[0] / 72), round(page.get_height() * dpi[1] / 72))
    return np.asarray(image.resize(size, PIL.Image.Resampling.BOX), dtype=np.uint8)


def fax(path: Path, dpi: tuple[float, float] = (204, 196)) -> PIL.Image.Image:
    """A page of a PDF as a bilevel fax image."""
    return PIL.Image.fromarray(draw(path, dpi)).point(lambda grey: 255 if grey > 150 else 0).convert("1")


def image_pdf(path: Path, image: PIL.Image.Image, size: tuple[float, float] = LETTER) -> Path:
    """A PDF whose only content is `image`, over the whole page."""
    pdf = fpdf.FPDF(unit="pt", format=size)
    pdf.set_creation_date(WRITTEN)
    pdf.set_auto_page_break(False)
    pdf.add_page()
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    pdf.image(buffer, 0, 0, *size)
    pdf.output(str(path))
    return path


def true_words(path: Path) -> list[tuple[str, Box]]:
    """Words of a text PDF with the boxes of their ink, from the glyphs themselves."""
    page = pypdfium2.PdfDocument(path)[0]
    text, height = page.get_textpage(), page.get_height()
    found: list[tuple[str, Box]] = []
    for index in range(pdfium.FPDFText_CountChars(text)):
        character = chr(pdfium.FPDFText_GetUnicode(text, index))
        if character.isspace():
            found.append(("", Box(0, 0, 0, 0)))
            continue
        left, bottom, right, top = text.get_charbox(index)
        word, box = found[-1] if found and found[-1][0] else ("", Box(1e9, 1e9, 0, 0))
        box = Box(
            min(box.x0, left),
            min(box.top, height - top),
            max(box.x1, right),
            max(box.bottom, height - bottom),
        )
        if found and found[-1][0]:
            found[-1] = word + character, box
        else:
            found.append((character, box))
    return [(word, box) for word, box in found if word]


def turn_content(source: Path, target: Path, degrees: int) -> Path:
    """The page with its content turned clockwise, as a sheet laid crooked into a scanner."""
    width, height = LETTER
    matrix = {
        90: f"0 -1 1 0 0 {width}",
        180: f"-1 0 0 -1 {width} {height}",
        270: f"0 1 -1 0 {height} 0",
    }[degrees]
    with pikepdf.open(source) as pdf:
        page = pdf.pages[0]
        page.contents_add(f"q {matrix} cm".encode(), prepend=True)
        page.contents_add(b"Q")
        page.mediabox = [0, 0, height, width] if degrees % 180 else [0, 0, width, height]
        pdf.save(target, deterministic_id=True)
    return target


def set_rotate(source: Path, target: Path, degrees: int) -> Path:
    """The page with /Rotate set."""
    with pikepdf.open(source) as pdf:
        pdf.pages[0].Rotate = degrees
        pdf.save(target, deterministic_id=True)
    return target


def iou(a: Box, b: Box) -> float:
    """Intersection over union."""
    width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.bottom, b.bottom) - max(a.top, b.top)
    shared = max(0.0, width) * max(0.0, height)
    areas = sum((box.x1 - box.x0) * (box.bottom - box.top) for box in (a, b))
    return shared / (areas - shared)


def joined(boxes: Sequence[Box]) -> Box:
    return Box(
        min(box.x0 for box in boxes),
        min(box.top for box in boxes),
        max(box.x1 for box in boxes),
        max(box.bottom for box in boxes),
    )


def quote_box(page: Page, quote: str) -> Box | None:
    """The box of words that stand one after the other on the page; None where they do not."""
    start = page.text.find(quote)
    if start < 0:
        return None
    return joined([word.box for word in page.words if start <= word.start < start + len(quote)])


def source(path: Path) -> SourceFile:
    return receive([path]).files[0]
