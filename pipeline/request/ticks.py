"""Tick marks as the request's papers print, type and draw them."""

from __future__ import annotations

import re

# A box with a cross, a bare cross or two, an arrow or stars at the margin.
TICK = (
    r"(?:_[xX]_|[\[({|]\s?[xX✓√*]{1,2}\s?[\])}|]|(?<![A-Za-z0-9])[xX]{1,3}(?![A-Za-z])"
    r"|[✓√☒☑●◉]|-->|->|=>|>>|\*{1,3})"
)
BOX = r"(?:[\[({|]\s{0,2}[xX✓√]?\s{0,2}[\])}|]|[☐☒☑]|_[xX_]_)"
EMPTY_BOX = re.compile(r"(?:[\[({]\s{0,3}[\])}]|☐|○|_{2,})\s*$")
TICKED_BEFORE = re.compile(rf"{TICK}\s*$")
TICKED_LINE = re.compile(rf"^\s*(?:\d{{1,2}}[.)]?\s+)?{TICK}\s")
