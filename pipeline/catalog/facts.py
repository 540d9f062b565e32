"""The facts that a policy's conditions may turn on: `models/policies/facts.toml`.

A fact is a finding of the case (or what a finding says beside its value), with the values that it
can have. A misspelt fact or value in a policy pack is found here, when it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.catalog.toml import Entry, read_toml

NAME = r"^[a-z][a-z0-9_]*$"
TRUE, FALSE = "true", "false"


class Fact(Entry):
    """One fact. `finding` is the case's finding that tells it, if not of the same name, and
    `attribute` what of it tells, if not the value. Values of `no_answer` are documented and yet
    answer nothing (NX, a behavior that is uncertain): the fact stays open. `computed` facts follow
    from others and cannot be asked for. `ask` is what an office is asked to send."""

    name: str = Field(pattern=NAME)
    kind: Literal["choice", "flag", "phrase"]
    values: tuple[str, ...] = ()
    no_answer: tuple[str, ...] = ()
    finding: str | None = None
    attribute: Literal["value", "basis", "edition"] = "value"
    computed: bool = False
    ask: str = ""

    @property
    def known_values(self) -> tuple[str, ...]:
        """What a condition may compare with; empty for a phrase."""
        return (TRUE, FALSE) if self.kind == "flag" else self.values


class FactsFile(Entry):
    """`models/policies/facts.toml`."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Facts:
    """All facts by name."""

    by_name: Mapping[str, Fact]

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.by_name.values())

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def __getitem__(self, name: str) -> Fact:
        return self.by_name[name]


def load_facts(models_dir: Path) -> Facts:
    """The facts of `models/policies/facts.toml`. Raises CatalogError."""
    file = read_toml(models_dir / "policies" / "facts.toml", FactsFile)
    return Facts({fact.name: fact for fact in file.facts})
