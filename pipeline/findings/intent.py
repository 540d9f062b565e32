"""Curative or palliative: what plan and assessment say the procedure is for.

A hospice referral, palliative radiation of another year or the palliative care team is not an
intent; nothing is concluded from silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.catalog.treatment import Intent, Treatment
from pipeline.domain import Field
from pipeline.findings.choose import Candidate, choose
from pipeline.findings.lines import labelled
from pipeline.findings.phrases import clause, find, holds
from pipeline.findings.regions import Region
from pipeline.marks import answer_after, line_of, ticked

_STATED = 3


def find_intent(regions: Sequence[Region], treatment: Treatment) -> Field:
    """The intent of the requested procedure."""
    return choose((candidate for region in regions for candidate in _statements(region, treatment)), least=2)


def _statements(region: Region, treatment: Treatment) -> Iterator[Candidate]:
    rules = treatment.intent
    if region.kind in ("consent", "cover"):
        return
    weight = treatment.regions.weights[region.kind]
    lines = list(
        labelled(region.text, region.start, region.end, rules.labels, loose=region.kind == "plan_document")
    )
    for value, cues in (("curative", rules.curative), ("palliative", rules.palliative)):
        for match in find(cues, region.text, region.start, region.end):
            tick = ticked(region.text, match.start())
            stated = tick is True or any(line.body <= match.start() < line.end for line in lines)
            if tick is False or not _counts(region.text, match.start(), match.end(), value, rules, stated):
                continue
            if answer_after(region.text, match.end()) is False:
                continue
            if region.kind == "narrative" and not _speaks_of_intent(
                region, match.start(), match.end(), treatment
            ):
                continue
            start, end = line_of(region.text, match.start())
            yield Candidate(
                value,
                weight + (_STATED if stated else 0),
                region.evidence(max(start, region.start), min(end, region.end), "rule:intent"),
                date=region.document.service_date or "",
            )


def _speaks_of_intent(region: Region, start: int, end: int, treatment: Treatment) -> bool:
    """In a history only an intent of an ablation counts: "cryoablation with curative intent"."""
    first, last = clause(region.text, start, end)
    named = any(
        holds(modality.terms, region.text, first, last) for modality in treatment.procedures.modalities
    )
    return named and "inten" in region.text[max(0, start - 30) : end + 20].lower()


def _counts(text: str, start: int, end: int, value: str, rules: Intent, stated: bool) -> bool:
    """Whether a cue speaks of this procedure's intent: not denied, not of something else, not an if."""
    first, last = clause(text, start, end)
    around = text[max(first, start - 40) : min(last + 1, end + 40)]
    if any(m.start() <= start - max(first, start - 40) < m.end() for m in find(rules.other_subject, around)):
        return False
    if value == "curative" and _is_denied(text, start, end, rules):
        return False
    if value == "palliative" and holds(
        ("not", "non", "rather than", "no"), text, max(first, start - 14), start
    ):
        return False
    if stated:
        return True
    if not holds(rules.anchors, text, first, last):
        return False
    return not (holds(rules.condition, text, first, start) and "inten" not in text[first:last].lower())


def _is_denied(text: str, start: int, end: int, rules: Intent) -> bool:
    first, last = clause(text, start, end)
    before = text[max(first, start - 32) : start]
    after = text[end : min(last, end + 40)]
    return holds(rules.denial, before) or holds(
        ("not", "is not expected", "not expected", "unlikely", "is not"), after.split(",")[0]
    )
