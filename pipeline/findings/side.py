"""On which side the target is: the plan's phrase first, then plan lines, codes and reports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline.catalog.target import TargetRules
from pipeline.catalog.treatment import Area
from pipeline.domain import Field, Request, Status
from pipeline.findings.area import Phrase
from pipeline.findings.choose import Candidate, choose
from pipeline.findings.lesions import Context, Weigher, labelled_in, side_words, sides_in
from pipeline.findings.lines import labelled
from pipeline.findings.phrases import holds
from pipeline.findings.regions import Region
from pipeline.findings.target import excluded
from pipeline.marks import ticked

# A clinical statement weighs at least this much.
_CLINICAL = 5.0
_SIDE_LABELS = ("side", "laterality", "side / site", "site / side", "side/site", "site/side", "eye", "lat")
_SPARED = re.compile(r"\b(?:spar(?:e|ed|es|ing)|avoid\w*|not|away from|off)\b", re.IGNORECASE)
_BOTH = (
    "both lobes",
    "both sides",
    "bilateral*",
    "right and left",
    "left and right",
    "each lobe",
    "each side",
)


def find_side(
    site: str | None,
    regions: Sequence[Region],
    phrases: Sequence[Phrase],
    request: Request,
    tumours: Sequence[Context],
    weigher: Weigher,
    rules: TargetRules,
) -> Field:
    """The side of the target: the plan's phrase first, then plan lines, reports, codes."""
    if site is None or site in rules.sites.unpaired:
        return Field()
    stated = list(_sides_of_phrases(phrases, weigher.words))
    if phrases and holds(rules.words.whole, phrases[0].words):
        return _both_sides(site, tumours, weigher)
    if not stated and phrases and holds(rules.words.midline, phrases[0].words):
        return Field()
    if not phrases and site in rules.sites.halves and (both := _both_sides(site, tumours, weigher)).value:
        return both
    candidates = [
        *stated,
        *_sides_of_plans(regions),
        *_sides_of_codes(site, request, rules),
        *_sides_of_tumours(site, tumours, weigher),
    ]
    return _wrong_side(choose(candidates, least=3), candidates)


def _both_sides(site: str, tumours: Sequence[Context], weigher: Weigher) -> Field:
    """For an organ that is treated as a whole: bilateral where its tumour is found on both sides."""
    sides: dict[str, Candidate] = {}
    for tumour in tumours:
        if (
            excluded(tumour, weigher.rules)
            or tumour.about_nodes
            or (tumour.sites and site not in tumour.sites)
        ):
            continue
        words = tumour.text[tumour.start : tumour.end]
        named = {*sides_in(tumour.source, tumour.start, tumour.end), *side_words(words, weigher.words)}
        both = {"left", "right"} <= named or "bilateral" in named or holds(_BOTH, tumour.words)
        if both or tumour.is_pathology:
            for side in ("left", "right") if both else named & {"left", "right"}:
                sides.setdefault(side, Candidate("bilateral", 7, tumour.evidence("rule:laterality")))
    return choose(sides.values()) if len(sides) == 2 else Field()


def _wrong_side(field: Field, candidates: Sequence[Candidate]) -> Field:
    """Conflicting where one paper alone says the side and two or more clinical ones say the other."""
    others = {c.evidence.document for c in candidates if c.value != field.value and c.weight >= _CLINICAL}
    agreeing = {c.evidence.document for c in candidates if c.value == field.value}
    if len(others) < 2 or len(agreeing) > 1:
        return field
    return replace(field, status=Status.CONFLICTING, confidence=0.5)


def _sides_of_phrases(phrases: Sequence[Phrase], area: Area) -> Iterator[Candidate]:
    for phrase in phrases[:1]:
        sides = [side for start, end in _treated(phrase) for side in _sides_between(phrase, start, end, area)]
        if len(set(sides)) == 1:
            yield Candidate(sides[0], 14, phrase.region.evidence(phrase.start, phrase.end, "rule:laterality"))


def _treated(phrase: Phrase) -> Iterator[tuple[int, int]]:
    """The parts of a phrase without those that tell what is spared ("urethra and left lobe spared")."""
    position = phrase.start
    for part in re.split(r"([,;(])", phrase.words):
        if part not in ",;(" and not _SPARED.search(part):
            yield position, position + len(part)
        position += len(part)


def _sides_between(phrase: Phrase, start: int, end: int, area: Area) -> list[str]:
    return sides_in(phrase.region.source, start, end) or side_words(phrase.region.text[start:end], area)


def _sides_of_plans(regions: Sequence[Region]) -> Iterator[Candidate]:
    for region in regions:
        if region.kind not in ("plan_document", "form"):
            continue
        weight = 11 if region.kind == "plan_document" else 6
        for line in labelled(region.text, region.start, region.end, _SIDE_LABELS, loose=True):
            sides = [
                m.value
                for m in labelled_in(region.source, "laterality", line.body, line.end)
                if ticked(region.text, m.start) is not False
            ]
            if sides:
                yield Candidate(sides[0], weight, region.evidence(line.start, line.end, "rule:laterality"))


def _sides_of_codes(site: str, request: Request, rules: TargetRules) -> Iterator[Candidate]:
    for field in request.icd10:
        side = rules.side_of_icd10(str(field.value))
        coded = rules.site_of_icd10(str(field.value))
        if side and coded and coded[0] == site and field.evidence:
            yield Candidate(side, 6, field.evidence[0])


def _sides_of_tumours(site: str, tumours: Sequence[Context], weigher: Weigher) -> Iterator[Candidate]:
    """Sides of tumours that stand in the target's organ, believed by document and section."""
    for tumour in tumours:
        if excluded(tumour, weigher.rules) or tumour.side is None or tumour.about_nodes:
            continue
        if site in tumour.sites[:1] or (not tumour.sites and tumour.mention.attributes.get("site") == site):
            weight = min(9.0, weigher.weight(tumour))
            if weight > 2:
                yield Candidate(tumour.side, weight, tumour.evidence("rule:laterality"))
