"""The shares of `make bench` as a picture: how often this project is right, and how often its peers are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from figures import Figure

ROW, LEFT, WIDTH, TOP = 20, 430, 420, 46
OURS, THEIRS = "#0b6e4f", "#b3541e"
_LEAST = 0.4  # left end of the axis


def chart(figures: Sequence[Figure]) -> str:
    """An SVG: a line a figure, a filled dot for this project, a ring for each peer."""
    rows: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        if figure.unit == "share" and figure.theirs is not None:
            rows.setdefault((figure.area, figure.what), []).append(figure)
    height = TOP + ROW * len(rows) + 14
    body = "".join(
        part
        for number, (name, group) in enumerate(rows.items())
        for part in _row(": ".join(name).replace("_", " "), group, TOP + ROW * number + 10)
    )
    axis = "".join(_tick(share / 10) for share in range(4, 11))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 30} {height}" '
        'font-family="system-ui, sans-serif" font-size="11" role="img">'
        "<title>Share that is right, this project and its peers in the same run</title>"
        f'<rect width="100%" height="100%" fill="#fff"/>{_legend()}<g>{axis}</g>{body}</svg>\n'
    )


def _legend() -> str:
    return (
        f'<circle cx="{LEFT}" cy="14" r="5" fill="{OURS}"/><text x="{LEFT + 10}" y="18">this project</text>'
        f'<circle cx="{LEFT + 100}" cy="14" r="4" fill="none" stroke="{THEIRS}" stroke-width="2"/>'
        f'<text x="{LEFT + 110}" y="18">a peer on the same input (hover for its name)</text>'
    )


def _tick(share: float) -> str:
    x = _x(share)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="100%" stroke="#ddd"/>'
        f'<text x="{x:.1f}" y="{TOP - 10}" text-anchor="middle" fill="#555">{share:.1f}</text>'
    )


def _x(share: float) -> float:
    return LEFT + WIDTH * (max(_LEAST, share) - _LEAST) / (1 - _LEAST)


def _row(name: str, group: Sequence[Figure], y: float) -> Iterator[str]:
    yield f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
    for one in group:
        if one.theirs is not None:
            x, told = _x(one.theirs), f"{escape(one.peer or '')}: {one.theirs:.3f}"
            ring = f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="none" stroke="{THEIRS}" stroke-width="2">'
            yield f"{ring}<title>{told}</title></circle>"
    yield (
        f'<circle cx="{_x(group[0].ours):.1f}" cy="{y}" r="5" fill="{OURS}">'
        f"<title>this project: {group[0].ours:.3f}</title></circle>"
    )
