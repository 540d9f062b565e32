"""What a policy asks for, from its pack alone: nothing to write for a new policy."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.catalog import Catalog
from pipeline.catalog.facts import Fact
from pipeline.catalog.fields import FieldRule
from pipeline.catalog.policies import Policy, RequiredDocument
from pipeline.catalog.prefill import FormGroup
from pipeline.domain import Code
from pipeline.prefill.records import Asked, Group, Kind, Question
from pipeline.rules import Ruleset

_KINDS: dict[str, Kind] = {
    "choice": "choice",
    "flag": "flag",
    "phrase": "text",
    "category": "open",
    "group": "open",
}


def asked_of(policy: Policy, catalog: Catalog) -> Asked:
    """The questions of one version of a policy: patient and request, the findings that its conditions turn
    on and the others, the elements of each document that it requires. Raises CatalogError."""
    turns = _turning(policy, catalog)
    others = [name for name in catalog.fields if f"findings.{name}" not in {one.link_id for one in turns}]
    titles = catalog.prefill.findings
    groups = (
        *map(_stated, catalog.prefill.groups),
        Group("findings", titles.turns, tuple(turns)),
        Group("other_findings", titles.others, tuple(_finding(name, catalog) for name in others)),
        *(_required(document, policy, catalog) for document in policy.required_documents),
    )
    return Asked(policy.ref, policy.title, tuple(group for group in groups if group.questions))


def _stated(group: FormGroup) -> Group:
    questions = tuple(
        Question(f"{group.name}.{one.name}", one.text, one.kind, codes=one.codes, repeats=one.repeats)
        for one in group.questions
    )
    return Group(group.name, group.title, questions)


def _turning(policy: Policy, catalog: Catalog) -> list[Question]:
    """In the order of the facts; what only service codes tell is no finding."""
    ruleset = Ruleset(policy, catalog.facts)
    conditions = [
        *(route.when for route in policy.routes),
        *(condition for one in policy.criteria for condition in ruleset.conditions_of(one)),
    ]
    names = ruleset.facts_of(*conditions)
    return [_of_fact(fact, catalog) for fact in catalog.facts if fact.name in names]


def _of_fact(fact: Fact, catalog: Catalog) -> Question:
    finding = fact.finding or fact.name
    if fact.attribute == "value":
        return _finding(finding, catalog)
    return Question(f"findings.{finding}.{fact.attribute}", fact.ask, "open", fact.values)


def _finding(name: str, catalog: Catalog) -> Question:
    rule = catalog.fields[name]
    fact = catalog.facts.by_name.get(name)
    return Question(
        f"findings.{name}",
        rule.title,
        _KINDS[rule.kind],
        _options(rule, fact),
        computed=fact is not None and fact.computed,
    )


def _options(rule: FieldRule, fact: Fact | None) -> tuple[str, ...]:
    return rule.values or (fact.values if fact is not None else ())


def _required(document: RequiredDocument, policy: Policy, catalog: Catalog) -> Group:
    return Group(
        f"elements.{document.name}",
        catalog.prefill.elements.title.format(title=document.title),
        tuple(_elements(document, policy)),
        Code("LOINC", document.loinc, document.title) if document.loinc else None,
    )


def _elements(document: RequiredDocument, policy: Policy) -> Iterator[Question]:
    asks = {wording.name: wording.ask for wording in policy.elements}
    for name in document.elements:
        yield Question(f"elements.{document.name}.{name}", asks[name], "flag")
