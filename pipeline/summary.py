"""The case as a nurse reads it on a terminal: what came, what it says and where, what is missing."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from pipeline.domain import Case, Evidence, Field, Status
from pipeline.wording import OUTCOMES, pages_of

WIDTH = 100

# Prefixes of T, N and M (AJCC): when and how the category was determined.
BASES = {
    "c": "clinical",
    "p": "pathological",
    "yc": "clinical, after therapy",
    "yp": "pathological, after therapy",
    "r": "recurrence",
    "rc": "clinical, recurrence",
}


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
        f"Case {case.case_id}: {case.status}, "
        f"{_count(len(case.pages), 'page')} in {_count(len(case.files), 'file')}"
    ]
    for problem in case.problems:
        place = " ".join(
            text for text in (problem.file, f"page {problem.page}" if problem.page else None) if text
        )
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
        lines.append(f"  {_words(document.type):28} {place}{other}")
    for page in case.pages:
        marks = [
            mark
            for mark, holds in (
                ("blank", page.blank),
                (f"same as {page.duplicate_of}", page.duplicate_of is not None),
                (f"arrived turned, shown upright ({page.rotation} degrees)", page.rotation != 0),
            )
            if holds
        ]
        if marks:
            lines.append(f"  page {page.page}: {', '.join(marks)}")
    return "\n".join(lines)


def _request(case: Case) -> str:
    named: dict[str, Field] = {
        "name": case.patient.name,
        "date of birth": case.patient.dob,
        "member number": case.patient.member_id,
    }
    named |= {f"CPT {number}": code for number, code in enumerate(case.request.cpt, 1)}
    named |= {f"ICD-10-CM {number}": code for number, code in enumerate(case.request.icd10, 1)}
    named["expedited"] = case.request.expedited
    return "\n".join(["PATIENT AND REQUEST", *_fields(named)]) if case.documents else ""


def _findings(case: Case) -> str:
    return (
        "\n".join(["FINDINGS (tumor that would be treated)", *_fields(case.findings)])
        if case.findings
        else ""
    )


def _fields(fields: Mapping[str, Field]) -> Iterator[str]:
    silent = []
    for name, field in fields.items():
        if field.status is Status.NOT_FOUND:
            silent.append(_words(name))
            continue
        value = field.status if field.value is None else _value(field)
        mark = "  CONFLICT" if field.status is Status.CONFLICTING else ""
        yield f"  {_words(name):22} {value}{mark}"
        for evidence in field.evidence[:1]:
            yield from _quote(evidence)
        for alternative in field.alternatives[:2]:
            shown = _plain(alternative.value)
            yield f"{'':25}not {shown} ({_words(alternative.reason)})"
    if silent:
        yield from _wrap(f"not stated: {', '.join(silent)}", "  ")


def _value(field: Field) -> str:
    assert field.value is not None
    basis = f" ({BASES.get(field.basis, field.basis)})" if field.basis else ""
    edition = f" (AJCC edition {field.edition})" if field.edition else ""
    return f"{_plain(field.value)}{basis}{edition}"


def _plain(value: str | bool) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _quote(evidence: Evidence) -> list[str]:
    quote = " ".join(evidence.quote.split())
    return _wrap(f'page {evidence.page}: "{quote}"', " " * 25)


def _completeness(case: Case) -> str:
    if not case.completeness.documents:
        return ""
    lines = ["COMPLETENESS"]
    for name, requirement in case.completeness.documents.items():
        lines.append(f"  {_words(name):28} {requirement.status}")
        for element_name, element in requirement.elements.items():
            where = f" (page {element.evidence[0].page})" if element.evidence else ""
            lines.append(f"    {_words(element_name):26} {element.status}{where}")
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
            reasons = f" by {', '.join(map(_words, criterion.because))}" if criterion.because else ""
            settle = f"; settled by {' or '.join(map(_words, criterion.would_settle))}"
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


def _words(name: str) -> str:
    return name.replace("_", " ")


def _wrap(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ") or [indent]
