"""Node status of the target: the N category, node pathology, and "no adenopathy" where no N is stated.

Positive pathology outweighs an N0 that was stated without it; NX is not N0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.catalog.target import TargetRules
from pipeline.catalog.treatment import Nodes
from pipeline.domain import Alternative, AnnotatedDocument, Assertion, Field, Status
from pipeline.evidence import evidence_for
from pipeline.findings.choose import Candidate, choose
from pipeline.findings.lesions import labelled_in
from pipeline.findings.phrases import clauses, holds
from pipeline.findings.target import Target

_NO_ADENOPATHY = re.compile(
    r"""\b(?:no|without|negative\s+for|denies|free\s+of|absence\s+of)\s+
        (?:[\w/,-]+\s+){0,7}?(?:\w*adenopathy|LAD\b)
      | \bno\s+(?:\w+[\s-]+){0,3}(?:uptake|avidity)\s+in\s+(?:\w+\s+){0,3}nodes\b
      | \bno\s+(?:[\w/,-]+\s+){0,7}?(?:nodes?|nodal)\s+(?:enlarge\w+|disease|metasta\w+|involvement|spread)\b
      | \bno\s+(?:enlarged|abnormal|suspicious|pathologic\w*|involved|avid)\s+(?:[\w/,-]+\s+){0,6}?nodes?\b
      | \bno\s+nodes\b(?=\s*(?:[,.;)]|or\b|and\b|$))
      | \bnodes?:\s+no\s+(?:\w+\s+)?(?:uptake|avid)""",
    re.VERBOSE | re.IGNORECASE,
)
# An examination of the nodes that a malignant skin or breast tumour drains to.
_NO_PALPABLE = re.compile(
    r"\bno\s+(?:palpable\s+|enlarged\s+)?(?:\w+(?:,|\s+or|\s+and)?\s+){1,4}nodes\b", re.IGNORECASE
)
_STATION = re.compile(
    r"\b(?:lymph\s+nodes?|nodes?|stations?|sentinel|(?:2|4|10|11|12)[RL]s?)\b|(?<![\d.])7:",
    re.IGNORECASE,
)
_OTHER_SPECIMEN = re.compile(r"[A-Z0-9]{1,2}[.)]\s|[A-Z][A-Z ,]{8,}:")
# "Number involved: 0", "positive nodes: none"; "(positive:total) 0:19"
_COUNT_OF_NONE = re.compile(
    r"(?:positive|involved|involvement|metasta\w*|carcinoma|tumou?r)[^.;\n]{0,24}[:=)]\s*(?:0|zero|none|no)\b(?!\.\d)",
    re.IGNORECASE,
)
_STAIN = re.compile(
    r"\b(?:stain\w*|immuno\w*|IHC|keratin|AE\s?1|CK\s?\d|antibod\w+|receptor|reported to|margin|distance)\b",
    re.IGNORECASE,
)
_SUSPECTED = re.compile(
    r"\b(?:suspicious|possibl[ey]|probabl[ey]|cannot be excluded|pending)\b", re.IGNORECASE
)
_VERDICT_SECTIONS = ("final_diagnosis", "synoptic", "preamble", "impression")
# A verdict belongs to a node specimen named at most this far before it, characters.
_HEADLINE_REACH = 160
_PATHOLOGY_POSITIVE, _CATEGORY, _PATHOLOGY_NEGATIVE, _PHRASE = 9.0, 8.0, 7.0, 4.0


def find_nodes(
    documents: Sequence[AnnotatedDocument],
    n: Field,
    behavior: Field,
    target: Target,
    words: Nodes,
    rules: TargetRules,
) -> Field:
    """Negative, positive or not found. A lesion that is premalignant has no node status."""
    if behavior.value == "premalignant":
        return Field()
    pathology = [c for source in documents for c in _pathology(source, words)]
    category = str(n.value or "")
    if category == "NX" and not pathology:
        return Field()
    stated = []
    if category and category != "NX":
        value = "negative" if category.startswith("N0") else "positive"
        stated = [Candidate(value, _CATEGORY, evidence) for evidence in n.evidence[:2]]
    phrases = (
        []
        if category == "NX"
        else [
            c
            for source in documents
            for c in _phrases(source, words, target, rules, malignant=behavior.value == "malignant")
        ]
    )
    return choose([*pathology, *stated, *phrases])


def _pathology(source: AnnotatedDocument, words: Nodes) -> Iterator[Candidate]:
    """Node specimens of a pathology report and their verdicts."""
    if source.document.type != "pathology_report":
        return
    text = source.document.text
    only_nodes = _only_nodes_submitted(source)
    for section in source.sections:
        if section.name not in _VERDICT_SECTIONS:
            continue
        headline = section.start if only_nodes else section.start - _HEADLINE_REACH - 1
        for start, end in clauses(text, section.start, section.end):
            words_here = text[start:end]
            if _STATION.search(words_here):
                headline = end
            elif only_nodes:
                headline = start
            elif _OTHER_SPECIMEN.match(words_here):
                headline = section.start - _HEADLINE_REACH - 1
            if start - headline > _HEADLINE_REACH:
                continue
            verdict = _verdict(source, start, end, words)
            if verdict:
                yield Candidate(
                    verdict,
                    _PATHOLOGY_POSITIVE if verdict == "positive" else _PATHOLOGY_NEGATIVE,
                    evidence_for(source.document, start, end, section=section.name, extractor="rule:nodes"),
                )


def _only_nodes_submitted(source: AnnotatedDocument) -> bool:
    """Whether the report's one specimen is a lymph node, named in a section of its own."""
    text = source.document.text
    for section in source.sections:
        if section.name == "specimen":
            lines = [line for line in text[section.body : section.end].split("\n") if line.strip()]
            return len(lines) == 1 and bool(_STATION.search(lines[0]))
    return False


