"""What a text says of each mention: ConText's method over sentences, cells, clauses and sections."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pipeline.domain import Assertion, Mention, Section
from pipeline.nlp.answers import Answers
from pipeline.nlp.cues import ContextIndex, Cue, Meaning
from pipeline.nlp.past import Past
from pipeline.nlp.sentences import Sentence
from pipeline.nlp.words import Words

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
_ALL = frozenset(Assertion)
# No cue reaches farther, in words; a bound for texts that are one endless sentence.
_FARTHEST = 40
_ABOUT_AN_ORGAN = "synoptic"
# Labels of diseases: what a section says by default, and past years, hold for these only.
DISEASES = frozenset({"neoplasm", "tnm_t", "tnm_n", "tnm_m", "stage_group", "nodes", "metastasis_statement"})
STAGES = frozenset({"tnm_t", "tnm_n", "tnm_m", "stage_group"})
# Labels whose value says yes or no itself.
STATED = frozenset({"tnm_t", "tnm_n", "tnm_m", "stage_group", "nodes"})


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
        self.context = context
        self.cues = context.cues(words)
        self.past = Past(context.rules.course)
        self.answers = Answers(words, self.cues, context)
        self.cue_firsts = [cue.first for cue in self.cues]
        tail = _INDEX_TERMS.search(words.text)
        self.index_terms = tail.start(1) if tail else len(words.text)
        self.year = self.past.latest_year(words.text)

    def read(self, mention: Mention) -> Mention:
        section = self.section_at(mention.start)
        said = self.said(mention)
        default = self.defaults.get(section)
        if default is Assertion.HISTORICAL and self.past.is_now(self.words.text, mention.start):
            default = None
        if mention.label == "neoplasm":
            if self.past.is_treated(self.words.text, mention.start, mention.end):
                said.add(Assertion.HISTORICAL)
            said |= self.answers.said(mention)
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
        if mention.label == "neoplasm":
            rest = self.words.text[mention.end : sentence.end]
            if self.past.is_dated_long_ago(rest, self.year):
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
                if reaches and self._carries(between, meaning) and not self._is_spared(meaning, cue, first):
                    if meaning.over_no:
                        said.discard(Assertion.ABSENT)
                        spared = (_ALL if spared is None else spared) - {Assertion.ABSENT}
                    said.add(meaning.says)
            if cue.stops:
                spared = cue.spares if spared is None else spared & cue.spares
                if not spared:
                    break
        return said

    def _is_spared(self, meaning: Meaning, cue: Cue, first: int) -> bool:
        """Whether a cue that says nothing of what is known meets just that ("no symptoms from his ...")."""
        return not meaning.known and self.context.makes_known(self.words.forms[cue.last + 1 : first])

    def _carries(self, between: str, meaning: Meaning) -> bool:
        """Whether a forward cue still holds after the words `between`."""
        between = between.lstrip(" \t:")
        if ";" in between or (re.search(r"[.:]\s+\S", between) and meaning.says is not Assertion.FAMILY):
            return False
        if "," not in between:
            return True
        if not meaning.list:
            return False
        if meaning.says in (Assertion.FAMILY, Assertion.HISTORICAL):
            return True
        new_thought = self.context.new_thought
        return not any(
            new_thought.match(between, comma.end()) for comma in re.finditer(",", between)
        ) and not new_thought.match(between.rsplit(",", 1)[-1] + " x")

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

    def _is_status_cell(self, cue: Cue, start: int, gaps: Sequence[int]) -> bool:
        """Whether a cell of the mention's table row starts with "resolved", "excised" and the like."""
        return (
            start in gaps and cue.backward is not None and cue.backward.says is Assertion.HISTORICAL
        ) and not cue.forward

    def _reaches_back(self, between: str, cue: Cue) -> bool:
        """A cue that also looks forward (no, negative) reaches back only from right after the mention; a
        denial that the sentence takes back ("not seen on ultrasound but plain on MRI") does not reach."""
        denies = cue.backward is not None and cue.backward.says is Assertion.ABSENT
        if denies and self.context.takes_back.match(self.words.text, self.words.ends[cue.last]):
            return False
        if cue.forward and cue.backward and cue.backward.says is cue.forward.says is Assertion.ABSENT:
            following = self.words.text[self.words.ends[cue.last] :][:2]
            return not between.strip(" :-\t(") and (
                not following or following[0] in ".,;)\n" or following == "  "
            )
        return not re.search(r"[.,?]\s", between) or (
            cue.backward is not None and len(between) < 40 and "," in between
        )


_ATTRIBUTE = {
    Assertion.FAMILY: "relation",
    Assertion.HISTORICAL: "time",
    Assertion.POSSIBLE: "certainty",
    Assertion.CONDITIONAL: "certainty",
    Assertion.HYPOTHETICAL: "certainty",
}
