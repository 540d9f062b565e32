"""Whether the review is to be expedited: what is ticked or filled in, and what only hints at it.

An office that prints "URGENT" over its papers has not asked for an expedited review of the plan; the mark
on the form does. The word alone is a cue: a person is told to look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.catalog.request import RequestRules
from pipeline.domain import NOT_FOUND, Document, Evidence, Field, Status
from pipeline.evidence import evidence_for
from pipeline.request.lines import is_misread, lines_of
from pipeline.request.ticks import BOX, TICK, TICKED_BEFORE
from pipeline.spelling import Phrases, tokenize

EXTRACTOR = "rule:expedited"

_TITLE_LINES = 6
_URGENT_TITLE = re.compile(
    r"(?i)\s+(?:prior\s+|pre-?)?(?:review|request|auth\w*|precert\w*|determination|approval)\b"
)
_STAMP = re.compile(r"[\s*!#<>=-]*")
_ANSWER = re.compile(r"\s?[?:.][\s?:.]*(yes|no|y|n)\b|\s*(yes|no|y|n)\b", re.IGNORECASE)

_TICKED_WORD = re.compile(rf"{TICK}\s*(yes|no|y|n)\b", re.IGNORECASE)
_BOXED_WORD = re.compile(rf"[\s\w?:]{{0,20}}{BOX}\s*(?:yes|no|y|n)\b", re.IGNORECASE)


class _Said(NamedTuple):
    """What a paper says at `start:end`; a `cue` is no answer."""

    expedited: bool
    start: int
    end: int
    cue: bool = False


def read_urgency(documents: Sequence[Document], rules: RequestRules) -> Field:
    """True or False as ticked or written; uncertain where both are, or where only words hint at it."""
    cues: list[tuple[Document, _Said]] = []
    for source in rules.sources:
        answers: dict[bool, tuple[Document, _Said]] = {}
        for document in (document for document in documents if document.type == source):
            for said in _urgency(document, rules):
                if said.cue:
                    cues.append((document, said))
                else:
                    answers.setdefault(said.expedited, (document, said))
        if len(answers) == 1:
            [(value, shown)] = answers.items()
            return Field(value, Status.FOUND, 0.95, evidence=(_evidence(shown),))
        if answers:
            return Field(status=Status.UNCERTAIN, evidence=tuple(map(_evidence, answers.values())))
    return Field(status=Status.UNCERTAIN, evidence=(_evidence(cues[0]),)) if cues else NOT_FOUND


def _evidence(shown: tuple[Document, _Said]) -> Evidence:
    document, said = shown
    return evidence_for(document, said.start, said.end, extractor=EXTRACTOR)


def _urgency(document: Document, rules: RequestRules) -> Iterator[_Said]:
    misread = is_misread(document)
    labels = Phrases(rules.expedited.labels)
    for number, line in enumerate(lines_of(document.text)):
        hits = rules.urgency.find(tokenize(line.text), misread=misread)
        boxes = [match.start() for match in re.finditer(BOX, line.text)]
        for hit in hits:
            expedited = hit.phrase in rules.expedited.yes
            before, behind = line.text[: hit.start], line.text[hit.end :]
            start, end = line.start + hit.start, line.start + hit.end
            if boxes and boxes[0] > hit.start and _BOXED_WORD.match(behind):
                # "Expedited review?   [ ] Yes   [X] No"
                if ticked := _TICKED_WORD.search(behind):
                    yield _Said(expedited == (ticked[1][0] in "yY"), start, end)
            elif boxes:
                # "urgent [X]   routine [ ]" or "[X] urgent   [ ] routine": the first box tells on which side
                if (
                    re.match(rf"\s*{TICK}", behind)
                    if boxes[0] > hits[0].start
                    else TICKED_BEFORE.search(before)
                ):
                    yield _Said(expedited, start, end)
            elif answer := _ANSWER.match(behind):
                yield _Said(expedited == ((answer[1] or answer[2])[0] in "yY"), start, end)
            elif any(label.end <= hit.start for label in labels.find(tokenize(before), misread=misread)):
                yield _Said(expedited, start, end)
            elif (
                expedited
                and number < _TITLE_LINES
                and (_URGENT_TITLE.match(behind) or _alone(before, behind))
            ):
                yield _Said(True, start, end, cue=True)


def _alone(before: str, behind: str) -> bool:
    """A word by itself on its line, as a stamp prints it."""
    return bool(_STAMP.fullmatch(before) and _STAMP.fullmatch(behind))
