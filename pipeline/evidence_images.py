"""Page images with the evidence boxes drawn on them, each with the name of the finding it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont

from pipeline.domain import Case, Evidence, Submission
from pipeline.pages.limits import Limits
from pipeline.pages.upright import square, upright_images
from pipeline.settings import Settings

DPI = 110
MARK = (200, 30, 30)
FILL = (255, 225, 90)


def draw_evidence(case: Case, submission: Submission, folder: Path, settings: Settings) -> list[Path]:
    """One PNG for each page that holds evidence of a value, under `folder`; returns their paths.

    Named by the file's ordinal in the submission and the page, since senders put names of
    patients into file names.
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
            _draw(image, marks[number], image.width / pages[number].width).save(written[-1])
    return written


def _marks(case: Case, file: str) -> dict[int, list[tuple[str, Evidence]]]:
    marks: dict[int, list[tuple[str, Evidence]]] = {}
    for name, evidence in _shown(case):
        if evidence.file == file and evidence.page is not None:
            marks.setdefault(evidence.page, []).append((name, evidence))
    return marks


def _shown(case: Case) -> Iterator[tuple[str, Evidence]]:
    for name, field in case.findings.items():
        if field.value is not None:
            yield from ((name, evidence) for evidence in field.evidence)
    for requirement in case.completeness.documents.values():
        for name, element in requirement.elements.items():
            yield from ((name, evidence) for evidence in element.evidence[:1])
    yield from (("other patient", evidence) for evidence in case.completeness.identity_conflict.evidence)


def _draw(image: Image.Image, marks: list[tuple[str, Evidence]], scale: float) -> Image.Image:
    """Boxes as a marker pen would leave them: the ink stays readable under the colour."""
    paper = Image.new("RGB", image.size, "white")
    pen = ImageDraw.Draw(paper)
    names: dict[tuple[float, ...], list[str]] = {}
    for name, evidence in marks:
        for number, box in enumerate(evidence.boxes):
            pixels = tuple(round(value * scale) for value in box)
            pen.rectangle(pixels, fill=FILL)
            names.setdefault(pixels, []).extend([name] if number == 0 else [])
    marked = ImageChops.multiply(image, paper)
    pen = ImageDraw.Draw(marked)
    font = ImageFont.load_default(size=11)
    for (x0, top, x1, bottom), labels in names.items():
        pen.rectangle((x0 - 1, top - 1, x1 + 1, bottom + 1), outline=MARK)
        label = ", ".join(dict.fromkeys(labels)).replace("_", " ")
        if label:
            x = min(x1 + 4, marked.width - pen.textlength(label, font=font) - 2)
            pen.rectangle(pen.textbbox((x, top), label, font=font), fill="white")
            pen.text((x, top), label, fill=MARK, font=font)
    return marked
