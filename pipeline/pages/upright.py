"""A page as a person sees it, for showing: upright, square pixels, on the scale of its boxes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pipeline.domain import SourceFile
from pipeline.pages.limits import Limits
from pipeline.pages.reading import open_file


def upright_image(file: SourceFile, number: int, *, rotation: int, dpi: float, limits: Limits) -> Image.Image:
    """Page `number` of a file in grey; a box in points times `dpi` / 72 stands on its words.

    `rotation` is the page's own (`Page.rotation`). Raises UnreadableFile like reading does.
    """
    stored = open_file(file.path, file.media_type, limits)
    try:
        raster = stored.raster(number)
    finally:
        stored.close()
    quarter_turns = (rotation - raster.rotation) % 360 // 90
    width, height = raster.width, raster.height
    if quarter_turns % 2:
        width, height = height, width
    image = Image.fromarray(np.rot90(raster.image, -quarter_turns))
    size = max(1, round(width * dpi / 72)), max(1, round(height * dpi / 72))
    return image.resize(size, Image.Resampling.LANCZOS)
