"""Risk against coverage: how many of the surest answers are wrong? (El-Yaniv and Wiener 2010)"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_WIDTH, _HEIGHT, _CELLS = 220, 150, 4
_LEFT, _TOP, _RIGHT, _BOTTOM = 34, 22, 10, 26
_MOST_RISK = 0.2


@dataclass(frozen=True, slots=True)
class Curve:
    """A field's answers: how sure each was (0..1), and whether it was right (0 or 1)."""

    name: str
    confidence: Floats
    right: Floats

    def points(self) -> tuple[Floats, Floats]:
        """Coverage (share of the answers kept, the surest first) and risk (share of wrong ones among them).

        Answers of one confidence stay together: no threshold parts them.
        """
        order = np.argsort(-self.confidence, kind="stable")
        confidence, wrong = self.confidence[order], 1.0 - self.right[order]
        last = np.append(confidence[1:] != confidence[:-1], True)
        kept = np.arange(1, len(wrong) + 1)
        return (kept / len(wrong))[last], (np.cumsum(wrong) / kept)[last]


def coverage_at(confidence: Floats, right: Floats, precision: float) -> float:
    """The largest share of answers that a threshold keeps with at least `precision` of them right, or 0."""
    coverage, risk = Curve("", confidence, right).points()
    good = coverage[risk <= 1.0 - precision + 1e-9]
    return float(good.max()) if len(good) else 0.0


def draw(curves: Sequence[Curve]) -> str:
    """An SVG with one small chart a field: coverage to the right, risk (0 to 20 %) upwards."""
    rows = -(-len(curves) // _CELLS)
    width, height = _CELLS * _WIDTH, rows * _HEIGHT
    cells = "".join(
        f'<g transform="translate({index % _CELLS * _WIDTH} {index // _CELLS * _HEIGHT})">'
        f"{''.join(_chart(curve))}</g>\n"
        for index, curve in enumerate(curves)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="10">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{cells}</svg>\n'
    )


def _chart(curve: Curve) -> Iterator[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    yield f'<text x="{_LEFT}" y="14" font-weight="bold">{escape(curve.name)} ({len(curve.right)})</text>'
    for share in (0.0, 0.1, 0.2):
        y = bottom - share / _MOST_RISK * (bottom - _TOP)
        yield f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#ccc"/>'
        yield f'<text x="{_LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{share:.0%}</text>'
    for share in (0.0, 0.5, 1.0):
        x = _LEFT + share * (right - _LEFT)
        yield f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{share:.0%}</text>'
    coverage, risk = curve.points()
    xs = _LEFT + coverage * (right - _LEFT)
    ys = bottom - np.minimum(risk, _MOST_RISK) / _MOST_RISK * (bottom - _TOP)
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    yield f'<polyline points="{steps}" fill="none" stroke="#1a5fb4" stroke-width="1.8"/>'
    yield f'<circle cx="{xs[-1]:.1f}" cy="{ys[-1]:.1f}" r="2.5" fill="#1a5fb4"/>'
