"""Words before they are laid out, and how boxes move when a page is turned.

Coordinates have their origin at the top left and y grows downwards, in points or pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.domain import Box


class Token(NamedTuple):
    """A word that has a place but no offset yet. `line` groups words that the reader saw on one line."""

    text: str
    box: Box
    confidence: float = 1.0
    line: int | None = None
    confirmed: bool = True


def turned(box: Box, degrees: int, width: float, height: float) -> Box:
    """`box` on a page of `width` x `height` after the page is turned clockwise by 0, 90, 180 or 270."""
    x0, top, x1, bottom = box
    match degrees % 360:
        case 0:
            return Box(x0, top, x1, bottom)
        case 90:
            return Box(height - bottom, x0, height - top, x1)
        case 180:
            return Box(width - x1, height - bottom, width - x0, height - top)
        case 270:
            return Box(top, width - x1, bottom, width - x0)
        case _:
            raise ValueError("a page is turned by 0, 90, 180 or 270 degrees")


def turned_size(degrees: int, width: float, height: float) -> tuple[float, float]:
    """(width, height) of the page after it is turned."""
    return (height, width) if degrees % 180 else (width, height)


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box around all `boxes`, of which there must be one."""
    x0, top, x1, bottom = zip(*boxes, strict=True)
    return Box(min(x0), min(top), max(x1), max(bottom))


def overlap(a: Box, b: Box) -> float:
    """Area that two boxes share."""
    return max(0.0, min(a.x1, b.x1) - max(a.x0, b.x0)) * max(0.0, min(a.bottom, b.bottom) - max(a.top, b.top))
