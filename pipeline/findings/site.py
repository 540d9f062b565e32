"""Tumours that one text names, and which of them it is about."""

from __future__ import annotations

import bisect
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.domain import (
    NOT_FOUND,
    AnnotatedDocument,
    Assertion,
    Code,
    Evidence,
    Field,
    Mention,
    Neoplasm,
    Status,
)
from pipeline.evidence import evidence_for

EXTRACTOR = "rule:site"
TumourStatus = Literal["current", "history", "suspected", "ruled_out"]

# How much a section says about the tumour that a text is about.
SECTION_WEIGHT = {
    "final_diagnosis": 3.0,
    "synoptic": 3.0,
    "postoperative_diagnosis": 3.0,
    "preoperative_diagnosis": 2.5,
    "impression": 3.0,
    "assessment": 3.0,
    "assessment_and_plan": 3.0,
    "treatment_plan": 3.0,
    "plan": 2.0,
    "staging": 3.0,
    "specimen": 2.0,
    "clinical_history": 2.0,
    "reason": 2.5,
    "chief_complaint": 2.0,
    "indication": 2.0,
    "history_of_present_illness": 1.5,
    "preamble": 2.0,
    "procedure": 2.0,
    "addendum": 1.5,
    "comment": 1.5,
    "intraoperative_diagnosis": 1.5,
    "oncologic_history": 1.5,
    "gross": 0.8,
    "microscopic": 1.0,
    "findings": 1.0,
    "block_key": 0.2,
    "ancillary_studies": 0.5,
    "physical_exam": 0.3,
    "review_of_systems": 0.1,
    "past_medical_history": 0.4,
    "past_surgical_history": 0.3,
    "social_history": 0.05,
    "medications": 0.05,
    "allergies": 0.02,
    "family_history": 0.02,
    "policy_text": 0.02,
    "patient_education": 0.02,
    "risks": 0.05,
    "comparison": 0.3,
}
_DEFAULT_WEIGHT = 1.0
_STRENGTH = {"": 1.0, "weak": 0.25, "contextual": 0.25, "procedure": 2.0}
_IMPLIED = 3.0
_RESOLVED = 1.5
_METASTATIC = 0.3
_BESIDE_TUMOUR = 2.0
_LABELLED = 6.0
_ASSERTED = {
    Assertion.PRESENT: 1.0,
    Assertion.POSSIBLE: 0.8,
    Assertion.HISTORICAL: 0.5,
    Assertion.ABSENT: 0.25,
    Assertion.CONDITIONAL: 0.3,
    Assertion.HYPOTHETICAL: 0.1,
    Assertion.FAMILY: 0.0,
}
_REACH = 70
# Sections that say what was asked before anything was looked at.
_QUESTIONS = frozenset({"indication", "reason", "clinical_history", "preoperative_diagnosis", "comparison"})
_LABEL = re.compile(
    r"(?:tumou?r|primary|lesion|cancer)\s*(?:site|location|type and location)"
    r"|specimen\s*(?:type|site)|^site|organ|topography|histologic type|tumou?r type"
    r"|primary site|anatomic site",
    re.IGNORECASE,
)
_SITE_AS_NODE = re.compile(r"[ ,]{0,2}(?:lymph\s?)?nodes?\b|[ ,]{0,2}(?:margin|adenopathy)", re.IGNORECASE)


@dataclass(frozen=True)
class Tumour:
    """One mention of a tumour with the site that its words give it."""

    mention: Mention
    site: str | None
    status: TumourStatus
    relation: Literal["patient", "family"]


def tumours(source: AnnotatedDocument) -> tuple[Tumour, ...]:
    """Every mention of a tumour, with site, status and relation, in text order."""
    sites = [mention for mention in source.mentions if mention.label == "site"]
    starts = [mention.start for mention in sites]
    return tuple(
        Tumour(
            mention,
            _site_of(mention, sites, starts, source.document.text),
            _status(mention),
            "family" if _is_family(mention) else "patient",
        )
        for mention in source.mentions
        if mention.label == "neoplasm" and mention.assertion is not Assertion.HYPOTHETICAL
    )


def _is_family(mention: Mention) -> bool:
    return mention.assertion is Assertion.FAMILY or mention.attributes.get("relation") == "family"


