"""The reasoning of an evaluation as a person would read it: criterion by criterion, with pages.

It reads the case alone (findings, evaluation) and the policy's titles; it evaluates nothing again.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.catalog.policies import Policy
from pipeline.domain import Case, CriterionResult, Evaluation, Evidence, Field, Status
from pipeline.wording import OUTCOMES, label_of, labels_of

_RESULTS = {"met": "met", "not_met": "not met", "unknown": "not known"}


def explain(case: Case, policy: Policy) -> str:
    """The reasoning in lines of text; quotes come from the packet."""
    if case.evaluation is None:
        why = "".join(f"  - {problem.message}\n" for problem in case.problems)
        return f"Case {case.case_id} has not been evaluated.\n{why}"
    lines = [
        f"{policy.title}, version {policy.version}",
        *_head(case.evaluation),
        "",
        *_criteria(case, case.evaluation, policy),
        *_listed("What was submitted:", [*_documents(case, policy)]),
        *_listed("Please ask for:", [missing.message for missing in case.evaluation.missing]),
        *_listed("For a person:", case.evaluation.needs_person),
        "",
        "This is a recommendation. A person decides.",
    ]
    return "\n".join(lines) + "\n"


def _head(evaluation: Evaluation) -> Iterator[str]:
    open_yet = evaluation.outcome == "needs_information"
    criterion = f": {evaluation.criterion}" if evaluation.criterion and not open_yet else ""
    yield f"{OUTCOMES[evaluation.outcome]}{criterion}."
    if open_yet and evaluation.criterion:
        yield f"On what is documented the request falls under {evaluation.criterion}."
    if evaluation.other_policy:
        yield f"It belongs to: {evaluation.other_policy}."


def _criteria(case: Case, evaluation: Evaluation, policy: Policy) -> Iterator[str]:
    titles = {criterion.id: criterion.title for criterion in policy.criteria}
    titles[policy.otherwise.id] = policy.otherwise.title
    for result in evaluation.criteria:
        yield f"{result.id}  {titles.get(result.id, '')}: {_RESULTS[result.result]}"
        yield from _grounds(case, policy, result)


def _grounds(case: Case, policy: Policy, result: CriterionResult) -> Iterator[str]:
    for name in result.because:
        # A fact that is read from beside a value (an edition) shows under the finding it stands in.
        field = case.findings.get(name)
        if field is not None and field.value is not None:
            yield f"      {label_of(name)}: {_told(field)}"
            yield from _quotes(field)
        else:
            yield from _stated_by_codes(case, policy, name)
    if result.would_settle:
        yield f"      would be settled by: {'; or '.join(map(labels_of, result.would_settle))}"


def _quotes(field: Field) -> Iterator[str]:
    """The words that show a value and, where the records disagree, those that show the other."""
    others = [other.evidence for other in field.alternatives] if field.status is Status.CONFLICTING else []
    for evidence in (field.evidence, *others):
        for first in evidence[:1]:
            yield f'        {_place(first)}"{" ".join(first.quote.split())}"'


def _stated_by_codes(case: Case, policy: Policy, name: str) -> Iterator[str]:
    """A fact that no document tells and a requested service code implies."""
    for field in case.request.cpt:
        for service in policy.service_codes:
            value = service.states.get(name)
            if value and isinstance(field.value, str) and service.covers(field.value):
                yield f"      {label_of(name)}: {_words(value)}, by the requested code {field.value}"
                yield from _quotes(field)


def _documents(case: Case, policy: Policy) -> Iterator[str]:
    pages = {document.id: document for document in case.documents}
    for required in policy.required_documents:
        requirement = case.completeness.documents.get(required.name)
        status = requirement.status if requirement else "not looked for"
        where = pages.get(requirement.document or "") if requirement else None
        place = f", {where.file} {_span(where.first_page, where.last_page)}" if where else ""
        yield f"{required.title}: {status}{place}"


def _span(first: int, last: int) -> str:
    return f"page {first}" if first == last else f"pages {first}-{last}"


def _told(field: Field) -> str:
    value = _value(field.value)
    if field.status is Status.CONFLICTING:
        others = dict.fromkeys(_value(other.value) for other in field.alternatives)
        return f"{value}, but the records also say {', '.join(others) or 'otherwise'}"
    return value


def _value(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else _words(str(value))


def _place(evidence: Evidence) -> str:
    return f"{evidence.file} page {evidence.page}: " if evidence.page is not None else ""


def _listed(head: str, items: tuple[str, ...] | list[str]) -> Iterator[str]:
    if items:
        yield ""
        yield head
        yield from (f"  - {item}" for item in items)


def _words(name: str) -> str:
    return name.replace("_", " ")
