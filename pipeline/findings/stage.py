"""T, N, M, stage group and node status of the principal tumour of one text, and derived groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.catalog.one_text import StageWeights
from pipeline.catalog.staging import StageTable
from pipeline.domain import (
    NOT_FOUND,
    Alternative,
    AnnotatedDocument,
    Assertion,
    Field,
    Mention,
    Status,
)
from pipeline.evidence import evidence_of

EXTRACTOR = "rule:stage"
_LETTERS = {"t": "tnm_t", "n": "tnm_n", "m": "tnm_m"}
_NOT_CURRENT = frozenset(
    {Assertion.ABSENT, Assertion.FAMILY, Assertion.HYPOTHETICAL, Assertion.CONDITIONAL, Assertion.HISTORICAL}
)
_STAGED = frozenset({*_LETTERS.values(), "stage_group"})
# What a stage's label says in brackets of its tumour, and how far behind the tumour its stage can stand.
_IN_BRACKET = re.compile(r"[^()\n]{0,12}\)[ \t]*:")
_BRACKET = 40


@dataclass(frozen=True)
class StageFindings:
    """What one text states of the stage of its principal tumour."""

    t: Field = NOT_FOUND
    n: Field = NOT_FOUND
    m: Field = NOT_FOUND
    stage_group: Field = NOT_FOUND
    node_status: Field = NOT_FOUND
    derived_stage_group: Field = NOT_FOUND


def find_stage(
    source: AnnotatedDocument, site: str | None, tables: Mapping[str, StageTable], weights: StageWeights
) -> StageFindings:
    """The stage that `source` states for its principal tumour, which is at `site`.

    NX and MX are kept as such; nothing is filled in from silence.
    """
    current = [mention for mention in _of_tumour(source, site) if _counts(mention)]
    t, n, m = (_category(source, current, label, weights) for label in _LETTERS.values())
    return StageFindings(
        t=t,
        n=n,
        m=m,
        stage_group=_category(source, current, "stage_group", weights),
        node_status=_node_status(source, n, current),
        derived_stage_group=derive_stage_group(site, t, n, m, tables),
    )


def _of_tumour(source: AnnotatedDocument, site: str | None) -> Iterator[Mention]:
    """The mentions without the stages that a bracket gives to a tumour of another organ ("STAGE (PROSTATIC
    ADENOCARCINOMA): T2a" in a report on the bladder)."""
    other = -_BRACKET
    for mention in source.mentions:
        organ = mention.attributes.get("site") if mention.label == "neoplasm" else None
        if organ is not None:
            bracketed = _IN_BRACKET.match(source.document.text, mention.end)
            other = mention.end if bracketed and site and organ != site else -_BRACKET
        elif mention.label in _STAGED and mention.start - other < _BRACKET:
            continue
        yield mention


def _counts(mention: Mention) -> bool:
    if mention.label not in {*_LETTERS.values(), "stage_group", "nodes"}:
        return False
    return mention.assertion not in _NOT_CURRENT


def _weight(mention: Mention, weights: StageWeights) -> float:
    weight = weights.section.get(mention.section, weights.other_section)
    weight += weights.basis.get(mention.attributes.get("basis", ""), 0.0)
    if (
        mention.assertion is Assertion.POSSIBLE
        or "hedge" in mention.attributes
        or "range" in mention.attributes
    ):
        weight *= weights.hedged
    if mention.value.endswith("X"):
        weight *= weights.not_assessed
    return weight


def _category(
    source: AnnotatedDocument, mentions: Sequence[Mention], label: str, rules: StageWeights
) -> Field:
    """The best supported value of one category; several tumours: the highest T of equal support."""
    weights: dict[str, float] = {}
    of_value: dict[str, list[Mention]] = {}
    for mention in mentions:
        if mention.label != label:
            continue
        value = mention.value
        weights[value] = max(weights.get(value, 0.0), _weight(mention, rules)) + (
            0.2 if value in weights else 0.0
        )
        of_value.setdefault(value, []).append(mention)
    weights = {value: weight for value, weight in weights.items() if weight > 0}
    if len(weights) > 1:
        weights.pop("TIS", None)  # of several tumours the one with the highest T counts
    if not weights:
        return NOT_FOUND
    best = max(weights, key=lambda value: (round(weights[value], 1), value))
    best = _more_specific(best, weights)
    if any("range" in mention.attributes for mention in of_value[best]):
        return Field(status=Status.UNCERTAIN)
    basis = next((m.attributes["basis"] for m in of_value[best] if "basis" in m.attributes), None)
    return Field(
        value=best,
        status=Status.FOUND,
        confidence=_confidence(best, weights),
        evidence=tuple(evidence_of(source.document, mention, EXTRACTOR) for mention in of_value[best][:4]),
        basis=basis,
        edition=next((m.attributes["edition"] for m in of_value[best] if "edition" in m.attributes), None),
    )


