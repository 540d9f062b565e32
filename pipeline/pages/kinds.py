"""How a page came: drawn by a program, scanned in greys, or faxed in one of two resolutions."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pipeline.domain import SourceFile
from pipeline.pages.limits import Limits
from pipeline.pages.reading import open_file
from pipeline.pages.stored import Raster

Kind = Literal["digital", "scan", "fine fax", "standard fax"]
KINDS: tuple[Kind, ...] = ("digital", "scan", "fine fax", "standard fax")

_STANDARD_DPI = 150  # a fax has 98 lines an inch in standard, 196 in fine resolution (ITU-T T.4)
_BILEVEL = 0.999  # of the pixels are black or white


def page_kind(file: SourceFile, number: int, *, limits: Limits) -> Kind:
    """How page `number` of a file came. Raises UnreadableFile where the file or page cannot be opened."""
    pages = open_file(file.path, file.media_type, limits)
    try:
        return "digital" if pages.text_layer(number) is not None else _kind_of_image(pages.raster(number))
    finally:
        pages.close()


def _kind_of_image(raster: Raster) -> Kind:
    counts = np.bincount(raster.image.ravel(), minlength=256)
    if counts[:8].sum() + counts[248:].sum() < _BILEVEL * counts.sum():
        return "scan"
    return "standard fax" if min(raster.x_dpi, raster.y_dpi) < _STANDARD_DPI else "fine fax"
