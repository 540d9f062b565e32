"""The marked words of an answer, cut out of their page: what a person would look up, beside the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from PIL import Image, ImageDraw

from pipeline.domain import Box, Case, Evidence, Submission
from pipeline.errors import UnreadableFile
from pipeline.pages.limits import Limits
from pipeline.pages.upright import square, upright_images
from pipeline.prefill.records import Form
from pipeline.settings import Settings

PageImage = Callable[[str, int], Image.Image | None]
"""A page as a person sees it, upright, by file and number; None where it cannot be shown."""

_DPI: Final = 150.0
_LEAST_WIDTH: Final = 284.0  # points: a word alone does not say what it is about
_BESIDE, _ABOVE = 12.0, 3.5
_MOST_HEIGHT: Final = 64.0  # of the words, points: about five lines
_GREYS: Final = 16


class Cut(NamedTuple):
    """A part of a page; `width` is what it has on the page, in points."""

    picture: Image.Image
    width: float


def shown(evidence: Iterable[Evidence]) -> Evidence | None:
    """The place that is shown of several: the first that leads to words on a page."""
    return next((one for one in evidence if one.boxes and one.page is not None and one.file), None)


def page_images(form: Form, submission: Submission, settings: Settings) -> dict[tuple[str, int], Image.Image]:
    """The pages that the form's crops are cut from, by file and number. A page or file that cannot be opened
    is left out: the words stand on the form all the same."""
    wanted = {
        (place.file, place.page)
        for answer in form.answers
        for group in (answer.evidence, *(one.evidence for one in answer.candidates))
        if (place := shown(group)) is not None
    }
    found: dict[tuple[str, int], Image.Image] = {}
    for file in submission.files:
        rotations = {
            page.page: page.rotation for page in form.case.pages if (page.file, page.page) in wanted
            and page.file == file.name
        }  # fmt: skip
        if not rotations:
            continue
        try:
            for number, raster in upright_images(file, rotations, limits=Limits.of(settings)):
                found[file.name, number] = square(raster, _DPI)
        except UnreadableFile:
            continue
    return found


def crop(place: Evidence, case: Case, page_image: PageImage) -> Cut | None:
    """The words of a place with what stands around them, each line of them framed; None without an image."""
    page = next((one for one in case.pages if (one.file, one.page) == (place.file, place.page)), None)
    if page is None or place.file is None or place.page is None or not place.boxes:
        return None
    image = page_image(place.file, place.page)
    if image is None:
        return None
    scale = image.width / page.width
    area = _area(place.boxes, page.width, page.height)
    cut = image.convert("L").crop(_pixels(area, scale))
    pen = ImageDraw.Draw(cut)
    for box in place.boxes:
        pen.rectangle(_pixels(_around(box, area), scale), outline=0, width=2)
    return Cut(_few_greys(cut), area.x1 - area.x0)


def _area(boxes: tuple[Box, ...], width: float, height: float) -> Box:
    """What is cut out: the first lines of the words, no taller than they are few, no wider than the page."""
    first = boxes[0]
    near = [box for box in boxes if box.bottom - first.top <= _MOST_HEIGHT and box.top >= first.top - 1]
    x0, x1 = min(box.x0 for box in near) - _BESIDE, max(box.x1 for box in near) + _BESIDE
    lack = max(0.0, _LEAST_WIDTH - (x1 - x0))
    x0, x1 = x0 - lack / 2, x1 + lack / 2
    if x0 < 0:
        x0, x1 = 0.0, x1 - x0
    if x1 > width:
        x0, x1 = x0 - (x1 - width), width
    top = max(0.0, min(box.top for box in near) - _ABOVE)
    bottom = min(height, max(box.bottom for box in near) + _ABOVE)
    return Box(max(0.0, x0), top, x1, bottom)


def _around(box: Box, area: Box) -> Box:
    """A box a little larger, so that its frame strikes no word, in the area's own points."""
    return Box(
        box.x0 - area.x0 - 2, box.top - area.top - 1.5, box.x1 - area.x0 + 2, box.bottom - area.top + 1.5
    )


def _pixels(box: Box, scale: float) -> tuple[int, int, int, int]:
    x0, top, x1, bottom = (round(edge * scale) for edge in box)
    return x0, top, max(x0 + 1, x1), max(top + 1, bottom)


def _few_greys(image: Image.Image) -> Image.Image:
    step = 255 / (_GREYS - 1)
    return image.point([round(round(value / step) * step) for value in range(256)])
