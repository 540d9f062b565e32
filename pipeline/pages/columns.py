"""Finding two columns of prose on a page.

A gutter alone does not make prose: forms and tables have gutters too, and splitting those tears labels
from their values. So both sides must read like running text: several words a line, lines that go on in
the middle of a sentence, and a right side that starts at one margin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.domain import Box
from pipeline.pages.geometry import Token, around

_FEWEST_LINES = 6
_FEWEST_WORDS = 3.2
_LEAST_PITCH = 4.0  # from line to line, in the smallest print
_GUTTER = 9.0  # least width; the unit is points, or what makes a page 612 wide
_AT_MARGIN, _MOSTLY = 9.0, 0.6  # how near to the margin most lines of the right side start
_CONTINUED, _CONTINUED_ONE_SIDE = 0.12, 0.03  # of the lines, on average and at least


class _Gutter(NamedTuple):
    x: float
    top: float
    bottom: float


def split_columns(tokens: Sequence[Token]) -> list[list[Token]]:
    """The tokens in blocks to be read one after the other; one block where there are no prose columns."""
    if len(tokens) < 4 * _FEWEST_LINES:
        return [list(tokens)] if tokens else []
    gutter = _find_gutter(tokens)
    if gutter is None:
        return [list(tokens)]
    above, below, left, right = list[Token](), list[Token](), list[Token](), list[Token]()
    for token in tokens:
        middle = (token.box.top + token.box.bottom) / 2
        if middle < gutter.top:
            above.append(token)
        elif middle > gutter.bottom:
            below.append(token)
        else:
            (left if token.box.x1 <= gutter.x else right).append(token)
    return [*(split_columns(above)), left, right, *(split_columns(below))]


def _find_gutter(tokens: Sequence[Token]) -> _Gutter | None:
    boxes = [token.box for token in tokens]
    page = around(boxes)
    width = page.x1 - page.x0
    starts = _frequent_starts(boxes, page.x0 + 0.25 * width, page.x0 + 0.75 * width)
    found = [gutter for start in starts for gutter in _runs(tokens, boxes, page, start)]
    return max(found, key=lambda gutter: gutter.bottom - gutter.top, default=None)


def _frequent_starts(boxes: Sequence[Box], low: float, high: float) -> list[float]:
    """x at which many words begin after a wide gap: the left margins of possible right columns."""
    counts = Counter([round(x0 / 4) for x0, _, _, _ in boxes if low <= x0 <= high])
    often = sorted(counts, key=lambda key: -counts[key] - counts.get(key + 1, 0))
    return [4.0 * key - 3.0 for key in often[:6] if counts[key] + counts.get(key + 1, 0) >= _FEWEST_LINES]


def _runs(tokens: Sequence[Token], boxes: Sequence[Box], page: Box, start: float) -> list[_Gutter]:
    """Heights over which no word stands in the strip left of `start`, with prose on both sides."""
    # Few strips have a margin at their right; only those are looked at closely.
    begins = [(top + low) / 2 for x0, top, x1, low in boxes if x0 < start + _AT_MARGIN and x1 > start]
    fewest = _MOSTLY * _FEWEST_LINES
    if len(begins) <= fewest:
        return []
    crossing = sorted([(top, low) for (x0, top, x1, low) in boxes if x0 < start and x1 > start - _GUTTER])
    top, end = page.top, page.bottom
    runs = []
    for low, high in [*crossing, (end, end)]:
        if (
            low - top > _FEWEST_LINES * _LEAST_PITCH
            and sum(top <= middle <= low for middle in begins) > fewest
            and _prose_on_both_sides(tokens, start, top, low)
        ):
            runs.append(_Gutter(start, top, low))
        top = max(top, high)
    return runs


def _prose_on_both_sides(tokens: Sequence[Token], x: float, top: float, bottom: float) -> bool:
    inside = [token for token in tokens if top <= (token.box.top + token.box.bottom) / 2 <= bottom]
    left = _rows([token for token in inside if token.box.x1 <= x])
    right = _rows([token for token in inside if token.box.x1 > x])
    if not (_is_running(left) and _is_running(right)) or _starts_at(right, x) <= _MOSTLY or _repeats(right):
        return False
    shares = [_continued(rows) for rows in (left, right)]
    return min(shares) >= _CONTINUED_ONE_SIDE and sum(shares) >= 2 * _CONTINUED


def _rows(tokens: Sequence[Token]) -> list[list[Token]]:
    """Tokens of one side in rough lines, left to right."""
    rows: list[list[Token]] = []
    for token in sorted(tokens, key=lambda token: (token.box.top + token.box.bottom) / 2):
        middle = (token.box.top + token.box.bottom) / 2
        if rows and middle < rows[-1][0].box.bottom - 0.2 * (rows[-1][0].box.bottom - rows[-1][0].box.top):
            rows[-1].append(token)
        else:
            rows.append([token])
    return [sorted(row, key=lambda token: token.box.x0) for row in rows]


def _is_running(rows: Sequence[Sequence[Token]]) -> bool:
    """Enough lines of several words, seldom torn by gaps."""
    if len(rows) < _FEWEST_LINES or sum(map(len, rows)) / len(rows) < _FEWEST_WORDS:
        return False
    return sum(_has_column_gap(row) for row in rows) <= 0.2 * len(rows)


def _continued(rows: Sequence[Sequence[Token]]) -> float:
    """Share of lines that go on in the middle of a sentence."""
    return sum(row[0].text[0].islower() for row in rows[1:]) / len(rows)


def _repeats(rows: Sequence[Sequence[Token]]) -> bool:
    """Whether lines are much the same, as the answers beside a list of questions are."""
    return len({row[0].text for row in rows} | {row[-1].text for row in rows}) < len(rows)


def _has_column_gap(row: Sequence[Token]) -> bool:
    character = sum(token.box.x1 - token.box.x0 for token in row) / sum(len(token.text) for token in row)
    pairs = pairwise(row)
    return any(after.box.x0 - before.box.x1 > 3.5 * character for before, after in pairs)


def _starts_at(rows: Sequence[Sequence[Token]], x: float) -> float:
    return sum(row[0].box.x0 - x < _AT_MARGIN for row in rows) / len(rows)
