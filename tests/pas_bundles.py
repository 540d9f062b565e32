"""A prior-authorization request as a Da Vinci PAS bundle, about an invented person.

python tests/pas_bundles.py FILE.pdf ...     one with these documents inside, on standard output
"""

from __future__ import annotations

import base64
import copy
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition"
X12 = "https://codesystem.x12.org/005010"
_TERMS = "http://terminology.hl7.org/CodeSystem"
_SUPPORTING = "http://hl7.org/fhir/us/davinci-pas/CodeSystem/PASSupportingInfoType"
_PLACES = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"


def pas_bundle(
    *documents: bytes,
    claim_id: str = "",
    urgency: str = "E",
    cpt: Sequence[str] = ("50593",),
    icd10: Sequence[str] = ("C64.2",),
    patient: Mapping[str, Any] = {},
    claim: Mapping[str, Any] = {},
) -> dict[str, Any]:
    """A request bundle with these documents inline; `patient` and `claim` replace elements of theirs."""
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    urls = {
        name: f"urn:uuid:{uuid.uuid4()}" for name in ("claim", "patient", "provider", "insurer", "coverage")
    }
    notes = [f"urn:uuid:{uuid.uuid4()}" for _ in documents]
    asked: dict[str, Any] = {
        "resourceType": "Claim",
        "meta": {"profile": [f"{PAS}/profile-claim"]},
        "extension": [
            {
                "url": f"{PAS}/extension-levelOfServiceCode",
                "valueCodeableConcept": _coded(f"{X12}/1338", urgency),
            }
        ],
        "identifier": [{"system": "urn:trnorg:9012345678", "value": claim_id or uuid.uuid4().hex}],
        "status": "active",
        "type": _coded(f"{_TERMS}/claim-type", "professional"),
        "use": "preauthorization",
        "patient": {"reference": urls["patient"]},
        "created": now,
        "insurer": {"reference": urls["insurer"]},
        "provider": {"reference": urls["provider"]},
        "priority": _coded(f"{_TERMS}/processpriority", "normal"),
        "diagnosis": [
            {"sequence": n, "diagnosisCodeableConcept": _coded("http://hl7.org/fhir/sid/icd-10-cm", code)}
            for n, code in enumerate(icd10, 1)
        ],
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": urls["coverage"]}}],
        "item": [
            {
                "sequence": n,
                "category": _coded(f"{X12}/1365", "2"),
                "productOrService": _coded("http://www.ama-assn.org/go/cpt", code),
                "servicedDate": "2026-04-20",
                "locationCodeableConcept": _coded(_PLACES, "22"),
            }
            for n, code in enumerate(cpt, 1)
        ],
        "supportingInfo": [
            {
                "sequence": n,
                "category": _coded(_SUPPORTING, "additionalInformation"),
                "valueReference": {"reference": url},
            }
            for n, url in enumerate(notes, 1)
        ],
        **claim,
    }
    if not documents:
        del asked["supportingInfo"]
    person = {
        "resourceType": "Patient",
        "identifier": [
            {
                "type": _coded(f"{_TERMS}/v2-0203", "MB"),
                "system": "urn:example:member-ids",
                "value": "EXM77120034",
            }
        ],
        "name": [{"family": "Testperson", "given": ["Alma"]}],
        "gender": "female",
        "birthDate": "1950-02-03",
        **patient,
    }
    provider = {
        "resourceType": "Practitioner",
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}],
        "name": [{"family": "Sampleton", "given": ["Rita"], "suffix": ["MD"]}],
    }
    insurer = {"resourceType": "Organization", "active": True, "name": "Example Health Plan"}
    coverage = {
        "resourceType": "Coverage",
        "status": "active",
        "subscriberId": "EXM77120034",
        "beneficiary": {"reference": urls["patient"]},
        "payor": [{"reference": urls["insurer"]}],
    }
    entries = [
        (urls["claim"], asked),
        (urls["patient"], person),
        (urls["provider"], provider),
        (urls["insurer"], insurer),
        (urls["coverage"], coverage),
        *((url, document(content, urls["patient"])) for url, content in zip(notes, documents, strict=True)),
    ]
    return {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:example:transactions", "value": uuid.uuid4().hex},
        "type": "collection",
        "timestamp": now,
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in entries],
    }


def document(content: bytes, patient: str, **attachment: Any) -> dict[str, Any]:
    """A DocumentReference with its document inside."""
    inside = {"contentType": "application/pdf", "data": base64.b64encode(content).decode(), **attachment}
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": _coded("http://loinc.org", "34117-2"),
        "subject": {"reference": patient},
        "content": [{"attachment": {name: value for name, value in inside.items() if value is not None}}],
    }


def changed(bundle: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The bundle with another value at a path (`entry.0.resource.use`); None takes the element away."""
    bundle = copy.deepcopy(bundle)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    target: Any = bundle
    for step in way:
        target = target[step]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return bundle


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


if __name__ == "__main__":
    documents = [Path(name).read_bytes() for name in sys.argv[1:]]
    sys.stdout.write(json.dumps(pas_bundle(*documents), indent=2) + "\n")
