"""What the findings stage knows, taken together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.catalog.extent import ExtentRules, load_extent
from pipeline.catalog.fields import FieldRule, load_fields
from pipeline.catalog.one_text import OneText, load_one_text
from pipeline.catalog.site_codes import SiteCodeRules, load_site_codes
from pipeline.catalog.staging import StageTable, load_staging
from pipeline.catalog.target import TargetRules, load_target
from pipeline.catalog.terms import Histology, load_terms
from pipeline.catalog.treatment import Treatment, load_treatment
from pipeline.domain import Code


@dataclass(frozen=True)
class FindingRules:
    """Fields of the contract, words of treatment, weights and codes for the target."""

    fields: Mapping[str, FieldRule]
    treatment: Treatment
    target: TargetRules
    staging: Mapping[str, StageTable]
    extent: ExtentRules
    topography: Mapping[str, Code]
    """ICD-O-3 topography by site."""
    site_codes: SiteCodeRules
    one_text: OneText
    histologies: Mapping[str, Histology]
    """By every name and synonym, in lower case."""


def load_findings(models_dir: Path) -> FindingRules:
    """All of it from `models_dir`. Raises CatalogError."""
    terms = load_terms(models_dir)
    return FindingRules(
        fields=load_fields(models_dir),
        treatment=load_treatment(models_dir),
        target=load_target(models_dir),
        staging=load_staging(models_dir),
        extent=load_extent(models_dir),
        topography={site.name: Code("ICD-O-3", site.icdo3, site.display) for site in terms.sites.site},
        one_text=load_one_text(models_dir),
        site_codes=load_site_codes(models_dir),
        histologies={
            name.lower(): histology
            for histology in reversed(terms.histologies.histology)
            for name in (histology.name, *histology.synonyms)
        },
    )
