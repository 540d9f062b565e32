"""The request as FHIR: a CDex attachment-request Task and a PAS CommunicationRequest.

    attachment_task(request, letters, provider) -> dict         with its Provenance inside
    communication_request(request, letters, provider) -> dict

Both name the provider by its NPI and the patient by name, birth date and member number, as the profiles
require; a request that lacks one of them has no FHIR form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any

from pipeline.catalog.letters import Letters
from pipeline.errors import RequestError
from pipeline.information_request.record import InformationRequest
from pipeline.information_request.say import record_of

_CDEX, _PAS = "http://hl7.org/fhir/us/davinci-cdex", "http://hl7.org/fhir/us/davinci-pas"
_CDEX_CODES, _PAS_CODES = f"{_CDEX}/CodeSystem/cdex-temp", f"{_PAS}/CodeSystem/PASTempCodes"
_NPI, _LOINC = "http://hl7.org/fhir/sid/us-npi", "http://loinc.org"
_LINE_NUMBER = f"{_PAS}/StructureDefinition/extension-paLineNumber"
_TERMS = "http://terminology.hl7.org/CodeSystem"
_REPORT_TYPES = "https://codesystem.x12.org/005010/755"

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Provider:
    """Whom the request goes to. `npi` is the organization's; a fax needs none."""

    name: str = ""
    npi: str = ""
    fax: str = field(default="")


def attachment_task(request: InformationRequest, letters: Letters, provider: Provider) -> Resource:
    """The CDex Task, one input for each item. Raises RequestError for a request that cannot be said so."""
    _check(request, provider)
    plan, written = letters.plan, _instant(request)
    return {
        "resourceType": "Task",
        "meta": {"profile": [f"{_CDEX}/StructureDefinition/cdex-task-attachment-request"]},
        "contained": [
            _patient(request, letters),
            {
                "resourceType": "PractitionerRole",
                "id": "practitionerrole",
                "organization": _organization(provider),
            },
            _provenance(request, letters),
        ],
        "identifier": [
            {
                "type": _concept(_CDEX_CODES, "tracking-id", "Tracking Id"),
                "system": plan.reference_system,
                "value": request.reference,
            }
        ],
        "status": "requested",
        "intent": "order",
        "priority": "urgent" if request.expedited else "routine",
        "code": _concept(_PAS_CODES, "attachment-request-code"),
        "for": {"reference": "#patient"},
        "authoredOn": written,
        "lastModified": written,
        "requester": {"identifier": {"system": plan.payer_id_system, "value": plan.payer_id}},
        "owner": {"reference": "#practitionerrole"},
        "reasonCode": {
            "coding": [{"system": "http://hl7.org/fhir/claim-use", "code": "preauthorization"}],
            "text": "preauthorization",
        },
        "reasonReference": {"identifier": {"system": plan.case_system, "value": request.case_id}},
        "note": [{"text": item.ask} for item in request.items],
        "relevantHistory": [{"reference": "#provenance"}],
        "restriction": {"period": {"end": _day(request)}},
        "input": [
            *_attachments(request),
            {"type": _concept(_PAS_CODES, "payer-url"), "valueUrl": plan.payer_url},
            {
                "type": _concept(_CDEX_CODES, "purpose-of-use"),
                "valueCodeableConcept": _concept(
                    f"{_TERMS}/v3-ActReason", "COVAUTH", "coverage authorization"
                ),
            },
        ],
    }


def communication_request(request: InformationRequest, letters: Letters, provider: Provider) -> Resource:
    """The PAS CommunicationRequest, one payload for each attachment code. Raises RequestError."""
    _check(request, provider)
    plan = letters.plan
    return {
        "resourceType": "CommunicationRequest",
        "meta": {"profile": [f"{_PAS}/StructureDefinition/profile-communicationrequest"]},
        "contained": [
            _patient(request, letters),
            {
                "resourceType": "Organization",
                "id": "insurer",
                "identifier": [{"system": plan.payer_id_system, "value": plan.payer_id}],
                "active": True,
                "name": plan.name,
            },
            {
                "resourceType": "Organization",
                "id": "requestor",
                "identifier": [{"system": _NPI, "value": provider.npi}],
                "active": True,
                "name": provider.name or provider.npi,
            },
        ],
        "identifier": [{"system": plan.reference_system, "value": request.reference}],
        "status": "active",
        "category": [_concept(_REPORT_TYPES, letters.items.x12_report_type)],
        "priority": "urgent" if request.expedited else "routine",
        "subject": {"reference": "#patient"},
        "payload": [
            {"contentString": code} for code in dict.fromkeys(item.loinc.code for item in request.items)
        ],
        "occurrencePeriod": {"end": _day(request)},
        "authoredOn": _instant(request),
        "requester": {"reference": "#insurer"},
        "recipient": [{"reference": "#requestor"}],
        "sender": {"reference": "#requestor"},
        "note": [{"text": item.ask} for item in request.items],
    }


