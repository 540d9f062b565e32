"""Form fields and drawn tick boxes through pdfplumber; words too, where pdfium cannot load a page's text.

pdfium's text of a page leaves out what stands in form fields, and knows no boxes. pdfplumber takes a
tenth of a second a page, so `pdf` asks it only for pages that have fields or small squares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pdfplumber
from pdfminer.pdfexceptions import PDFException
from pdfminer.psparser import PSException
from pdfplumber.utils.exceptions import MalformedPDFException, PdfminerException

from pipeline.domain import Box
from pipeline.errors import UnreadableFile
from pipeline.pages.geometry import Token, around, overlap

TICKED, UNTICKED = "[X]", "[ ]"
LEAST_SIDE, MOST_SIDE = 5.0, 18.0  # of a tick box, in points
_OFF = {"", "off", "/off", "none", "no", "false", "0"}
# pdfminer's own errors, and what its code raises on objects that are not of the kind it expects.
_DAMAGED = (
    PDFException,
    PSException,
    PdfminerException,
    MalformedPDFException,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
_PUSH_BIT = 1 << 16  # a button to press, not to tick: ISO 32000-1, table 226


def read_form(path: Path, number: int) -> tuple[list[Token], list[Token]]:
    """(ticks, values) of a page as a viewer shows it: `[X]` and `[ ]`, and the words typed into fields."""
    with _opened(path, number) as page:
        widgets = [
            (annotation, _field(annotation["data"])) for annotation in page.annots if _is_widget(annotation)
        ]
        ticks = [_tick_token(annotation, field) for annotation, field in widgets if _is_tick_box(field)]
        drawn = [Token(TICKED if ticked else UNTICKED, box) for box, ticked in _drawn_boxes(page)]
        ticks += [token for token in drawn if not any(overlap(token.box, tick.box) for tick in ticks)]
        values = [
            token
            for annotation, field in widgets
            if _name(field.get("FT")) in ("Tx", "Ch")
            for token in _value_tokens(_text(field.get("V")), _box(annotation))
        ]
    return ticks, values


def words(path: Path, number: int) -> list[Token]:
    """The words of a page as a viewer shows it."""
    with _opened(path, number) as page:
        return [Token(str(word["text"]), _box(word)) for word in page.extract_words()]


@contextmanager
def _opened(path: Path, number: int) -> Iterator[Any]:
    """One page of a PDF; what pdfplumber stumbles over is an unreadable page, not a bug of ours."""
    try:
        with pdfplumber.open(path, pages=[number]) as pdf:
            yield pdf.pages[0]
    except _DAMAGED as error:
        raise UnreadableFile(
            "truncated", "The page is damaged.", next_step="Ask the sender to send it again."
        ) from error


def _box(item: Any) -> Box:
    return Box(float(item["x0"]), float(item["top"]), float(item["x1"]), float(item["bottom"]))


def _is_widget(annotation: Any) -> bool:
    return _name(annotation["data"].get("Subtype")) == "Widget"


def _field(data: Any) -> dict[str, Any]:
    """The field's entries with those that it inherits from its parents."""
    merged: dict[str, Any] = {}
    for _ in range(8):  # a chain longer than that, or a loop, is no form
        merged = {**data, **merged}
        data = _resolved(data.get("Parent"))
        if not isinstance(data, dict):
            break
    return merged


def _resolved(value: Any) -> Any:
    return value.resolve() if hasattr(value, "resolve") else value


def _name(value: Any) -> str:
    value = _resolved(value)
    return str(getattr(value, "name", value) or "").strip("/'\"")


def _text(value: Any) -> str:
    value = _resolved(value)
    if isinstance(value, bytes):
        if value.startswith(b"\xfe\xff"):
            return value[2:].decode("utf-16-be", errors="replace")
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""


def _is_tick_box(field: dict[str, Any]) -> bool:
    flags = _resolved(field.get("Ff")) or 0
    return _name(field.get("FT")) == "Btn" and not int(flags) & _PUSH_BIT


def _tick_token(annotation: Any, field: dict[str, Any]) -> Token:
    """A box is ticked by its own appearance state; only where it has none, by its field's value."""
    state = field.get("AS") if field.get("AS") is not None else field.get("V")
    return Token(UNTICKED if _name(state).lower() in _OFF else TICKED, _box(annotation))


def _value_tokens(value: str, box: Box) -> Iterator[Token]:
    """The words of a field's value where its first lines stand; the places along a line are estimates."""
    lines = value.splitlines() or []
    height = (box.bottom - box.top) / max(1, len(lines))
    for row, line in enumerate(lines):
        character = min((box.x1 - box.x0) / max(1, len(line)), 0.5 * height)
        position = 0
        for word in line.split():
            start = line.index(word, position)
            position = start + len(word)
            yield Token(
                word,
                Box(
                    box.x0 + start * character,
                    box.top + row * height,
                    box.x0 + position * character,
                    box.top + (row + 1) * height,
                ),
            )


def _drawn_boxes(page: Any) -> list[tuple[Box, bool]]:
    """Small squares drawn on the page, each with whether something stands in it."""
    squares = [_box(rect) for rect in (*page.rects, *page.curves) if is_square(_box(rect))]
    squares = [box for box in squares if not _is_inside_another(box, squares)]
    marks = [_box(item) for item in (*page.curves, *page.rects) if not is_square(_box(item))]
    marks += [_box(line) for line in page.lines]
    marks += [_box(item) for item in (*page.rects, *page.curves) if _is_inside_another(_box(item), squares)]
    marks += [_box(char) for char in page.chars if str(char["text"]).strip()]
    return [(box, any(_marks(mark, box) for mark in marks)) for box in squares]


def is_square(box: Box) -> bool:
    """Whether a box may be a tick box by its size and shape."""
    width, height = box.x1 - box.x0, box.bottom - box.top
    return (
        min(width, height) >= LEAST_SIDE and max(width, height) <= MOST_SIDE and 0.8 <= width / height <= 1.25
    )


def _is_inside_another(box: Box, squares: Sequence[Box]) -> bool:
    return any(
        other.x0 + 0.4 < box.x0
        and other.top + 0.4 < box.top
        and box.x1 < other.x1 - 0.4
        and box.bottom < other.bottom - 0.4
        for other in squares
    )


def _marks(mark: Box, box: Box) -> bool:
    """Whether `mark` is drawn in `box`: its middle well inside it, and not one of its edges."""
    x, y = (mark.x0 + mark.x1) / 2, (mark.top + mark.bottom) / 2
    side = box.x1 - box.x0
    inside = (
        box.x0 + 0.2 * side < x < box.x1 - 0.2 * side and box.top + 0.2 * side < y < box.bottom - 0.2 * side
    )
    return inside and mark.x1 - mark.x0 < 2 * side and mark.bottom - mark.top < 2 * side


def put_ticks(tokens: Sequence[Token], ticks: Sequence[Token], values: Sequence[Token]) -> list[Token]:
    """The page's words with its ticks and field values; what stood in a tick box gives way to the tick."""
    kept = [token for token in tokens if not any(_within(token.box, tick.box) for tick in ticks)]
    shown = [value for value in values if not any(overlap(value.box, token.box) for token in kept)]
    return [*kept, *ticks, *shown]


def _within(box: Box, other: Box) -> bool:
    both = around((box, other))
    close = (both.x1 - both.x0) < 1.6 * (other.x1 - other.x0) and (both.bottom - both.top) < 2.2 * (
        other.bottom - other.top
    )
    return close and overlap(box, other) > 0.3 * (box.x1 - box.x0) * (box.bottom - box.top)
