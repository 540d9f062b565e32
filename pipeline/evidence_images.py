"""Page images with the evidence boxes drawn on them, each named in a margin beside the page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageFont

from pipeline.domain import Box, Case, Evidence, Field, Submission
from pipeline.pages.limits import Limits
from pipeline.pages.upright import square, upright_images
from pipeline.settings import Settings

DPI = 110
MARGIN = 190  # pixels to the right of the page, for the names
MARK = (200, 30, 30)
FILL = (255, 225, 90)
_LEADER = (240, 175, 165)
_TEXT = 11
_LINE = 14  # pixels from name to name


class _Mark(NamedTuple):
    """What stands in a place of the page: the boxes of one piece of evidence and what it shows."""

    boxes: tuple[Box, ...]
    names: tuple[str, ...]


def draw_evidence(case: Case, submission: Submission, folder: Path, settings: Settings) -> list[Path]:
    """One PNG for each page that holds evidence of a value, under `folder`; returns their paths.

    The page is at the left with nothing on its ink but the colour of a marker pen; a line leads from each
    marked place to its name in the margin. Files are for their owner alone, and named by the file's ordinal
    in the submission and the page, since senders put names of patients into file names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for ordinal, file in enumerate(submission.files, 1):
        marks = _marks(case, file.name)
        pages = {page.page: page for page in case.pages if page.file == file.name and page.page in marks}
        rotations = {number: page.rotation for number, page in pages.items()}
        if not rotations:
            continue
        for number, raster in upright_images(file, rotations, limits=Limits.of(settings)):
            image = square(raster, DPI).convert("RGB")
            written.append(folder / f"file-{ordinal}-page-{number}.png")
            _save(_drawn(image, marks[number], image.width / pages[number].width), written[-1])
    return written


def _save(image: Image.Image, path: Path) -> None:
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        image.save(file, "PNG")


def _marks(case: Case, file: str) -> dict[int, list[_Mark]]:
    """The marked places of each page of a file, from top to bottom."""
    names: dict[int, dict[tuple[Box, ...], list[str]]] = {}
    for name, evidence in _shown(case):
        if evidence.file == file and evidence.page is not None and evidence.boxes:
            names.setdefault(evidence.page, {}).setdefault(tuple(evidence.boxes), []).append(name)
    return {
        page: sorted(
            (_Mark(boxes, tuple(dict.fromkeys(told))) for boxes, told in places.items()),
            key=lambda mark: (mark.boxes[0].top, mark.boxes[0].x0),
        )
        for page, places in names.items()
    }


def _shown(case: Case) -> Iterator[tuple[str, Evidence]]:
    """(name, evidence) of every value of the case."""
    yield from _of_field("patient", case.patient.name)
    yield from _of_field("date of birth", case.patient.dob)
    yield from _of_field("member number", case.patient.member_id)
    for code in (*case.request.cpt, *case.request.icd10):
        yield from _of_field(f"requested {code.value}", code)
    yield from _of_field("expedited", case.request.expedited)
    for name, field in case.findings.items():
        yield from _of_field(name, field)
    for requirement in case.completeness.documents.values():
        for name, element in requirement.elements.items():
            yield from ((_plain(name), evidence) for evidence in element.evidence[:1])
    yield from (("other patient", evidence) for evidence in case.completeness.identity_conflict.evidence)


def _of_field(name: str, field: Field) -> Iterator[tuple[str, Evidence]]:
    if field.value is not None:
        yield from ((_plain(name), evidence) for evidence in field.evidence)


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _drawn(image: Image.Image, marks: Iterable[_Mark], scale: float) -> Image.Image:
    """The page under a marker pen, the ink readable under the colour, and the names in the margin."""
    marks = list(marks)
    height = max(image.height, _LINE * (sum(len(mark.names) for mark in marks) + 1))
    sheet = Image.new("RGB", (image.width + MARGIN, height), "white")
    sheet.paste(image)
    colour = Image.new("RGB", sheet.size, "white")
    pen = ImageDraw.Draw(colour)
    font = ImageFont.load_default(size=_TEXT)
    heights = _name_heights(marks, scale, height)
    for mark, top in zip(marks, heights, strict=True):
        first = mark.boxes[0]
        below = first.bottom * scale + 1  # between the lines: through the words it would strike them out
        pen.line((first.x1 * scale, below, image.width + 4, below), fill=_LEADER)
        pen.line((image.width + 4, below, image.width + 14, top + _LINE / 2), fill=_LEADER)
    for mark in marks:
        for box in mark.boxes:
            pen.rectangle(tuple(round(edge * scale) for edge in box), fill=FILL)
    sheet = ImageChops.multiply(sheet, colour)
    pen = ImageDraw.Draw(sheet)
    for mark, top in zip(marks, heights, strict=True):
        for box in mark.boxes:
            x0, upper, x1, lower = (round(edge * scale) for edge in box)
            pen.rectangle((x0 - 1, upper - 1, x1 + 1, lower + 1), outline=MARK)
        for row, name in enumerate(mark.names):
            pen.text((image.width + 18, top + row * _LINE), name, fill=MARK, font=font)
    return sheet


def _name_heights(marks: list[_Mark], scale: float, height: int) -> list[float]:
    """Where the names of each mark begin: beside it, but below those before and above the sheet's end."""
    heights: list[float] = []
    free = 0.0
    for mark in marks:
        heights.append(max(free, mark.boxes[0].top * scale))
        free = heights[-1] + _LINE * len(mark.names)
    end = float(height)
    for index in range(len(marks) - 1, -1, -1):
        heights[index] = min(heights[index], end - _LINE * len(marks[index].names))
        end = heights[index]
    return heights
