"""A case's answers to the questions of its policy. What does not stand is no answer: never guessed."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.catalog import Catalog
from pipeline.domain import (
    NOT_FOUND,
    Alternative,
    Case,
    Evidence,
    Field,
    Met,
    Status,
    Value,
)
from pipeline.errors import UsageError
from pipeline.prefill.asked import asked_of
from pipeline.prefill.codes import recoded
from pipeline.prefill.records import Answer, Asked, By, Form, Question, Source, Touch, Touches

_PERSON = "person:"  # extractor of evidence that a person marked, see review.corrections


def form_of(case: Case, catalog: Catalog, touches: Touches | None = None) -> Form:
    """The filled form of a case as it stands, under the policy version that it names.

    `touches` are what people did about the answers; without them, what the case itself shows of that: a
    value with words that a person marked is a person's. Raises UsageError for a case without a policy, or
    of a version that is not kept.
    """
    if case.policy is None:
        raise UsageError("The case names no policy: nothing of it could be read.")
    asked = asked_of(catalog.policies.version(case.policy), catalog)
    return filled(recoded(case, catalog), asked, touches)


def filled(case: Case, asked: Asked, touches: Touches | None = None) -> Form:
    """The same for questions that are at hand."""
    answers = tuple(answer for question in asked for answer in _answers(case, question, touches))
    return Form(case, asked, answers)


def _answers(case: Case, question: Question, touches: Touches | None) -> Iterator[Answer]:
    group, _, name = question.link_id.partition(".")
    if group == "elements":
        yield _of_element(case, question, name, touches)
    elif group == "request" and name in ("cpt", "icd10"):
        for field in getattr(case.request, name) or (NOT_FOUND,):
            yield _of_field(field, question, touches)
    elif group == "findings":
        finding, _, attribute = name.partition(".")
        field = case.findings.get(finding, NOT_FOUND)
        if attribute:
            beside = touches.get(f"{group}.{finding}") if touches is not None else None
            yield _of_attribute(field, attribute, question, beside or _touch(field, question, None))
        else:
            yield _of_field(field, question, touches)
    else:
        yield _of_field(getattr(getattr(case, group), name), question, touches)


def _of_field(field: Field, question: Question, touches: Touches | None) -> Answer:
    touch = _touch(field, question, touches)
    stands = field.status is Status.FOUND and (_points(field.evidence) or _by_person(touch))
    conflicting = field.status is Status.CONFLICTING
    return Answer(
        question=question,
        status=field.status.value if stands or field.status is not Status.FOUND else Status.UNCERTAIN.value,
        value=field.value if stands else None,
        source=_source(touch) if stands else None,
        confidence=field.confidence,
        codes=field.codes or ((field.code,) if field.code else ()),
        evidence=field.evidence if stands else (),
        candidates=tuple(_candidates(field)) if conflicting else (),
        others=() if conflicting else field.alternatives,
        basis=field.basis,
        edition=field.edition,
        touch=touch,
    )


def _candidates(field: Field) -> Iterator[Alternative]:
    assert field.value is not None
    yield Alternative(field.value, "conflicting", field.evidence)
    yield from (one for one in field.alternatives if one.reason == "conflicting")


def _of_attribute(field: Field, attribute: str, question: Question, touch: Touch | None) -> Answer:
    """What a finding says beside its value, shown by the same words, `touch` whose they are."""
    stands = field.status is Status.FOUND and (_points(field.evidence) or _by_person(touch))
    value: Value | None = getattr(field, attribute) if stands else None
    if value is None:
        return Answer(question, Status.NOT_FOUND.value)
    return Answer(
        question,
        Status.FOUND.value,
        value,
        _source(touch),
        confidence=field.confidence,
        evidence=field.evidence,
        touch=touch,
    )


def _of_element(case: Case, question: Question, path: str, touches: Touches | None) -> Answer:
    """An element that is there, with the words that show it. That it is missing is only said where a person
    says so: the pipeline has no words to show for it."""
    document, _, name = path.partition(".")
    requirement = case.completeness.documents.get(document)
    element = requirement.elements.get(name) if requirement else None
    if element is None:
        return Answer(question, Met.UNCLEAR.value if requirement is None else Met.MISSING.value)
    touch = touches.get(question.link_id) if touches is not None else _marked(element.evidence, ())
    said_so = touch is not None and (touch.changed or touch.rejected) is not None
    if element.status is Met.MET and (_points(element.evidence) or _by_person(touch)):
        source = _source(touch)
        return Answer(question, Status.FOUND.value, True, source, evidence=element.evidence, touch=touch)
    if element.status is Met.MISSING and said_so and touch is not None:
        source = Source.OVERRIDE if touch.replaced else Source.MANUAL
        changed = Touch(touch.changed or touch.rejected, touch.confirmed, touch.rejected, touch.replaced)
        return Answer(question, Met.MISSING.value, False, source, touch=changed)
    return Answer(question, element.status.value, others=_shown(element.evidence), touch=touch)


def _shown(evidence: tuple[Evidence, ...]) -> tuple[Alternative, ...]:
    return (Alternative(True, Met.UNCLEAR.value, evidence),) if evidence else ()


# --------------------------------------------------------------------------- whose answer it is


def _touch(field: Field, question: Question, touches: Touches | None) -> Touch | None:
    if touches is not None:
        return touches.get(question.link_id)
    return _marked(field.evidence, field.alternatives)


def _marked(evidence: tuple[Evidence, ...], others: tuple[Alternative, ...]) -> Touch | None:
    """What the case itself shows: words that a person marked."""
    actor = next((one.extractor for one in evidence if one.extractor.startswith(_PERSON)), None)
    if actor is None:
        return None
    replaced = any(one.reason == "overridden" for one in others)
    return Touch(changed=By(actor.removeprefix(_PERSON)), replaced=replaced)


def _by_person(touch: Touch | None) -> bool:
    return touch is not None and (touch.changed or touch.confirmed) is not None


def _points(evidence: tuple[Evidence, ...]) -> bool:
    """Whether it leads to words on a page: without them no answer is ours to give."""
    return any(one.page is not None and one.boxes for one in evidence)


def _source(touch: Touch | None) -> Source:
    if touch is None or touch.changed is None:
        return Source.AUTO
    return Source.OVERRIDE if touch.replaced else Source.MANUAL
