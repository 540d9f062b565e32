"""Which procedure is asked for: the words of plan and request, then the code.

Text beats code, since several CPT codes do not tell the modality; a printed form's title and a
passing remark are not a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.catalog.treatment import Modality, Procedures, Treatment
from pipeline.domain import Assertion, Field, Request
from pipeline.findings.choose import Candidate, choose
from pipeline.findings.lines import Labelled, labelled
from pipeline.findings.phrases import clause, find, holds
from pipeline.findings.regions import Region
from pipeline.marks import answer_after, line_of, ticked

_PRINTED = re.compile(
    r"\b(?:authorization|request form|questionnaire|form|policy|consent for|criteria|page)\b", re.I
)
_CODE = re.compile(r"\b(?:\d{5}|\d{4}T)\b")
_STATED = 3
_REMARK = 1


def find_procedure(regions: Sequence[Region], request: Request, treatment: Treatment) -> Field:
    """The procedure that would be done, with the words that ask for it."""
    statements = [
        candidate
        for region in regions
        for modality in treatment.procedures.modalities
        for candidate in _statements(region, modality, treatment)
    ]
    return choose([*statements, *_codes(request, treatment)], least=2)


def _statements(region: Region, modality: Modality, treatment: Treatment) -> Iterator[Candidate]:
    rules = treatment.procedures
    weight = treatment.regions.weights[region.kind]
    lines = list(labelled(region.text, region.start, region.end, rules.labels))
    for match in find((*modality.terms, *modality.short), region.text, region.start, region.end):
        is_short = holds(modality.short, match.group())
        tick = ticked(region.text, match.start())
        line = _line_holding(lines, match.start())
        stated = tick is True or line is not None
        if tick is False or ((is_short or modality.name == "other") and not stated):
            continue
        if region.kind == "form" and not stated and _is_printed(region.text, match.start()):
            continue
        if answer_after(region.text, match.end()) is False or _is_compared_away(region, match.start(), rules):
            continue
        share = _share(region, match.start(), match.end(), rules, weight, stated)
        yield Candidate(
            modality.name,
            share,
            region.evidence(*_phrase(region, match, line), "rule:procedure", Assertion.PRESENT),
            reason=None if share > _REMARK else "mentioned",
        )


def _line_holding(lines: list[Labelled], offset: int) -> Labelled | None:
    return next((line for line in lines if line.body <= offset < line.end), None)


def _is_printed(text: str, offset: int) -> bool:
    """Whether the words stand in a form's own print rather than in what the office filled in."""
    start, end = line_of(text, offset)
    line = text[start:end]
    return bool(_PRINTED.search(line)) and not _CODE.search(line)


def _is_compared_away(region: Region, offset: int, rules: Procedures) -> bool:
    start, _ = clause(region.text, offset, offset)
    return bool(find(rules.comparison, region.text, start, offset))


def _share(region: Region, start: int, end: int, rules: Procedures, weight: int, stated: bool) -> float:
    """The weight of one statement: more on a procedure line or by a tick, little beside a setback."""
    first, last = clause(region.text, start, end)
    line_start, line_end = line_of(region.text, start)
    compared = find(rules.comparison, region.text, end, last)
    last = compared[0].start() if compared else last
    near = (
        region.text[max(first, line_start - 160) : start]
        + " . "
        + region.text[end : min(last, line_end + 100)]
    )
    label = region.text[line_start : min(start, line_start + 32)]
    if holds(rules.setback, label) or (not stated and holds(rules.setback, near)):
        return _REMARK
    return weight + (_STATED if stated else 0)


def _phrase(region: Region, match: re.Match[str], line: Labelled | None) -> tuple[int, int]:
    """The words to show: the line the modality stands on, from the value on where it is labelled."""
    start, end = line_of(region.text, match.start())
    if line is not None and line.body >= start:
        start = line.start
    return max(start, region.start), min(end, region.end)


def _codes(request: Request, treatment: Treatment) -> Iterator[Candidate]:
    by_code = {code: modality.name for modality in treatment.procedures.modalities for code in modality.codes}
    for field in request.cpt:
        name = by_code.get(str(field.value))
        if name is not None:
            yield from (
                Candidate(name, treatment.regions.weights["code"], evidence)
                for evidence in field.evidence[:1]
            )
