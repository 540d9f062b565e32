"""Pages drawn for a fax: US letter, large sans type, black on white, rules a point thick.

The home of fpdf2. Who draws a paper derives it, or fills it from outside.

The type is embedded, so that a fax gateway draws the letters that were measured, and the names of all who are
written in Latin, Greek or Cyrillic letters: DejaVu Sans Condensed, whose small letters are taller than
Helvetica's and as wide (`models/fonts`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from fpdf import FPDF

FAMILY: Final = "Sans"
MARGIN: Final = 60.0  # points
TOP: Final = 84.0  # leaves room for the receiving machine's line
BOTTOM: Final = 54.0
RULE: Final = 1.0
_RUNNING_SIZE: Final = 12
_FONTS: Final[Mapping[Literal["", "B"], str]] = {
    "": "DejaVuSansCondensed.ttf",
    "B": "DejaVuSansCondensed-Bold.ttf",
}


class Paper(FPDF):
    """Letter pages with a running line on top that names the document and counts its pages.

    `fonts` is the folder of the type, `models/fonts`.
    """

    def __init__(self, fonts: Path, running: str) -> None:
        super().__init__(unit="pt", format="letter")
        for style, name in _FONTS.items():
            self.add_font(FAMILY, style, fonts / name)
        self._letters = frozenset[int](self.fonts[FAMILY.lower()].cmap)  # type: ignore[union-attr]
        self.running = running
        self.set_auto_page_break(True, margin=BOTTOM)
        self.set_margins(MARGIN, TOP, MARGIN)

    def header(self) -> None:
        if self.running:
            self.set_font(FAMILY, "B", _RUNNING_SIZE)
            self.set_y(44)
            self.cell(text=f"{self.running}   page {self.page_no()} of {{nb}}")
            self.set_line_width(RULE)
            self.line(MARGIN, 64, self.w - MARGIN, 64)
            self.set_y(TOP)

    def printable(self, text: str) -> str:
        """In the letters of the font: one that it lacks loses its accent, or becomes `?`."""
        composed = unicodedata.normalize("NFC", text)
        return "".join(letter if ord(letter) in self._letters else self._plain(letter) for letter in composed)

    def _plain(self, letter: str) -> str:
        base = unicodedata.normalize("NFKD", letter)[0]
        return base if ord(base) in self._letters else "?"
