"""Pages as a person sees them, for showing: upright, on the scale of their boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image

from pipeline.domain import SourceFile
from pipeline.errors import UnreadableFile
from pipeline.pages.limits import Limits
from pipeline.pages.reading import open_file
from pipeline.pages.stored import Raster


def upright_images(
    file: SourceFile, rotations: Mapping[int, int], *, limits: Limits
) -> Iterator[tuple[int, Raster]]:
    """(number, image) of the pages of one file that `rotations` names, turned upright; opened once.

    A rotation is the page's own (`Page.rotation`). A page that has no image to show is left out.
    Raises UnreadableFile like reading does where the file itself cannot be opened.
    """
    stored = open_file(file.path, file.media_type, limits)
    try:
        for number, rotation in rotations.items():
            try:
                raster = stored.raster(number)
            except UnreadableFile:
                continue
            yield number, _turned(raster, rotation)
    finally:
        stored.close()


def square(raster: Raster, dpi: float) -> Image.Image:
    """The page in grey with square pixels; a box in points times `dpi` / 72 stands on its words."""
    size = max(1, round(raster.width * dpi / 72)), max(1, round(raster.height * dpi / 72))
    return Image.fromarray(raster.image).resize(size, Image.Resampling.LANCZOS)


def _turned(raster: Raster, rotation: int) -> Raster:
    quarter_turns = (rotation - raster.rotation) % 360 // 90
    x_dpi, y_dpi = (raster.x_dpi, raster.y_dpi)[:: -1 if quarter_turns % 2 else 1]
    image = np.ascontiguousarray(np.rot90(raster.image, -quarter_turns))
    return Raster(image, x_dpi, y_dpi, rotation)
