"""T and N from size, extent and counted nodes, by site (`models/extent.toml`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

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
    words: tuple[str, ...] = ()
    labelled: tuple[str, ...] = ()

    @field_validator("words", "labelled")
    @classmethod
    def _compiles(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            try:
                re.compile(word, re.IGNORECASE)
            except re.error as error:
                raise ValueError(f"{word!r} is no regular expression: {error}") from error
        return words


class HeightRow(Entry):
    """The categories by basal diameter (mm) of tumours up to this height (mm)."""

    upto: float | None = None
    base: tuple[Step, ...] = Field(min_length=1)


class NodeRegion(Entry):
    """Words for nodes whose involvement means at least this category."""

    category: Category
    words: tuple[str, ...] = Field(min_length=1)


class SiteExtent(Entry):
    """The rules of one site."""

    name: str
    sizes: tuple[Step, ...] = ()
    depths: tuple[Step, ...] = ()
    nodes: tuple[Step, ...] = ()
    extent: tuple[ExtentRow, ...] = ()
    heights: tuple[HeightRow, ...] = ()
    regions: tuple[NodeRegion, ...] = ()


class ExtentRules(Entry):
    """The rules of all sites."""

    site: tuple[SiteExtent, ...]
    extent_labels: tuple[str, ...] = Field(min_length=1)
    base_labels: tuple[str, ...] = Field(min_length=1)
    height_labels: tuple[str, ...] = Field(min_length=1)

    def of(self, site: str | None) -> SiteExtent | None:
        """The rules of one site, None where it has none."""
        return next((rules for rules in self.site if rules.name == site), None)


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
