"""From weighed candidates to one field: the heaviest value wins, two sides of one weight conflict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from pipeline.domain import (
    NOT_FOUND,
    Alternative,
    Code,
    Evidence,
    Field,
    Status,
    Value,
)

# A side with this many times the other's summed weight wins a tie of the heaviest statements.
CLEAR_MAJORITY = 2.0
MOST_EVIDENCE = 4


@dataclass(frozen=True)
class Candidate:
    """One statement of a value. `weight` is by where it stands (data of models/); a statement with
    a `reason` is only kept as an alternative (historical, superseded, other_lesion...)."""

    value: Value
    weight: float
    evidence: Evidence
    reason: str | None = None
    basis: str | None = None
    date: str = ""


def choose(
    candidates: Iterable[Candidate], *, least: float = 0, code: Code | None = None, edition: str | None = None
) -> Field:
    """The field that `candidates` support; not found where none weighs `least` or more.

    The heaviest statement decides; between values of equal heaviest weight the sum of weights does
    if one side clearly has more, else the field is conflicting with the other side in `alternatives`.
    """
    ordered = sorted((c for c in candidates if c.weight > 0 or c.reason), key=lambda one: str(one.value))
    groups = [
        (value, list(group))
        for value, group in groupby((c for c in ordered if c.reason is None), lambda c: c.value)
    ]
    groups = [(value, group) for value, group in groups if max(c.weight for c in group) >= least]
    rejected = [c for c in ordered if c.reason is not None]
    if not groups:
        return Field(alternatives=_alternatives(rejected, None)) if rejected else NOT_FOUND
    groups.sort(key=lambda item: (-max(c.weight for c in item[1]), -sum(c.weight for c in item[1])))
    value, winners = groups[0]
    tied = [group for _, group in groups[1:] if _ties(winners, group)]
    losers = [c for _, group in groups[1:] for c in group]
    best = max(winners, key=lambda one: one.weight)
    return Field(
        value=value,
        status=Status.CONFLICTING if tied else Status.FOUND,
        confidence=_confidence(winners, losers, bool(tied)),
        code=code,
        evidence=evidence_of(winners),
        alternatives=_alternatives([*losers, *rejected], value),
        basis=best.basis,
        edition=edition,
    )


def _ties(winners: Sequence[Candidate], others: Sequence[Candidate]) -> bool:
    if max(c.weight for c in others) < max(c.weight for c in winners):
        return False
    return sum(c.weight for c in winners) < CLEAR_MAJORITY * sum(c.weight for c in others)


def _confidence(winners: Sequence[Candidate], losers: Sequence[Candidate], tied: bool) -> float:
    """How heavy the best statement is and what share of all weight agrees with it; 0..1."""
    if tied:
        return 0.5
    total = sum(c.weight for c in winners)
    share = total / (total + sum(c.weight for c in losers))
    best = min(10.0, max(c.weight for c in winners))
    return round(min(0.99, (0.6 + 0.038 * best) * (0.7 + 0.3 * share)), 3)


def evidence_of(candidates: Sequence[Candidate]) -> tuple[Evidence, ...]:
    """The evidence of `candidates`, heaviest first, each place once."""
    found: dict[tuple[str | None, int], Evidence] = {}
    for one in sorted(candidates, key=lambda c: -c.weight):
        found.setdefault((one.evidence.document, one.evidence.start), one.evidence)
    return tuple(found.values())[:MOST_EVIDENCE]


def _alternatives(candidates: Sequence[Candidate], value: Value | None) -> tuple[Alternative, ...]:
    """One alternative for each other value and reason; a form's print and the value itself are none."""
    kept: dict[tuple[Value, str], list[Candidate]] = {}
    for one in candidates:
        if one.value != value and one.reason != "printed":
            kept.setdefault((one.value, one.reason or "outweighed"), []).append(one)
    return tuple(Alternative(key[0], key[1], evidence_of(group)) for key, group in kept.items())
