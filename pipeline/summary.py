"""The case as a nurse reads it on a terminal: what came, what it says and where, what is missing."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping

from pipeline.domain import NOT_FOUND, Alternative, Case, CasePage, Evidence, Field, Status
from pipeline.wording import (
    BASES,
    OUTCOMES,
    STATUSES,
    label_of,
    labels_of,
    lead,
    open_facts,
    pages_of,
    place_of,
    plain,
    reason,
)

WIDTH = 100


def summarize(case: Case) -> str:
    """The whole case as text, at most 100 columns wide."""
    parts = [
        _head(case),
        _documents(case),
        _request(case),
        _findings(case),
        _completeness(case),
        _evaluation(case),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(case: Case) -> str:
    lines = [
        f"Case {case.case_id}: {_count(len(case.pages), 'page')} in {_count(len(case.files), 'file')}, "
        f"{STATUSES[case.status]}"
    ]
    for problem in case.problems:
        place = place_of(case, problem.file, problem.page)
        lines += _wrap(f"! {place + ': ' if place else ''}{problem.message}", "  ")
    return "\n".join(lines)


def _documents(case: Case) -> str:
    if not case.documents:
        return ""
    several_files = len(case.files) > 1
    lines = ["DOCUMENTS"]
    for document in case.documents:
        where = pages_of(document.pages)
        place = f"{where} of {document.file}" if several_files else where
        other = "  (another patient)" if document.belongs_to_patient is False else ""
        lines.append(f"  {label_of(document.type):28} {place}{other}")
    for page in case.pages:
        if marks := [*_marks(case, page)]:
            lines.append(f"  {place_of(case, page.file, page.page)}: {', '.join(marks)}")
    return "\n".join(lines)


def _marks(case: Case, page: CasePage) -> Iterator[str]:
    if page.blank:
        yield "blank"
    if page.duplicate_of is not None:
        file, _, number = page.duplicate_of.rpartition("#")
        yield f"same as {place_of(case, file, int(number))}"
    if page.rotation:
        yield f"arrived turned, shown upright ({page.rotation} degrees)"


def _request(case: Case) -> str:
    if not case.documents:
        return ""
    asked = case.request
    named: dict[str, Field] = {
        "name": case.patient.name,
        "date of birth": case.patient.dob,
        "member number": case.patient.member_id,
    }
    for title, codes in (("CPT", asked.cpt), ("ICD-10-CM", asked.icd10)):
        several = len(codes) > 1
        named |= {f"{title} {number}" if several else title: code for number, code in enumerate(codes, 1)}
        named |= {} if codes else {title: NOT_FOUND}
    # Most offices ask for no expedited review and few papers need an NPI: their silence tells nothing.
    told = {"expedited": asked.expedited, "provider": asked.provider, "NPI": asked.npi}
    named |= {name: field for name, field in told.items() if field.status is not Status.NOT_FOUND}
    return "\n".join(["PATIENT AND REQUEST", *_fields(case, named, matters=named.keys())])


def _findings(case: Case) -> str:
    """The findings; of those that the packet does not state, the ones that would answer an open criterion."""
    if not case.findings:
        return ""
    matters = open_facts(case.evaluation.criteria) if case.evaluation else case.findings.keys()
    return "\n".join(
        ["FINDINGS (tumor that would be treated)", *_fields(case, case.findings, matters=matters)]
    )


def _fields(case: Case, fields: Mapping[str, Field], *, matters: Collection[str]) -> Iterator[str]:
    """A line or more for each answer; the silent ones of `matters` are named together at the end."""
    silent = []
    for name, field in fields.items():
        if field.status is Status.NOT_FOUND:
            silent += [label_of(name)] if name in matters else []
            continue
        value = field.status if field.value is None else _value(field)
        mark = "  CONFLICT" if field.status is Status.CONFLICTING else ""
        yield f"  {label_of(name):22} {value}{mark}"
        for evidence in field.evidence[:1]:
            yield from _quote(case, evidence)
        for alternative in field.alternatives[:2]:
            yield from _beside(case, alternative, shown=field.value is None or bool(mark))
    if silent:
        yield from _wrap(f"not stated: {', '.join(silent)}", "  ")


def _beside(case: Case, alternative: Alternative, *, shown: bool) -> Iterator[str]:
    """A value that was not taken and why; with its words where a person has to choose."""
    told = f"{lead(alternative)} {plain(alternative.value)} ({reason(alternative)})"
    yield from _wrap(told, " " * 25)
    if shown and alternative.evidence:
        yield from _quote(case, alternative.evidence[0])


def _value(field: Field) -> str:
    assert field.value is not None
    basis = f" ({BASES.get(field.basis, field.basis)})" if field.basis else ""
    edition = f" (AJCC edition {field.edition})" if field.edition else ""
    name = f"  {field.code.display}" if field.code and field.code.code == field.value else ""
    return f"{plain(field.value)}{basis}{edition}{name}"


def _quote(case: Case, evidence: Evidence) -> list[str]:
    quote = " ".join(evidence.quote.split())
    return _wrap(f'{place_of(case, evidence.file, evidence.page)}: "{quote}"', " " * 25)


def _completeness(case: Case) -> str:
    if not case.completeness.documents:
        return ""
    lines = ["COMPLETENESS"]
    for name, requirement in case.completeness.documents.items():
        lines.append(f"  {label_of(name):28} {requirement.status}")
        for element_name, element in requirement.elements.items():
            shown = element.evidence[0] if element.evidence else None
            where = f" ({place_of(case, shown.file, shown.page)})" if shown else ""
            lines.append(f"    {label_of(element_name):26} {element.status}{where}")
    if case.completeness.identity_conflict.value:
        lines.append("  ! pages of another patient are in the packet; nothing was taken from them")
    return "\n".join(lines)


def _evaluation(case: Case) -> str:
    evaluation = case.evaluation
    if evaluation is None:
        return ""
    lines = [
        "EVALUATION (a recommendation; a person decides)",
        f"  outcome    {OUTCOMES[evaluation.outcome]}",
        f"  criterion  {evaluation.criterion or '-'}",
    ]
    if evaluation.other_policy:
        lines += _wrap(f"other policy: {evaluation.other_policy}", "  ")
    for criterion in evaluation.criteria:
        if criterion.result != "not_met":
            reasons = f" by {', '.join(map(label_of, criterion.because))}" if criterion.because else ""
            settle = f"; settled by {' or '.join(map(labels_of, criterion.would_settle))}"
            lines += _wrap(
                f"{criterion.id} {criterion.result}{reasons}{settle if criterion.would_settle else ''}",
                "    ",
            )
    not_met = [criterion.id for criterion in evaluation.criteria if criterion.result == "not_met"]
    lines += _wrap(f"not met: {', '.join(not_met)}", "    ") if not_met else []
    lines += [line for missing in evaluation.missing for line in _wrap(f"missing: {missing.message}", "  ")]
    lines += [line for reason in evaluation.needs_person for line in _wrap(f"for a person: {reason}", "  ")]
    return "\n".join(lines)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _wrap(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ") or [indent]
