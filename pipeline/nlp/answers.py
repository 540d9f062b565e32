"""What forms say of a tumour by a tick or an answer: "[ ] cancer", "Have you ever had cancer?  No"."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence

from pipeline.domain import Assertion, Mention
from pipeline.marks import answer_after, line_of, ticked
from pipeline.nlp.cues import ContextIndex, Cue
from pipeline.nlp.words import Words

_QUESTION = re.compile(r"(?P<words>[^?:\n\[(]{0,40})\?")
_BOXES = re.compile(r"[ \t]*(?:[\[(☐☒☑]|[ \t](?:y|yes)[ \t/]*\()", re.IGNORECASE)
# A question stands at most so far before what is named in its answer, in characters.
_REACH = 200
# What an answer takes over from its question.
_LASTING = frozenset({Assertion.HISTORICAL, Assertion.FAMILY})


class Answers:
    """The ticks and answers of one text."""

    def __init__(self, words: Words, cues: Sequence[Cue], context: ContextIndex) -> None:
        self._words, self._cues, self._context = words, cues, context
        self._has_marks = bool(re.search(r"[?\[(☐☒☑_|]", words.text))

    def said(self, mention: Mention) -> set[Assertion]:
        """What a mark or an answer beside the mention says of it."""
        if not self._has_marks:
            return set()
        text = self._words.text
        if ticked(text, mention.start) is False:
            return {Assertion.HYPOTHETICAL}  # a choice that was not made says nothing
        return self._asked(mention) | self._answering(mention)

    def _asked(self, mention: Mention) -> set[Assertion]:
        """What the answer says of a tumour that is asked for."""
        text, end = self._words.text, mention.end
        question = _QUESTION.match(text, end)
        if question is None and not _BOXES.match(text, end):
            return set()
        before = text[self._near(mention) : mention.start].rpartition("?")[2]
        asks = self._context.asks.search(before) is not None
        if question is not None and question["words"].strip() and not asks:
            return set()
        answer = answer_after(text, end)
        if answer is False:
            return set() if self._is_known(before) else {Assertion.ABSENT}
        return set()

    def _is_known(self, before: str) -> bool:
        """Whether the question takes the tumour as known: "is the tumor resectable?"."""
        return self._context.makes_known(before.lower().split())

    def _answering(self, mention: Mention) -> set[Assertion]:
        """What a tumour named in the answer takes over from its question: past, or a relative's."""
        text = self._words.text
        start = self._near(mention)
        mark = text.rfind("?", start, mention.start)
        if mark < 0 or answer_after(text, mark) is not True:
            return set()
        asked = self._cues[self._cue_at(start) : self._cue_at(mark)]
        return {cue.forward.says for cue in asked if cue.forward and cue.forward.says in _LASTING}

    def _near(self, mention: Mention) -> int:
        """Where the mention's line starts, or what of it is near."""
        return max(line_of(self._words.text, mention.start)[0], mention.start - _REACH)

    def _cue_at(self, offset: int) -> int:
        word = bisect.bisect_left(self._words.starts, offset)
        return bisect.bisect_left(self._cues, word, key=lambda cue: cue.first)
