"""Tumours that one text names, and which of them it is about."""

from __future__ import annotations

import bisect
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.catalog.findings import FindingRules
from pipeline.catalog.one_text import SiteWeights
from pipeline.domain import (
    NOT_FOUND,
    AnnotatedDocument,
    Assertion,
    Evidence,
    Field,
    Mention,
    Neoplasm,
    Status,
)
from pipeline.evidence import evidence_of
from pipeline.findings.codes import codes_of_mentions

EXTRACTOR = "rule:site"
TumourStatus = Literal["current", "history", "suspected", "ruled_out"]

_REACH = 70
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


def neoplasms(source: AnnotatedDocument, rules: FindingRules) -> tuple[Neoplasm, ...]:
    """Every tumour that the text names: one for each site and relation, in order of mention.

    Of several statements about one site the strongest counts: current, suspected, history, ruled
    out. A tumour named without a site is taken for the one that the text is about, unless its histology is
    not one of that organ (a melanoma in a text about a kidney): such a one is listed without a site.
    """
    weights = rules.one_text.site
    principal = principal_site(source, weights).value
    groups: dict[tuple[str | None, str], list[Tumour]] = {}
    loose: list[Tumour] = []
    for tumour in tumours(source):
        if tumour.relation == "family" and tumour.status == "ruled_out":
            continue
        if tumour.site is None or (tumour.site == "lymph_node" and principal != "lymph_node"):
            loose.append(tumour)
        if tumour.site is not None:
            groups.setdefault((tumour.site, tumour.relation), []).append(tumour)
    if isinstance(principal, str):
        strange = [one for one in loose if one.site is None and _is_elsewhere(one, principal, rules)]
        loose = [one for one in loose if one not in strange]
        for tumour in strange:
            groups.setdefault((None, tumour.relation), []).append(tumour)
        own = groups.setdefault((principal, "patient"), [])
        own += [one for one in loose if one.relation == "patient" and (not own or _is_specific(one))]
        if not own:
            del groups[principal, "patient"]
    return tuple(_merged(source, key[0], group, rules) for key, group in groups.items())


def _is_elsewhere(tumour: Tumour, site: str, rules: FindingRules) -> bool:
    """Whether a tumour's histology occurs in other organs than `site`, as far as the dictionary knows."""
    histology = rules.histologies.get(tumour.mention.value)
    return histology is not None and bool(histology.likely) and site not in histology.likely


def _is_specific(tumour: Tumour) -> bool:
    return (
        tumour.mention.attributes.get("generic") != "true" and "metastatic" not in tumour.mention.attributes
    )


def _merged(
    source: AnnotatedDocument, site: str | None, group: Sequence[Tumour], rules: FindingRules
) -> Neoplasm:
    status = "history" if group[0].relation == "family" else merged_status(group, rules.one_text.site)
    shown = [tumour.mention for tumour in group if tumour.status == status] or [
        tumour.mention for tumour in group
    ]
    return Neoplasm(
        site=site,
        status=status,
        relation=group[0].relation,
        evidence=tuple(evidence_of(source.document, mention, EXTRACTOR) for mention in shown[:3]),
        codes=codes_of_mentions(
            site, rules.topography.get(site or ""), [*shown, *_places(source, site)], rules.site_codes
        ),
    )


def _places(source: AnnotatedDocument, site: str | None) -> list[Mention]:
    """Where the text names the organ."""
    return [mention for mention in source.mentions if mention.label == "site" and mention.value == site]


def merged_status(group: Sequence[Tumour], weights: SiteWeights) -> TumourStatus:
    """The status of one tumour from all that is said of it."""
    said: dict[TumourStatus, float] = defaultdict(float)
    for tumour in group:
        said[tumour.status] += weights.of_section(tumour.mention.section)
    named = {tumour.status for tumour in group if _is_specific(tumour)}
    if "current" in said and ("current" in named or not named & {"history", "suspected"}):
        return "history" if said["history"] > weights.outweighs * said["current"] else "current"
    if "ruled_out" in said and _only_asked(group, weights):
        return "ruled_out"
    for status in ("suspected", "history", "current"):
        if status in said and (status in named or not named):
            return status
    return max(said, key=lambda status: said[status])


