"""Codes of the sites in ICD-10-CM and SNOMED CT (`models/site_codes.toml`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from pipeline.catalog.terms import SiteName
from pipeline.catalog.toml import Entry, read_toml
from pipeline.domain import Code

Nature: TypeAlias = Literal["malignant", "secondary", "in_situ", "benign", "uncertain", "unspecified"]
"""What ICD-10-CM asks of a tumour before it gives a code."""
_CODE = r"^[A-Z]\d[\dA-Z](?:\.[\dA-Z]{1,4})?$"


class BodyStructure(Entry):
    """A concept of SNOMED CT."""

    code: str = Field(pattern=r"^\d{6,18}$")
    display: str


class Sided(Entry):
    """The code by side."""

    unspecified: str = Field(pattern=_CODE)
    right: str = Field(pattern=_CODE)
    left: str = Field(pattern=_CODE)


class OfMorphology(Entry):
    """Other codes for morphologies that start so."""

    starts: tuple[str, ...] = Field(min_length=1)
    icd10cm: Mapping[Nature, str]


class SiteCodes(Entry):
    """The codes of one site."""

    name: SiteName
    snomed: BodyStructure | None = None
    icd10cm: Mapping[Nature, str | Sided]
    morphology: tuple[OfMorphology, ...] = ()

    def of(self, nature: Nature, side: str | None, morphology: str | None) -> str | None:
        """The ICD-10-CM code; None where the file has none for such a tumour."""
        found: str | Sided | None = next(
            (
                other.icd10cm[nature]
                for other in self.morphology
                if morphology and morphology.startswith(other.starts) and nature in other.icd10cm
            ),
            self.icd10cm.get(nature),
        )
        if not isinstance(found, Sided):
            return found
        return {"right": found.right, "left": found.left}.get(side or "", found.unspecified)


class SiteCodeRules(Entry):
    """The codes of all sites, and the title of each ICD-10-CM code."""

    site: tuple[SiteCodes, ...]
    titles: Mapping[str, str]

    @model_validator(mode="after")
    def _check(self) -> SiteCodeRules:
        used = {code for site in self.site for code in _codes(site)}
        if untitled := used - set(self.titles):
            raise ValueError(f"titles has no title of {', '.join(sorted(untitled))}")
        names = [site.name for site in self.site]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"sites are listed twice: {', '.join(sorted(twice))}")
        return self

    def codes(
        self, site: str, nature: Nature | None, side: str | None = None, morphology: str | None = None
    ) -> tuple[Code, ...]:
        """ICD-10-CM (where `nature` is known) and SNOMED CT codes of a tumour at `site`."""
        entry = next((entry for entry in self.site if entry.name == site), None)
        if entry is None:
            return ()
        found = []
        icd10cm = entry.of(nature, side, morphology) if nature else None
        if icd10cm:
            found.append(Code("ICD-10-CM", icd10cm, self.titles[icd10cm]))
        if entry.snomed:
            found.append(Code("SNOMED CT", entry.snomed.code, entry.snomed.display))
        return tuple(found)


def _codes(site: SiteCodes) -> list[str]:
    found = [code for other in site.morphology for code in other.icd10cm.values()]
    for code in site.icd10cm.values():
        found += [code.unspecified, code.right, code.left] if isinstance(code, Sided) else [code]
    return found


def load_site_codes(models_dir: Path) -> SiteCodeRules:
    """`models/site_codes.toml`. Raises CatalogError."""
    return read_toml(models_dir / "site_codes.toml", SiteCodeRules)