def _status(mention: Mention) -> TumourStatus:
    if mention.assertion is Assertion.ABSENT:
        return "ruled_out"
    if mention.assertion is Assertion.FAMILY or mention.assertion is Assertion.HISTORICAL:
        return "history"
    if mention.assertion in (Assertion.POSSIBLE, Assertion.CONDITIONAL):
        return "suspected"
    if mention.attributes.get("generic") == "true" and mention.value != "tumor":
        return "suspected"
    return "current"


def _site_of(mention: Mention, sites: Sequence[Mention], starts: Sequence[int], text: str) -> str | None:
    """The organ that the words mean, else the nearest organ of the same sentence."""
    if "site" in mention.attributes:
        return mention.attributes["site"]
    best: tuple[float, str] | None = None
    low = bisect.bisect_left(starts, mention.start - _REACH - 30)
    for site in sites[low : bisect.bisect_right(starts, mention.end + _REACH)]:
        left, right = (site.end, mention.start) if site.start < mention.start else (mention.end, site.start)
        between = text[left:right] if left <= right else ""
        if len(between) > _REACH or re.search(r"[.;]\s+[A-Z(]|\n\s*\n|\S {3,}\S", between):
            continue
        if _SITE_AS_NODE.match(text, site.end):
            continue
        distance = len(between) + (
            15 if site.start > mention.start and not re.match(r"\s*(?:of|in|at|from|,|\()", between) else 0
        )
        distance += {"weak": 25, "contextual": 20, "procedure": 10}.get(
            site.attributes.get("strength", ""), 0
        )
        best = min(best or (distance, site.value), (distance, site.value))
    return best[1] if best else None


def neoplasms(source: AnnotatedDocument) -> tuple[Neoplasm, ...]:
    """Every tumour that the text names: one for each site and relation, in order of mention.

    Of several statements about one site the strongest counts: current, suspected, history, ruled
    out. A tumour named without a site is taken for the one that the text is about.
    """
    principal = principal_site(source).value
    groups: dict[tuple[str, str], list[Tumour]] = {}
    loose: list[Tumour] = []
    for tumour in tumours(source):
        if tumour.relation == "family" and tumour.status == "ruled_out":
            continue
        if tumour.site is None or (tumour.site == "lymph_node" and principal != "lymph_node"):
            loose.append(tumour)
        if tumour.site is not None:
            groups.setdefault((tumour.site, tumour.relation), []).append(tumour)
    if isinstance(principal, str):
        own = groups.setdefault((principal, "patient"), [])
        own += [one for one in loose if one.relation == "patient" and (not own or _is_specific(one))]
        if not own:
            del groups[principal, "patient"]
    return tuple(_merged(source, key[0], group) for key, group in groups.items())


def _is_specific(tumour: Tumour) -> bool:
    return (
        tumour.mention.attributes.get("generic") != "true" and "metastatic" not in tumour.mention.attributes
    )


def _merged(source: AnnotatedDocument, site: str, group: Sequence[Tumour]) -> Neoplasm:
    status = "history" if group[0].relation == "family" else merged_status(group)
    shown = [tumour.mention for tumour in group if tumour.status == status] or [
        tumour.mention for tumour in group
    ]
    return Neoplasm(
        site=site,
        status=status,
        relation=group[0].relation,
        evidence=tuple(_evidence(source, mention) for mention in shown[:3]),
    )


def merged_status(group: Sequence[Tumour]) -> TumourStatus:
    """The status of one tumour from all that is said of it."""
    weights: dict[TumourStatus, float] = defaultdict(float)
    for tumour in group:
        weights[tumour.status] += SECTION_WEIGHT.get(tumour.mention.section, _DEFAULT_WEIGHT)
    named = {tumour.status for tumour in group if _is_specific(tumour)}
    if "current" in weights and ("current" in named or not named & {"history", "suspected"}):
        return "history" if weights["history"] > 3 * weights["current"] else "current"
    if "ruled_out" in weights and _only_asked(group):
        return "ruled_out"
    for status in ("suspected", "history", "current"):
        if status in weights and (status in named or not named):
            return status
    return max(weights, key=lambda status: weights[status])


def _only_asked(group: Sequence[Tumour]) -> bool:
    """Whether a tumour was suspected in the question only and denied in the answer."""
    answers = [tumour.status for tumour in group if tumour.mention.section not in _QUESTIONS]
    return bool(answers) and all(status == "ruled_out" for status in answers)


