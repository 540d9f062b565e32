"""FHIR that questionnaire response and mCODE bundle share: who, what is asked for, and where a value stands.

What is required and not known is said to be absent (`data-absent-reason`), never filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.catalog import Catalog
from pipeline.catalog.prefill import PrefillRules
from pipeline.domain import Code, Evidence, Value
from pipeline.prefill.records import Answer, Form

Resource = dict[str, Any]

ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
TERMS = "http://terminology.hl7.org/CodeSystem"
_NPI = "http://hl7.org/fhir/sid/us-npi"


def absent(reason: str = "unknown") -> Resource:
    """The extension that says why an element is not there."""
    return {"url": ABSENT, "valueCode": reason}


def concept(*codings: Resource, text: str = "") -> Resource:
    """A CodeableConcept; the empty parts are left out."""
    return {**({"coding": list(codings)} if codings else {}), **({"text": text} if text else {})}


def coding(system: str, code: str, display: str = "") -> Resource:
    return {"system": system, "code": code, **({"display": display} if display else {})}


def codings(codes: Iterable[Code], rules: PrefillRules) -> list[Resource]:
    """The codes whose systems have a URI, each once."""
    found = [
        coding(rules.systems[one.system], one.code, one.display)
        for one in codes
        if one.system in rules.systems
    ]
    return [one for index, one in enumerate(found) if one not in found[:index]]


def instant(at: datetime) -> str:
    """A time as FHIR has it, in UTC, whole seconds."""
    return at.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def told(form: Form, link_id: str) -> Value | None:
    """The answer to a question that has one at most."""
    answer = first(form, link_id)
    return answer.value if answer else None


def first(form: Form, link_id: str) -> Answer | None:
    """The first answer that stands."""
    return next((answer for answer in form.of(link_id) if answer.value is not None), None)


# --------------------------------------------------------------------------- who


def patient(form: Form, catalog: Catalog) -> Resource:
    """The patient as the packet names them; a packet tells no gender that could be relied on."""
    name, dob, member = (told(form, f"patient.{one}") for one in ("name", "dob", "member_id"))
    last, _, given = str(name or "").partition(", ")
    named = {"family": last, **({"given": [given]} if given else {})} if name else {"extension": [absent()]}
    return {
        "resourceType": "Patient",
        "identifier": [_member_number(member, catalog)],
        "name": [named],
        "gender": "unknown",
        **({"birthDate": dob} if dob else {}),
    }


def coverage(form: Form, catalog: Catalog) -> Resource:
    """The coverage by the member number; nothing else of it is known."""
    member = told(form, "patient.member_id")
    if member is None:
        return {"extension": [absent()], "type": "Coverage"}
    return {"type": "Coverage", "identifier": _member_number(member, catalog)}


def _member_number(member: Value | None, catalog: Catalog) -> Resource:
    number = {"value": member} if member is not None else {"_value": {"extension": [absent()]}}
    return {
        "type": concept(coding(f"{TERMS}/v2-0203", "MB", "Member Number")),
        "system": catalog.letters.plan.member_id_system,
        **number,
    }


# --------------------------------------------------------------------------- what is asked for


def service_request(form: Form, catalog: Catalog, subject: Resource) -> Resource | None:
    """The procedure that is asked for; None where neither a code nor a name of it is known.

    It is a plan and not an order that we could vouch for, and its status is the provider's to know.
    """
    asked = [answer for answer in form.of("request.cpt") if answer.value is not None]
    procedure = told(form, "findings.procedure")
    if not asked and procedure is None:
        return None
    rules = catalog.prefill
    codes = [coding(rules.systems["CPT"], str(answer.value)) for answer in asked]
    text = str(procedure).replace("_", " ") if procedure is not None else ""
    return {
        "resourceType": "ServiceRequest",
        "status": "unknown",
        "intent": "plan",
        "code": concept(*codes, text=text),
        "subject": subject,
        **_requester(form),
    }


def _requester(form: Form) -> Mapping[str, Resource]:
    npi, name = told(form, "request.npi"), told(form, "request.provider")
    if npi is None and name is None:
        return {}
    known = {"identifier": {"system": _NPI, "value": npi}} if npi is not None else {}
    return {"requester": {"type": "Practitioner", **known, **({"display": name} if name else {})}}


# --------------------------------------------------------------------------- where a value stands


def evidence_extensions(evidence: Iterable[Evidence], rules: PrefillRules) -> Iterator[Resource]:
    """One extension for each place: file, page, boxes, and the words as a range of the case's document."""
    url = rules.url("StructureDefinition", "evidence")
    for one in evidence:
        parts = [
            {"url": "file", "valueString": one.file} if one.file else None,
            {"url": "page", "valuePositiveInt": one.page} if one.page else None,
            {"url": "document", "valueString": one.document} if one.document else None,
            {"url": "start", "valueUnsignedInt": one.start},
            {"url": "end", "valueUnsignedInt": one.end},
            *(_box(box) for box in one.boxes),
            {"url": "assertion", "valueCode": one.assertion.value},
            {"url": "source", "valueCode": one.source},
        ]
        yield {"url": url, "extension": [part for part in parts if part]}


def _box(box: tuple[float, float, float, float]) -> Resource:
    names = ("x0", "top", "x1", "bottom")
    return {
        "url": "box",
        "extension": [
            {"url": name, "valueDecimal": round(float(edge), 2)}
            for name, edge in zip(names, box, strict=True)
        ],
    }
