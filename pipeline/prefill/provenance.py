"""Where a resource comes from: documents, pages and words of the case, and the people who corrected it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from pipeline.catalog import Catalog
from pipeline.domain import Evidence
from pipeline.prefill.records import Answer, By, Form
from pipeline.prefill.resources import TERMS, Resource, coding, concept, evidence_extensions, instant


def provenance(
    form: Form, catalog: Catalog, target: Resource, answers: Iterable[Answer], *, at: datetime
) -> Resource:
    """The Provenance of one resource. Each document that it rests on is an entity, with the places."""
    answers = list(answers)
    plan = catalog.letters.plan
    by_document: dict[str, list[Evidence]] = {}
    for answer in answers:
        for one in answer.evidence:
            places = by_document.setdefault(one.document or "", [])
            if one not in places:
                places.append(one)
    entities = [
        {
            "extension": list(evidence_extensions(places, catalog.prefill)),
            "role": "source",
            "what": {
                "identifier": {
                    "system": plan.case_system,
                    "value": f"{form.case.case_id}/{document}" if document else form.case.case_id,
                }
            },
        }
        for document, places in by_document.items()
    ]
    return {
        "resourceType": "Provenance",
        "target": [target],
        "recorded": instant(at),
        "agent": [_program(form, catalog), *_people(answers, catalog)],
        **({"entity": entities} if entities else {}),
    }


def _program(form: Form, catalog: Catalog) -> Resource:
    plan = catalog.letters.plan
    made_by = f"clinical-triage {form.case.made_by.name}" if form.case.made_by else "clinical-triage"
    return {
        "type": _role("assembler", "Assembler"),
        "who": {
            "type": "Device",
            "identifier": {"system": plan.payer_id_system, "value": plan.payer_id},
            "display": made_by,
        },
    }


def _people(answers: list[Answer], catalog: Catalog) -> Iterator[Resource]:
    """Authors of what they gave, verifiers of what they confirmed; each once."""
    seen = set[tuple[str, str]]()
    for answer in answers:
        confirmed = answer.touch.confirmed if answer.touch else None
        for kind, by in (("author", answer.author), ("verifier", confirmed)):
            if by is not None and (kind, by.actor) not in seen:
                seen.add((kind, by.actor))
                yield {"type": _role(kind, kind.capitalize()), "who": _person(by, catalog)}


def _person(by: By, catalog: Catalog) -> Resource:
    return {
        "type": "Practitioner",
        "identifier": {"system": catalog.prefill.user_system, "value": by.actor},
    }


def _role(code: str, display: str) -> Resource:
    return concept(coding(f"{TERMS}/provenance-participant-type", code, display))
