"""What a text says of each mention: ConText's method over sentences, cells, clauses and sections."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from pipeline.catalog.context import ContextRules
from pipeline.domain import Assertion, Mention, Section
from pipeline.nlp.sentences import Sentence
from pipeline.nlp.words import TermIndex, Words, term_words

Reach = Literal["forward", "backward"]

_NO_CUE = "look_alike"
_STOP = "terminator"
# A comma ends a list of negated things where something new is said: a number, a side, a verb.
_NEW_THOUGHT = re.compile(
    r"\s*(?:\d|with\b|there\b|is\b|was\b|the\b|a\b|an\b|he\b|she\b|patient\b|left\b|right\b"
    r"|lt\b|rt\b|bilateral\b|known\b|stable\b|positive\b|has\b|had\b"
    r"|in keeping\b|c/w\b|consistent\b|representing\b|seen\b|normal\b|status\b|s/p\b|now\b"
    r"|then\b|both\b|mild\b|moderate\b|severe\b|small\b|large\b|solitary\b"
    r"|presum|likely\b|probabl|suspicious\b|concerning\b|compatible\b|most\b|only\b|one\b"
    r"|two\b|multiple\b|several\b|this\b|these\b|which\b|who\b|and is\b|and has\b)",
    re.IGNORECASE,
)
_YEAR_AFTER = re.compile(
    r"[^.;\n]{0,25}?(?:\b(?:in|dx|diagnosed|since|age)\b)?[ ,(]{0,3}(?:\d{1,2}/)?((?:19|20)\d\d)\b"
)
_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")
_AGO = re.compile(
    r"[^.;]{0,30}?\b(\d{1,2}|several|many|two|three|four|five|six|seven|eight|nine"
    r"|ten)[ -](?:years?|yrs?|yr)[ -](?:ago|earlier|prior)",
    re.IGNORECASE,
)

_NOW = re.compile(
    r"\b(?:has|have|active|currently|current|known|metastatic|recurrent|recurrence of|residual"
    r"|progressive|persistent|new|now|ongoing|undergoing)\s+(?:[\w-]+\s+){0,3}$",
    re.IGNORECASE,
)
_TREATED = re.compile(
    r"\b(?:status[ -]post|s/p|underwent|had|after|following|prior|previous"
    r"|post)\s+(?:[\w/-]+\s+){0,5}?(?:\w+ectomy|\w*resections?|\w*excisions?|mohs|radiation"
    r"|radiotherapy|xrt|chemo\w*|surgery|ablation|brachytherapy|removal)\s+(?:(?:of|for"
    r"|to treat|due to|because of)\s+)?(?:[\w-]+\s+){0,4}$",
    re.IGNORECASE,
)
# Some archives end a note with its index terms: a run of small-letter phrases with commas between.
_INDEX_TERMS = re.compile(r"(?:^|[.,\n])[ ]?((?:[a-z][a-z0-9 /&'\-()]*, ){5,}[a-z0-9 /&'\-()]*,?\s*)\Z")

# When cues of several axes reach a mention, the first of these is its assertion; the others are attributes.
_ORDER = (
    Assertion.ABSENT,
    Assertion.FAMILY,
    Assertion.HYPOTHETICAL,
    Assertion.CONDITIONAL,
    Assertion.POSSIBLE,
    Assertion.HISTORICAL,
)
# No cue reaches farther, in words; a bound for texts that are one endless sentence.
_FARTHEST = 40
_ABOUT_AN_ORGAN = "synoptic"
# Labels of diseases: what a section says by default, and past years, hold for these only.
DISEASES = frozenset({"neoplasm", "tnm_t", "tnm_n", "tnm_m", "stage_group", "nodes", "metastasis_statement"})
STAGES = frozenset({"tnm_t", "tnm_n", "tnm_m", "stage_group"})
# Labels whose value says yes or no itself.
STATED = frozenset({"tnm_t", "tnm_n", "tnm_m", "stage_group", "nodes"})


class _Meaning(NamedTuple):
    says: Assertion
    tokens: int
    list: bool


class _Cue(NamedTuple):
    first: int
    last: int
    forward: _Meaning | None
    backward: _Meaning | None
    stops: bool
    spares: frozenset[Assertion] = frozenset()


class ContextIndex:
    """The cues of `models/context.toml`, ready to be found."""

    def __init__(self, rules: ContextRules) -> None:
        meanings: dict[tuple[str, ...], dict[str, _Meaning | str | frozenset[Assertion]]] = {}
        for look_alike in rules.look_alike:
            for word in look_alike.words:
                for words in _with_verbs(term_words(word)):
                    meanings.setdefault(words, {})[_NO_CUE] = _NO_CUE
        for rule in rules.cue:
            for reach in ("forward", "backward") if rule.reach == "both" else (rule.reach,):
                for word in rule.words:
                    entry = meanings.setdefault(term_words(word), {})
                    entry.setdefault(reach, _Meaning(rule.says, rule.tokens, rule.list))
        for terminator in rules.terminator:
            for word in terminator.words:
                meanings.setdefault(term_words(word), {})[_STOP] = frozenset(terminator.spared)
        self.index: TermIndex[dict[str, _Meaning | str | frozenset[Assertion]]] = TermIndex()
        self.vocabulary = frozenset(word for words in meanings for word in words)
        for words, entry in meanings.items():
            self.index.add(words, entry)

    def cues(self, words: Words) -> list[_Cue]:
        """Cues and terminators of a text, in order."""
        return [
            _Cue(
                first,
                last,
                _meaning(entry, "forward"),
                _meaning(entry, "backward"),
                _STOP in entry,
                _spared(entry.get(_STOP)),
            )
            for first, last, entry in self.index.find(words)
            if _NO_CUE not in entry
        ]


def _with_verbs(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """A look-alike that starts with "not" also with the verb before it, since "is not" is a cue too."""
    verbs = ("is", "was", "are", "were", "does", "did", "do") if words[0] == "not" else ()
    return [words, *((verb, *words) for verb in verbs)]


def _spared(entry: object) -> frozenset[Assertion]:
    return entry if isinstance(entry, frozenset) else frozenset()


def _meaning(entry: dict[str, _Meaning | str | frozenset[Assertion]], reach: Reach) -> _Meaning | None:
    found = entry.get(reach)
    return found if isinstance(found, _Meaning) else None


def assert_mentions(
    mentions: Iterable[Mention],
    words: Words,
    sentences: Sequence[Sentence],
    sections: Sequence[Section],
    context: ContextIndex,
    defaults: dict[str, Assertion],
) -> tuple[Mention, ...]:
    """The mentions with section and assertion, in text order.

    Where several axes hold, the attributes `relation` (family), `certainty` and `time` keep the rest.
    """
    reader = _Reader(words, sentences, sections, context, defaults)
    kept = (mention for mention in mentions if not reader.is_heading(mention))
    read = sorted(map(reader.read, kept), key=lambda mention: (mention.start, -mention.end))
    return tuple(_inherited(read, reader))


def _inherited(mentions: Sequence[Mention], reader: _Reader) -> Iterator[Mention]:
    """A stage is as past, or as much a relative's, as the disease before it in its sentence."""
    disease: tuple[int, Mention] | None = None
    for mention in mentions:
        sentence = reader.sentence_at(mention.start)
        if mention.label == "neoplasm":
            disease = (sentence, mention)
        elif mention.label in STAGES and disease is not None and disease[0] == sentence:
            told = disease[1].assertion
            if told in (Assertion.HISTORICAL, Assertion.FAMILY) and mention.assertion is Assertion.PRESENT:
                mention = replace(mention, assertion=told)
        yield mention