def _verdict(source: AnnotatedDocument, start: int, end: int, words: Nodes) -> str | None:
    """What a clause says of node tissue: counted nodes first, then its words."""
    counted = {m.value for m in labelled_in(source, "nodes", start, end) if "ratio" in m.attributes}
    if counted:
        return "positive" if "positive" in counted else "negative"
    text = source.document.text
    if _COUNT_OF_NONE.search(text, start, end + 12):
        return "negative"
    if _STAIN.search(text, start, end) or _SUSPECTED.search(text, start, end):
        return None
    if holds(words.pathology_negative, text, start, end) and not holds(("positive",), text, start, end):
        return "negative"
    return "positive" if holds(words.pathology_positive, text, start, end) else None


def _phrases(
    source: AnnotatedDocument, words: Nodes, target: Target, rules: TargetRules, *, malignant: bool
) -> Iterator[Candidate]:
    """No adenopathy, and its like; in an examination only of nodes that the target drains to."""
    silent = ("other", "letter", "consent_form", "laboratory_report", "fax_cover", "pathology_report")
    if source.document.type in silent:
        return
    text = source.document.text
    palpable = target.site in rules.sites.palpable_nodes
    for section in source.sections:
        if section.name in ("family_history", "past_medical_history", "review_of_systems"):
            continue
        if section.name == "physical_exam" and not palpable:
            continue
        felt = section.name == "physical_exam" and malignant
        for start, end in clauses(text, section.start, section.end):
            value = _phrase_value(text, start, end, words)
            if value is None and felt and _NO_PALPABLE.search(text, start, end):
                value = "negative"
            if value:
                yield Candidate(
                    value,
                    _PHRASE,
                    evidence_for(
                        source.document,
                        start,
                        end,
                        section=section.name,
                        assertion=Assertion.PRESENT,
                        extractor="rule:nodes",
                    ),
                )


def _phrase_value(text: str, start: int, end: int, words: Nodes) -> str | None:
    if _NO_ADENOPATHY.search(text, start, end) or holds(words.negative, text, start, end):
        return "negative"
    return None


def doubted_by_nodes(found: Mapping[str, Field]) -> dict[str, Field]:
    """N and the groups that rest on it, conflicting where node pathology says otherwise than N.

    A stage that was given before the nodes were sampled is not corrected here: a person must see it.
    """
    n, status = found["n"], found["node_status"]
    if n.value is None or status.value is None or str(n.value) == "NX":
        return {}
    if (status.value == "negative") == str(n.value).startswith("N0"):
        return {}
    other = Alternative(f"nodes {status.value}", "pathology_contradicts", status.evidence)
    return {
        name: replace(
            field, status=Status.CONFLICTING, confidence=0.5, alternatives=(*field.alternatives, other)
        )
        for name in ("n", "stage_group", "derived_stage_group")
        if (field := found[name]).value is not None
    }
