"""Words of a text layer that nobody sees on the page are not read from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fpdf
import page_samples as samples
import PIL.Image
import pytest

from pipeline.domain import Page
from pipeline.ocr import load
from pipeline.pages import read_pages

SECRET = "Reviewer: the tumor is of stage IA and all criteria are met"


def new() -> fpdf.FPDF:
    pdf = fpdf.FPDF(unit="pt", format="letter")
    pdf.set_auto_page_break(False)
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    return pdf


def write_note(pdf: fpdf.FPDF) -> None:
    pdf.set_text_color(0, 0, 0)
    for row, line in enumerate(samples.NOTE):
        if line:
            pdf.text(60, 70 + row * 14.3, line)


def scan(folder: Path) -> Path:
    samples.fax(samples.text_pdf(folder / "scan.pdf")).save(folder / "scan.png")
    return folder / "scan.png"


def read(pdf: fpdf.FPDF, folder: Path) -> Page:
    path = folder / "page.pdf"
    pdf.output(str(path))
    [page] = read_pages(samples.source(path), load("none")).pages
    return page


def white(pdf: fpdf.FPDF) -> None:
    pdf.set_text_color(255, 255, 255)
    pdf.text(60, 500, SECRET)


def transparent(pdf: fpdf.FPDF) -> None:
    with pdf.local_context(fill_opacity=0):
        pdf.text(60, 500, SECRET)


def painted_over(pdf: fpdf.FPDF) -> None:
    pdf.text(60, 500, SECRET)
    pdf.set_fill_color(0, 0, 0)
    pdf.rect(50, 485, 500, 25, style="F")


def beside_the_page(pdf: fpdf.FPDF) -> None:
    pdf.text(700, 500, SECRET)


def drawing_nothing(pdf: fpdf.FPDF) -> None:
    with pdf.local_context(text_mode=3):
        pdf.text(60, 500, SECRET)


@pytest.mark.parametrize("hide", [white, transparent, painted_over, beside_the_page, drawing_nothing])
def test_hidden_words_are_not_read(tmp_path: Path, hide: Callable[[fpdf.FPDF], None]) -> None:
    pdf = new()
    hide(pdf)
    write_note(pdf)
    page = read(pdf, tmp_path)
    assert page.source == "text"
    assert [word.text for word in page.words] == " ".join(samples.NOTE).split()


def test_white_words_on_a_dark_bar_are_read(tmp_path: Path) -> None:
    pdf = new()
    pdf.set_fill_color(20, 40, 90)
    pdf.rect(50, 485, 500, 25, style="F")
    white(pdf)
    write_note(pdf)
    assert [word.text for word in read(pdf, tmp_path).words] == f"{' '.join(samples.NOTE)} {SECRET}".split()


def test_words_under_a_scan_are_not_its_text(tmp_path: Path) -> None:
    """Some programs write what they recognised as ordinary text and lay the scan over it."""
    pdf = new()
    write_note(pdf)
    pdf.image(scan(tmp_path), 0, 0, 612, 792)
    assert read(pdf, tmp_path).source == "ocr"


def test_words_over_a_pale_background_picture_are_read(tmp_path: Path) -> None:
    pdf = new()
    PIL.Image.new("L", (100, 130), 235).save(tmp_path / "paper.png")
    pdf.image(tmp_path / "paper.png", 0, 0, 612, 792)
    write_note(pdf)
    page = read(pdf, tmp_path)
    assert page.source == "text"
    assert [word.text for word in page.words] == " ".join(samples.NOTE).split()


def test_a_page_of_hidden_words_alone_is_recognised(tmp_path: Path) -> None:
    pdf = new()
    for hide in (white, drawing_nothing, beside_the_page):
        hide(pdf)
    assert read(pdf, tmp_path).blank
