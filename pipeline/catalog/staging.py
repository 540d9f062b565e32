"""Stage groups from T, N and M by site and edition (`models/staging/`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, model_validator

from pipeline.catalog.toml import Entry, read_toml

ANY = "*"


class StageRow(Entry):
    """One row: the group that holds for these categories."""

    t: tuple[str, ...] = Field(min_length=1)
    n: tuple[str, ...] = Field(min_length=1)
    m: tuple[str, ...] = Field(min_length=1)
    group: str

    def holds(self, t: str | None, n: str | None, m: str | None) -> bool:
        """Whether the row is for these categories; an unknown one only fits ANY."""
        return all(
            ANY in cell or category in cell for cell, category in ((self.t, t), (self.n, n), (self.m, m))
        )


class Edition(Entry):
    """The rows of one edition, the first that holds counts."""

    rows: tuple[StageRow, ...] = Field(min_length=1)


class StageTable(Entry):
    """All editions of one site."""

    site: str
    default_edition: str
    editions: dict[str, Edition]

    @model_validator(mode="after")
    def _check(self) -> StageTable:
        if self.default_edition not in self.editions:
            raise ValueError(f"default_edition {self.default_edition} is not among the editions")
        return self


def load_staging(models_dir: Path) -> Mapping[str, StageTable]:
    """Site to its table, one for each file of `models/staging/`. Raises CatalogError."""
    tables = [read_toml(path, StageTable) for path in sorted((models_dir / "staging").glob("*.toml"))]
    return {table.site: table for table in tables}
