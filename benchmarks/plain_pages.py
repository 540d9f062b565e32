"""Plain pages: running text as most reports are printed, and images of it from machines in order.

    plain_pages(count, seed) -> list[SetPage]
    as_plain_images(pages, render, seed) -> ImageFile

The made-up packets' own texts without their tables and forms, run together into paragraphs at 10 to 11
points. Scans are 200 dpi grey JPEG (blur 0.7 pixels, noise of 6 levels, specks), faxes are bilevel G4 with
specks and lost pixels; all are skewed by half a degree to two either way. The pages of `page_set` are the
hard ones: forms, tables and thin type, under a machine that wants service.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice

import cv2
import numpy as np
from page_set import BOTTOM, FACES, LEADING, LEFT, SIZES, TOP, ImageFile, SetPage, drawn, lines_of

from fixtures import degrade
from fixtures.render import PAGE_WIDTH, new_pdf

_TABLE = re.compile(r"\S {2,}\S.*\S {2,}\S")  # two gaps: a row of a table, or of a form
_WORDS = re.compile(r"[A-Za-z0-9](?!.*_{4})")  # neither a rule nor a line to sign on
_SPECKS = {"scan": 0.0004, "fax_fine": 0.0008, "fax_standard": 0.0006}  # share of the pixels
_BLUR, _NOISE = 0.7, 6.0
_FAX_NOISE = 10.0
_BLACK = {"fax_fine": 150, "fax_standard": 155}  # thin strokes pale where two rows become one
_FINER = 400 / 72  # a page is drawn at 400 dpi and then sampled, so that strokes are as thick as printed


def plain_pages(count: int, seed: int) -> list[SetPage]:
    """Full pages, in three type faces and sizes in turn."""
    pages: list[SetPage] = []
    text = _paragraphs(seed)
    while len(pages) < count:
        face, size = FACES[len(pages) % 3], SIZES[len(pages) // 3 % 3]
        rows = int((BOTTOM - TOP) / (size * LEADING))
        pages.append(SetPage(tuple(islice(_set(text, face, size), rows)), face, size))
    return pages


def _paragraphs(seed: int) -> Iterator[str]:
    """The texts' lines, run together up to the next empty line."""
    paragraph: list[str] = []
    for line in lines_of(seed):
        if _WORDS.search(line) and not _TABLE.search(line) and "[" not in line:
            paragraph += line.split()
        elif paragraph and not line:
            yield " ".join(paragraph)
            paragraph = []


def _set(paragraphs: Iterator[str], face: str, size: float) -> Iterator[str]:
    """Lines as wide as the page's margins allow."""
    pdf = new_pdf()
    pdf.set_font(face, "", size)
    for paragraph in paragraphs:
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and pdf.get_string_width(longer) > PAGE_WIDTH - 2 * LEFT:
                yield line
                longer = word
            line = longer
        yield line


def as_plain_images(pages: Sequence[SetPage], render: str, seed: int) -> ImageFile:
    """The pages as images of the kind `render`; words have the boxes of the level page."""
    content, words = drawn(pages)
    images = []
    for number, image in enumerate(degrade.page_images(content, scale=_FINER)):
        chooser = random.Random(f"{seed}:plain:{number}")
        skew = chooser.uniform(0.5, 2.0) * chooser.choice((-1, 1))
        noise = np.random.default_rng(chooser.getrandbits(64))
        images.append(_sent(_skewed(image, skew), render, noise))
    return ImageFile(degrade.stored(images, render), tuple(map(tuple, words)))


def _skewed(image: degrade.Grey, degrees: float) -> degrade.Grey:
    height, width = image.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(image, turn, (width, height), borderValue=(255,)), np.uint8)


def _sent(image: degrade.Grey, render: str, noise: np.random.Generator) -> degrade.Grey:
    across, down = degrade.RESOLUTION[render]
    size = (round(image.shape[1] * across / 400), round(image.shape[0] * down / 400))
    grey = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    specks = noise.random(grey.shape) < _SPECKS[render]
    if render == "scan":
        grey = cv2.GaussianBlur(grey, (0, 0), _BLUR) + noise.normal(0, _NOISE, grey.shape)
        grey[specks] = noise.integers(0, 120, int(specks.sum()))
        return np.clip(grey, 0, 255).astype(np.uint8)
    black = (grey + noise.normal(0, _FAX_NOISE, grey.shape) < _BLACK[render]) | specks
    black &= noise.random(grey.shape) >= _SPECKS[render]
    return np.where(black, 0, 255).astype(np.uint8)
