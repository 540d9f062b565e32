"""Papers that the packet says are with it, and that are not: an office ticks "H&P attached" and sends none.

A form or cover lists them; a note says "see attached CT report". A paper that the policy requires is told
where nothing in the packet serves as it, any other where none of its kind came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pipeline.catalog.documents import DocumentTypes
from pipeline.catalog.request import RequestRules
from pipeline.domain import Document, Problem, Requirement
from pipeline.marks import ticked
from pipeline.spelling import Phrases, tokenize

_REFERENCE, _WORDS_BETWEEN = 60, 4  # characters and words behind "see attached" that name the paper
_LIST_LINES = 8  # lines that a list of what is sent may have
_BOX = re.compile(r"[\[({|]\s{0,3}[xX✓✔]?\s{0,3}[\])}|]|[☐☒☑□]|(?<!\w)_{2,}")
_WORD_BEFORE = re.compile(r"\w ?$")
_TICK_BEHIND = re.compile(r" ?(?:[\[({|]\s?[xX✓✔]\s?[\])}|]|[☒☑])")
# Behind a paper's name, a word like "report" between them: it is not there ("imaging rpt  N").
_DECLINED = re.compile(
    r"(?i)^\s*(?:(?:reports?|rpts?|notes?)\b)?\s*(?:[:.-]\s*)?"
    r"(?:not\b|to follow|pending|will follow|no\b|n\b|n/a|none|requested|was asked)"
)


def announced_not_received(
    documents: Sequence[Document],
    required: Mapping[str, Requirement],
    types: DocumentTypes,
    rules: RequestRules,
) -> tuple[Problem, ...]:
    """A problem for each kind of paper that is announced and did not come, on the page that announces it."""
    own = [document for document in documents if document.belongs_to_patient is not False]
    absent = [name for name in types if types[name].announced and _is_absent(name, own, required)]
    problems: dict[str, Problem] = {}
    for document in own:
        lists = document.type in rules.sources[:2]
        for name in absent:
            names = Phrases(types[name].announced)
            starts = _announcements(document, names, rules) if lists else _references(document, names, types)
            for start in starts:
                page = document.page_at(start)
                told = f"{types[name].title}: announced as attached, not among the pages received"
                problems.setdefault(name, Problem(page.file, page.number, "announced_not_received", told))
    return tuple(problems.values())


def _is_absent(name: str, documents: Sequence[Document], required: Mapping[str, Requirement]) -> bool:
    if name in required:
        return required[name].status == "missing"
    return all(document.type != name for document in documents)


def _references(document: Document, names: Phrases, types: DocumentTypes) -> Iterator[int]:
    """Where a note refers to a paper that is said to be attached to it."""
    misread = any(page.source == "ocr" for page in document.pages)
    for match in types.pages.refers.finditer(document.text):
        behind = document.text[match.end() : match.end() + _REFERENCE].split("\n", 1)[0]
        hits = names.find(tokenize(behind), misread=misread)
        if hits and len(tokenize(behind[: hits[0].start])) <= _WORDS_BETWEEN:
            yield match.start()


def _announcements(document: Document, names: Phrases, rules: RequestRules) -> Iterator[int]:
    """Where a list of what is sent names a paper, its box ticked if it has one."""
    misread = any(page.source == "ocr" for page in document.pages)
    left, position = 0, 0
    for line in document.text.split("\n"):
        tokens = tokenize(line)
        if rules.attached.find(tokens, misread=misread):
            left = _LIST_LINES
        elif not line.strip():
            left = min(left, 1) if left != _LIST_LINES else left
        if left > 0:
            for hit in names.find(tokens, misread=misread):
                start = position + hit.start
                if _is_chosen(document.text, start, line, hit.end) and not _DECLINED.match(line[hit.end :]):
                    yield start
            left -= 1
        position += len(line) + 1


def _is_chosen(text: str, start: int, line: str, end: int) -> bool:
    """Whether a paper that a line names is said to be there: where the line has boxes, by a tick in its own.

    A box that a fax has spoilt says nothing: `f | H&P   [X] IMAGING` announces the imaging alone.
    """
    first = _BOX.search(line)
    if first is None:
        return True
    if _WORD_BEFORE.search(line, 0, first.start()):  # boxes stand behind their words: "H&P [X]"
        return _TICK_BEHIND.match(line, end) is not None
    return ticked(text, start) is True
