"""Test pages with known words: the fixtures' own texts, set in three type faces at 10 to 11 points.

    make_pages(count, seed) -> list[SetPage]        what stands on each page and where
    as_text(pages) -> bytes                         a PDF with a text layer
    as_images(pages, render, seed) -> ImageFile     the pages as a scanner or fax machine would send them

The same seed gives the same pages, skews, specks and noise.
"""

from __future__ import annotations

import random
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
from fpdf import FPDF

from fixtures import degrade
from fixtures.assemble import assemble
from fixtures.make_packets import recipes
from fixtures.records import TrueWord
from fixtures.render import PAGE_WIDTH, new_pdf

KINDS = {"scan": "scan 200 dpi", "fax_fine": "fine fax 204x196", "fax_standard": "standard fax 204x98"}
FACES = ("Helvetica", "Times", "Courier")
SIZES = (10.0, 10.5, 11.0)
LEFT, TOP, BOTTOM = 54.0, 60.0, 745.0
LEADING = 1.22
_PIECE = re.compile(r"\S+(?: \S+)*")
# Of the core fonts, in sizes: how far capitals and descenders reach.
_ASCENT, _DESCENT = 0.74, 0.21


@dataclass(frozen=True)
class SetPage:
    """Lines as they are printed, in one type face and size."""

    lines: tuple[str, ...]
    face: str
    size: float


@dataclass(frozen=True)
class ImageFile:
    """A PDF of page images and the words that stand on each page, with their boxes in points."""

    content: bytes
    words: tuple[tuple[TrueWord, ...], ...]


def make_pages(count: int, seed: int) -> list[SetPage]:
    """Full pages: the documents of made-up packets, one below the other."""
    pages: list[SetPage] = []
    text = lines_of(seed)
    while len(pages) < count:
        face, size = FACES[len(pages) % 3], SIZES[len(pages) // 3 % 3]
        rows = int((BOTTOM - TOP) / (size * LEADING))
        pages.append(SetPage(tuple(islice(wrapped(text, face, size), rows)), face, size))
    return pages


def lines_of(seed: int) -> Iterator[str]:
    """The documents of made-up packets line by line, an empty line after each."""
    for recipe in recipes(10_000, seed):
        for file in assemble(recipe).files:
            for sheet in file.sheets:
                yield from (line.text for line in sheet.lines if line.look != "rule")
                yield ""


def wrapped(lines: Iterator[str], face: str, size: float) -> Iterator[str]:
    """Lines that fit the page; one that does not goes on below, as far indented."""
    width = int((PAGE_WIDTH - 2 * LEFT) / (size * {"Courier": 0.6}.get(face, 0.52)))
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())]
        yield from textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _draw(pdf: FPDF, page: SetPage) -> list[TrueWord]:
    pdf.add_page()
    pdf.set_font(page.face, "", page.size)
    column = pdf.get_string_width("Patient history and examination") / 31
    words: list[TrueWord] = []
    for number, line in enumerate(page.lines):
        base, pen = TOP + number * page.size * LEADING, LEFT
        for piece in _PIECE.finditer(line):
            pen = max(LEFT + piece.start() * column, pen)
            pdf.text(pen, base, piece[0])
            for word in re.finditer(r"\S+", piece[0]):
                x0 = pen + pdf.get_string_width(piece[0][: word.start()])
                x1 = x0 + pdf.get_string_width(word[0])
                box = (x0, base - _ASCENT * page.size, x1, base + _DESCENT * page.size)
                words.append(TrueWord(word[0], box, number))
            pen += pdf.get_string_width(piece[0]) + 2 * column
    return words


def drawn(pages: Sequence[SetPage]) -> tuple[bytes, list[list[TrueWord]]]:
    """(PDF with a text layer, the words of each page)."""
    pdf = new_pdf()
    words = [_draw(pdf, page) for page in pages]
    return bytes(pdf.output()), words


def _inked(image: degrade.Grey, words: Sequence[TrueWord]) -> list[TrueWord]:
    """The words with the boxes of what was drawn of them."""
    scale = image.shape[1] / PAGE_WIDTH
    return [word._replace(box=_ink(image < 160, word.box, scale)) for word in words]


def _ink(
    dark: npt.NDArray[np.bool_], box: tuple[float, float, float, float], scale: float
) -> tuple[float, float, float, float]:
    left, top, right, bottom = (round(edge * scale) for edge in box)
    inside = dark[top - 1 : bottom + 2, left : right + 1]
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return box
    return (
        (left + int(columns[0])) / scale,
        (top - 1 + int(rows[0])) / scale,
        (left + int(columns[-1]) + 1) / scale,
        (top + int(rows[-1])) / scale,
    )


def as_images(
    pages: Sequence[SetPage], render: str, seed: int, *, turns: Sequence[int] = (0,), ink: bool = False
) -> ImageFile:
    """The pages as images: skewed by half a degree to two either way, speckled and noisy.

    `turns` are the degrees by which pages in turn lie on the glass. With `ink` the boxes are those of the
    ink, otherwise those of the type.
    """
    content, words = drawn(pages)
    if ink:
        words = [_inked(*page) for page in zip(degrade.page_images(content), words, strict=True)]
    images, placed = [], []
    for number, (image, found) in enumerate(zip(degrade.page_images(content), words, strict=True)):
        chooser = random.Random(f"{seed}:{render}:{number}")
        skew = chooser.uniform(0.5, 2.0) * chooser.choice((-1, 1))
        damage = degrade.Damage(skew=skew, turned=turns[number % len(turns)], speckle=True)
        raster = degrade.degrade(image, found, render, damage, f"{seed}:{number}")
        images.append(raster.image)
        placed.append(raster.words)
    return ImageFile(degrade.stored(images, render), tuple(placed))
