"""Barcodes on a page image, through zxing-cpp: the request letter's own, and those of separator sheets."""

from __future__ import annotations

import zxingcpp

from pipeline.domain import Barcode, Box
from pipeline.pages.raster import Grey

# What offices, document systems and our own letters print. Retail codes are left out: they are short, and
# rows of print can look like one.
_FORMATS = zxingcpp.BarcodeFormats(
    (
        zxingcpp.BarcodeFormat.QRCode,
        zxingcpp.BarcodeFormat.DataMatrix,
        zxingcpp.BarcodeFormat.PDF417,
        zxingcpp.BarcodeFormat.Code128,
        zxingcpp.BarcodeFormat.Code39,
    )
)
_LEAST_CHARACTERS = 4


def read_barcodes(image: Grey, dpi: float = 72.0) -> tuple[Barcode, ...]:
    """The barcodes of a grey image with square pixels, whichever way they lie, from the top down.

    Boxes are in points of the image at `dpi`. Takes about 30 ms for a page of 200 dpi.
    """
    scale = 72 / dpi
    found = []
    for code in zxingcpp.read_barcodes(image, formats=_FORMATS):
        corners = (
            code.position.top_left,
            code.position.top_right,
            code.position.bottom_right,
            code.position.bottom_left,
        )
        xs, ys = [scale * corner.x for corner in corners], [scale * corner.y for corner in corners]
        if len(code.text.strip()) >= _LEAST_CHARACTERS:
            found.append(Barcode(code.text.strip(), Box(min(xs), min(ys), max(xs), max(ys))))
    return tuple(sorted(found, key=lambda code: (code.box.top, code.box.x0)))
