"""A measured figure, beside a peer's of the same run where there is one; how benchmarks hand them on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, of this project and of a peer in the same run. `goal` says what is asked of it."""

    area: str
    what: str
    unit: str
    ours: float
    peer: str | None = None
    theirs: float | None = None
    goal: str | None = None

    @property
    def ratio(self) -> float | None:
        """Ours to theirs."""
        return self.ours / self.theirs if self.theirs else None


def write_figures(path: Path, figures: Sequence[Figure]) -> None:
    path.write_text(json.dumps([asdict(one) for one in figures], indent=1) + "\n", encoding="utf-8")


def read_figures(path: Path) -> list[Figure]:
    return [Figure(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
