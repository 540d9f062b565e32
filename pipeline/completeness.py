"""Is each required document there, and does it hold its elements: three-way, with the words that show it.

A title proves nothing: a consultation or an office note with a history and an examination serves as
History and Physical; an examination is findings, not vital signs. Papers of another patient serve
for nothing (issue 5; CMS 42 CFR 482.22(c)(5) fixes who and when, the policy fixes what).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from pipeline.catalog.elements import ElementRule, ElementRules
from pipeline.domain import (
    AnnotatedDocument,
    Completeness,
    Document,
    Element,
    Evidence,
    Field,
    IdentityConflict,
    Met,
    Requirement,
    Status,
)
from pipeline.elements import Shown, blank_area, examination, history, is_visit, planned_procedure
from pipeline.evidence import evidence_for

EXTRACTOR = "rule:completeness"


class RequiredDocument(Protocol):
    """What a policy asks for; see `pipeline.catalog.policies`."""

    @property
    def name(self) -> str: ...
    @property
    def accepted_types(self) -> tuple[str, ...]: ...
    @property
    def elements(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class _Held:
    """What one document holds of a requirement."""

    document: Document
    elements: Mapping[str, Element]

    @property
    def met(self) -> int:
        return sum(element.status is Met.MET for element in self.elements.values())


def check_completeness(
    documents: Sequence[AnnotatedDocument],
    requirements: Sequence[RequiredDocument],
    findings: Mapping[str, Field],
    identity_conflict: IdentityConflict,
    rules: ElementRules,
) -> Completeness:
    """Each requirement by its name, and the identity conflict as it was found."""
    own = [annotated for annotated in documents if annotated.document.belongs_to_patient is not False]
    return Completeness(
        documents={
            requirement.name: _check(own, requirement, findings, rules) for requirement in requirements
        },
        identity_conflict=identity_conflict,
    )


def _check(
    documents: Sequence[AnnotatedDocument],
    requirement: RequiredDocument,
    findings: Mapping[str, Field],
    rules: ElementRules,
) -> Requirement:
    accepted = [
        annotated
        for kind in requirement.accepted_types
        for annotated in documents
        if annotated.document.type == kind
    ]
    held = [_Held(a.document, _elements(a, requirement, findings, rules)) for a in accepted]
    held = [candidate for candidate in held if _is_there(candidate, requirement, rules)]
    if not held:
        return Requirement("missing", {name: Element(Met.MISSING) for name in requirement.elements})
    best = max(held, key=lambda candidate: candidate.met)
    return Requirement(_status(best, held, requirement), best.elements, best.document.id)


def _is_there(held: _Held, requirement: RequiredDocument, rules: ElementRules) -> bool:
    """Whether the document is the required one, if perhaps with a gap."""
    if held.document.type == requirement.name or held.met == len(requirement.elements):
        return True
    claims = rules.claims.get(requirement.name, frozenset())
    first = held.elements[requirement.elements[0]] if requirement.elements else None
    return (held.met > 0 and held.document.type in claims) or (first is not None and first.status is Met.MET)


def _status(
    best: _Held, held: Iterable[_Held], requirement: RequiredDocument
) -> Literal["present", "incomplete", "missing", "unclear"]:
    statuses = {element.status for element in best.elements.values()}
    if statuses <= {Met.MET}:
        return "present"
    across = {name for other in held for name, element in other.elements.items() if element.status is Met.MET}
    # every element is there, but no document holds them all: whether that will do is for a person
    if Met.UNCLEAR in statuses or across >= set(requirement.elements):
        return "unclear"
    return "incomplete"


def _elements(
    annotated: AnnotatedDocument,
    requirement: RequiredDocument,
    findings: Mapping[str, Field],
    rules: ElementRules,
) -> dict[str, Element]:
    return {name: _element(annotated, name, findings, rules) for name in requirement.elements}


def _element(
    annotated: AnnotatedDocument, name: str, findings: Mapping[str, Field], rules: ElementRules
) -> Element:
    rule = rules.elements[name]
    element = _recognised(annotated, name, rule, findings, rules)
    return replace(element, page=_page(annotated, element, rule))


def _page(annotated: AnnotatedDocument, element: Element, rule: ElementRule) -> int | None:
    """The page that shows the element; of a missing one, the page where one would look for it."""
    document, sections = annotated.document, annotated.sections
    if element.evidence:
        return element.evidence[0].page
    for name in (*rule.expected_in, *rule.expected_after):
        found = [section for section in sections if section.name == name]
        if found:
            return document.page_at(found[0].start if name in rule.expected_in else found[-1].end - 1).number
    return (document.pages[0] if rule.kind == "history" else document.pages[-1]).number


def _recognised(
    annotated: AnnotatedDocument,
    name: str,
    rule: ElementRule,
    findings: Mapping[str, Field],
    rules: ElementRules,
) -> Element:
    document, text = annotated.document, annotated.document.text
    misread = any(page.source == "ocr" for page in document.pages)
    if rule.kind in ("history", "examination"):
        recognise = history if rule.kind == "history" else examination
        shown = recognise(text, annotated.sections, rules, misread=misread) if is_visit(text, rules) else []
        return _shown(document, shown) if shown else _in_place_of(annotated, rule)
    if rule.kind == "section":
        names = [s for s in annotated.sections if s.name in rule.sections and text[s.body : s.end].strip()]
        return _shown(document, [Shown(section.start, section.end, section.name) for section in names[:1]])
    if rule.kind == "planned":
        return _planned(annotated, findings, rules)
    return _finding(annotated, findings.get(rule.finding or name, Field()), rules)


def _planned(annotated: AnnotatedDocument, findings: Mapping[str, Field], rules: ElementRules) -> Element:
    """A procedure that is to be done.

    A document is a plan as a whole where its type says so, or where it states what a plan is about (the
    evidence of a finding that only plans state).
    """
    document = annotated.document
    states = {rule.finding for rule in rules.elements.values() if rule.kind == "finding"}
    is_plan = document.type == "treatment_plan" or any(
        evidence.document == document.id for name in states if name for evidence in _found(findings.get(name))
    )
    misread = any(page.source == "ocr" for page in document.pages)
    shown = planned_procedure(
        document.text, annotated.sections, rules, anywhere=is_plan, title=document.title, misread=misread
    )
    return _shown(document, [shown] if shown else [])


def _found(field: Field | None) -> tuple[Evidence, ...]:
    return field.evidence if field and field.value is not None else ()


def _finding(annotated: AnnotatedDocument, field: Field, rules: ElementRules) -> Element:
    """A finding that this document shows; a blank line for it is shown where it should have been."""
    element = _finding_here(annotated.document, field)
    if element.status is Met.MISSING and (blank := blank_area(annotated.document.text, rules)):
        return Element(Met.MISSING, _evidence(annotated.document, [Shown(*blank, "treatment_plan")]))
    return element


def _finding_here(document: Document, field: Field) -> Element:
    evidence = tuple(e for e in field.evidence if e.document == document.id)
    if field.status in (Status.FOUND, Status.CONFLICTING) and evidence:
        return Element(Met.MET, evidence)
    return (
        Element(Met.UNCLEAR, evidence)
        if field.status is Status.UNCERTAIN and evidence
        else Element(Met.MISSING)
    )


def _in_place_of(annotated: AnnotatedDocument, rule: ElementRule) -> Element:
    """Missing, with what stands under its heading instead: "EXAM: deferred", a blood pressure alone."""
    document = annotated.document
    found = [
        s for name in rule.expected_in for s in annotated.sections if s.name == name and s.body > s.start
    ]
    ends = [document.text.find("\n", section.body) for section in found[:1]]
    parts = [
        Shown(section.start, end if end >= 0 else section.end, section.name)
        for section, end in zip(found[:1], ends, strict=True)
    ]
    return Element(Met.MISSING, _evidence(document, parts))


def _shown(document: Document, shown: Sequence[Shown]) -> Element:
    return Element(Met.MET, _evidence(document, shown)) if shown else Element(Met.MISSING)


def _evidence(document: Document, shown: Sequence[Shown]) -> tuple[Evidence, ...]:
    return tuple(
        evidence_for(document, part.start, part.end, section=part.section, extractor=EXTRACTOR)
        for part in shown
    )
