"""The target lesion: which tumour the requested procedure would treat, where it is and on which side.

The anchor is the plan's phrase for what is treated; then the plan's other lines, the codes, the form
and last the diagnoses. Each votes for a site; a site that is clearly ahead is the answer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.catalog.target import TargetRules
from pipeline.catalog.treatment import Treatment
from pipeline.domain import AnnotatedDocument, Assertion, Evidence, Field, Mention, Request, Status
from pipeline.findings.area import Phrase
from pipeline.findings.choose import Candidate, choose
from pipeline.findings.lesions import (
    NOT_CURRENT,
    Context,
    Weigher,
    labelled_in,
    place_words,
)
from pipeline.findings.lines import labelled
from pipeline.findings.phrases import clause, find, holds
from pipeline.findings.regions import Region
from pipeline.marks import line_of, ticked

_DIAGNOSIS_LABELS = (
    "diagnosis",
    "dx",
    "diagnoses",
    "indication",
    "pre-op dx",
    "preop dx",
    "pre-procedure diagnosis",
    "for",
    "disease",
    "condition",
    "problem",
    "tumor type",
    "cancer type",
    "type",
)
# Words that turn a diagnosis into a fear stand at most this far from it, characters.
_NEAR = 50
# A diagnosis code with its printed words behind it.
_CODED = re.compile(r"\b[CD]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?\b[\s:()|=-]*(?:[\w,'-]+[\s,]+){0,8}$")
# Which eye, or a place in it.
_EYE = re.compile(r"\b(?:OD|OS|OU|fovea|macula|optic (?:disc|nerve)|equator)\b")


@dataclass(frozen=True)
class Target:
    """The lesion to be treated, as far as the packet tells: site, side, words of the plan's phrase."""

    site: str | None
    side: str | None
    words: frozenset[str]
    in_metastasis: bool = False


@dataclass(frozen=True)
class Vote:
    """A statement that the target is at `site`; `secondary` where it also says that it is a metastasis."""

    site: str
    weight: float
    evidence: Evidence
    secondary: bool = False


def find_site(votes: Sequence[Vote], rules: TargetRules) -> Field:
    """The site with clearly the most votes; uncertain where two are close."""
    total: dict[str, float] = defaultdict(float)
    for vote in votes:
        total[vote.site] += vote.weight
    if not total:
        return Field()
    ordered = sorted(total.items(), key=lambda item: -item[1])
    best, score = ordered[0]
    second = ordered[1][1] if len(ordered) > 1 else 0.0
    if score < rules.votes.least:
        return Field(status=Status.UNCERTAIN)
    candidates = [Candidate(v.site, v.weight, v.evidence) for v in votes]
    if score < rules.votes.clear * second:
        return Field(status=Status.UNCERTAIN, alternatives=choose(candidates).alternatives)
    return _with_value(choose(candidates), best, candidates, score, second)


def _with_value(field: Field, best: str, candidates: list[Candidate], score: float, second: float) -> Field:
    """`field` for the site with the most votes, whichever single statement weighs most."""
    chosen = choose(c if c.value == best else replace(c, reason="other_lesion") for c in candidates)
    share = score / (score + second)
    confidence = round(min(0.99, 0.6 + 0.02 * min(score, 15)) * (0.6 + 0.4 * share), 3)
    return replace(chosen, confidence=confidence)


def site_votes(
    documents: Sequence[AnnotatedDocument],
    regions: Sequence[Region],
    phrases: Sequence[Phrase],
    request: Request,
    treatment: Treatment,
    rules: TargetRules,
) -> list[Vote]:
    """All votes for where the target is."""
    return [
        *_from_phrases(phrases, rules),
        *_from_plans(regions, treatment, rules),
        *_from_codes(request, rules),
        *_from_forms(regions, rules),
    ]


def _from_phrases(phrases: Sequence[Phrase], rules: TargetRules) -> Iterator[Vote]:
    """The plan's phrase: the first site in it is where the lesion is, others are neighbours or origins."""
    if not phrases:
        return
    best = phrases[0]
    source = best.region.source
    named = _places_of(source, best.start, best.end)
    for index, (site, mention) in enumerate(named):
        weight = rules.votes.area_first if index == 0 else rules.votes.area_other
        weight = weight / 2 if mention.attributes.get("strength") in ("weak", "contextual") else weight
        evidence = best.region.evidence(best.start, best.end, "rule:site")
        yield Vote(site, weight, evidence, holds(rules.words.metastatic, best.words))


