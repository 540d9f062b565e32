"""What the packet says of each tumour it names: the words, where it is, on which side, how it is meant.

A mention of a tumour is read with its clause, and in a report with the specimen's headline above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from pipeline.catalog.target import TargetRules
from pipeline.catalog.terms import Histology
from pipeline.catalog.treatment import Area
from pipeline.domain import AnnotatedDocument, Assertion, Evidence, Mention
from pipeline.evidence import evidence_for
from pipeline.findings.phrases import clause, find
from pipeline.marks import choice_around, line_of

_HEADLINE = re.compile(
    r"^[ \t]*(?:[A-Z0-9]{1,2}(?:/[A-Z])?[.):]|[1-9]\b)?[ \t]*(?P<head>[^\n]{3,140}?):[ \t]*$", re.MULTILINE
)
_NODE = re.compile(
    r"""\b(?:lymph\s+)?nodes?\b | \bnodal\b | \bstations?\b | \blymphadenectomy\b | \b(?:2|4|10|11|12)[RL]s?\b
      | ^\s*\d\s+(?:7|8|9)\s*:""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_LOOK_BACK = 320
# Organs beside the lung that have lobes.
_LOBED = ("liver", "thyroid", "prostate", "brain")
# A quote longer than this is cut to the mention's line, characters.
_LONGEST = 240
# Parts of one staging expression stand at most this far apart ("T2a, N0, M0"), characters.
_APART = 5
STAGE_LABELS = frozenset({"tnm_t", "tnm_n", "tnm_m", "stage_group"})
_STAGE_WORD = re.compile(r"\b(?:stages?|stg|st\.?)[\s:=.-]{0,4}(?:is\s+|of\s+)?$", re.IGNORECASE)
# A line in capitals without a sentence's signs, above the words.
_HEADING = re.compile(r"[ \t]*[A-Z][A-Z/&() -]{2,40}:?[ \t]*\n(?=[ \t]*\S)")
NOT_CURRENT = {
    Assertion.ABSENT: "ruled_out",
    Assertion.HISTORICAL: "historical",
    Assertion.FAMILY: "family",
    Assertion.HYPOTHETICAL: "hypothetical",
    Assertion.CONDITIONAL: "hypothetical",
}