def _only_asked(group: Sequence[Tumour], weights: SiteWeights) -> bool:
    """Whether a tumour was suspected in the question only and denied in the answer."""
    answers = [tumour.status for tumour in group if tumour.mention.section not in weights.questions]
    return bool(answers) and all(status == "ruled_out" for status in answers)


def site_scores(source: AnnotatedDocument, weights: SiteWeights) -> dict[str, float]:
    """How strongly the text speaks of a tumour in each site; unnormalised."""
    counted: dict[tuple[str, str, str], float] = defaultdict(float)
    top: dict[tuple[str, str, str], float] = defaultdict(float)
    for site, kind, section, weight in _votes(source, weights):
        counted[site, kind, section] += weight
        top[site, kind, section] = max(top[site, kind, section], weight)
    scores: dict[str, float] = defaultdict(float)
    for (site, kind, section), total in counted.items():
        best = top[site, kind, section]
        if best > 0:  # repeated words of one section add less and less
            scores[site] += best * (1 + math.log(total / best)) * weights.of_section(section)
    return dict(scores)


def _votes(source: AnnotatedDocument, weights: SiteWeights) -> Iterator[tuple[str, str, str, float]]:
    text = source.document.text
    found = tumours(source)
    beside = [tumour.mention for tumour in found if tumour.mention.assertion is not Assertion.ABSENT]
    ends = [mention.end for mention in beside]
    for tumour in found:
        mention = tumour.mention
        weight = weights.assertion[mention.assertion]
        if tumour.relation == "family":
            continue
        if "metastatic" in mention.attributes:
            weight *= weights.metastatic
        if "site" in mention.attributes:
            yield mention.attributes["site"], "implied", mention.section, weight * weights.implied
        elif tumour.site is not None:
            yield tumour.site, "tumour", mention.section, weight * weights.resolved
    for mention in source.mentions:
        if mention.label != "site":
            continue
        weight = (
            weights.of_strength(mention.attributes.get("strength", "")) * weights.assertion[mention.assertion]
        )
        if _SITE_AS_NODE.match(text, mention.end):
            weight *= weights.node
        before = text[max(0, mention.start - 45) : mention.start]
        label = before.rpartition(".")[2]
        if weights.labels.search(label) and ":" in label:
            yield (
                mention.value,
                "labelled",
                mention.section,
                weights.labelled * weights.assertion[mention.assertion],
            )
        near = bisect.bisect_left(ends, mention.start - 60)
        if any(
            abs(other.start - mention.start) < 80
            and not re.search(r"[.;]\s", text[min(other.end, mention.end) : max(other.start, mention.start)])
            for other in beside[near : near + 8]
        ):
            weight *= weights.beside
        yield mention.value, "named", mention.section, weight


def principal_site(source: AnnotatedDocument, weights: SiteWeights) -> Field:
    """The site of the tumour that the text is about; not found where it names none."""
    scores = site_scores(source, weights)
    scores.pop("lymph_node", None) if len(scores) > 1 else None
    if not scores or not any(map(_speaks_of_tumour, tumours(source))):
        return NOT_FOUND
    best = max(scores, key=lambda site: scores[site])
    rest = max((score for site, score in scores.items() if site != best), default=0.0)
    evidence = _site_evidence(source, best, weights)
    if not evidence:
        return NOT_FOUND
    return Field(
        value=best,
        status=Status.FOUND,
        confidence=round(scores[best] / (scores[best] + rest), 3),
        evidence=evidence,
    )


def _speaks_of_tumour(tumour: Tumour) -> bool:
    """Whether a mention makes the text one about a tumour; "no masses" of an examination does not."""
    if tumour.relation == "family" or tumour.status == "ruled_out":
        return False
    return _is_specific(tumour) or tumour.site is not None or tumour.mention.value == "tumor"


def _site_evidence(source: AnnotatedDocument, site: str, weights: SiteWeights) -> tuple[Evidence, ...]:
    shown = [
        mention
        for mention in source.mentions
        if (mention.label == "site" and mention.value == site) or mention.attributes.get("site") == site
    ]
    shown.sort(key=lambda mention: -weights.of_section(mention.section))
    return tuple(evidence_of(source.document, mention, EXTRACTOR) for mention in shown[:3])
