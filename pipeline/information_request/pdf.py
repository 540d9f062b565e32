"""Letter and cover sheet drawn for a fax: large sans type, black on white, rules a point thick, no grey.

A standard fax has 98 rows to the inch: below 11 points a letter has fewer than fifteen rows and its parts run
together; a barcode's module of 6 points has eight.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from pipeline.catalog.letters import Letters
from pipeline.information_request.letter import NO_REFERENCE, barcode_rows, letter_blocks
from pipeline.information_request.markup import Block
from pipeline.information_request.ours import RUNNING
from pipeline.information_request.record import InformationRequest
from pipeline.paper import FAMILY, MARGIN, RULE, Paper

_SIZES = {"title": 16.0, "heading": 13.0, "text": 12.0, "item": 12.0}
_BEFORE = {"title": 8.0, "heading": 10.0, "text": 3.0, "item": 1.0}
_LEADING = 1.24
_MODULE = 6.0
_DOTS = 12  # of the picture to a module
_REFERENCE_SIZE = 26.0


def letter_pdf(request: InformationRequest, letters: Letters, *, reminder: int = 0) -> bytes:
    """Letter and cover sheet (the last page) on US letter pages. The same request gives the same bytes."""
    reference = request.reference or NO_REFERENCE
    letter, cover = letter_blocks(request, letters, reminder=reminder)
    pdf = _Sheets(reference, letters.fonts, running=f"{RUNNING}   {reference}")
    pdf.set_creation_date(dt.datetime.combine(request.issued or dt.date(2000, 1, 1), dt.time(), dt.UTC))
    pdf.add_page()
    pdf.draw(letter)
    pdf.running = ""
    pdf.add_page()
    pdf.draw(cover)
    return bytes(pdf.output())


class _Sheets(Paper):
    """The letter and its cover sheet."""

    def __init__(self, reference: str, fonts: Path, running: str) -> None:
        super().__init__(fonts, running)
        self._reference = reference
        self._codes = 0

    def draw(self, blocks: Sequence[Block]) -> None:
        for block, after in zip(blocks, [*blocks[1:], None], strict=True):
            if block.kind == "code":
                self._code()
            elif block.kind == "rule":
                self.ln(8)
                self.set_line_width(RULE)
                self.line(MARGIN, self.y, self.w - MARGIN, self.y)
                self.ln(2)
            else:
                self._words(block, heads=after is not None and block.kind in ("title", "heading"))

    def _words(self, block: Block, *, heads: bool) -> None:
        """A line or paragraph; a heading is not left alone at the foot of a page."""
        size = _SIZES[block.kind]
        height = size * _LEADING
        self.ln(_BEFORE[block.kind])
        if heads and self.will_page_break(4 * height):
            self.add_page()
        left = MARGIN + (16 if block.kind == "item" else 0)
        if block.kind == "item":
            if self.will_page_break(height):
                self.add_page()
            self.set_font(FAMILY, "", size)
            self.text(MARGIN + 4, self.y + size * 0.95, "-")
        self.set_left_margin(left)
        self.set_x(left)
        for text, bold in block.parts:
            strong = bold or block.kind in ("title", "heading")
            self.set_font(FAMILY, "B" if strong else "", size)
            self.write(height, self.printable(text))
        self.ln(height)
        self.set_left_margin(MARGIN)

    def _code(self) -> None:
        """The barcode, its reference in large type below it; the first on the left, the next on the right, so
        that no strip that covers half of the sheet covers both."""
        if self._reference == NO_REFERENCE:
            return
        rows = barcode_rows(self._reference)
        side = len(rows) * _MODULE
        quiet = 4 * _MODULE
        if self.will_page_break(side + 2 * quiet + _REFERENCE_SIZE):
            self.add_page()
        self.set_font(FAMILY, "B", _REFERENCE_SIZE)
        width = max(side, self.get_string_width(self._reference))
        middle = MARGIN + width / 2 if self._codes % 2 == 0 else self.w - MARGIN - width / 2
        self._codes += 1
        left, top = round(middle - side / 2), round(self.y + quiet)
        self.image(_picture(rows), left, top, side, side)
        base = top + side + quiet * 0.75 + _REFERENCE_SIZE * 0.74
        self.text(middle - self.get_string_width(self._reference) / 2, base, self._reference)
        self.set_y(base + 8)


def _picture(rows: Sequence[Sequence[bool]]) -> Image.Image:
    """The barcode as one picture: drawn as hundreds of small rectangles, it takes a reader of tables minutes
    when the sheet comes back as a PDF."""
    dots = Image.new("L", (len(rows), len(rows)), 255)
    dots.putdata([0 if module else 255 for row in rows for module in row])
    return dots.resize((len(rows) * _DOTS, len(rows) * _DOTS), Image.Resampling.NEAREST)
