"""What the target is: behaviour, lung type, primary or metastatic and from where.

Pathology of the target's specimen is believed over clinical impressions, those over the form. Of
several specimens of one lesion the worst counts. "Negative for carcinoma" is not carcinoma.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.catalog.target import TargetRules
from pipeline.domain import Field, Request, Status
from pipeline.findings.choose import Candidate, choose
from pipeline.findings.lesions import Context, Weigher, labelled_in, place_words
from pipeline.findings.phrases import holds
from pipeline.findings.target import Target, excluded, hedged, of_target
from pipeline.icd10 import nature_of

# What a tumour is called whose code is of such a nature; any other is no word against a malignant one.
_CODED = {"in_situ": "premalignant", "benign": "benign"}
# Of several specimens of one lesion the worst decides.
_WORST_FIRST = ("malignant", "premalignant", "uncertain", "benign")
_HEDGED = 5.0
# Statements this near in weight are as good as each other.
_NEAR, _DISPUTED = 1.6, 1.0


@dataclass(frozen=True)
class Reading:
    """A tumour statement of the target with its weight; `reason` where it does not hold."""

    tumour: Context
    weight: float
    reason: str | None
    possible: bool = False
    broad: bool = False

    @property
    def named(self) -> bool:
        """Whether it names a histology and not only that there is a tumour."""
        return self.tumour.mention.attributes.get("generic") != "true"

    @property
    def behavior(self) -> str | None:
        return self.tumour.mention.attributes.get("behavior")

    def candidate(self, value: str, extractor: str, weight: float | None = None) -> Candidate:
        return Candidate(
            value,
            self.weight if weight is None else weight,
            self.tumour.evidence(extractor),
            reason=self.reason,
            date=self.tumour.date,
        )


def readings(
    tumours: Sequence[Context], target: Target, weigher: Weigher, rules: TargetRules
) -> list[Reading]:
    """Every tumour statement, those of another lesion or another time with the reason."""
    found = []
    for tumour in tumours:
        reason = excluded(tumour, rules)
        if reason is None and not of_target(tumour, target, rules):
            reason = "other_lesion"
        weight = weigher.weight(tumour)
        if tumour.about_nodes and target.site != "lymph_node":
            weight -= 3
        possible = hedged(tumour, rules)
        if possible:
            weight = min(weight - 3, _HEDGED)
        broad = tumour.mention.value in rules.words.broad
        found.append(Reading(tumour, weight, reason, possible, broad))
    return _of_the_right_specimen(found, weigher)


def _of_the_right_specimen(statements: list[Reading], weigher: Weigher) -> list[Reading]:
    """Of a report's specimens, those elsewhere are other lesions where one stands where the plan says."""
    shared = {
        r.tumour.source.document.id
        for r in statements
        if r.named and r.reason is None and r.tumour.is_pathology and weigher.shared(r.tumour)
    }
    return [
        replace(r, reason="other_lesion")
        if r.reason is None
        and r.tumour.is_pathology
        and r.tumour.source.document.id in shared
        and place_words(r.tumour.words, weigher.words)
        and not weigher.shared(r.tumour)
        else r
        for r in statements
    ]


def find_behavior(statements: Sequence[Reading]) -> Field:
    """Behaviour of the target: that of its named histologies, of several specimens the worst.

    Clinicians' statements of nearly one weight that differ are a conflict, not a vote.
    """
    named = [r for r in statements if r.named and r.behavior and r.weight > 2]
    worst = _worst_specimen(
        [r for r in named if r.reason is None and r.tumour.is_pathology and not r.possible]
    )
    candidates = [
        r.candidate(
            str(r.behavior),
            "rule:behavior",
            r.weight + (2 * _NEAR if worst and r.behavior == worst.behavior else 0),
        )
        if r.tumour.is_pathology
        else r.candidate(str(r.behavior), "rule:behavior")
        for r in named
    ]
    field = choose(candidates, least=3)
    if field.value is None:
        return field
    held = [r for r in named if r.reason is None]
    if all(r.possible for r in held if r.behavior == field.value):
        return Field(status=Status.UNCERTAIN, alternatives=field.alternatives)
    if _is_disputed(field, candidates):
        return replace(field, status=Status.CONFLICTING, confidence=0.5)
    return field


def disputed_by_codes(behavior: Field, request: Request, target: Target, rules: TargetRules) -> Field:
    """What the papers call malignant is in conflict where the request's own diagnosis codes and another paper
    say that it is not: one misread word ("in seit") makes an invasive cancer of a carcinoma in situ.
    """
    if behavior.value != "malignant" or behavior.status is not Status.FOUND:
        return behavior
    coded = {
        _CODED.get(nature_of(str(field.value)) or "", "malignant")
        for field in request.icd10
        if (place := rules.site_of_icd10(str(field.value))) and place[0] == target.site
    }
    said = {str(one.value) for one in behavior.alternatives if one.reason == "outweighed"}
    if not coded or "malignant" in coded or coded.isdisjoint(said):
        return behavior
    return replace(behavior, status=Status.CONFLICTING, confidence=0.5)


def _worst_specimen(statements: Sequence[Reading]) -> Reading | None:
    """Of the diagnoses that a report gives the target's specimens, the worst."""
    heaviest = max((r.weight for r in statements), default=0.0)
    near = [r for r in statements if r.weight >= heaviest - _NEAR]
    return min(near, key=lambda r: _WORST_FIRST.index(str(r.behavior)), default=None)