def lacking(request: InformationRequest, provider: Provider) -> list[str]:
    """What a request must have for a FHIR form and does not; nothing of it is made up. A draft has no
    reference yet, and is not told to lack it."""
    about = request.about
    wanted = (
        ("the patient's name", about.name),
        ("the birth date", about.dob),
        ("the member number", about.member_id),
        ("the provider's NPI", provider.npi),
    )
    return [what for what, there in wanted if not there]


def _check(request: InformationRequest, provider: Provider) -> None:
    lacks = lacking(request, provider) + ([] if request.reference else ["a reference"])
    if lacks:
        raise RequestError(
            f"The request cannot be said in FHIR without {' and '.join(lacks)}.",
            next_step="Send it as a letter, or give what is lacking.",
        )


def _patient(request: InformationRequest, letters: Letters) -> Resource:
    about = request.about
    last, _, first = (about.name or "").partition(", ")
    return {
        "resourceType": "Patient",
        "id": "patient",
        "identifier": [
            {
                "type": _concept(f"{_TERMS}/v2-0203", "MB", "Member Number"),
                "system": letters.plan.member_id_system,
                "value": about.member_id,
            }
        ],
        "name": [{"family": last, **({"given": [first]} if first else {})}],
        "birthDate": about.dob,
    }


def _organization(provider: Provider) -> Resource:
    named = {"display": provider.name} if provider.name else {}
    return {"identifier": {"system": _NPI, "value": provider.npi}, **named}


def _attachments(request: InformationRequest) -> Iterator[Resource]:
    # A case has one service line: nothing in a packet says which of several an item is for.
    for item in request.items:
        yield {
            "extension": [{"url": _LINE_NUMBER, "valueInteger": 1}],
            "type": _concept(_PAS_CODES, "attachments-needed"),
            "valueCodeableConcept": {
                **_concept(_LOINC, item.loinc.code, item.loinc.display),
                "text": item.title,
            },
        }


def _provenance(request: InformationRequest, letters: Letters) -> Resource:
    """What the request rests on: the records that it cites, with their pages."""
    plan = letters.plan
    cited = {
        (record.document, record.pages): record
        for item in request.items
        for found in item.found
        for record in found.records
    }
    return {
        "resourceType": "Provenance",
        "id": "provenance",
        "target": [{"reference": "#"}],
        "recorded": _instant(request),
        "activity": _concept(f"{_TERMS}/v3-DataOperation", "CREATE", "create"),
        "agent": [
            {
                "type": _concept(f"{_TERMS}/provenance-participant-type", "assembler", "Assembler"),
                "who": {"identifier": {"system": plan.payer_id_system, "value": plan.payer_id}},
            }
        ],
        "entity": [
            {
                "role": "source",
                "what": {
                    "identifier": {
                        "system": plan.case_system,
                        "value": f"{request.case_id}/{record.document}",
                    },
                    "display": record_of(record),
                },
            }
            for record in cited.values()
        ]
        or [
            {
                "role": "source",
                "what": {"identifier": {"system": plan.case_system, "value": request.case_id}},
            }
        ],
    }


def _concept(system: str, code: str, display: str = "") -> Resource:
    named = {"display": display} if display else {}
    return {"coding": [{"system": system, "code": code, **named}]}


def _day(request: InformationRequest) -> str:
    assert request.due is not None
    return request.due.isoformat()


def _instant(request: InformationRequest) -> str:
    """The start of the day of sending; the same request gives the same resource."""
    assert request.issued is not None
    return datetime.combine(request.issued, time(), UTC).isoformat().replace("+00:00", "Z")
