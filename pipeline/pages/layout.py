"""Words to text as `domain.Page` promises it: lines, column gaps as spaces, vertical gaps as empty lines.

Two columns of prose are read one after the other; the columns of a form or a table stay on one line.
"""

from __future__ import annotations

import bisect
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from pipeline.pages.columns import split_columns
from pipeline.pages.geometry import Token

# A gap this many times the page's usual gap between words is a column gap (two spaces or more); a
# justified line is measured by its own usual gap.
_WIDE_GAP = 1.65
# Lines further apart than this many times the usual distance have an empty line between them.
_VERTICAL_GAP = 1.45


class Placed(NamedTuple):
    """A token with its offsets in the text."""

    token: Token
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Line:
    """Tokens side by side, left to right; `middle` and `height` are those of most of them."""

    tokens: tuple[Token, ...]
    middle: float
    height: float

    @property
    def left(self) -> float:
        return self.tokens[0].box.x0


def lay_out(tokens: Sequence[Token]) -> tuple[str, list[Placed]]:
    """The text of a page and where each token stands in it, in reading order."""
    text, placed = "", list[Placed]()
    for block in split_columns(tokens):
        block_text, block_placed = _block(block)
        if text and block_text:
            text += "\n\n"
        placed += [Placed(token, start + len(text), end + len(text)) for token, start, end in block_placed]
        text += block_text
    return text, placed


def _block(tokens: Sequence[Token]) -> tuple[str, list[Placed]]:
    lines = find_lines(tokens)
    if not lines:
        return "", []
    character = character_width(tokens)
    space = _space_width(lines, character)
    pitch = _pitch(lines)
    margin = _margin(lines)
    pieces: list[str] = []
    placed: list[Placed] = []
    length = 0
    for number, line in enumerate(lines):
        if number:
            far = line.middle - lines[number - 1].middle > _VERTICAL_GAP * pitch
            pieces.append("\n\n" if far else "\n")
            length += len(pieces[-1])
        for spaces, token in _spaced(line, margin, character, space):
            start = length + spaces
            length = start + len(token.text)
            pieces += [" " * spaces, token.text]
            placed.append(Placed(token, start, length))
    return "".join(pieces), placed


def find_lines(tokens: Sequence[Token]) -> list[Line]:
    """The lines of a level page, top to bottom."""
    lines: list[_GrowingLine] = []
    for group in sorted(map(_GrowingLine, _groups(tokens)), key=lambda group: group.middle):
        middle, height = group.middle, group.height
        for line in lines[:-6:-1]:
            close = abs(line.middle - middle) < 0.5 * min(line.height, height) or (
                # A dash or a dot is low: it belongs to the line within whose height it stands.
                height < 0.6 * line.height and abs(line.middle - middle) < 0.55 * line.height
            )
            if close and not line.collides(group):
                line.take(group)
                break
        else:
            lines.append(group)
    made = [Line(tuple(line.tokens), line.middle, line.height) for line in lines]
    return sorted(made, key=lambda line: line.middle)


class _GrowingLine:
    """A line while its words are found. What a page asks for thousands of times is kept up to date."""

    __slots__ = ("_heights", "_middles", "height", "middle", "right", "tokens")

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = sorted(tokens, key=_left) if len(tokens) > 1 else list(tokens)
        self.right = max([token.box.x1 for token in tokens])
        self._middles = sorted([(token.box.top + token.box.bottom) / 2 for token in tokens])
        self._heights = sorted([token.box.bottom - token.box.top for token in tokens])
        self._measure()

    def _measure(self) -> None:
        self.middle = _median(self._middles)
        self.height = max(0.1, _median(self._heights))

    def take(self, other: _GrowingLine) -> None:
        for token in other.tokens:
            bisect.insort(self.tokens, token, key=_left)
        for middle in other._middles:
            bisect.insort(self._middles, middle)
        for height in other._heights:
            bisect.insort(self._heights, height)
        self.right = max(self.right, other.right)
        self._measure()

    def collides(self, other: _GrowingLine) -> bool:
        """Whether words would stand on top of one another: then these are two lines."""
        if other.tokens[0].box.x0 >= self.right:
            return False
        for one in self.tokens:
            left, _, right, _ = one.box
            for token in other.tokens:
                x0, _, x1, _ = token.box
                if x0 >= right or left >= x1:
                    continue
                if min(right, x1) - max(left, x0) > 0.3 * min(right - left, x1 - x0) + 0.1:
                    return True
        return False


def _left(token: Token) -> float:
    return token.box.x0


def _median(ordered: Sequence[float]) -> float:
    """As `statistics.median`, of numbers in order."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _groups(tokens: Sequence[Token]) -> list[list[Token]]:
    """Tokens that the reader put on one line, together, and those of exactly one height; the others alone."""
    seen: dict[int | tuple[float, float], list[Token]] = {}
    for token in tokens:
        _, top, _, bottom = token.box
        seen.setdefault((top, bottom) if token.line is None else token.line, []).append(token)
    groups: list[list[Token]] = []
    for line, group in seen.items():
        if isinstance(line, tuple) and len(group) > 1 and _overlap(group):
            groups += [[token] for token in group]  # printed over one another: lines tell them apart
        else:
            groups.append(group)
    return groups


def _overlap(tokens: list[Token]) -> bool:
    tokens.sort(key=_left)
    return any(after.box.x0 < before.box.x1 for before, after in pairwise(tokens))


def character_width(tokens: Sequence[Token]) -> float:
    """Usual width of one character."""
    widths = [(token.box.x1 - token.box.x0) / len(token.text) for token in tokens if len(token.text) > 1]
    widths = widths or [(token.box.x1 - token.box.x0) / len(token.text) for token in tokens]
    return max(0.1, _median(sorted(widths)))


def _gaps(line: Line) -> list[float]:
    pairs = pairwise(line.tokens)
    return [after.box.x0 - before.box.x1 for before, after in pairs]


def _space_width(lines: Sequence[Line], character: float) -> float:
    """Usual gap between two words of a line; gaps wider than two characters are column gaps."""
    gaps = [gap for line in lines for gap in _gaps(line) if 0 < gap < 2 * character]
    return max(statistics.median(gaps), 0.35 * character) if gaps else 0.6 * character


def _pitch(lines: Sequence[Line]) -> float:
    """Distance of two lines that follow one another without a gap.

    The lower third, because on a form half of the distances are gaps.
    """
    height = statistics.median(line.height for line in lines)
    steps = [after.middle - before.middle for before, after in pairwise(lines)]
    steps = sorted(step for step in steps if step > 0.7 * height)
    return steps[len(steps) // 3] if steps else 1.2 * height


def _margin(lines: Sequence[Line]) -> float:
    """Where the text begins at the left; a lone speck further left does not count."""
    starts = sorted(line.left for line in lines)
    return starts[len(starts) // 20] if len(starts) > 1 else starts[0]


def _spaced(line: Line, margin: float, character: float, space: float) -> list[tuple[int, Token]]:
    """Each token with how many spaces stand before it."""
    gaps = _gaps(line)
    usual = space
    if len(gaps) > 3 and min(gaps) > 1.2 * space and max(gaps) < 1.6 * min(gaps):
        usual = statistics.median(gaps)  # justified
    counts = [max(0, round((line.left - margin) / character))]
    counts += [1 if gap < _WIDE_GAP * usual else max(2, round(gap / character)) for gap in gaps]
    return list(zip(counts, line.tokens, strict=True))
