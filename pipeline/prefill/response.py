"""The filled form as a FHIR QuestionnaireResponse by Da Vinci DTR 2.2.

Every answer says where it comes from (`information-origin`) and where it stands (our `evidence`). What is
unknown, uncertain or contradictory has no answer; its item says so, with the candidates and their places.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pipeline.catalog import Catalog
from pipeline.catalog.prefill import PrefillRules
from pipeline.domain import Alternative, Value
from pipeline.prefill.questionnaire import canonical, option
from pipeline.prefill.records import Answer, By, Form, Group, Question, Source
from pipeline.prefill.resources import (
    Resource,
    absent,
    codings,
    concept,
    coverage,
    evidence_extensions,
    instant,
    patient,
    service_request,
)

_DTR = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition"
PROFILE = f"{_DTR}/dtr-questionnaireresponse"
ORIGIN = f"{_DTR}/information-origin"


def questionnaire_response(form: Form, catalog: Catalog, *, at: datetime) -> Resource:
    """The QuestionnaireResponse, written `at`; in progress, for a person completes it."""
    subject = {"reference": "#patient"}
    request = service_request(form, catalog, subject)
    contained = [{"id": "patient", **patient(form, catalog)}]
    if request is not None:
        contained.append({"id": "request", **request})
    items = [_group(form, group, catalog.prefill) for group in form.asked.groups]
    return {
        "resourceType": "QuestionnaireResponse",
        "meta": {"profile": [PROFILE]},
        "contained": contained,
        "extension": list(_about(form, catalog, has_request=request is not None)),
        "identifier": {"system": catalog.letters.plan.case_system, "value": form.case.case_id},
        "questionnaire": canonical(form.asked.policy, catalog.prefill),
        "status": "in-progress",
        "subject": subject,
        "authored": instant(at),
        "item": items,
    }


def _about(form: Form, catalog: Catalog, *, has_request: bool) -> Iterator[Resource]:
    use = catalog.prefill.intended_use
    yield {"url": f"{_DTR}/qr-coverage", "valueReference": coverage(form, catalog)}
    if has_request:
        yield {"url": f"{_DTR}/qr-context", "valueReference": {"reference": "#request"}}
    yield {
        "url": f"{_DTR}/intendedUse",
        "valueCodeableConcept": concept({"system": use.system, "code": use.code, "display": use.display}),
    }


def _group(form: Form, group: Group, rules: PrefillRules) -> Resource:
    return {
        "linkId": group.link_id,
        "text": group.title,
        "item": [_item(question, form.of(question.link_id), rules) for question in group.questions],
    }


def _item(question: Question, answers: tuple[Answer, ...], rules: PrefillRules) -> Resource:
    given = [_answer(answer, rules) for answer in answers if answer.value is not None]
    silent = [part for answer in answers if answer.value is None for part in _silence(answer, rules)]
    if given:
        silent = [part for part in silent if part != absent()]
    return {
        **({"extension": silent} if silent else {}),
        "linkId": question.link_id,
        "text": question.text,
        **({"answer": given} if given else {}),
    }


# --------------------------------------------------------------------------- answers


def _answer(answer: Answer, rules: PrefillRules) -> Resource:
    assert answer.value is not None
    return {
        "extension": [_origin(answer, rules), *_beside(answer, rules)],
        **_value(answer.question, answer.value, rules),
    }


def _origin(answer: Answer, rules: PrefillRules) -> Resource:
    """DTR: an override or a manual answer names its author, an automatic one names none."""
    assert answer.source is not None
    parts: list[Resource] = [{"url": "source", "valueCode": answer.source.value}]
    if answer.source is not Source.AUTO:
        parts.append({"url": "author", "extension": list(_author(answer.author, rules))})
    return {"url": ORIGIN, "extension": parts}


def _author(author: By | None, rules: PrefillRules) -> Iterator[Resource]:
    if author is not None and author.role:
        yield {"url": "role", "valueCodeableConcept": _role(author, rules)}
    yield {"url": "practitioner", "valueReference": _person(author, rules)}


def _role(author: By, rules: PrefillRules) -> Resource:
    role = author.role or ""
    return concept(
        {"system": rules.url("CodeSystem", "role"), "code": role, "display": role.replace("_", " ")}
    )


def _person(author: By | None, rules: PrefillRules) -> Resource:
    if author is None:
        return {"extension": [absent()], "type": "Practitioner"}
    return {
        "type": "Practitioner",
        "identifier": {"system": rules.user_system, "value": author.actor},
    }


def _beside(answer: Answer, rules: PrefillRules) -> Iterator[Resource]:
    """Our own extensions: where it stands, how sure it is, its codes, who confirmed it."""
    yield from evidence_extensions(answer.evidence, rules)
    if answer.confidence is not None:
        url = rules.url("StructureDefinition", "confidence")
        yield {"url": url, "valueDecimal": round(answer.confidence, 4)}
    if answer.basis is not None:
        yield {"url": rules.url("StructureDefinition", "basis"), "valueCode": answer.basis}
    for code in codings(answer.codes, rules):
        yield {"url": rules.url("StructureDefinition", "code"), "valueCoding": code}
    if answer.touch is not None and answer.touch.confirmed is not None:
        by = answer.touch.confirmed
        parts: list[Resource] = [{"url": "practitioner", "valueReference": _person(by, rules)}]
        if by.role:
            parts.insert(0, {"url": "role", "valueCodeableConcept": _role(by, rules)})
        if by.at is not None:
            parts.append({"url": "at", "valueDateTime": instant(by.at)})
        yield {"url": rules.url("StructureDefinition", "confirmed"), "extension": parts}


def _value(question: Question, value: Value, rules: PrefillRules) -> Resource:
    """`value[x]` of an answer, by the question's type."""
    match question.kind:
        case "flag":
            return {"valueBoolean": bool(value)}
        case "date":
            return {"valueDate": value}
        case "code":
            return {"valueCoding": {"system": rules.systems[question.codes or ""], "code": value}}
        case "choice":
            return {"valueCoding": option(question, str(value), rules)}
        case "open" if value in question.options:
            return {"valueCoding": option(question, str(value), rules)}
        case _:
            return {"valueString": value}


# --------------------------------------------------------------------------- no answer


def _silence(answer: Answer, rules: PrefillRules) -> Iterator[Resource]:
    """Why an item has no answer, and what was read of it all the same."""
    yield absent()
    yield {"url": rules.url("StructureDefinition", "answer-status"), "valueCode": answer.status}
    for other in answer.candidates or answer.others:
        yield _candidate(answer.question, other, rules)


def _candidate(question: Question, other: Alternative, rules: PrefillRules) -> Resource:
    return {
        "url": rules.url("StructureDefinition", "candidate"),
        "extension": [
            {"url": "value", **_candidate_value(question, other.value, rules)},
            {"url": "reason", "valueCode": other.reason.replace(" ", "_")},
            *evidence_extensions(other.evidence, rules),
        ],
    }


def _candidate_value(question: Question, value: Value, rules: PrefillRules) -> Resource:
    if isinstance(value, bool):
        return {"valueBoolean": value}
    if value in question.options:
        return {"valueCoding": option(question, value, rules)}
    return {"valueString": value}
