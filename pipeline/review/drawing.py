"""A page as images for the browser, in a process of its own: it imports only what it needs, to start soon."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Final

from PIL import Image

from pipeline.domain import SourceFile
from pipeline.errors import UnreadableFile
from pipeline.pages.limits import Limits

Images = dict[str, bytes]
"""PNG by size."""

_BITS: Final = 4
_GREYS: Final = 2**_BITS
_DARKER: Final = [value * _GREYS // 256 for value in range(256)]
_PALETTE: Final = [grey * 255 // (_GREYS - 1) for grey in range(_GREYS) for _ in "rgb"]
_COMPRESSION: Final = 4  # zlib's; 9 makes an image a twentieth smaller and takes eight times as long


def ready() -> None:
    """Load what drawing needs."""
    from pipeline.pages import upright  # noqa: F401


def drawn(file: SourceFile, page: int, rotation: int, widths: Mapping[str, int], limits: Limits) -> Images:
    """The page upright in each size, a width in pixels; nothing where it cannot be drawn."""
    from pipeline.pages.upright import square, upright_images

    try:
        for _, raster in upright_images(file, {page: rotation}, limits=limits):
            return {size: _png(square(raster, width * 72 / raster.width)) for size, width in widths.items()}
    except UnreadableFile:
        return {}
    return {}


def _png(image: Image.Image) -> bytes:
    """Sixteen greys by a table: choosing them by the image's own takes longer than all the rest."""
    levels = Image.frombytes("P", image.size, image.convert("L").point(_DARKER).tobytes())
    levels.putpalette(_PALETTE)
    buffer = io.BytesIO()
    levels.save(buffer, "PNG", bits=_BITS, compress_level=_COMPRESSION)
    return buffer.getvalue()
