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

from pipeline.catalog.fields import FieldRule, load_fields
from pipeline.catalog.places import Places
from pipeline.catalog.staging import load_staging
from pipeline.catalog.toml import Entry, read_toml
from pipeline.errors import CatalogError

NAME = r"^[a-z][a-z0-9_]*$"
TRUE, FALSE = "true", "false"
# Kind of a finding → kinds of a fact that can hold it. T, N, M and stage groups are findings of free
# values, and facts that list theirs.
_KINDS = {
    "choice": {"choice"},
    "flag": {"flag"},
    "phrase": {"phrase"},
    "category": {"choice"},
    "group": {"choice"},
}


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
    """The facts of `models/policies/facts.toml`, held against the findings that tell them. Raises
    CatalogError with every fault's line: a value that a finding can have and its fact does not list
    would count as not documented, and nobody would notice."""
    path = models_dir / "policies" / "facts.toml"
    file = read_toml(path, FactsFile)
    fields, groups = load_fields(models_dir), _groups(models_dir)
    faults = [
        (index, message) for index, fact in enumerate(file.facts) for message in _faults(fact, fields, groups)
    ]
    if faults:
        places = Places(path.read_text(encoding="utf-8"))
        told = [
            f"{path}:{places.line(('facts', index))}: {file.facts[index].name}: {message}"
            for index, message in faults
        ]
        raise CatalogError("\n".join(told), next_step="\nCorrect the facts, or the files of models/fields/.")
    return Facts({fact.name: fact for fact in file.facts})


def _groups(models_dir: Path) -> set[str]:
    """Every stage group that the tables of `models/staging/` can give."""
    return {
        row.group
        for table in load_staging(models_dir).values()
        for edition in table.editions.values()
        for row in edition.rows
    }


def _faults(fact: Fact, fields: Mapping[str, FieldRule], groups: set[str]) -> Iterator[str]:
    finding = fact.finding or fact.name
    if finding not in fields:
        yield f"there is no finding {finding}; findings: {', '.join(fields)}"
        return
    if fact.attribute != "value":
        return
    field = fields[finding]
    if fact.kind not in _KINDS[field.kind]:
        yield f"the finding is a {field.kind}, not a {fact.kind}"
    if field.kind == "choice":
        yield from (f"lacks {value}" for value in field.values if value not in fact.values)
        yield from (f"the finding is never {value}" for value in fact.values if value not in field.values)
    if finding == "derived_stage_group":
        yield from (f"lacks {group}" for group in sorted(groups) if group not in fact.values)
