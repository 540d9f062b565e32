"""From a case to its outcome, in the order in which a reviewer works:

1. Is the request one for this policy at all? (routes; they hold even where documents are missing)
2. Which criteria are met, not met, unknown?
3. Is everything there that must be submitted? Is anything open that the outcome turns on?
4. Met, or none met.

It recommends; a person decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pipeline.catalog.policies import Criterion, RequiredDocument, Route
from pipeline.domain import (
    Case,
    CaseDocument,
    CriterionResult,
    Evaluation,
    EvaluatorInfo,
    Met,
    Missing,
    Requirement,
)
from pipeline.rules.kleene import Truth, agreement, disjunction, negation
from pipeline.rules.ruleset import Answer, Ruleset
from pipeline.rules.settle import FactSet, Settling, would_settle, would_settle_all
from pipeline.rules.situation import Situation, situation_of, worlds

NAME = "embedded"
VERSION = "1.0"

Outcome = Literal["meets", "investigational", "needs_information", "out_of_scope", "other_policy"]
_RESULTS: dict[Truth, Literal["met", "not_met", "unknown"]] = {
    Truth.TRUE: "met",
    Truth.FALSE: "not_met",
    Truth.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class _Judged:
    """A criterion with its answer and, where it is unknown, what would settle it."""

    criterion: Criterion
    answer: Answer
    settle: Settling


def evaluate(case: Case, ruleset: Ruleset) -> Evaluation:
    """The evaluation of a case under one version of a policy."""
    situation = situation_of(case, ruleset.policy, ruleset.facts)
    taken, open_routes = _routes(ruleset, situation)
    judged = [_judge(ruleset, criterion, situation) for criterion in ruleset.policy.criteria]
    results = (*map(_criterion_result, judged), _otherwise_result(ruleset, judged))
    if taken is not None:
        return Evaluation(
            evaluator=_info(ruleset),
            outcome=taken.outcome,
            criterion=taken.outcome,
            criteria=results,
            other_policy=taken.policy,
            needs_person=(*_misfiled(case), *([taken.needs_person] if taken.needs_person else [])),
        )
    documents = tuple(_missing_documents(case, ruleset))
    outcome, criterion = _outcome(ruleset, judged, incomplete=bool(documents or open_routes))
    return Evaluation(
        evaluator=_info(ruleset),
        outcome=outcome,
        criterion=criterion,
        criteria=results,
        missing=(*documents, *_missing_facts(ruleset, situation, judged, open_routes)),
        needs_person=(*_misfiled(case), *_rulings(judged), *_ages(case, ruleset)),
    )


def _info(ruleset: Ruleset) -> EvaluatorInfo:
    return EvaluatorInfo(NAME, VERSION, ruleset.policy.ruleset)


# ---------------------------------------------------------------------- routes


def _routes(ruleset: Ruleset, situation: Situation) -> tuple[Route | None, list[Route]]:
    """The first route that is known to hold, and those of which it is not known."""
    unknown = []
    for route in ruleset.policy.routes:
        narrowed = ruleset.narrowed(situation, ruleset.kinds(route))
        truth = agreement(ruleset.truth(route.when, world) for world in worlds(narrowed))
        if truth is Truth.TRUE:
            return route, []
        if truth is Truth.UNKNOWN:
            unknown.append(route)
    return None, unknown


# ---------------------------------------------------------------------- criteria


def _judge(ruleset: Ruleset, criterion: Criterion, situation: Situation) -> _Judged:
    answer = ruleset.answer(criterion, situation)
    unknown = answer.truth is Truth.UNKNOWN
    return _Judged(criterion, answer, would_settle(ruleset, criterion, situation) if unknown else Settling())


def _criterion_result(judged: _Judged) -> CriterionResult:
    return CriterionResult(
        id=judged.criterion.id,
        result=_RESULTS[judged.answer.truth],
        because=judged.answer.because,
        would_settle=tuple("+".join(names) for names in judged.settle.sets),
    )


def _otherwise_result(ruleset: Ruleset, judged: list[_Judged]) -> CriterionResult:
    """What holds where no criterion is met: the negation of them all."""
    truth = negation(disjunction(each.answer.truth for each in judged))
    decisive = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE, Truth.UNKNOWN: Truth.UNKNOWN}[truth]
    because = dict.fromkeys(
        name for each in judged if each.answer.truth is decisive for name in each.answer.because
    )
    settle = would_settle_all([each.settle for each in judged]) if truth is Truth.UNKNOWN else ()
    return CriterionResult(
        id=ruleset.policy.otherwise.id,
        result=_RESULTS[truth],
        because=tuple(because),
        would_settle=tuple("+".join(names) for names in settle),
    )


def _outcome(ruleset: Ruleset, judged: list[_Judged], *, incomplete: bool) -> tuple[Outcome, str | None]:
    met = next((each.criterion.id for each in judged if each.answer.truth is Truth.TRUE), None)
    if met is not None:
        return ("needs_information" if incomplete else "meets"), met
    if unknown := [each.criterion.id for each in judged if each.answer.truth is Truth.UNKNOWN]:
        return "needs_information", _at_stake(unknown)
    return ("needs_information" if incomplete else "investigational"), ruleset.policy.otherwise.id


def _at_stake(unknown: Sequence[str]) -> str | None:
    """The criterion that the missing facts would decide: the first of the open ones where they all are
    branches of one (I.F.1 and I.F.2), None where the case could still fall anywhere."""
    branches = {".".join(criterion.split(".")[:2]) for criterion in unknown}
    return unknown[0] if len(branches) == 1 else None


# ---------------------------------------------------------------------- what is missing


def _missing_documents(case: Case, ruleset: Ruleset) -> Iterator[Missing]:
    for document in ruleset.policy.required_documents:
        requirement = case.completeness.documents.get(document.name)
        if requirement is None or requirement.status == "unclear":
            yield Missing(document.name, f"{document.title}: please send a copy that can be read clearly.")
        elif requirement.status == "missing":
            yield Missing(document.name, _ask_for(document, case))
        elif requirement.status == "incomplete":
            yield from _missing_elements(ruleset, document, requirement)
        elif (days := _age(case, document)) is not None and days > _longest(document):
            yield Missing(
                f"{document.name}.date",
                f"{document.title}: one no more than {document.max_age_days} days old on receipt; "
                f"the one sent was {days} days old.",
            )


def _ask_for(document: RequiredDocument, case: Case) -> str:
    if case.completeness.identity_conflict.value:
        return f"{document.title} of this patient; pages of another patient are in the packet."
    return f"{document.title}."


def _missing_elements(
    ruleset: Ruleset, document: RequiredDocument, requirement: Requirement
) -> Iterator[Missing]:
    asks = {wording.name: wording.ask for wording in ruleset.policy.elements}
    lacking = [
        name
        for name in document.elements
        if name not in requirement.elements or requirement.elements[name].status is not Met.MET
    ]
    for name in lacking:
        yield Missing(f"{document.name}.{name}", asks[name])
    if not lacking:
        yield Missing(document.name, f"{document.title}: complete.")


def _missing_facts(
    ruleset: Ruleset, situation: Situation, judged: list[_Judged], open_routes: list[Route]
) -> Iterator[Missing]:
    """What to ask for, where the outcome turns on facts that are open. Nothing if a criterion is met."""
    wanted = [name for route in open_routes for name in sorted(ruleset.facts_of(route.when))]
    unknown = [each for each in judged if each.answer.truth is Truth.UNKNOWN]
    if not any(each.answer.truth is Truth.TRUE for each in judged):
        wanted += _to_ask([each.settle.sets for each in unknown])
    for fact in ruleset.facts:
        if fact.name in wanted:
            told = fact.name in situation
            yield Missing(fact.name, f"The records disagree. {fact.ask}" if told else fact.ask)


def _to_ask(settles: list[tuple[FactSet, ...]]) -> list[str]:
    """The facts that every way of settling needs, if there are any: nothing else can be asked before
    them. Else the smallest set of each criterion."""
    everywhere = [set(names) for sets in settles for names in sets]
    if everywhere and (common := set.intersection(*everywhere)):
        return sorted(common)
    return [name for sets in settles if sets for name in sets[0]]


# ---------------------------------------------------------------------- what a person must look at


def _misfiled(case: Case) -> Iterator[str]:
    if case.completeness.identity_conflict.value:
        yield "Pages of another patient are in the packet."


def _ages(case: Case, ruleset: Ruleset) -> Iterator[str]:
    """Documents that may be too old, where the day of receipt or the document's date is not known."""
    for required in ruleset.policy.required_documents:
        document = _document(case, required)
        if required.max_age_days is None or document is None or _age(case, required) is not None:
            continue
        stated = f"it is of {document.service_date}" if document.service_date else "it states no date"
        limit = f"no more than {required.max_age_days} days old on receipt"
        yield f"{required.title}: {limit}? Here {stated}."


def _document(case: Case, required: RequiredDocument) -> CaseDocument | None:
    """The document of the packet that was taken for a required one."""
    requirement = case.completeness.documents.get(required.name)
    wanted = requirement.document if requirement is not None else None
    return next((document for document in case.documents if document.id == wanted), None)


def _age(case: Case, required: RequiredDocument) -> int | None:
    """Days from a document's date to its receipt; None where one is not known, or not before the other."""
    document = _document(case, required)
    if case.received is None or document is None or document.service_date is None:
        return None
    days = (case.received - date.fromisoformat(document.service_date)).days
    return days if days >= 0 else None


def _longest(required: RequiredDocument) -> float:
    return math.inf if required.max_age_days is None else required.max_age_days


def _rulings(judged: list[_Judged]) -> Iterator[str]:
    """The open questions of the policy that bore on the criteria, each with its ruling's reason."""
    rulings = {ruling.id: ruling for each in judged for ruling in each.answer.rulings}
    for ruling in rulings.values():
        if ruling.needs_person:
            yield f"{ruling.question} {ruling.reason}"
