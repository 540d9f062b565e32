"""What a policy asks for as a FHIR Questionnaire (DTR's standard questionnaire)."""

from __future__ import annotations

import html
from collections.abc import Iterator

from pipeline.catalog import Catalog
from pipeline.catalog.policies import Policy
from pipeline.catalog.prefill import PrefillRules
from pipeline.domain import PolicyRef
from pipeline.prefill.asked import asked_of
from pipeline.prefill.records import Asked, Group, Kind, Question
from pipeline.prefill.resources import Resource, coding
from pipeline.wording import label_of, plain

PROFILE = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition/dtr-std-questionnaire"
_TYPES: dict[Kind, str] = {
    "text": "string",
    "date": "date",
    "flag": "boolean",
    "choice": "choice",
    "open": "open-choice",
    "code": "choice",
}


def questionnaire(policy: Policy, catalog: Catalog) -> Resource:
    """The Questionnaire of one version of a policy. Raises CatalogError."""
    asked = asked_of(policy, catalog)
    rules = catalog.prefill
    return {
        "resourceType": "Questionnaire",
        "id": f"{policy.id}-{policy.version}",
        "meta": {"profile": [PROFILE]},
        "text": {"status": "generated", "div": _narrative(asked)},
        "contained": [_value_set(system, rules) for system in _code_systems(asked)],
        "url": rules.url("Questionnaire", policy.id),
        "version": policy.version,
        "name": policy.id.replace("-", " ").title().replace(" ", ""),
        "title": policy.title,
        "status": "active",
        "experimental": policy.example,
        "subjectType": ["Patient"],
        "date": policy.effective.isoformat(),
        "publisher": catalog.letters.plan.name,
        "effectivePeriod": {"start": policy.effective.isoformat()},
        "item": [_group(group, rules) for group in asked.groups],
    }


def canonical(policy: PolicyRef, rules: PrefillRules) -> str:
    """What a response names as its questionnaire."""
    return f"{rules.url('Questionnaire', policy.id)}|{policy.version}"


def option(question: Question, value: str, rules: PrefillRules) -> Resource:
    """A value of a choice as the coding that stands for it."""
    name = answers_of(question)
    shown = value if question.kind == "open" else plain(value)
    return coding(rules.url("CodeSystem", name), value, shown)


def answers_of(question: Question) -> str:
    """The name of a question's code system: that of the finding."""
    return question.link_id.partition(".")[2].replace(".", "-").replace("_", "-")


def _narrative(asked: Asked) -> str:
    """The questions for people, which DTR requires."""
    groups = "".join(
        f"<p>{html.escape(group.title)}</p><ul>"
        + "".join(f"<li>{html.escape(question.text)}</li>" for question in group.questions)
        + "</ul>"
        for group in asked.groups
    )
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><h1>{html.escape(asked.title)}</h1>{groups}</div>'


def _code_systems(asked: Asked) -> Iterator[str]:
    yield from dict.fromkeys(question.codes for question in asked if question.codes)


def _value_set(system: str, rules: PrefillRules) -> Resource:
    """All codes of a system: they are licensed, so none is listed."""
    return {
        "resourceType": "ValueSet",
        "id": _local_name(system),
        "status": "active",
        "compose": {"include": [{"system": rules.systems[system]}]},
    }


def _local_name(system: str) -> str:
    return system.lower().replace(" ", "-")


def _group(group: Group, rules: PrefillRules) -> Resource:
    code = [coding(rules.systems[group.code.system], group.code.code)] if group.code else []
    return {
        "linkId": group.link_id,
        **({"code": code} if code else {}),
        "text": group.title,
        "type": "group",
        "item": [_item(question, rules) for question in group.questions],
    }


def _item(question: Question, rules: PrefillRules) -> Resource:
    answers: Resource = {}
    if question.options:
        answers = {
            "answerOption": [{"valueCoding": option(question, one, rules)} for one in question.options]
        }
    elif question.codes:
        answers = {"answerValueSet": f"#{_local_name(question.codes)}"}
    return {
        "linkId": question.link_id,
        "text": question.text or label_of(question.link_id),
        "type": _TYPES[question.kind],
        **({"repeats": True} if question.repeats else {}),
        **({"readOnly": True} if question.computed else {}),
        **answers,
    }
