"""What a request is answered with: a response bundle whose ClaimResponse says that it is pended (A4).

It stays pended until a person has decided, whatever the rules evaluator recommends; a request that the plan's
intake ended is answered with an error.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pipeline.catalog.claims import Answer, ClaimRules
from pipeline.catalog.letters import Plan
from pipeline.fhir import values_at
from pipeline.intake_server.bundle import Resource, find
from pipeline.ledger import Item, State

_NAMES: Final = uuid.UUID("7a1a6e00-5d2c-4b8e-9d57-0c1a1d000001")


def response_bundle(item: Item, asked: Resource, rules: ClaimRules, plan: Plan, now: datetime) -> Resource:
    """The answer to the request that came in the bundle `asked` and became the submission `item`."""
    urls = {entry["fullUrl"]: entry["resource"] for entry in asked["entry"]}
    claim = asked["entry"][0]["resource"]
    response = _claim_response(item, claim, asked["entry"][0]["fullUrl"], urls, rules, plan)
    named = (claim.get(name) for name in ("patient", "insurer", "provider"))
    also = {url: urls[url] for reference in named if (url := _url(urls, reference))}
    entries = {f"urn:uuid:{uuid.uuid5(_NAMES, item.id + response['request']['reference'])}": response} | also
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [rules.answer.bundle_profile]},
        "identifier": asked.get("identifier") or {"system": plan.case_system, "value": item.id},
        "type": "collection",
        "timestamp": _instant(now),
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in entries.items()],
    }


def _claim_response(
    item: Item, claim: Resource, url: str, urls: Mapping[str, Resource], rules: ClaimRules, plan: Plan
) -> Resource:
    identifiers = [{"system": plan.case_system, "value": item.id}]
    response: Resource = {
        "resourceType": "ClaimResponse",
        "meta": {"profile": [rules.answer.profile]},
        "identifier": identifiers,
        "status": "active",
        "type": claim["type"],
        "use": "preauthorization",
        "patient": claim["patient"],
        "created": _instant(item.received_at),
        "insurer": _insurer(claim, urls, plan),
        "requestor": claim["provider"],
        "request": {"reference": url, "identifier": claim["identifier"][0]},
    }
    if item.state is State.REJECTED:
        error = {"code": {"text": rules.answer.ended_note}}
        return response | {"outcome": "error", "error": [error]}
    return response | {
        "outcome": "complete",
        "disposition": rules.answer.pended_note,
        "item": [_pended(sequence, rules.answer) for sequence in values_at(claim, "item.sequence")],
    }


def _pended(sequence: Any, answer: Answer) -> Resource:
    action = {"system": answer.action_system, "code": answer.pended, "display": answer.pended_display}
    code = {"url": answer.review_action_code, "valueCodeableConcept": {"coding": [action]}}
    category = {"coding": [{"system": answer.adjudication_system, "code": answer.adjudication}]}
    adjudication = {"extension": [{"url": answer.review_action, "extension": [code]}], "category": category}
    return {"itemSequence": sequence, "adjudication": [adjudication]}


def _insurer(claim: Resource, urls: Mapping[str, Resource], plan: Plan) -> Any:
    """Who the request was sent to; the plan itself where that is not in the bundle."""
    if _url(urls, claim.get("insurer")):
        return claim["insurer"]
    return {"identifier": {"system": plan.payer_id_system, "value": plan.payer_id}, "display": plan.name}


def _url(urls: Mapping[str, Resource], reference: Any) -> str:
    found = find(urls, reference)
    return next((url for url, resource in urls.items() if resource is found), "") if found else ""


def _instant(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")
