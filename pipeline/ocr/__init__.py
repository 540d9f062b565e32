"""Text recognition: engines behind one small contract.

An engine is one function, named in `ENGINES` as "module:function" and loaded when it is first used, so
that the library of an engine that is not used is never imported:

    recognize(image, dpi) -> list[OcrWord]

`image` is a page as a grey array (height, width) of 8-bit values, dark ink on light paper, upright and
with square pixels; `dpi` is its resolution. Words come in reading order. An engine raises
ConfigurationError when its library or data is not installed, and nothing else on purpose: an image in
which it finds nothing gives an empty list.

An engine may be able to say how a page lies; `ORIENTATION` names that function:

    orientation(image, dpi) -> Orientation
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
    """A recognised word; box in pixels of the image, `line` numbers the engine's text lines."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    confidence: float
    line: int


class Orientation(NamedTuple):
    """By how many degrees clockwise to turn the image to read it; confidence 0 means no idea."""

    degrees: int
    confidence: float


Recognize: TypeAlias = Callable[[Image, float], list[OcrWord]]
Orient: TypeAlias = Callable[[Image, float], Orientation]

ENGINES: dict[str, str] = {
    "none": "pipeline.ocr.none:recognize",
    "tesseract": "pipeline.ocr.tesseract:recognize",
}

ORIENTATION: dict[str, str] = {
    "tesseract": "pipeline.ocr.tesseract:orientation",
}


def engine(name: str) -> Recognize:
    """The engine called `name`, or the function "module:function" of an engine that is not listed here.

    Raises ConfigurationError naming the known ones.
    """
    if name not in ENGINES and ":" not in name:
        raise ConfigurationError(
            f"There is no OCR engine called {name!r}.",
            next_step=f"Known engines: {', '.join(sorted(ENGINES))}.",
        )
    try:
        return cast(Recognize, pkgutil.resolve_name(ENGINES.get(name, name)))
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"The OCR engine {name!r} cannot be loaded.",
            next_step=f"Install what it needs, or use one of: {', '.join(sorted(ENGINES))}.",
        ) from error


def orienter(name: str) -> Orient | None:
    """The function of engine `name` that tells how a page lies; None where it has none."""
    return cast(Orient, pkgutil.resolve_name(ORIENTATION[name])) if name in ORIENTATION else None
