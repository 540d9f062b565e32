"""The findings of the contract, one file each under `models/fields/`: what a value can be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from pipeline.catalog.toml import Entry, read_toml
from pipeline.errors import CatalogError


class FieldRule(Entry):
    """One finding. `values` are all that it can be (a `phrase`, `category` or `group` is free);
    `least_confidence` is below what a value is withheld as uncertain."""

    title: str
    kind: Literal["choice", "flag", "phrase", "category", "group"]
    values: tuple[str, ...] = ()
    code_system: str | None = None
    least_confidence: float = 0.0
    sections: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> FieldRule:
        if (self.kind == "choice") != bool(self.values):
            raise ValueError("a choice needs values, and nothing else has them")
        return self


def load_fields(models_dir: Path) -> Mapping[str, FieldRule]:
    """Rules by field name, in the order of the contract. Raises CatalogError."""
    folder = models_dir / "fields"
    found = {path.stem: read_toml(path, FieldRule) for path in sorted(folder.glob("*.toml"))}
    if missing := set(FIELD_NAMES) - set(found):
        names = ", ".join(sorted(missing))
        raise CatalogError(f"{folder} has no file for {names}.", next_step="Restore the files.")
    return {name: found[name] for name in FIELD_NAMES}


FIELD_NAMES = (
    "procedure",
    "tumor_site",
    "laterality",
    "origin",
    "primary_site",
    "behavior",
    "histology",
    "lung_type",
    "t",
    "n",
    "m",
    "stage_group",
    "derived_stage_group",
    "node_status",
    "intent",
    "airway_obstruction",
    "treatment_area",
)
