"""Codes with which findings are said in mCODE (`models/fhir/mcode.toml`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.catalog.toml import Entry, read_toml

_SCT = r"^\d{6,18}$"
Staged = Literal["stage_group", "t", "n", "m"]


class Concept(Entry):
    """A concept of SNOMED CT."""

    code: str = Field(pattern=_SCT)
    display: str


class Disorders(Entry):
    """The condition as a whole, by what it is."""

    malignant: Concept
    neoplasm: Concept
    secondary: Concept


class StagingCodes(Entry):
    """What is observed, by the prefix of the category: clinical, pathological, otherwise `other`."""

    profile: str
    other: Concept
    c: Concept
    p: Concept

    def of(self, basis: str | None) -> Concept:
        """The code for a prefix; of the others (yp, r) only the common one is right."""
        return {"c": self.c, "p": self.p}.get(basis or "", self.other)


class McodeRules(Entry):
    """`models/fhir/mcode.toml`."""

    disorders: Disorders
    laterality: Mapping[str, Concept]
    intents: Mapping[str, Concept]
    editions: Mapping[str, Concept]
    staging: Mapping[Staged, StagingCodes]
    values: Mapping[Literal["stage_group", "ct", "cn", "cm"], Mapping[str, str]]

    def value_code(self, field: Staged, basis: str | None, value: str) -> str | None:
        """The SNOMED CT code of a category or group as it is stated; None where none was read."""
        if field == "stage_group":
            return self.values["stage_group"].get(value.upper())
        return self.values[f"c{field}"].get(value.upper()) if basis == "c" else None  # type: ignore[index]


def load_mcode(models_dir: Path) -> McodeRules:
    """The codes. Raises CatalogError."""
    return read_toml(models_dir / "fhir" / "mcode.toml", McodeRules)
