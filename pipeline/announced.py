"""Papers that the request says are with it, and that are not: an office ticks "H&P attached" and sends none.

Only a paper without which the packet is not complete is told, and only where nothing in the packet
serves as it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pipeline.catalog.documents import DocumentTypes
from pipeline.catalog.request import RequestRules
from pipeline.domain import Document, Problem, Requirement
from pipeline.spelling import Phrases, tokenize

_LIST_LINES = 8  # lines that a list of what is sent may have
_EMPTY_BOX = re.compile(r"[\[(]\s{0,3}[\])]\s*$|☐\s*$|_{2,}\s*$")
_DECLINED = re.compile(
    r"(?i)^\s*(?:[:.-]\s*)?(?:not|to follow|pending|will follow|no\b|n/a|none|requested|was asked)"
)


def announced_not_received(
    documents: Sequence[Document],
    required: Mapping[str, Requirement],
    types: DocumentTypes,
    rules: RequestRules,
) -> tuple[Problem, ...]:
    """One problem for each required paper that form or cover announce and that is missing, on their page."""
    missing = [name for name, held in required.items() if held.status == "missing" and name in types]
    problems: dict[str, Problem] = {}
    for document in documents:
        if document.type not in rules.sources[:2] or document.belongs_to_patient is False:
            continue
        for name in missing:
            for start in _announcements(document, Phrases(types[name].announced), rules):
                page = document.page_at(start)
                told = f"{types[name].title}: announced as attached, not among the pages received"
                problems.setdefault(name, Problem(page.file, page.number, "announced_not_received", told))
    return tuple(problems.values())


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
                if not _EMPTY_BOX.search(line[: hit.start]) and not _DECLINED.match(line[hit.end :]):
                    yield position + hit.start
            left -= 1
        position += len(line) + 1
