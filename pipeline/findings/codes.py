"""The codes of a tumour: topography and morphology (ICD-O-3), ICD-10-CM, body structure (SNOMED CT)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline.catalog.site_codes import Nature, SiteCodeRules
from pipeline.domain import Code, Field, Mention

_BY_DIGIT: Mapping[str, Nature] = {
    "0": "benign",
    "1": "uncertain",
    "2": "in_situ",
    "3": "malignant",
    "6": "secondary",
}
# What a behaviour says without a morphology; "premalignant" has several codes.
_BY_BEHAVIOR: Mapping[str, Nature] = {
    "malignant": "malignant",
    "benign": "benign",
    "uncertain": "unspecified",
}
# "0000/x" marks what has no morphology of its own.
_NO_MORPHOLOGY = ("0000", "8000", "8001")


def nature_of(*, behavior: str | None, morphology: str | None, metastatic: bool) -> Nature | None:
    """What ICD-10-CM is told of a tumour: by the behaviour digit of its morphology, else its behaviour.

    None where neither is known. A metastasis is secondary whatever its morphology is.
    """
    if metastatic:
        return "secondary"
    if morphology and not morphology.startswith(_NO_MORPHOLOGY):
        return _BY_DIGIT.get(morphology[-1])
    return _BY_BEHAVIOR.get(behavior or "")


def with_codes(found: Mapping[str, Field], rules: SiteCodeRules) -> dict[str, Field]:
    """The findings with every code of the tumour's site and of its primary's site."""
    site, histology = found["tumor_site"], found["histology"]
    morphology = histology.code.code if histology.code else None
    nature = nature_of(
        behavior=_text(found["behavior"]),
        morphology=morphology,
        metastatic=found["origin"].value == "metastatic",
    )
    coded = dict(found)
    if site.value is not None:
        side = _text(found["laterality"])
        coded["tumor_site"] = replace(
            site, codes=(*_first(site), *rules.codes(str(site.value), nature, side, morphology))
        )
    primary = found["primary_site"]
    if primary.value is not None:
        coded["primary_site"] = replace(
            primary, codes=(*_first(primary), *rules.codes(str(primary.value), None))
        )
    if histology.code is not None:
        coded["histology"] = replace(histology, codes=_first(histology))
    return coded


def codes_of_mentions(
    site: str | None, topography: Code | None, mentions: Iterable[Mention], rules: SiteCodeRules
) -> tuple[Code, ...]:
    """The codes of a tumour from its mentions and its organ's: those of the site, and each morphology."""
    named = list(mentions)
    tumours = [mention for mention in named if mention.label == "neoplasm"]
    morphologies = {
        mention.attributes["icdo3"]: mention.value
        for mention in tumours
        if not mention.attributes["icdo3"].startswith(_NO_MORPHOLOGY)
    }
    sides = {m.attributes["laterality"] for m in named if "laterality" in m.attributes}
    morphology = next(iter(morphologies), None)
    nature = nature_of(
        behavior=next((mention.attributes["behavior"] for mention in tumours), None),
        morphology=morphology,
        metastatic=bool(tumours) and all("metastatic" in mention.attributes for mention in tumours),
    )
    return (
        *((topography,) if topography else ()),
        *rules.codes(site or "", nature, sides.pop() if len(sides) == 1 else None, morphology),
        *(Code("ICD-O-3", code, name) for code, name in morphologies.items()),
    )


def _first(field: Field) -> tuple[Code, ...]:
    return (field.code,) if field.code else ()


def _text(field: Field) -> str | None:
    return str(field.value) if field.value is not None else None
