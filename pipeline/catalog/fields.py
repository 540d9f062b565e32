"""Findings, one file each under `models/fields/`: what a value can be.

Those of the contract (`FIELD_NAMES`) are found by rules of their own. Any other file there adds a finding
that is told in so many words: `told` lists them for each value, and no code is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from pipeline.catalog.toml import Entry, read_toml
from pipeline.errors import CatalogError


class Told(Entry):
    """A value and the words that tell it; between two words of a term may stand blanks, `:`, `=` and `-`."""

    value: str
    terms: tuple[str, ...] = Field(min_length=1)


class FieldRule(Entry):
    """One finding. `values` are all that it can be (a `phrase`, `category` or `group` is free);
    `least_confidence` is below what a value is withheld as uncertain."""

    title: str
    kind: Literal["choice", "flag", "phrase", "category", "group"]
    values: tuple[str, ...] = ()
    code_system: str | None = None
    least_confidence: float = 0.0
    sections: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> FieldRule:
        if (self.kind == "choice") != bool(self.values):
            raise ValueError("a choice needs values, and nothing else has them")
        known = ("true", "false") if self.kind == "flag" else self.values
        if other := [one.value for one in self.told if one.value not in known]:
            raise ValueError(f"told holds no value of it: {', '.join(other)}")
        return self


def load_fields(models_dir: Path) -> Mapping[str, FieldRule]:
    """Rules by field name, in the order of the contract, then what is told in so many words. Raises
    CatalogError."""
    folder = models_dir / "fields"
    found = {path.stem: read_toml(path, FieldRule) for path in sorted(folder.glob("*.toml"))}
    if missing := set(FIELD_NAMES) - set(found):
        names = ", ".join(sorted(missing))
        raise CatalogError(f"{folder} has no file for {names}.", next_step="Restore the files.")
    added = [name for name in found if name not in FIELD_NAMES]
    for name, rule in found.items():
        if rule.told and name in FIELD_NAMES:
            raise CatalogError(f"{folder / name}.toml: rules find it.", next_step="Take [[told]] out.")
        if not rule.told and name in added:
            raise CatalogError(
                f"{folder / name}.toml: no rule finds it.",
                next_step="Say under [[told]] which words tell each value.",
            )
    _check_terms(folder, found)
    return {name: found[name] for name in (*FIELD_NAMES, *added)}


def _check_terms(folder: Path, found: Mapping[str, FieldRule]) -> None:
    """Raises CatalogError where a term tells two values."""
    meant: dict[str, tuple[str, str]] = {}
    for name, rule in found.items():
        for one in rule.told:
            for term in one.terms:
                other, value = meant.setdefault(" ".join(term.split()).casefold(), (name, one.value))
                if (other, value) != (name, one.value):
                    raise CatalogError(
                        f"{folder / name}.toml: {term!r} tells {one.value}, and {value} in {other}.toml.",
                        next_step="Let each term tell one value.",
                    )


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
