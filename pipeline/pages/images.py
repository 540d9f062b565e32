"""TIFF, PNG and JPEG through Pillow: what fax gateways, scanners and cameras send."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps

from pipeline.errors import UnreadableFile
from pipeline.pages.stored import Carried, Raster, TextLayer

# A fax line is 1728 pixels (about 204 to the inch); some gateways round up to a letter's width.
_FAX_WIDTHS = range(1704, 1761)
_FAX_DPI = 204.0
_STANDARD_DPI, _FINE_DPI, _SUPERFINE_DPI = 98.0, 196.0, 391.0
_LETTER_INCHES = (8.5, 11.0)
# What Pillow raises, by its own code, on files that are not what they say.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, ArithmeticError, struct.error)
_ANTICLOCKWISE_BY_EXIF = {3: 180, 6: 270, 8: 90}


class ImagePages:
    """An image file as pages; a TIFF has one for each of its images."""

    def __init__(self, path: Path, *, max_megapixels: int) -> None:
        self._limit = max_megapixels
        try:
            with warnings.catch_warnings():
                # Pillow warns of what it mends; what it cannot mend it raises.
                warnings.simplefilter("ignore")
                self._image = PIL.Image.open(path)
                self._count = int(getattr(self._image, "n_frames", 1))
        except PIL.Image.DecompressionBombError as error:
            raise _too_large(max_megapixels) from error
        except _DAMAGED as error:
            raise UnreadableFile(
                "truncated", "The image file is damaged or cut off.", next_step=_RESEND
            ) from error

    def __len__(self) -> int:
        return self._count

    def carried(self) -> Carried:
        return Carried()

    def text_layer(self, number: int) -> TextLayer | None:
        return None

    def raster(self, number: int) -> Raster:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._image.seek(number - 1)
                width, height = self._image.size
                if width * height > self._limit * 1_000_000:
                    raise _too_large(self._limit)
                grey = _grey(self._image)
                turn = _ANTICLOCKWISE_BY_EXIF.get(self._image.getexif().get(0x0112, 1), 0)
                x_dpi, y_dpi = _resolution(self._image)
        except PIL.Image.DecompressionBombError as error:
            raise _too_large(self._limit) from error
        except _DAMAGED as error:
            raise UnreadableFile(
                "truncated", "The page's image is damaged or cut off.", next_step=_RESEND
            ) from error
        if turn % 180:
            x_dpi, y_dpi = y_dpi, x_dpi
        return Raster(np.ascontiguousarray(np.rot90(grey, turn // 90)), x_dpi, y_dpi, -turn % 360)

    def close(self) -> None:
        self._image.close()


_RESEND = "Ask the sender to send it again."


def _too_large(megapixels: int) -> UnreadableFile:
    return UnreadableFile(
        "too_large",
        f"The page's image has more than {megapixels} million pixels.",
        next_step="Ask the sender to scan at 200 to 300 dots an inch.",
    )


def _grey(image: PIL.Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits a pixel
        values = np.asarray(image, dtype=np.float32)
        top = float(values.max(initial=1.0))
        return (values * (255.0 / (65535.0 if top > 255 else 255.0))).clip(0, 255).astype(np.uint8)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        shown = image.convert("RGBA")
        paper = PIL.Image.new("RGBA", shown.size, "white")
        image = PIL.Image.alpha_composite(paper, shown)
    return np.asarray(image.convert("L"), dtype=np.uint8)


def _resolution(image: PIL.Image.Image) -> tuple[float, float]:
    """(x, y) dots per inch: the file's where they make a page of a plausible size, else a guess."""
    width, height = image.size
    x_dpi, y_dpi = (float(value or 0) for value in image.info.get("dpi", (0, 0)))
    if x_dpi and y_dpi and 3 <= width / x_dpi <= 20 and 3 <= height / y_dpi <= 30:
        return x_dpi, y_dpi
    if width in _FAX_WIDTHS:
        return _FAX_DPI, min(
            (_STANDARD_DPI, _FINE_DPI, _SUPERFINE_DPI), key=lambda dpi: abs(height / dpi - _LETTER_INCHES[1])
        )
    short, long = _LETTER_INCHES
    dpi = width / (short if width <= height else long)
    return dpi, dpi
