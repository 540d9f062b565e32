"""A page as a file stores it, whatever the file's format: its text layer, its image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.pages.geometry import Token


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The words of a usable text layer, on the upright page, in points."""

    tokens: tuple[Token, ...]
    width: float
    height: float
    rotation: int


@dataclass(frozen=True, slots=True)
class Raster:
    """A page's image in grey, as its file says it is to be shown; pixels need not be square.

    `rotation` is by how many degrees clockwise the stored page was turned already.
    """

    image: npt.NDArray[np.uint8]
    x_dpi: float
    y_dpi: float
    rotation: int = 0

    @property
    def width(self) -> float:
        """Points."""
        return self.image.shape[1] * 72 / self.x_dpi

    @property
    def height(self) -> float:
        """Points."""
        return self.image.shape[0] * 72 / self.y_dpi


class StoredPages(Protocol):
    """An open file. Pages count from 1. Not for use by two threads."""

    def __len__(self) -> int: ...

    def text_layer(self, number: int) -> TextLayer | None:
        """None where the page has no text layer, or none that shows what the page shows."""

    def raster(self, number: int) -> Raster:
        """The page's image. Raises UnreadableFile(too_large) where it has more pixels than allowed."""

    def close(self) -> None: ...
