"""Text recognition: engines behind one small contract.

An engine is one function, named in `ENGINES` as "module:function" and loaded when it is first used, so
that the library of an engine that is not used is never imported:

    recognize(image, dpi) -> list[OcrWord]

`image` is a page as a grey array (height, width) of 8-bit values, dark ink on light paper, upright and
with square pixels; `dpi` is its resolution. Words come in reading order. An engine raises
ConfigurationError when its library or data is not installed, and nothing else on purpose: an image in
which it finds nothing gives an empty list.

What else an engine can do is optional, in registers of their own: `SPARSE` names a function of the same
shape that finds single words wherever they stand, without lines or columns; `ORIENTATION` one that says
how a page lies; `REREAD` one that reads a cut-out word again, and `REREAD_BY_SHAPE` one that does so by
another way of recognising, so that the two seldom make the same mistake:

    orientation(image, dpi) -> Orientation
    reread(image) -> str
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigurationError

Image: TypeAlias = npt.NDArray[np.uint8]


class OcrWord(NamedTuple):
    """A recognised word; box in pixels of the image, `line` numbers the engine's text lines.

    `confirmed` is no engine's to say: see `domain.Word`.
    """

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    confidence: float
    line: int
    confirmed: bool = True


class Orientation(NamedTuple):
    """By how many degrees clockwise to turn the image to read it; confidence 0 means no idea."""

    degrees: int
    confidence: float


Recognize: TypeAlias = Callable[[Image, float], list[OcrWord]]
Orient: TypeAlias = Callable[[Image, float], Orientation]
Reread: TypeAlias = Callable[[Image], str]

ENGINES: dict[str, str] = {
    "none": "pipeline.ocr.none:recognize",
    "rapidocr": "pipeline.ocr.rapid:recognize",
    "tesseract": "pipeline.ocr.tesseract:recognize",
}

SPARSE: dict[str, str] = {
    "tesseract": "pipeline.ocr.tesseract:recognize_sparse",
}

ORIENTATION: dict[str, str] = {
    "tesseract": "pipeline.ocr.tesseract:orientation",
}

REREAD: dict[str, str] = {
    "tesseract": "pipeline.ocr.tesseract:reread",
}

REREAD_BY_SHAPE: dict[str, str] = {
    "tesseract": "pipeline.ocr.tesseract:reread_by_shape",
}


class Engine(NamedTuple):
    """What an engine can do; None for what it cannot."""

    recognize: Recognize
    recognize_sparse: Recognize | None = None
    orientation: Orient | None = None
    reread: Reread | None = None
    reread_by_shape: Reread | None = None


def load(name: str) -> Engine:
    """The engine called `name`, or by its function "module:function" one that is not listed here.

    Raises ConfigurationError naming the known ones.
    """
    known = f"Known engines: {', '.join(sorted(ENGINES))}."
    if name not in ENGINES and ":" not in name:
        raise ConfigurationError(f"There is no OCR engine called {name!r}.", next_step=known)
    try:
        return Engine(
            cast(Recognize, pkgutil.resolve_name(ENGINES.get(name, name))),
            cast(Recognize, pkgutil.resolve_name(SPARSE[name])) if name in SPARSE else None,
            cast(Orient, pkgutil.resolve_name(ORIENTATION[name])) if name in ORIENTATION else None,
            cast(Reread, pkgutil.resolve_name(REREAD[name])) if name in REREAD else None,
            cast(Reread, pkgutil.resolve_name(REREAD_BY_SHAPE[name])) if name in REREAD_BY_SHAPE else None,
        )
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"The OCR engine {name!r} cannot be loaded.", next_step=f"Install what it needs. {known}"
        ) from error
