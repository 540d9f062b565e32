"""What a Claim asks, in the words of a form: patient, provider, codes. Nothing is worked out, only read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from pipeline.catalog.claims import ClaimRules
from pipeline.fhir import objects_at, values_at
from pipeline.intake_server.bundle import Request, Resource

_LONGEST: Final = 200


@dataclass(frozen=True)
class Code:
    """A code as it is asked for, with the words beside it; `kind` is procedure, diagnosis or other."""

    kind: str
    code: str
    display: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Asked:
    """What stands in a Claim and in what it refers to. An empty text was not said."""

    claim_id: str
    expedited: bool
    last_name: str
    first_name: str
    birth_date: str
    sex: str
    member_id: str
    provider: str
    npi: str
    codes: Sequence[Code]
    documents: Sequence[str]

    def digest(self, contents: Sequence[bytes]) -> str:
        """Of what is asked and of the documents that came with it."""
        hashes = [hashlib.sha256(content).hexdigest() for content in contents]
        return hashlib.sha256(json.dumps([asdict(self), hashes], sort_keys=True).encode()).hexdigest()


def read_claim(request: Request, rules: ClaimRules) -> Asked:
    """What the request asks."""
    claim = request.claim
    patient = request.resource(claim.get("patient")) or {}
    provider = _who(request, claim.get("provider"))
    first, last = _person(patient)
    return Asked(
        claim_id=_first(claim, "identifier.value"),
        expedited=is_expedited(claim, rules),
        last_name=last,
        first_name=first,
        birth_date=_first(patient, "birthDate"),
        sex=_first(patient, "gender"),
        member_id=_member_id(patient, rules) or _subscriber_id(request),
        provider=_called(provider),
        npi=_npi([provider, request.resource(claim.get("provider")) or {}], rules),
        codes=(*_items(claim, rules), *_diagnoses(claim, rules)),
        documents=[document.name for document in request.documents],
    )


def is_expedited(claim: Mapping[str, Any], rules: ClaimRules) -> bool:
    """Whether the sender asks for the short clock, by the level of service."""
    path = f"extension[url={rules.urgency.extension}].valueCodeableConcept.coding.code"
    return any(code in rules.urgency.expedited for code in values_at(claim, path))


def _items(claim: Resource, rules: ClaimRules) -> Iterator[Code]:
    for item in objects_at(claim, "item"):
        for concept in objects_at(item, "productOrService"):
            yield from _codes(concept, rules.systems.procedure, "procedure", _detail(item))


def _diagnoses(claim: Resource, rules: ClaimRules) -> Iterator[Code]:
    for concept in objects_at(claim, "diagnosis.diagnosisCodeableConcept"):
        yield from _codes(concept, rules.systems.diagnosis, "diagnosis", "")


def _codes(concept: Resource, systems: Sequence[str], kind: str, detail: str) -> Iterator[Code]:
    """The codes of a known system; where there is none, whatever it says instead."""
    codings = [coding for coding in objects_at(concept, "coding") if _first(coding, "code")]
    known = [coding for coding in codings if coding.get("system") in systems]
    for coding in known or codings:
        display = _first(coding, "display") or _first(concept, "text")
        yield Code(kind if known else "other", _first(coding, "code"), display, detail)
    if not codings and (words := _first(concept, "text")):
        yield Code("other", "", words, detail)


def _detail(item: Resource) -> str:
    """How many, and when."""
    when = _first(item, "servicedDate") or " to ".join(
        filter(None, (_first(item, "servicedPeriod.start"), _first(item, "servicedPeriod.end")))
    )
    number = _first(item, "quantity.value")
    return ", ".join(filter(None, (number and f"units {number}", when and f"date of service {when}")))


def _who(request: Request, reference: Any) -> Resource:
    """Who is referred to; of a role, whose role it is."""
    found = request.resource(reference) or {}
    if found.get("resourceType") == "PractitionerRole":
        inner = (request.resource(found.get(name)) for name in ("practitioner", "organization"))
        return next((one for one in inner if one), found)
    return found


def _npi(resources: Sequence[Resource], rules: ClaimRules) -> str:
    identifiers = (one for resource in resources for one in objects_at(resource, "identifier"))
    npis = (_first(one, "value") for one in identifiers if one.get("system") in rules.systems.npi)
    return next(filter(None, npis), "")


def _member_id(patient: Resource, rules: ClaimRules) -> str:
    identifiers = objects_at(patient, "identifier")
    for kind in rules.member.types:
        for identifier in identifiers:
            if kind in values_at(identifier, "type.coding.code") and (number := _first(identifier, "value")):
                return number
    return ""


def _subscriber_id(request: Request) -> str:
    references = values_at(request.claim, "insurance.coverage")
    coverages = (request.resource(reference) or {} for reference in references)
    return next(filter(None, (_first(coverage, "subscriberId") for coverage in coverages)), "")


def _person(resource: Resource) -> tuple[str, str]:
    """First and last name: the official one, else the first."""
    names = sorted(objects_at(resource, "name"), key=lambda one: one.get("use") != "official")
    return (_words(names[0], "given"), _words(names[0], "family")) if names else ("", "")


def _called(resource: Resource) -> str:
    """A provider as a form says it."""
    if words := _first(resource, "name"):  # an organization's
        return words
    first, last = _person(resource)
    suffixes = " ".join(_words(name, "suffix") for name in objects_at(resource, "name")[:1])
    return ", ".join(filter(None, (f"{first} {last}".strip(), suffixes)))


def _first(resource: Any, path: str) -> str:
    """The first text or number at a path, as one line; empty where there is none."""
    values = (value for value in values_at(resource, path) if isinstance(value, str | int | float))
    return " ".join(str(next(values, "")).split())[:_LONGEST]


def _words(resource: Any, path: str) -> str:
    """All texts at a path, on one line."""
    values = (value for value in values_at(resource, path) if isinstance(value, str))
    return " ".join(" ".join(values).split())[:_LONGEST]