def site_scores(source: AnnotatedDocument) -> dict[str, float]:
    """How strongly the text speaks of a tumour in each site; unnormalised."""
    counted: dict[tuple[str, str, str], float] = defaultdict(float)
    top: dict[tuple[str, str, str], float] = defaultdict(float)
    for site, kind, section, weight in _votes(source):
        counted[site, kind, section] += weight
        top[site, kind, section] = max(top[site, kind, section], weight)
    scores: dict[str, float] = defaultdict(float)
    for (site, kind, section), total in counted.items():
        best = top[site, kind, section]
        if best > 0:  # repeated words of one section add less and less
            scores[site] += best * (1 + math.log(total / best)) * SECTION_WEIGHT.get(section, _DEFAULT_WEIGHT)
    return dict(scores)


def _votes(source: AnnotatedDocument) -> Iterator[tuple[str, str, str, float]]:
    text = source.document.text
    found = tumours(source)
    beside = [tumour.mention for tumour in found if tumour.mention.assertion is not Assertion.ABSENT]
    ends = [mention.end for mention in beside]
    for tumour in found:
        mention = tumour.mention
        weight = _ASSERTED[mention.assertion]
        if tumour.relation == "family":
            continue
        if "metastatic" in mention.attributes:
            weight *= _METASTATIC
        if "site" in mention.attributes:
            yield mention.attributes["site"], "implied", mention.section, weight * _IMPLIED
        elif tumour.site is not None:
            yield tumour.site, "tumour", mention.section, weight * _RESOLVED
    for mention in source.mentions:
        if mention.label != "site":
            continue
        weight = _STRENGTH[mention.attributes.get("strength", "")] * _ASSERTED[mention.assertion]
        if _SITE_AS_NODE.match(text, mention.end):
            weight *= 0.2
        before = text[max(0, mention.start - 45) : mention.start]
        label = before.rpartition(".")[2]
        if _LABEL.search(label) and ":" in label:
            yield mention.value, "labelled", mention.section, _LABELLED * _ASSERTED[mention.assertion]
        near = bisect.bisect_left(ends, mention.start - 60)
        if any(
            abs(other.start - mention.start) < 80
            and not re.search(r"[.;]\s", text[min(other.end, mention.end) : max(other.start, mention.start)])
            for other in beside[near : near + 8]
        ):
            weight *= _BESIDE_TUMOUR
        yield mention.value, "named", mention.section, weight


def principal_site(source: AnnotatedDocument, display: dict[str, tuple[str, str]] | None = None) -> Field:
    """The site of the tumour that the text is about; not found where it names none.

    `display` gives for each site its ICD-O-3 code and name.
    """
    scores = site_scores(source)
    scores.pop("lymph_node", None) if len(scores) > 1 else None
    if not scores or not any(map(_speaks_of_tumour, tumours(source))):
        return NOT_FOUND
    best = max(scores, key=lambda site: scores[site])
    rest = max((score for site, score in scores.items() if site != best), default=0.0)
    evidence = _site_evidence(source, best)
    if not evidence:
        return NOT_FOUND
    code = (display or {}).get(best)
    return Field(
        value=best,
        status=Status.FOUND,
        confidence=round(scores[best] / (scores[best] + rest), 3),
        code=Code("ICD-O-3", *code) if code else None,
        evidence=evidence,
    )


def _speaks_of_tumour(tumour: Tumour) -> bool:
    """Whether a mention makes the text one about a tumour; "no masses" of an examination does not."""
    if tumour.relation == "family" or tumour.status == "ruled_out":
        return False
    return _is_specific(tumour) or tumour.site is not None or tumour.mention.value == "tumor"


def _site_evidence(source: AnnotatedDocument, site: str) -> tuple[Evidence, ...]:
    shown = [
        mention
        for mention in source.mentions
        if (mention.label == "site" and mention.value == site) or mention.attributes.get("site") == site
    ]
    shown.sort(key=lambda mention: -SECTION_WEIGHT.get(mention.section, _DEFAULT_WEIGHT))
    return tuple(_evidence(source, mention) for mention in shown[:3])


def _evidence(source: AnnotatedDocument, mention: Mention) -> Evidence:
    return evidence_for(
        source.document,
        mention.start,
        mention.end,
        section=mention.section,
        assertion=mention.assertion,
        extractor=EXTRACTOR,
    )
