"""Page images as small data URIs: a fax stays the bits that were sent, all else becomes a few greys."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from pipeline.domain import Case, Submission
from pipeline.errors import UnreadableFile
from pipeline.pages.limits import Limits
from pipeline.pages.stored import Raster
from pipeline.pages.upright import square, upright_images
from pipeline.settings import Settings

_DPI = 144.0  # of pages in grey: good on a screen with twice the dots, too
_MOST_BILEVEL_DPI = 310.0
_GREYS = 8
_THUMB_WIDTH = 176  # pixels; shown at half of that


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page and its small picture, as data URIs."""

    page: str
    thumb: str


def page_images(case: Case, submission: Submission, settings: Settings) -> dict[tuple[str, int], PageImage]:
    """Images by (file name, page number); a page that cannot be shown has none."""
    return {key: _encoded(raster) for key, raster in _rasters(case, submission, Limits.of(settings))}


def _rasters(case: Case, submission: Submission, limits: Limits) -> Iterator[tuple[tuple[str, int], Raster]]:
    for file in submission.files:
        rotations = {page.page: page.rotation for page in case.pages if page.file == file.name}
        if not rotations:
            continue
        try:
            for number, raster in upright_images(file, rotations, limits=limits):
                yield (file.name, number), raster
        except UnreadableFile:
            continue  # the case was made before the file was lost; its text and places still stand


def _encoded(raster: Raster) -> PageImage:
    image = Image.fromarray(raster.image)
    few = max(raster.x_dpi, raster.y_dpi) <= _MOST_BILEVEL_DPI
    page = _bilevel(image) if few and _is_bilevel(image) else _few_greys(square(raster, _DPI))
    thumb = square(raster, _THUMB_WIDTH * 72 / raster.width)
    return PageImage(_data_uri(page), _data_uri(_few_greys(thumb)))


def _is_bilevel(image: Image.Image) -> bool:
    counts = image.histogram()
    return sum(counts[:8]) + sum(counts[248:]) > 0.999 * sum(counts)


def _bilevel(image: Image.Image) -> Image.Image:
    # Its pixels may not be square; the page stretches them, which costs nothing of what was sent.
    return image.convert("1", dither=Image.Dither.NONE)


def _few_greys(image: Image.Image) -> Image.Image:
    step = 255 / (_GREYS - 1)
    greys = image.point([round(value / step) for value in range(256)])
    greys.putpalette([level for grey in range(_GREYS) for level in [round(grey * step)] * 3])
    return greys


def _data_uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True, **({"bits": 4} if image.mode == "P" else {}))
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
