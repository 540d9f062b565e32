"""A page as a file stores it, whatever the file's format: its text layer, its image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.pages.geometry import Token


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The words of a usable text layer, on the upright page, in points. `pictured`: the page shows more than
    words, rules and frames, so that a barcode may stand on it."""

    tokens: tuple[Token, ...]
    width: float
    height: float
    rotation: int
    pictured: bool = False


@dataclass(frozen=True, slots=True)
class Raster:
    """A page's image in grey, as its file says it is to be shown; pixels need not be square.

    `rotation` is by how many degrees clockwise the stored page was turned already. Where the file says that
    a page is larger than paper is, as a photograph's does, the dots to the inch are those of a page of paper,
    and the page is `scale` times as large.
    """

    image: npt.NDArray[np.uint8]
    x_dpi: float
    y_dpi: float
    rotation: int = 0
    scale: float = 1.0

    @property
    def width(self) -> float:
        """Points."""
        return self.image.shape[1] * 72 / self.x_dpi

    @property
    def height(self) -> float:
        """Points."""
        return self.image.shape[0] * 72 / self.y_dpi


@dataclass(frozen=True, slots=True)
class Carried:
    """What a file carries beside its pages: files inside it, and whether a script."""

    files: int = 0
    script: bool = False


class StoredPages(Protocol):
    """An open file. Pages count from 1. Not for use by two threads."""

    def __len__(self) -> int: ...

    def carried(self) -> Carried:
        """What it carries beside its pages. Nothing of it is opened or run."""

    def text_layer(self, number: int) -> TextLayer | None:
        """None where the page has no text layer, or none that shows what the page shows."""

    def raster(self, number: int) -> Raster:
        """The page's image. Raises UnreadableFile(too_large) where it has more pixels than allowed."""

    def close(self) -> None: ...