def _more_specific(best: str, weights: Mapping[str, float]) -> str:
    """T2 and T2A of the same tumour: the one that says more, if it is nearly as well supported."""
    longer = [v for v in weights if v.startswith(best) and v != best and weights[v] >= 0.6 * weights[best]]
    return max(longer, key=lambda value: weights[value]) if longer else best


def _confidence(best: str, weights: Mapping[str, float]) -> float:
    rivals = sum(w for v, w in weights.items() if not v.startswith(best) and not best.startswith(v))
    share = weights[best] / (weights[best] + 0.5 * rivals)
    return round(min(0.99, 0.6 + 0.4 * share) if share > 0.5 else 0.5, 3)


def _node_status(source: AnnotatedDocument, n: Field, mentions: Iterable[Mention]) -> Field:
    """From the N category where one is stated, else from counted nodes, else from words."""
    if isinstance(n.value, str) and n.value[1:2] in "0123":
        value = "negative" if n.value.startswith("N0") else "positive"
        return Field(value=value, status=Status.FOUND, confidence=n.confidence, evidence=n.evidence)
    nodes = [mention for mention in mentions if mention.label == "nodes"]
    positive = [mention for mention in nodes if mention.value == "positive"]
    chosen = positive or nodes
    if not chosen:
        return NOT_FOUND
    counted = any("ratio" in mention.attributes for mention in chosen)
    return Field(
        value=chosen[0].value,
        status=Status.FOUND,
        confidence=0.9 if counted else 0.75,
        evidence=tuple(evidence_of(source.document, mention, EXTRACTOR) for mention in chosen[:4]),
    )


def derive_stage_group(
    site: str | None,
    t: Field,
    n: Field,
    m: Field,
    tables: Mapping[str, StageTable],
    edition: str | None = None,
) -> Field:
    """The group that T, N and M give for `site`, with the edition named; not found where one is missing.

    The edition is the one asked for, else the one that the text names beside its T, N or M, else
    the site's default. X is not 0: a category that cannot be assessed derives a group only where
    the table says "any".
    """
    table = tables.get(site or "")
    if table is None or (t.value is None and m.value is None):
        return NOT_FOUND
    named = edition or next((field.edition for field in (t, n, m) if field.edition in table.editions), None)
    used = named if named in table.editions else table.default_edition
    t_value, n_value, m_value = (str(f.value).upper() if f.value is not None else None for f in (t, n, m))
    group = group_of(table, used, t_value, n_value, m_value)
    if group is None:
        return NOT_FOUND
    evidence = tuple(item for field in (t, n, m) for item in field.evidence[:1])
    confidence = min(field.confidence or 1.0 for field in (t, n, m) if field.value is not None)
    return Field(value=group, status=Status.FOUND, confidence=confidence, evidence=evidence, edition=used)


def checked_against_tnm(stage: Field, t: Field, n: Field, m: Field, table: StageTable | None) -> Field:
    """The stated group, doubted where the stated T, N and M give another one in every edition of `table`.

    Read from an image it is uncertain (IA, IIA and IIIA differ by a stroke), else conflicting; the group that
    T, N and M give is an alternative `derived_from_tnm`.
    """
    stated = (stage, t, n, m)
    if table is None or any(field.status is not Status.FOUND for field in stated):
        return stage
    letters = (str(t.value).upper(), str(n.value).upper(), str(m.value).upper())
    found = {group_of(table, edition, *letters) for edition in table.editions}
    groups = sorted(group for group in found if group is not None)
    value = str(stage.value).upper()
    if not groups or any(group.startswith(value) or value.startswith(group) for group in groups):
        return stage
    shown = tuple(item for field in (t, n, m) for item in field.evidence[:1])
    others = tuple(Alternative(group, "derived_from_tnm", shown) for group in groups)
    if any(item.source == "ocr" for item in stage.evidence):
        said = Alternative(stage.value or value, "contradicts_tnm", stage.evidence)
        return Field(status=Status.UNCERTAIN, alternatives=(said, *others, *stage.alternatives))
    return replace(
        stage, status=Status.CONFLICTING, confidence=0.5, alternatives=(*others, *stage.alternatives)
    )


def group_of(table: StageTable, edition: str, t: str | None, n: str | None, m: str | None) -> str | None:
    """The group of the edition's first row that holds, None where none does. N1MI reads as N1."""
    n = re.sub(r"MI$", "", n) if n else n
    for row in table.editions[edition].rows:
        if row.holds(t, n, m):
            return row.group
    return None
