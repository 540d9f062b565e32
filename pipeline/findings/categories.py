"""T, N, M and stage group of the target, from every document that states one.

A later board or restaging is believed over the letter before it, a superseded stage and the stage of
another or an old cancer are alternatives. T, N and M of the primary are not those of its metastasis.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pipeline.catalog.target import TargetRules
from pipeline.domain import Alternative, Field, Status
from pipeline.findings.choose import Candidate, choose
from pipeline.findings.lesions import Context, Weigher, labelled_in
from pipeline.findings.phrases import find, holds
from pipeline.findings.target import Target, excluded
from pipeline.marks import line_of

# A later statement of nearly the same weight that says otherwise: nobody but a person can decide.
_CLOSE = 1.5
# Statements of this weight are a clinician's; among them the newest is believed a little more.
# A year so long before the document is a birth date beside the name.
_BIRTH = 45
_CLINICAL, _NEWEST = 6.0, 1.5


def find_category(
    label: str,
    statements: Sequence[Context],
    target: Target,
    weigher: Weigher,
    rules: TargetRules,
    *,
    metastatic: bool,
) -> Field:
    """The field for one kind of statement (`tnm_t`, `tnm_n`, `tnm_m`, `stage_group`)."""
    candidates = [
        _candidate(context, label, target, weigher, rules, metastatic)
        for context in statements
        if context.mention.label == label and "range" not in context.mention.attributes
    ]
    candidates = _newest_first(_specific(candidates))
    return _dated(choose(candidates, least=2), candidates)


def _candidate(
    context: Context, label: str, target: Target, weigher: Weigher, rules: TargetRules, metastatic: bool
) -> Candidate:
    reason = excluded(context, rules) or _reason(context, target, rules)
    if label == "stage_group" and _is_no_group(context, rules):
        reason = "other_lesion"
    if reason is None and metastatic and label != "stage_group":
        reason = "other_lesion"
    weight = weigher.place_weight(context)
    if _is_superseded(context, rules):
        reason = reason or "superseded"
    elif holds(rules.words.restaged, context.text, max(0, context.mention.start - 60), context.mention.start):
        weight += 1.5
    if context.mention.section == "problem_list":
        weight -= 2
    return Candidate(
        context.mention.value.upper(),
        weight,
        context.tight_evidence(f"rule:{label}"),
        reason=reason,
        basis=context.mention.attributes.get("basis") or None,
        date=context.date,
    )


def _newest_first(candidates: list[Candidate]) -> list[Candidate]:
    """The newest of the clinical statements weighs a little more, the others less by their order."""
    dates = sorted(
        {c.date for c in candidates if c.date and c.reason is None and c.weight >= _CLINICAL}, reverse=True
    )
    bonus = {date: max(0.0, _NEWEST - 0.5 * order) for order, date in enumerate(dates)}
    return [
        replace(c, weight=c.weight + bonus.get(c.date, 0.0)) if c.weight >= _CLINICAL else c
        for c in candidates
    ]


def _is_no_group(context: Context, rules: TargetRules) -> bool:
    """A stage of something else (kidney disease), or an extent that is no group ("limited")."""
    before = context.text[max(0, context.mention.start - 40) : context.mention.start]
    return context.mention.value[:1] not in "0IV" or holds(rules.words.other_stage, before)


def _is_superseded(context: Context, rules: TargetRules) -> bool:
    """Whether the words before the stage, or right behind it, say that it no longer holds."""
    start = max(context.start, context.mention.start - 70)
    cues = find(rules.words.superseded, context.text, start, context.mention.start)
    if cues and not holds(rules.words.restaged, context.text, cues[-1].end(), context.mention.start):
        return True
    behind = context.text[context.mention.end : min(context.end, context.mention.end + 45)]
    return holds(
        ("superseded", "withdrawn", "no longer", "is out of date", "was revised"), behind.split(",")[0]
    )


def _reason(context: Context, target: Target, rules: TargetRules) -> str | None:
    """Why a stage is not the target's: its clause names another organ, side or time."""
    if target.side and context.side and {target.side, context.side} == {"left", "right"}:
        return "other_lesion"
    named = [s for s in context.sites if s not in ("lymph_node",)]
    if target.site and named and target.site not in named and not _is_spread(context, rules):
        return "other_lesion"
    tumours = labelled_in(context.source, "neoplasm", context.start, context.end)
    native = {m.attributes["site"] for m in tumours if m.attributes.get("site")}
    if (
        target.site
        and native
        and target.site not in native
        and target.site not in named
        and not _is_spread(context, rules)
    ):
        return "other_lesion"
    start, end = line_of(context.text, context.mention.start)
    around = context.text[
        max(context.start, context.mention.start - 90) : min(context.end, context.mention.end + 60)
    ]
    if _is_years_old(context):
        return "historical"
    if _is_past(around, rules) or (
        _is_past(context.text[start:end], rules) and context.mention.section != "preamble"
    ):
        return "historical"
    return None