def _places_of(source: AnnotatedDocument, start: int, end: int) -> list[tuple[str, Mention]]:
    """Sites in a range in the order in which they say where a lesion is.

    A site that a histology carries (renal cell carcinoma) comes after every site that is named.
    """
    named = [(m.value, m) for m in labelled_in(source, "site", start, end)]
    in_eye = _EYE.search(source.document.text, start, end) is not None
    native = [
        ("uvea" if in_eye and _is_melanocytic(m) else m.attributes["site"], m)
        for m in labelled_in(source, "neoplasm", start, end)
        if m.attributes.get("site")
    ]
    found: dict[str, Mention] = {}
    strong = [item for item in named if item[1].attributes.get("strength") not in ("weak", "contextual")]
    weak = [item for item in named if item not in strong]
    for site, mention in (*strong, *native, *weak):
        found.setdefault(site, mention)
    return list(found.items())


def _is_melanocytic(mention: Mention) -> bool:
    """Nevus and melanoma: of the skin where nothing says that they are in the eye."""
    return mention.attributes.get("icdo3", "").startswith(("872", "873", "874", "877", "878"))


def _from_plans(regions: Sequence[Region], treatment: Treatment, rules: TargetRules) -> Iterator[Vote]:
    """Procedure and diagnosis lines of a plan, and sentences of a plan that name a modality."""
    labels = (*treatment.procedures.labels, *_DIAGNOSIS_LABELS)
    for region in regions:
        if region.kind not in ("plan_document", "plan_section"):
            continue
        spans = []
        if region.kind == "plan_document":
            spans = [
                (line.body, line.end) for line in labelled(region.text, region.start, region.end, labels)
            ]
        yield from _span_votes(region, spans, rules.votes.plan_line)
        yield from _span_votes(region, _modality_clauses(region, treatment), rules.votes.plan_sentence)


def _modality_clauses(region: Region, treatment: Treatment) -> list[tuple[int, int]]:
    found = set()
    for modality in treatment.procedures.modalities:
        if modality.name == "other":
            continue
        for match in find(modality.terms, region.text, region.start, region.end):
            start, end = clause(region.text, match.start(), match.end())
            if not holds(treatment.procedures.setback, region.text, start, match.start()):
                found.add((start, min(end, region.end)))
    return sorted(found)


def _span_votes(region: Region, spans: Iterable[tuple[int, int]], weight: float) -> Iterator[Vote]:
    """One vote a site for all spans of a region together."""
    seen: set[str] = set()
    for start, end in spans:
        for index, (site, mention) in enumerate(_places_of(region.source, start, end)):
            if site in seen or mention.assertion in NOT_CURRENT:
                continue
            seen.add(site)
            yield Vote(site, weight / (1 + index), region.evidence(start, end, "rule:site"))


def _from_codes(request: Request, rules: TargetRules) -> Iterator[Vote]:
    for field in request.cpt:
        site = rules.site_of_cpt(str(field.value))
        if site and field.evidence:
            yield Vote(site, rules.votes.code_cpt, field.evidence[0])
    secondary = any((rules.site_of_icd10(str(f.value)) or ("", False))[1] for f in request.icd10)
    first = True
    for field in request.icd10:
        coded = rules.site_of_icd10(str(field.value))
        if coded is None or not field.evidence:
            continue
        site, metastasis = coded
        weight = rules.votes.code_icd_first if first and not secondary else rules.votes.code_icd_other
        first = False
        yield Vote(
            site, rules.votes.code_icd_secondary if metastasis else weight, field.evidence[0], metastasis
        )


def _from_forms(regions: Sequence[Region], rules: TargetRules) -> Iterator[Vote]:
    """Sites that the office wrote or ticked on form and cover, one vote a site; unticked ones are print."""
    for region in regions:
        if region.kind not in ("form", "cover"):
            continue
        seen: set[str] = set()
        for mention in labelled_in(region.source, "site", region.start, region.end):
            tick = ticked(region.text, mention.start)
            if (
                mention.value in seen
                or tick is False
                or mention.attributes.get("strength") in ("weak", "contextual")
            ):
                continue
            seen.add(mention.value)
            start, end = line_of(region.text, mention.start)
            yield Vote(
                mention.value, rules.votes.form * (2 if tick else 1), region.evidence(start, end, "rule:site")
            )


