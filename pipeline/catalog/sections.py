"""Sections of clinical documents and the headings that open them (`models/sections.toml`)."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from pydantic import Field, model_validator

from pipeline.catalog.toml import Entry, read_toml
from pipeline.domain import Assertion

_JOINERS = re.compile(r"\s*([/&])\s*")
_SPACES = re.compile(r"[\s_]+")


def heading_key(words: str) -> str:
    """The form in which headings are compared: lower case, single spaces, none around / and &."""
    return _SPACES.sub(" ", _JOINERS.sub(r"\1", words.lower().replace("-", " "))).strip(" .*:=#")


class SectionRule(Entry):
    """One kind of section; see the head of the file for what the keys mean."""

    name: str
    headings: tuple[str, ...] = Field(min_length=1)
    weak: tuple[str, ...] = ()
    assertion: Assertion | None = None
    field_inside: tuple[str, ...] = ()
    instead_of: str | None = None
    followed_by: tuple[str, ...] = ()


class SectionRules(Entry):
    """All section kinds; `by_heading` answers what a heading opens."""

    section: tuple[SectionRule, ...]

    @model_validator(mode="after")
    def _check(self) -> SectionRules:
        names = [rule.name for rule in self.section]
        for rule in self.section:
            if names.count(rule.name) > 1:
                raise ValueError(f"section {rule.name} is defined twice")
            if unknown := set(rule.field_inside) - set(names):
                raise ValueError(
                    f"{rule.name}.field_inside names unknown sections: {', '.join(sorted(unknown))}"
                )
            if rule.instead_of not in (None, *names):
                raise ValueError(f"{rule.name}.instead_of names an unknown section: {rule.instead_of}")
            if unknown := set(rule.weak) - set(rule.headings):
                raise ValueError(
                    f"{rule.name}.weak names no heading of its own: {', '.join(sorted(unknown))}"
                )
        return self

    @cached_property
    def by_heading(self) -> dict[str, SectionRule]:
        """Heading in its compared form to the section that it opens; the first one named wins."""
        found: dict[str, SectionRule] = {}
        for rule in self.section:
            for heading in rule.headings:
                found.setdefault(heading_key(heading), rule)
        return found

    @cached_property
    def replacements(self) -> dict[str, SectionRule]:
        """Section name to the section that is meant instead where one of its `followed_by` comes next."""
        return {rule.instead_of: rule for rule in self.section if rule.instead_of is not None}

    @cached_property
    def weak_headings(self) -> frozenset[str]:
        """Headings that need a colon, or capitals on a line of their own."""
        return frozenset(heading_key(heading) for rule in self.section for heading in rule.weak)

    @cached_property
    def assertions(self) -> dict[str, Assertion]:
        """Section name to what holds for a disease named in it without a word to the contrary."""
        return {rule.name: rule.assertion for rule in self.section if rule.assertion is not None}


def load_sections(models_dir: Path) -> SectionRules:
    """`models/sections.toml`. Raises CatalogError."""
    return read_toml(models_dir / "sections.toml", SectionRules)
