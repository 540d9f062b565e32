"""What a benchmark measured, a row each, with the bound that is to hold where there is one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from figures import Figure


class Row(NamedTuple):
    """`value` in `unit`; a ratio has none. At most `bound` is wanted."""

    what: str
    value: float
    unit: str = ""
    bound: float | None = None

    @property
    def holds(self) -> bool:
        return self.bound is None or self.value <= self.bound


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| | measured | at most | |", "|---|---|---|---|"]
    for row in rows:
        wanted = "" if row.bound is None else f"{row.bound:g} {row.unit}".rstrip()
        verdict = "" if row.bound is None else ("holds" if row.holds else "**does not hold**")
        lines.append(f"| {row.what} | {row.value:.3g} {row.unit}".rstrip() + f" | {wanted} | {verdict} |")
    return "\n".join(lines) + "\n"


def figures(area: str, rows: Iterable[Row]) -> list[Figure]:
    """The rows as benchmarks hand them on."""
    return [
        Figure(
            area, row.what, row.unit, row.value, goal=None if row.bound is None else f"at most {row.bound:g}"
        )
        for row in rows
    ]


def cpu_of(pid: int) -> float:
    """Seconds of processor time of a process and of those of its children that it has seen end (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """Its children (Linux)."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]


def machine_s() -> tuple[float, float]:
    """(seconds that all cores together were busy, that they were idle) since the machine started (Linux)."""
    first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    user, nice, system, idle, wait, hard, soft, stolen = (
        int(field) / os.sysconf("SC_CLK_TCK") for field in first
    )
    return user + nice + system + hard + soft + stolen, idle + wait
