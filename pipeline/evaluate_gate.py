"""Which rows got worse since figures were written with `triage evaluate-set --output`.

Right is better than silent, and silent is better than wrong: a value that is not there sends a person to the
page, a wrong one misleads. A row is known again by its submission, its field and the true value.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError


class Standing(IntEnum):
    """How good an answer is."""

    WRONG = 0
    SILENT = 1
    RIGHT = 2


@dataclass(frozen=True, slots=True)
class Worse:
    """A row that was better before."""

    submission: str
    field: str
    before: Standing
    now: Standing

    def __str__(self) -> str:
        return f"{self.submission}  {self.field}  was {self.before.name.lower()}, is {self.now.name.lower()}"


_Key = tuple[str, str, str]


def figures_before(path: Path) -> Mapping[str, Any]:
    """The report that was written to `path`. Raises UsageError where it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not {"statuses", "differences", "unsafe_meets"} <= found.keys():
            raise ValueError
    except (OSError, ValueError, AttributeError):
        raise UsageError(
            f"{path} does not hold figures of `triage evaluate-set`.",
            next_step="Write them with --output FILE on the version to compare with.",
        ) from None
    return dict(found)


def worse(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Worse]:
    """The rows of `now` that were better in `before`, both as `evaluate_set.report` makes them; a submission
    that lost in status, or is newly called `meets` and is not, among them.

    Raises UsageError where the two are of other submissions.
    """
    if before["statuses"].keys() != now["statuses"].keys():
        raise UsageError(
            "These are not the submissions of which the figures were written.",
            next_step="Make the same set again, or write new figures with --output.",
        )
    return [*_statuses(before, now), *_unsafe(before, now), *_rows(before, now)]


def _statuses(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Worse]:
    order = {"parked": Standing.WRONG, "partial": Standing.SILENT, "complete": Standing.RIGHT}
    for name, status in now["statuses"].items():
        was = order[before["statuses"][name]]
        if order[status] < was:
            yield Worse(name, "status", was, order[status])


def _unsafe(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Worse]:
    for name in now["unsafe_meets"]:
        if name not in before["unsafe_meets"]:
            yield Worse(name, "called `meets` and is not", Standing.RIGHT, Standing.WRONG)


def _rows(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Worse]:
    earlier = _standings(before["differences"])
    for key, standings in _standings(now["differences"]).items():
        for number, standing in enumerate(standings):
            # What the differences of before do not tell of was right.
            was = earlier[key][number] if number < len(earlier[key]) else Standing.RIGHT
            if standing < was:
                yield Worse(key[0], key[1], was, standing)


def _standings(differences: Sequence[Mapping[str, Any]]) -> defaultdict[_Key, list[Standing]]:
    """The standings of each key's rows, the worst first."""
    found = defaultdict[_Key, list[Standing]](list)
    for row in differences:
        key = (row["submission"], row["field"], json.dumps(row["expected"]))
        found[key].append(Standing.SILENT if row["answered"] is None else Standing.WRONG)
    for standings in found.values():
        standings.sort()
    return found
