"""T, N and M from size, extent and counted nodes, by site (`models/extent.toml`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.catalog.expressions import Expression, checked
from pipeline.catalog.toml import Entry, read_toml

Category = Literal["T1", "T2", "T3", "T4", "N0", "N1", "N2", "N3"]


class Step(Entry):
    """The category up to and including this value; without `upto` for all above."""

    category: Category
    upto: float | None = None


class ExtentRow(Entry):
    """Words that show an extent, as regular expressions without case: `words` wherever they stand,
    `labelled` where a label such as "Tumor extent:" asks for it."""

    category: Category
    edition: str = "7"
    words: tuple[str, ...] = ()
    labelled: tuple[str, ...] = ()

    @field_validator("words", "labelled")
    @classmethod
    def _compiles(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return checked(words)


class HeightRow(Entry):
    """The categories by basal diameter (mm) of tumours up to this height (mm)."""

    upto: float | None = None
    base: tuple[Step, ...] = Field(min_length=1)


class NodeRegion(Entry):
    """Words for nodes whose involvement means at least this category."""

    category: Category
    words: tuple[str, ...] = Field(min_length=1)


class SiteExtent(Entry):
    """The rules of one site; `source` says where its rows were read."""

    name: str
    source: str
    sizes: tuple[Step, ...] = ()
    depths: tuple[Step, ...] = ()
    nodes: tuple[Step, ...] = ()
    extent: tuple[ExtentRow, ...] = ()
    heights: tuple[HeightRow, ...] = ()
    regions: tuple[NodeRegion, ...] = ()


class Denial(Entry):
    """Words that deny what stands after or before them, and what ends a sentence of an archive's text."""

    before: Expression
    after: Expression
    itself: Expression
    sentence_end: Expression


class SizeWords(Entry):
    """What tells the tumour's size from the other sizes of a report; see the head of the file."""

    sections: frozenset[str]
    labelled: Expression
    tumour_before: Expression
    tumour_after: Expression
    bracketed: Expression
    other_before: Expression
    distance_before: Expression
    distance_after: Expression
    measured_before: Expression
    measured_after: Expression
    clause_end: Expression


class NodeWords(Entry):
    """How nodes are counted and described, and where they are not counted."""

    not_counted: frozenset[str]
    counted_here: Expression
    stated: Expression
    denied: Expression
    affirmed: Expression


class DistantWords(Entry):
    """Organs whose involvement is a distant metastasis, and words that make a mention of it no diagnosis."""

    organs: frozenset[str]
    spread: Expression
    spread_not: frozenset[str]
    not_a_diagnosis: Expression


class ExtentRules(Entry):
    """The rules of all sites, and the words by which a report describes size, extent and nodes."""

    site: tuple[SiteExtent, ...]
    concluding: frozenset[str]
    extent_labels: tuple[str, ...] = Field(min_length=1)
    base_labels: tuple[str, ...] = Field(min_length=1)
    height_labels: tuple[str, ...] = Field(min_length=1)
    denial: Denial
    size: SizeWords
    node: NodeWords
    distant: DistantWords

    @model_validator(mode="before")
    @classmethod
    def _phrases_filled_in(cls, data: Any) -> Any:
        """`<name>` in the words of a site stands for the phrase of that name."""
        if not isinstance(data, dict) or not isinstance(data.get("phrases"), dict):
            return data
        phrases = {f"<{name}>": words for name, words in data["phrases"].items()}
        return _filled({key: value for key, value in data.items() if key != "phrases"}, phrases)

    def of(self, site: str | None) -> SiteExtent | None:
        """The rules of one site, None where it has none."""
        return next((rules for rules in self.site if rules.name == site), None)


def _filled(data: Any, phrases: dict[str, str]) -> Any:
    if isinstance(data, dict):
        return {key: _filled(value, phrases) for key, value in data.items()}
    if isinstance(data, list):
        return [_filled(value, phrases) for value in data]
    if isinstance(data, str):
        for name, words in phrases.items():
            data = data.replace(name, words)
    return data


def category_for(steps: Sequence[Step], value: float) -> str | None:
    """The category of the first step that `value` does not exceed."""
    for step in steps:
        if step.upto is None or value <= step.upto:
            return step.category
    return None


def category_by_height(rows: Sequence[HeightRow], height: float, base: float) -> str | None:
    """The category of a tumour of this height and basal diameter, both in mm."""
    for row in rows:
        if row.upto is None or height <= row.upto:
            return category_for(row.base, base)
    return None


def load_extent(models_dir: Path) -> ExtentRules:
    """`models/extent.toml`. Raises CatalogError."""
    return read_toml(models_dir / "extent.toml", ExtentRules)
