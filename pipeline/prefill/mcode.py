"""What is found of the tumour as mCODE: a Bundle of conditions, staging and the procedure that is asked for.

Only what stands goes in. A benign lesion is no cancer condition. The procedure is asked for and not done, so
it is a ServiceRequest with the intent's extension, and no CancerRelatedSurgicalProcedure. Every resource has
a Provenance with the words that show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from pipeline.catalog import Catalog
from pipeline.catalog.mcode import Concept
from pipeline.domain import Code
from pipeline.prefill.provenance import provenance
from pipeline.prefill.records import Answer, Form
from pipeline.prefill.resources import (
    Resource,
    coding,
    codings,
    concept,
    first,
    instant,
    patient,
    service_request,
    told,
)
from pipeline.prefill.staging import staging

MCODE: Final = "http://hl7.org/fhir/us/mcode/StructureDefinition"
_CATEGORIES: Final = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
_RELATED: Final = "http://hl7.org/fhir/StructureDefinition/condition-related"
_SITE_FACTS = ("tumor_site", "laterality")
_CANCER_FACTS = ("origin", "behavior", "histology")


def mcode_bundle(form: Form, catalog: Catalog, *, at: datetime) -> Resource:
    """The Bundle, written `at`: a patient, and as many of the others as the case supports."""
    made = _Made(form, catalog)
    made.add("patient", _patient(form, catalog), _answers(form, "patient.name", "patient.dob"))
    primary = _primary(made)
    _secondary(made, primary)
    if primary is not None:
        _staged(made, primary)
    _procedure(made)
    entries = [{"fullUrl": made.url(name), "resource": one} for name, one in made.resources.items()]
    shown = [
        {
            "fullUrl": made.url(f"provenance:{name}"),
            "resource": provenance(form, catalog, made.reference(name), answers, at=at),
        }
        for name, answers in made.shown.items()
        if answers
    ]
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{MCODE}/mcode-patient-bundle"]},
        "identifier": {"system": catalog.letters.plan.case_system, "value": form.case.case_id},
        "type": "collection",
        "timestamp": instant(at),
        "entry": [*entries, *shown],
    }


class _Made:
    """The resources so far, by names that give them their URLs: the same case, the same URLs."""

    def __init__(self, form: Form, catalog: Catalog) -> None:
        self.form, self.catalog = form, catalog
        self.resources: dict[str, Resource] = {}
        self.shown: dict[str, list[Answer]] = {}

    def add(self, name: str, resource: Resource, answers: list[Answer]) -> Resource:
        """Puts it in; returns the reference to it."""
        self.resources[name], self.shown[name] = resource, answers
        return self.reference(name)

    def url(self, name: str) -> str:
        return uuid5(NAMESPACE_URL, f"{self.catalog.prefill.canonical}/{self.form.case.case_id}/{name}").urn

    def reference(self, name: str) -> Resource:
        return {"reference": self.url(name)}

    @property
    def patient(self) -> Resource:
        return self.reference("patient")


def _patient(form: Form, catalog: Catalog) -> Resource:
    resource = patient(form, catalog)
    return {"resourceType": "Patient", "meta": {"profile": [f"{MCODE}/mcode-cancer-patient"]}, **resource}


# --------------------------------------------------------------------------- conditions


def _primary(made: _Made) -> Resource | None:
    """The cancer at its origin: the lesion itself, or where a metastasis came from."""
    form = made.form
    if told(form, "findings.origin") == "metastatic":
        site = first(form, "findings.primary_site")
        if site is None:
            return None
        answers = [site, *_answers(form, "findings.origin", "findings.histology")]
        return made.add("primary", _condition(made, "primary", site, sided=False), answers)
    site = first(form, "findings.tumor_site")
    if site is None or not _is_cancer(form):
        return None
    facts = [f"findings.{name}" for name in (*_SITE_FACTS, *_CANCER_FACTS)]
    return made.add("primary", _condition(made, "primary", site, sided=True), _answers(form, *facts))


def _secondary(made: _Made, primary: Resource | None) -> None:
    form = made.form
    site = first(form, "findings.tumor_site")
    if site is None or told(form, "findings.origin") != "metastatic":
        return
    resource = _condition(made, "secondary", site, sided=True)
    if primary is not None:
        resource["extension"] = [
            *resource.get("extension", ()),
            {"url": _RELATED, "valueReference": primary},
        ]
    facts = [f"findings.{name}" for name in (*_SITE_FACTS, *_CANCER_FACTS)]
    made.add("secondary", resource, _answers(form, *facts))


def _is_cancer(form: Form) -> bool:
    """Whether mCODE would have it among cancers: said to be malignant, or of a morphology that is in situ,
    uncertain or malignant. A benign one is none, and of what nobody said nothing is claimed."""
    behavior = told(form, "findings.behavior")
    if behavior == "benign":
        return False
    return behavior == "malignant" or _morphology(form).endswith(("/1", "/2", "/3"))


def _morphology(form: Form) -> str:
    histology = first(form, "findings.histology")
    found = [one.code for one in histology.codes if one.system == "ICD-O-3"] if histology else []
    return next((code for code in found if not code.startswith("0000") and code[-1] in "12369"), "")


def _condition(made: _Made, name: str, site: Answer, *, sided: bool) -> Resource:
    catalog = made.catalog
    metastasis = name == "secondary"
    morphology = _morphology(made.form)
    # The behaviour digit says which of the two the morphology is of: /6 of a metastasis.
    own = morphology and (morphology.endswith("/6") == metastasis) and not morphology.endswith("/9")
    extension = [_histology(made, morphology)] if own else []
    return {
        "resourceType": "Condition",
        "meta": {"profile": [f"{MCODE}/mcode-{name}-cancer-condition"]},
        **({"extension": extension} if extension else {}),
        # What a payer reads in a packet is no entry of the provider's problem list.
        "category": [concept(coding(_CATEGORIES, "health-concern", "Health Concern"))],
        "code": _disorder(made, name, site),
        **_body_site(made, site, sided=sided, catalog=catalog),
        "subject": made.patient,
    }


def _disorder(made: _Made, name: str, site: Answer) -> Resource:
    disorders = made.catalog.mcode.disorders
    whole = disorders.secondary if name == "secondary" else disorders.malignant
    if name == "primary" and told(made.form, "findings.behavior") != "malignant":
        known = told(made.form, "findings.origin") == "metastatic"
        whole = disorders.malignant if known else disorders.neoplasm
    exact = [one for one in site.codes if one.system == "ICD-10-CM"]
    return concept(_snomed(made.catalog, whole), *codings(exact, made.catalog.prefill))


def _histology(made: _Made, morphology: str) -> Resource:
    answer = first(made.form, "findings.histology")
    coded = codings([Code("ICD-O-3", morphology)], made.catalog.prefill)
    return {
        "url": f"{MCODE}/mcode-histology-morphology-behavior",
        "valueCodeableConcept": concept(*coded, text=str(answer.value) if answer else ""),
    }


def _body_site(made: _Made, site: Answer, *, sided: bool, catalog: Catalog) -> Resource:
    places = [one for one in site.codes if one.system in ("SNOMED CT", "ICD-O-3")]
    where = concept(*codings(places, catalog.prefill), text=str(site.value).replace("_", " "))
    side = told(made.form, "findings.laterality") if sided else None
    if side in catalog.mcode.laterality:
        qualifier = concept(_snomed(catalog, catalog.mcode.laterality[str(side)]))
        url = f"{MCODE}/mcode-laterality-qualifier"
        where = {"extension": [{"url": url, "valueCodeableConcept": qualifier}], **where}
    return {"bodySite": [where]}


def _staged(made: _Made, primary: Resource) -> None:
    """Categories and stage group; the group has the categories as members, the condition has the group."""
    stated = staging(made.form, made.catalog, subject=made.patient, focus=primary)
    for name, resource, answers in stated:
        if name == "stage_group":
            members = [made.reference(one) for one in ("t", "n", "m") if one in made.resources]
            resource |= {"hasMember": members} if members else {}
            made.resources["primary"]["stage"] = [{"assessment": [made.reference(name)]}]
        made.add(name, resource, answers)


# --------------------------------------------------------------------------- what is asked for


def _procedure(made: _Made) -> None:
    form, catalog = made.form, made.catalog
    resource = service_request(form, catalog, made.patient)
    if resource is None:
        return
    intent = told(form, "findings.intent")
    if intent in catalog.mcode.intents:
        meant = concept(_snomed(catalog, catalog.mcode.intents[str(intent)]))
        resource["extension"] = [{"url": f"{MCODE}/mcode-procedure-intent", "valueCodeableConcept": meant}]
    reasons = [made.reference(name) for name in ("secondary", "primary") if name in made.resources][:1]
    if reasons:
        resource["reasonReference"] = reasons
    site = first(form, "findings.tumor_site")
    if site is not None:
        resource |= _body_site(made, site, sided=True, catalog=catalog)
    facts = (
        "request.cpt",
        "findings.procedure",
        "findings.intent",
        "findings.tumor_site",
        "findings.laterality",
    )
    made.add("request", resource, _answers(form, *facts))


def _answers(form: Form, *link_ids: str) -> list[Answer]:
    """The answers that stand."""
    return list(_standing(form, link_ids))


def _standing(form: Form, link_ids: tuple[str, ...]) -> Iterator[Answer]:
    for link_id in link_ids:
        yield from (answer for answer in form.of(link_id) if answer.value is not None)


def _snomed(catalog: Catalog, one: Concept) -> Resource:
    return coding(catalog.prefill.systems["SNOMED CT"], one.code, one.display)