class _Reader:
    def __init__(
        self,
        words: Words,
        sentences: Sequence[Sentence],
        sections: Sequence[Section],
        context: ContextIndex,
        defaults: dict[str, Assertion],
    ) -> None:
        self.words, self.sentences, self.sections, self.defaults = words, sentences, sections, defaults
        self.sentence_starts = [sentence.start for sentence in sentences]
        self.section_starts = [section.start for section in sections]
        self.cues = context.cues(words)
        self.cue_firsts = [cue.first for cue in self.cues]
        tail = _INDEX_TERMS.search(words.text)
        self.index_terms = tail.start(1) if tail else len(words.text)
        years = [int(year) for year in _YEAR.findall(words.text)]
        self.year = max((year for year in years if year < 2100), default=0)

    def read(self, mention: Mention) -> Mention:
        section = self.section_at(mention.start)
        said = self.said(mention)
        default = self.defaults.get(section)
        if default is Assertion.HISTORICAL and self._is_present_tense(mention):
            default = None
        if mention.label == "neoplasm" and self._is_after_treatment(mention):
            said.add(Assertion.HISTORICAL)
        if mention.start >= self.index_terms:
            said.add(Assertion.HYPOTHETICAL)
        holds_for_all = default in (Assertion.FAMILY, Assertion.HYPOTHETICAL)
        if default is not None and (mention.label in DISEASES or holds_for_all):
            said.add(default)
        attributes = dict(mention.attributes)
        found = [assertion for assertion in _ORDER if assertion in said]
        for other in found[1:]:
            attributes[_ATTRIBUTE[other]] = str(other)
        assertion = found[0] if found else Assertion.PRESENT
        return replace(mention, section=section, assertion=assertion, attributes=attributes)

    def sentence_at(self, offset: int) -> int:
        """Index of the sentence that `offset` stands in."""
        return bisect.bisect_right(self.sentence_starts, offset) - 1

    def _is_present_tense(self, mention: Mention) -> bool:
        """Whether a disease listed under past history is said to be there now ("has prostate cancer")."""
        return bool(_NOW.search(self.words.text[max(0, mention.start - 40) : mention.start]))

    def _is_after_treatment(self, mention: Mention) -> bool:
        """Whether the words before name a treatment that the disease has had ("s/p lobectomy for ...")."""
        before = self.words.text[max(0, mention.start - 90) : mention.start]
        return bool(_TREATED.search(before)) and not _NOW.search(before[-30:])

    def is_heading(self, mention: Mention) -> bool:
        """Whether a tumour or organ is only part of a heading's name ("Skin cancer history:"). The organ of
        a checklist's heading ("Stomach tissue checklist") is what the checklist is about."""
        index = bisect.bisect_right(self.section_starts, mention.start) - 1
        if index < 0 or mention.end > self.sections[index].body:
            return False
        return mention.label == "neoplasm" or (
            mention.label == "site" and self.sections[index].name != _ABOUT_AN_ORGAN
        )

    def section_at(self, offset: int) -> str:
        index = bisect.bisect_right(self.section_starts, offset) - 1
        return self.sections[index].name if index >= 0 else "preamble"

    def said(self, mention: Mention) -> set[Assertion]:
        """What the cues of the mention's sentence say of it."""
        index = bisect.bisect_right(self.sentence_starts, mention.start) - 1
        if index < 0:
            return set()
        sentence = self.sentences[index]
        first = bisect.bisect_left(self.words.starts, mention.start)
        last = max(first, bisect.bisect_left(self.words.starts, mention.end) - 1)
        said = self._before(sentence, mention, first) | self._after(sentence, mention, last)
        if mention.label in STATED:
            said.discard(Assertion.ABSENT)  # "no adenopathy, T2a N0": a stage is stated or it is not there
        if mention.label == "neoplasm" and self._past_year(sentence, mention):
            said.add(Assertion.HISTORICAL)
        return said

    def _before(self, sentence: Sentence, mention: Mention, first: int) -> set[Assertion]:
        said: set[Assertion] = set()
        position = bisect.bisect_left(self.cue_firsts, first) - 1
        low = max((gap for gap in sentence.gaps if gap <= mention.start), default=sentence.start)
        spared: frozenset[Assertion] | None = None  # None: nothing has stopped the cues yet
        while position >= 0:
            cue = self.cues[position]
            position -= 1
            start = self.words.starts[cue.first]
            if start < sentence.start or first - cue.last > _FARTHEST:
                break
            between = self.words.text[self.words.ends[cue.last] : mention.start]
            if start < low:  # another cell: a relative's row names the relative in the cell before
                if cue.forward and cue.forward.says is Assertion.FAMILY and not between.strip(" \t:|"):
                    said.add(Assertion.FAMILY)
                break
            if ";" in between:
                break
            meaning = cue.forward if cue.last < first else None
            if meaning and (spared is None or meaning.says in spared):
                reaches = first - cue.last - 1 < meaning.tokens
                if reaches and self._carries(between, meaning):
                    said.add(meaning.says)
            if cue.stops:
                spared = cue.spares if spared is None else spared & cue.spares
                if not spared:
                    break
        return said

    def _carries(self, between: str, meaning: _Meaning) -> bool:
        """Whether a forward cue still holds after the words `between`."""
        if ";" in between or (re.search(r"[.:]\s+\S", between) and meaning.says is not Assertion.FAMILY):
            return False
        if "," not in between:
            return True
        if not meaning.list:
            return False
        if meaning.says in (Assertion.FAMILY, Assertion.HISTORICAL):
            return True
        return not any(
            _NEW_THOUGHT.match(between, comma.end()) for comma in re.finditer(",", between)
        ) and not (_NEW_THOUGHT.match(between.rsplit(",", 1)[-1] + " x"))

    def _after(self, sentence: Sentence, mention: Mention, last: int) -> set[Assertion]:
        said: set[Assertion] = set()
        text = self.words.text
        gaps = [gap for gap in sentence.gaps if gap > mention.start]
        for position in range(bisect.bisect_right(self.cue_firsts, last), len(self.cues)):
            cue = self.cues[position]
            start = self.words.starts[cue.first]
            if start >= sentence.end or cue.first - last > _FARTHEST:
                break
            between = text[mention.end : start]
            crossed = sum(gap <= start for gap in gaps)
            if crossed and self._is_status_cell(cue, start, gaps):
                said.add(Assertion.HISTORICAL)
            if ";" in between or crossed > 1 or (crossed == 1 and between.strip(" \t:.-")):
                break
            if (
                cue.backward
                and cue.first - last - 1 < cue.backward.tokens
                and self._reaches_back(between, cue)
            ):
                said.add(cue.backward.says)
            if cue.stops or cue.forward:
                break
        return said

    def _is_status_cell(self, cue: _Cue, start: int, gaps: Sequence[int]) -> bool:
        """Whether a cell of the mention's table row starts with "resolved", "excised" and the like."""
        return (
            start in gaps and cue.backward is not None and cue.backward.says is Assertion.HISTORICAL
        ) and not cue.forward

    def _reaches_back(self, between: str, cue: _Cue) -> bool:
        """A cue that also looks forward (no, negative) reaches back only from right after the mention."""
        if cue.forward and cue.backward and cue.backward.says is cue.forward.says is Assertion.ABSENT:
            following = self.words.text[self.words.ends[cue.last] :][:2]
            return not between.strip(" :-\t(") and (
                not following or following[0] in ".,;)\n" or following == "  "
            )
        return not re.search(r"[.,]\s", between) or (
            cue.backward is not None and len(between) < 40 and "," in between
        )

    def _past_year(self, sentence: Sentence, mention: Mention) -> bool:
        """Whether the words after a disease date it two years or more before the text's latest year."""
        rest = self.words.text[mention.end : sentence.end]
        if _AGO.match(rest):
            return True
        match = _YEAR_AFTER.match(rest)
        return bool(match) and bool(self.year) and self.year - int(match[1]) >= 2  # type: ignore[index]


_ATTRIBUTE = {
    Assertion.FAMILY: "relation",
    Assertion.HISTORICAL: "time",
    Assertion.POSSIBLE: "certainty",
    Assertion.CONDITIONAL: "certainty",
    Assertion.HYPOTHETICAL: "certainty",
}
