"""Pages drawn for a fax: US letter, large sans type, black on white, rules a point thick.

The home of fpdf2. Who draws a paper derives it, or fills it from outside.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from fpdf import FPDF

MARGIN: Final = 60.0  # points
TOP: Final = 84.0  # leaves room for the receiving machine's line
BOTTOM: Final = 54.0
RULE: Final = 1.0
_RUNNING_SIZE: Final = 12
# Letters that do not come apart into a plain one and its accent.
_PLAIN: Final = {
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2013": "-",
    "\u2014": "-",
    "\u2026": "...",
    "\u2022": "-",
    "\u0141": "L",
    "\u0142": "l",
    "\u0110": "D",
    "\u0111": "d",
    "\u0131": "i",
    "\u0152": "OE",
    "\u0153": "oe",
    "\u2264": "<=",
    "\u2265": ">=",
}


class Paper(FPDF):
    """Letter pages with a running line on top that names the document and counts its pages."""

    def __init__(self, running: str) -> None:
        super().__init__(unit="pt", format="letter")
        self.running = running
        self.set_auto_page_break(True, margin=BOTTOM)
        self.set_margins(MARGIN, TOP, MARGIN)

    def header(self) -> None:
        if self.running:
            self.set_font("Helvetica", "B", _RUNNING_SIZE)
            self.set_y(44)
            self.cell(text=f"{printable(self.running)}   page {self.page_no()} of {{nb}}")
            self.set_line_width(RULE)
            self.line(MARGIN, 64, self.w - MARGIN, 64)
            self.set_y(TOP)


def printable(text: str) -> str:
    """In the characters of the PDF's own fonts; a letter that they lack loses its accent, or becomes `?`."""
    for sign, plain in _PLAIN.items():
        text = text.replace(sign, plain)
    if not text.isascii():
        text = "".join(
            letter if _in_latin_1(letter) else unicodedata.normalize("NFKD", letter)[0] for letter in text
        )
    return text.encode("latin-1", "replace").decode("latin-1")


def _in_latin_1(letter: str) -> bool:
    return ord(letter) < 256