@dataclass(frozen=True)
class Context:
    """A mention with the words around it that belong to it: its clause, and the headline above."""

    source: AnnotatedDocument
    mention: Mention
    start: int
    end: int
    headline: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        return self.source.document.text

    @property
    def date(self) -> str:
        return self.source.document.service_date or ""

    @property
    def is_pathology(self) -> bool:
        return self.source.document.type == "pathology_report"

    @cached_property
    def words(self) -> str:
        """Clause and headline, for looking up words only."""
        head = self.text[slice(*self.headline)] + "\n" if self.headline else ""
        return head + self.text[self.start : self.end]

    @cached_property
    def sites(self) -> tuple[str, ...]:
        """Sites named in the clause, nearest to the mention first, then those of the headline."""
        inside = labelled_in(self.source, "site", self.start, self.end)
        inside.sort(key=lambda one: abs(one.start - self.mention.start))
        above = labelled_in(self.source, "site", *self.headline) if self.headline else []
        named = (one.value for one in (*inside, *above) if not self._is_lobe_of_native(one))
        return tuple(dict.fromkeys(named))

    def _is_lobe_of_native(self, site: Mention) -> bool:
        """Whether a bare "right lobe", read as lung, is of the organ that the histology belongs to."""
        return site.attributes.get("strength") == "contextual" and (
            self.mention.attributes.get("site") in _LOBED
        )

    @cached_property
    def side(self) -> str | None:
        """The one side that the clause names, else the headline; of two, the one beside the mention."""
        inside = sides_in(self.source, self.start, self.end)
        if len(set(inside)) == 1:
            return inside[0]
        if inside:
            return self.mention.attributes.get(
                "laterality"
            )  # both are named: only the words' own side counts
        above = sides_in(self.source, *self.headline) if self.headline else []
        return above[0] if len(set(above)) == 1 else None

    @cached_property
    def about_nodes(self) -> bool:
        """Whether specimen or clause is a lymph node."""
        return _NODE.search(self.words) is not None

    def evidence(self, extractor: str) -> Evidence:
        """The clause without a heading above it; of a long one the mention's line."""
        start, end = self._below_heading(), self.end
        if end - start > _LONGEST or self.text.count("\n", start, end) > 2:
            first, last = line_of(self.text, self.mention.start)
            start, end = max(start, first), min(end, max(last, self.mention.end))
        return self._evidence(start, end, extractor)

    def tight_evidence(self, extractor: str) -> Evidence:
        """The staging expression that the mention is part of: "stage IIA (T2b N0 M0)"."""
        start, end = self.mention.start, self.mention.end
        parts = [m for m in self.source.mentions if m.label in STAGE_LABELS]
        for part in parts:
            if end <= part.start <= end + _APART and "\n" not in self.text[end : part.start]:
                end = max(end, part.end)
        for part in reversed(parts):
            if start - _APART <= part.end <= start and "\n" not in self.text[part.end : start]:
                start = min(start, part.start)
        if (
            self.text.count("(", start, end) > self.text.count(")", start, end)
            and self.text[end : end + 1] == ")"
        ):
            end += 1
        named = _STAGE_WORD.search(self.text, max(self.start, start - 16), start)
        return self._evidence(named.start() if named else start, end, extractor)

    def _below_heading(self) -> int:
        """Where the clause starts once headings that stand in it before the mention are left out."""
        start = self.start
        for section in self.source.sections:
            if start <= section.start < section.body <= self.mention.start:
                start = section.body
        heading = _HEADING.match(self.text, start, self.mention.start)
        start = heading.end() if heading else start
        before = self.text[start : self.mention.start]
        return start + len(before) - len(before.lstrip())

    def _evidence(self, start: int, end: int, extractor: str) -> Evidence:
        return evidence_for(
            self.source.document,
            start,
            end,
            section=self.mention.section,
            assertion=self.mention.assertion,
            extractor=extractor,
        )


def is_unit(source: AnnotatedDocument, mention: Mention) -> bool:
    """Whether "MM" is millimetres ("5 MM") and not malignant melanoma."""
    text = source.document.text
    words = text[mention.start : mention.end].lower()
    return words in ("mm", "cm") and text[: mention.start].rstrip()[-1:].isdigit()


def with_histology(mention: Mention, histologies: Mapping[str, Histology]) -> Mention:
    """ "Metastatic renal cell carcinoma" as that carcinoma, metastatic, where only "metastasis" was read."""
    words = mention.attributes.get("phrase", "")
    if mention.label != "neoplasm" or not words.startswith("metastatic "):
        return mention
    histology = histologies.get(words.removeprefix("metastatic "))
    if histology is None or histology.generic:
        return mention
    attributes = {**mention.attributes, "behavior": histology.behavior, "icdo3": histology.icdo3}
    attributes |= {"metastatic": "true"}
    if histology.site:
        attributes["site"] = histology.site
    if histology.lung_type:
        attributes["lung_type"] = histology.lung_type
    return replace(mention, value=histology.name, attributes=attributes)


_CALLED_BENIGN = re.compile(r"\bbenign(?:[ \t]+[a-z]+){0,2}[ \t]+$", re.IGNORECASE)


def with_benign(source: AnnotatedDocument, mention: Mention) -> Mention:
    """A pathologist's "benign follicular nodule" as a benign lesion of that name."""
    if source.document.type != "pathology_report" or mention.attributes.get("generic") != "true":
        return mention
    text = source.document.text
    called = _CALLED_BENIGN.search(text, max(0, mention.start - 40), mention.start)
    if called is None:
        return mention
    attributes = {k: v for k, v in mention.attributes.items() if k not in ("generic", "icdo3")}
    words = " ".join(text[called.start() : mention.end].lower().split())
    return replace(
        mention, value=words, start=called.start(), attributes={**attributes, "behavior": "benign"}
    )


