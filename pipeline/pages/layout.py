"""Words to text as `domain.Page` promises it: lines, column gaps as spaces, vertical gaps as empty lines.

Two columns of prose are read one after the other; the columns of a form or a table stay on one line.
"""

from __future__ import annotations

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
    lines: list[Line] = []
    for group in sorted(_groups(tokens), key=_middle):
        middle, height = _middle(group), _height(group)
        for index in range(len(lines) - 1, max(-1, len(lines) - 6), -1):
            line = lines[index]
            close = abs(line.middle - middle) < 0.5 * min(line.height, height) or (
                # A dash or a dot is low: it belongs to the line within whose height it stands.
                height < 0.6 * line.height and abs(line.middle - middle) < 0.55 * line.height
            )
            if close and not _collides(line.tokens, group):
                both = tuple(sorted((*line.tokens, *group), key=lambda token: token.box.x0))
                lines[index] = Line(both, _middle(both), _height(both))
                break
        else:
            ordered = tuple(sorted(group, key=lambda token: token.box.x0))
            lines.append(Line(ordered, middle, height))
    return sorted(lines, key=lambda line: line.middle)


def _groups(tokens: Sequence[Token]) -> list[list[Token]]:
    """Tokens that the reader put on one line, together; the others alone."""
    seen: dict[int, list[Token]] = {}
    alone: list[list[Token]] = []
    for token in tokens:
        if token.line is None:
            alone.append([token])
        else:
            seen.setdefault(token.line, []).append(token)
    return [*seen.values(), *alone]


def _middle(tokens: Sequence[Token]) -> float:
    return _median([(token.box.top + token.box.bottom) / 2 for token in tokens])


def _height(tokens: Sequence[Token]) -> float:
    return max(0.1, _median([token.box.bottom - token.box.top for token in tokens]))


def _median(values: list[float]) -> float:
    """As `statistics.median`, in a third of its time: a page asks for thousands."""
    if len(values) == 1:
        return values[0]
    values.sort()
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def _collides(line: Sequence[Token], group: Sequence[Token]) -> bool:
    """Whether words would stand on top of one another: then these are two lines."""
    for one in line:
        left, _, right, _ = one.box
        for other in group:
            x0, _, x1, _ = other.box
            if x0 >= right or left >= x1:
                continue
            if min(right, x1) - max(left, x0) > 0.3 * min(right - left, x1 - x0) + 0.1:
                return True
    return False


def character_width(tokens: Sequence[Token]) -> float:
    """Usual width of one character."""
    widths = [(token.box.x1 - token.box.x0) / len(token.text) for token in tokens if len(token.text) > 1]
    widths = widths or [(token.box.x1 - token.box.x0) / len(token.text) for token in tokens]
    return max(0.1, statistics.median(widths))


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