def _is_disputed(field: Field, candidates: Sequence[Candidate]) -> bool:
    held = [c for c in candidates if c.reason is None]
    best = max(c.weight for c in held if c.value == field.value)
    return any(c.weight > best - _DISPUTED for c in held if c.value != field.value)


def find_lung_type(statements: Sequence[Reading], target: Target, origin: Field, rules: TargetRules) -> Field:
    """Non-small cell or small cell, of a lung primary only."""
    if target.site != "lung" or origin.value == "metastatic":
        return Field()
    return choose(
        (
            r.candidate(kind, "rule:lung_type")
            for r in statements
            if (kind := _lung_type(r, rules)) and r.weight > 2 and not r.possible
        ),
        least=3,
    )


def _lung_type(reading: Reading, rules: TargetRules) -> str | None:
    """The type that the words say, or that the histology is in the lung."""
    mention = reading.tumour.mention
    if "lung_type" in mention.attributes:
        return mention.attributes["lung_type"]
    return next((kind for kind, names in rules.lung_types.items() if mention.value in names), None)


def find_origin(
    statements: Sequence[Reading], target: Target, request: Request, rules: TargetRules, anchor: Field
) -> Field:
    """Primary or metastatic; not found where neither is said and the organ often holds metastases."""
    if target.site is None:
        return Field()
    candidates = [c for r in statements for c in _origin_of(r, target, rules)]
    for field in request.icd10:
        coded = rules.site_of_icd10(str(field.value))
        if coded and coded[0] == target.site and coded[1] and field.evidence:
            candidates.append(Candidate("metastatic", 7, field.evidence[0]))
    if anchor.value and holds(rules.words.metastatic, str(anchor.value)):
        candidates.append(Candidate("metastatic", 12, anchor.evidence[0]))
    return choose(candidates, least=3)


def _origin_of(reading: Reading, target: Target, rules: TargetRules) -> Iterator[Candidate]:
    if reading.reason or reading.possible or reading.weight <= 2:
        return
    words = reading.tumour.words
    elsewhere = reading.tumour.about_nodes and target.site != "lymph_node"
    if holds(rules.words.metastatic, words) and not elsewhere:
        if target.site == "lymph_node" or _is_metastasis(reading, target):
            yield reading.candidate("metastatic", "rule:origin", reading.weight + 0.5)
        return
    native = reading.tumour.mention.attributes.get("site")
    stated = holds(rules.words.primary, words)
    if not stated and not (reading.named and _is_placed(reading, target)):
        return
    if (
        native == target.site
        or stated
        or target.site not in rules.sites.often_metastatic
        or _is_local(reading, target)
    ):
        yield reading.candidate(
            "primary", "rule:origin", reading.weight - (0 if native == target.site else 1)
        )


def _is_placed(reading: Reading, target: Target) -> bool:
    """Whether a diagnosis is placed in the target's organ: by its name, its clause, or its specimen."""
    tumour = reading.tumour
    return (
        tumour.mention.attributes.get("site") == target.site
        or target.site in tumour.sites
        or tumour.is_pathology
    )


def _is_local(reading: Reading, target: Target) -> bool:
    """Whether a diagnosis names the target's own organ ("lung, biopsy: squamous cell carcinoma")."""
    return target.site in reading.tumour.sites and reading.named and target.site in ("lung", "liver")


def _is_metastasis(reading: Reading, target: Target) -> bool:
    """Whether the words say that the target itself is a metastasis, and not that there are none."""
    return (target.site in reading.tumour.sites) or reading.tumour.mention.attributes.get(
        "metastasis"
    ) == "true"


def find_primary_site(
    statements: Sequence[Reading], target: Target, origin: Field, request: Request, rules: TargetRules
) -> Field:
    """The organ that a metastasis came from: named in its diagnosis, carried by its histology, or coded."""
    if origin.value != "metastatic":
        return Field()
    candidates = []
    for r in statements:
        if r.reason in ("family", "ruled_out", "hypothetical"):
            continue
        native = r.tumour.mention.attributes.get("site")
        others = [s for s in r.tumour.sites if s not in (target.site, "lymph_node", "other")]
        if native and native != target.site and r.weight > 1:
            candidates.append(replace(r.candidate(native, "rule:primary_site"), reason=None))
        elif others and r.weight > 2 and _comes_from(r, others[0], rules):
            candidates.append(replace(r.candidate(others[0], "rule:primary_site"), reason=None))
    for field in request.icd10:
        coded = rules.site_of_icd10(str(field.value))
        if coded and not coded[1] and coded[0] != target.site and field.evidence:
            candidates.append(Candidate(coded[0], 6, field.evidence[0]))
    return choose(candidates, least=3)


def _comes_from(reading: Reading, site: str, rules: TargetRules) -> bool:
    """Whether a metastasis is said to come from `site`: "consistent with", "origin", "primary" beside it."""
    tumour = reading.tumour
    if not holds(rules.words.metastatic, tumour.words):
        return False
    for mention in labelled_in(tumour.source, "site", tumour.start, tumour.end):
        if mention.value == site and mention.attributes.get("strength") not in ("weak", "contextual"):
            around = tumour.text[max(tumour.start, mention.start - 40) : min(tumour.end, mention.end + 20)]
            return holds(rules.words.origin_of, around)
    return False
