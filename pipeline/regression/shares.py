"""How much of the form is filled by itself, and what people did about it, by field and model version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

UNKNOWN: Final = "unknown"
Deed = Literal["accept", "change", "reject"]


@dataclass(frozen=True, slots=True)
class Told:
    """One case: which fields its reading filled or left in conflict, and people's last deed by field."""

    version: str
    filled: Mapping[str, Literal["filled", "conflicting", "open"]]
    deeds: Mapping[str, Deed]


@dataclass(frozen=True, slots=True)
class FieldShare:
    """Counts of one field in the cases of one model version.

    `filled` were answered by the pipeline; of those `accepted`, `changed` and `rejected` by a person, and
    `untouched`. `conflicting` and `open` were not answered; `entered` of those were by a person.
    """

    field: str
    cases: int
    filled: int
    conflicting: int
    open: int
    accepted: int
    changed: int
    rejected: int
    entered: int

    @property
    def untouched(self) -> int:
        return self.filled - self.accepted - self.overridden

    @property
    def overridden(self) -> int:
        return self.changed + self.rejected

    @property
    def shares(self) -> dict[str, float | None]:
        """Filled of all cases; accepted and overridden of those filled, the latter of those seen too."""
        seen = self.accepted + self.overridden
        return {
            "filled": _share(self.filled, self.cases),
            "accepted": _share(self.accepted, self.filled),
            "overridden": _share(self.overridden, self.filled),
            "overridden_of_seen": _share(self.overridden, seen),
        }


@dataclass(frozen=True, slots=True)
class Shares:
    """The figures of a period, by model version; no text of a patient."""

    since: datetime | None
    until: datetime | None
    cases: Mapping[str, int]
    fields: Mapping[str, tuple[FieldShare, ...]]

    def as_json(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "versions": [
                {
                    "version": version,
                    "cases": self.cases[version],
                    "fields": [_as_json(one) for one in fields],
                }
                for version, fields in self.fields.items()
            ],
        }

    def table(self) -> str:
        """The figures for a terminal."""
        lines = []
        for version, fields in self.fields.items():
            lines += [f"{version}: {self.cases[version]} cases", _HEAD]
            lines += [_line(one) for one in fields]
            lines.append("")
        return "\n".join(lines or ["No case in this period.", ""])


_HEAD: Final = (
    f"{'field':44} {'filled':>6} {'share':>6} {'accepted':>8} {'changed':>7} {'rejected':>8} "
    f"{'overridden':>10} {'entered':>7} {'conflict':>8}"
)


def tally(told: Iterable[Told], *, since: datetime | None = None, until: datetime | None = None) -> Shares:
    """The figures of all cases, versions in their order of appearance, fields in the order of the form."""
    by_version: dict[str, list[Told]] = {}
    for one in told:
        by_version.setdefault(one.version, []).append(one)
    return Shares(
        since,
        until,
        {version: len(group) for version, group in by_version.items()},
        {version: tuple(_fields(group)) for version, group in by_version.items()},
    )


def _fields(group: list[Told]) -> Iterable[FieldShare]:
    names = dict.fromkeys(name for one in group for name in one.filled)
    return [_field(name, [one for one in group if name in one.filled]) for name in names]


def _field(name: str, cases: list[Told]) -> FieldShare:
    def count(state: str, *deeds: str) -> int:
        return sum(one.filled[name] == state and (not deeds or one.deeds.get(name) in deeds) for one in cases)

    return FieldShare(
        field=name,
        cases=len(cases),
        filled=count("filled"),
        conflicting=count("conflicting"),
        open=count("open"),
        accepted=count("filled", "accept"),
        changed=count("filled", "change"),
        rejected=count("filled", "reject"),
        entered=count("open", "change") + count("conflicting", "change", "accept"),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _as_json(one: FieldShare) -> dict[str, Any]:
    return {
        "field": one.field,
        "cases": one.cases,
        "filled": one.filled,
        "conflicting": one.conflicting,
        "open": one.open,
        "accepted": one.accepted,
        "changed": one.changed,
        "rejected": one.rejected,
        "untouched": one.untouched,
        "entered": one.entered,
        "shares": one.shares,
    }


def _line(one: FieldShare) -> str:
    shares = one.shares
    filled, overridden = (_percent(shares[name]) for name in ("filled", "overridden_of_seen"))
    return (
        f"{one.field:44} {one.filled:6} {filled:>6} {one.accepted:8} {one.changed:7} {one.rejected:8} "
        f"{overridden:>10} {one.entered:7} {one.conflicting:8}"
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
