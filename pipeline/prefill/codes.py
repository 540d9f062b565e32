"""Codes that follow what people corrected: of another site, side or histology, not of what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipeline.catalog import Catalog
from pipeline.catalog.findings import FindingRules
from pipeline.domain import Case, Code, Field
from pipeline.findings.codes import with_codes

_CODED = ("tumor_site", "laterality", "origin", "primary_site", "behavior", "histology")


def recoded(case: Case, catalog: Catalog) -> Case:
    """The case with the codes of its tumour looked up anew where a person changed what they follow from; as
    it is where nobody did."""
    findings = case.findings
    if any(name not in findings for name in _CODED) or not any(_corrected(findings[name]) for name in _CODED):
        return case
    rules = catalog.findings
    first: dict[str, Code | None] = {
        "tumor_site": _topography(findings["tumor_site"], rules),
        "primary_site": _topography(findings["primary_site"], rules),
        "histology": _morphology(findings["histology"], rules),
    }
    based = {name: replace(findings[name], code=code, codes=()) for name, code in first.items()}
    return replace(case, findings=with_codes({**findings, **based}, rules.site_codes))


def _corrected(field: Field) -> bool:
    return any(one.reason == "overridden" for one in field.alternatives) or any(
        one.extractor.startswith("person:") for one in field.evidence
    )


def _topography(field: Field, rules: FindingRules) -> Code | None:
    known: Mapping[str, Code] = rules.topography
    return (field.code or known.get(str(field.value))) if field.value is not None else None


def _morphology(field: Field, rules: FindingRules) -> Code | None:
    """That of a histology which goes by a name that is known; a wording that is not has none."""
    if field.value is None or field.code is not None:
        return field.code
    known = rules.histologies.get(str(field.value).strip().lower())
    return Code("ICD-O-3", known.icdo3, known.name) if known is not None else None