def _is_years_old(context: Context) -> bool:
    """Whether the clause dates the cancer two or more years before the document."""
    clause_words = context.text[context.start : context.end]
    years = [int(year) for year in re.findall(r"\b(?:19|20)\d\d\b", clause_words)]
    if context.date:
        years = [year for year in years if year > int(context.date[:4]) - _BIRTH]
    if context.mention.value.upper().startswith("IV"):
        return False  # a spread cancer stays of that stage, whatever year its treatment was
    return bool(years and context.date) and max(years) <= int(context.date[:4]) - 2


def _is_spread(context: Context, rules: TargetRules) -> bool:
    """ "Colon, recurrent, stage IV (lung only)": the stage of a cancer that spread to the target's organ."""
    return context.mention.label == "stage_group" and context.mention.value.upper().startswith("IV")


def _is_past(words: str, rules: TargetRules) -> bool:
    return re.search(r"\b(?:remission|NED|no evidence of disease)\b", words, re.I) is not None


def _specific(candidates: list[Candidate]) -> list[Candidate]:
    """T2 beside T2A in the packet is the same statement, less exact: counted with the exact one."""
    values = {str(c.value) for c in candidates if c.reason is None}
    exact = {}
    for value in values:
        longer = [
            v
            for v in values
            if v.startswith(value) and v != value and v[len(value) :].isalnum() and not value.endswith("X")
        ]
        longer = [v for v in longer if v[len(value)] in "ABCDabcd123"]
        if (len(longer) == 1 and not value.startswith(("I",))) or (
            len(longer) == 1 and longer[0][len(value)] in "ABC"
        ):
            exact[value] = longer[0]
    return [replace(c, value=exact.get(str(c.value), c.value)) if c.reason is None else c for c in candidates]


def _dated(field: Field, candidates: list[Candidate]) -> Field:
    """Conflicting where a later statement of nearly the same weight says otherwise."""
    if field.status is not Status.FOUND:
        return field
    winners = [c for c in candidates if c.reason is None and _same(c.value, field.value)]
    if not winners:
        return field
    best = max(winners, key=lambda c: c.weight)
    later = [
        c
        for c in candidates
        if c.reason is None
        and not _same(c.value, field.value)
        and c.date > max(w.date for w in winners)
        and c.weight >= best.weight - _CLOSE
    ]
    if not later:
        return field
    return replace(field, status=Status.CONFLICTING, confidence=0.5)


def _same(one: object, other: object) -> bool:
    return str(one).startswith(str(other)) or str(other).startswith(str(one))


def without(field: Field, reason: str) -> Field:
    """`field` emptied, its value kept as an alternative."""
    if field.value is None:
        return field
    return Field(alternatives=(*field.alternatives, Alternative(field.value, reason, field.evidence)))