def diagnosis_votes(tumours: Sequence[Context], weigher: Weigher, rules: TargetRules) -> list[Vote]:
    """Votes of the tumours that the packet names as present: each site at most three times, by weight.

    They decide where neither plan nor code names an organ; in a plain text they are all there is.
    """
    found: dict[str, list[Vote]] = defaultdict(list)
    for tumour in tumours:
        weight = weigher.weight(tumour)
        if tumour.mention.assertion in NOT_CURRENT or weight <= 2:
            continue
        site = tumour.sites[0] if tumour.sites else tumour.mention.attributes.get("site")
        if site:
            found[site].append(Vote(site, rules.votes.diagnosis * weight / 10, tumour.evidence("rule:site")))
    return [vote for votes in found.values() for vote in sorted(votes, key=lambda v: -v.weight)[:3]]


def of_target(tumour: Context, target: Target, rules: TargetRules) -> bool:
    """Whether a statement about a tumour is about the target, by site, side and time.

    A statement that names no place is taken for the target's; one that names only other organs is
    another lesion's, unless its histology belongs to the target's organ.
    """
    if target.side and tumour.side and {target.side, tumour.side} == {"left", "right"}:
        return False
    native = tumour.mention.attributes.get("site")
    if tumour.sites:
        return target.site in tumour.sites
    if native and native != target.site:
        return target.in_metastasis or holds(rules.words.metastatic, tumour.words)
    return True


def excluded(tumour: Context, rules: TargetRules) -> str | None:
    """The reason why a statement does not hold for today's tumour, None where it does."""
    reason = NOT_CURRENT.get(tumour.mention.assertion)
    if reason:
        return reason
    code = tumour.mention.attributes.get("icdo3", "")
    if tumour.source.document.type in rules.weights.forms and (
        code.startswith("8000") or _CODED.search(_line_before(tumour))
    ):
        return "printed"  # the words of a code ("malignant neoplasm of ...") are no diagnosis
    if ticked(tumour.text, tumour.mention.start) is False:
        return "printed"
    if tumour.mention.section in ("past_medical_history", "past_surgical_history", "oncologic_history"):
        return "historical"
    if tumour.mention.section == "family_history":
        return "family"
    before = tumour.text[max(tumour.start, tumour.mention.start - 60) : tumour.mention.start]
    after = tumour.text[tumour.mention.end : min(tumour.end, tumour.mention.end + 90)]
    if holds(rules.words.denied_after, after.split(";")[0]):
        return "ruled_out"
    if _only_feared(tumour, rules):
        return "hypothetical"
    return "historical" if holds(rules.words.history, before) else None


def _line_before(tumour: Context) -> str:
    start, _ = line_of(tumour.text, tumour.mention.start)
    return tumour.text[start : tumour.mention.start]


def _only_feared(tumour: Context, rules: TargetRules) -> bool:
    """Whether the words tell what a lesion may turn into or must not be: "transformation to melanoma"."""
    text, mention = tumour.text, tumour.mention
    before = text[max(tumour.start, mention.start - _NEAR) : mention.start]
    before = re.split(r"[,;:]|\bbut\b|\bis\b", before)[-1]
    after = text[mention.end : min(tumour.end, mention.end + _NEAR // 2)]
    first = re.match(r"[ \t\n]*(?:[\w-]+[ \t\n]*){1,2}", after)
    return holds(rules.words.becoming, before) or bool(
        first and holds(rules.words.becoming_after, first.group())
    )


def hedged(tumour: Context, rules: TargetRules) -> bool:
    """Whether the clause only considers the diagnosis: a differential, "until proven otherwise"."""
    if tumour.mention.assertion is Assertion.POSSIBLE:
        return True
    around = tumour.text[
        max(tumour.start, tumour.mention.start - 200) : min(tumour.end, tumour.mention.end + 70)
    ]
    return holds(rules.words.hedges, around)


def plan_words(phrases: Sequence[Phrase], treatment: Treatment) -> frozenset[str]:
    """Place words of the plan's phrase, by which reports are tied to it."""
    return place_words(phrases[0].words, treatment.area) if phrases else frozenset()