def labelled_in(source: AnnotatedDocument, label: str, start: int, end: int) -> list[Mention]:
    """Mentions of one label within a range, in text order."""
    return [m for m in source.mentions if m.label == label and start <= m.start and m.end <= end]


def sides_in(source: AnnotatedDocument, start: int, end: int) -> list[str]:
    """Sides named in a range: by side words and by site words that say the side (RUL)."""
    sides = [m.value for m in labelled_in(source, "laterality", start, end)]
    sides += [
        m.attributes["laterality"]
        for m in labelled_in(source, "site", start, end)
        if "laterality" in m.attributes
    ]
    return sides


_SIDE_WORDS = {
    "left": "left", "lt": "left", "l": "left", "os": "left",
    "right": "right", "rt": "right", "r": "right", "od": "right",
    "bilateral": "bilateral", "both": "bilateral", "ou": "bilateral",
}  # fmt: skip


def side_words(words: str, rules: Area) -> list[str]:
    """Sides that any side word of `words` tells ("L apex"); for a plan's short phrases only."""
    found = [_SIDE_WORDS.get(match.group().lower()) for match in find(rules.sides, words)]
    return [side for side in found if side]


def contexts(documents: Sequence[AnnotatedDocument], labels: frozenset[str]) -> Iterator[Context]:
    """Every mention of `labels` with its context, in document order."""
    for source in documents:
        for mention in source.mentions:
            if mention.label in labels:
                start, end = _own_clause(source.document.text, mention)
                yield Context(source, mention, start, end, _headline(source, mention, start))


def _own_clause(text: str, mention: Mention) -> tuple[int, int]:
    """The clause around a mention; of a form's row of boxes only the mention's own choice."""
    start, end = clause(text, mention.start, mention.end)
    choice = choice_around(text, mention.start)
    if choice is None:
        return start, end
    start, end = max(start, choice[0]), max(mention.end, min(end, choice[1]))
    return start + len(text[start:end]) - len(text[start:end].lstrip()), start + len(text[start:end].rstrip())


def _headline(source: AnnotatedDocument, mention: Mention, start: int) -> tuple[int, int] | None:
    """The specimen's headline above a diagnosis: the last line before it that ends with a colon."""
    text = source.document.text
    if source.document.type != "pathology_report":
        return None
    if re.search(r":[ \t]*\n", text[start : mention.start]):
        return None  # the clause holds its own headline
    found = None
    for match in _HEADLINE.finditer(text, max(0, start - _LOOK_BACK), start):
        found = match
    if found is None or "\n\n\n" in text[found.end() : start]:
        return None
    return found.start("head"), found.end("head")


@dataclass(frozen=True)
class Weigher:
    """Weight of a statement by the document and section it stands in."""

    rules: TargetRules
    words: Area
    anchor: frozenset[str] = field(default_factory=frozenset)
    alone: bool = False

    def weight(self, context: Context) -> float:
        """Document weight plus section weight, a little more for words shared with the plan's phrase."""
        return self.place_weight(context) + min(1.5, 0.5 * len(self.shared(context)))

    def place_weight(self, context: Context) -> float:
        """Document weight plus section weight."""
        weights = self.rules.weights
        base = weights.documents.get(context.source.document.type, 0)
        base = max(base, weights.alone) if self.alone else base
        section = weights.sections.get(context.mention.section, 0)
        # A form's "Diagnosis:" is a field to fill in, not a conclusion.
        return base + (
            min(0, section) if context.source.document.type in self.rules.weights.forms else section
        )

    def shared(self, context: Context) -> frozenset[str]:
        """Words for places and lesions that the plan's phrase and the statement have in common."""
        return self.anchor & place_words(context.words, self.words)


def place_words(text: str, rules: Area) -> frozenset[str]:
    """Words that are narrower than an organ, in lower case."""
    return frozenset(" ".join(match.group().lower().split()) for match in find(rules.places, text))
