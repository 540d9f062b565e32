"""Who wrote each document, and in which specialty, where the paper states it.

A signature says so best, then "Dictated by" and its like, then a provider in the head or the letterhead.
Who asked for a report, who gets a copy and who is the patient are none of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.catalog.authors import AuthorRules
from pipeline.domain import NOT_FOUND, Document, Field, Status
from pipeline.evidence import evidence_for
from pipeline.labels import labelled_values
from pipeline.names import PersonName, name_likeness, read_name, treats
from pipeline.spelling import tokenize

EXTRACTOR = "rule:author"

_CONFIDENCE = {3: 0.95, 2: 0.9, 1: 0.75}  # by rank of the label
_BESIDE, _LETTERHEAD = 0.9, 0.7  # how sure a specialty is beside the name or its label, and in a letterhead
_HEAD_LINES, _FOOT_LINES = 5, 8  # lines with words of a letterhead, and of a signature block
_SIGNATURE = 160  # characters behind the name in which a signature block states the specialty
_TITLES = re.compile(r"\s*(?:by\b|:|/s/|Dr\.?\s|Prof\.?\s)+\s*", re.IGNORECASE)


class Author(NamedTuple):
    """Name ("Last, First") and specialty of whoever wrote a document; NOT_FOUND where it does not say."""

    name: Field = NOT_FOUND
    specialty: Field = NOT_FOUND


class _Named(NamedTuple):
    name: PersonName
    start: int
    end: int
    rank: int


def read_authors(documents: Sequence[Document], rules: AuthorRules) -> Mapping[str, Author]:
    """The author of each document by the document's id."""
    return {document.id: _author(document, rules) for document in documents}


def _author(document: Document, rules: AuthorRules) -> Author:
    if document.type in rules.without_author.types:
        return Author()
    named = [*_labelled(document, rules), *_alone(document, rules)]
    if not named:
        return Author(specialty=_specialty(document, None, rules))
    best = max(named, key=lambda one: (one.rank, one.start))
    same = [one for one in named if name_likeness(best.name, one.name, rules.names) >= 1]
    fullest = max(same, key=lambda one: (len(one.name.first.strip(".")) > 1, one.rank, one.start))
    evidence = evidence_for(document, fullest.start, fullest.end, extractor=EXTRACTOR)
    name = Field(str(fullest.name), Status.FOUND, _CONFIDENCE[best.rank], evidence=(evidence,))
    return Author(name, _specialty(document, best, rules))


def _labelled(document: Document, rules: AuthorRules) -> Iterator[_Named]:
    """Names behind a label; what other labels head is somebody else's."""
    text = document.text
    misread = any(page.source == "ocr" for page in document.pages)
    for value in labelled_values(text, tokenize(text), rules.phrases, misread=misread):
        rank = rules.ranks[value.label]
        if not rank:
            continue
        title = _TITLES.match(text, value.start, value.end)
        start = title.end() if title else value.start
        found = read_name(text[start : value.end], rules.names, labelled=True)
        if found and (rank > 1 or treats(text, start + found[1], rules.names) or title):
            yield _Named(found[0], start, start + found[1], rank)


def _alone(document: Document, rules: AuthorRules) -> Iterator[_Named]:
    """Names with a degree behind them on a line of the signature block, or of the letterhead."""
    lines = list(re.finditer(r"[^\n\f]*[A-Za-z]{2}[^\n\f]*", document.text))
    foot = {line.start() for line in lines[-_FOOT_LINES:]}
    for line in (*lines[:_HEAD_LINES], *lines[-_FOOT_LINES:]):
        start = line.start() + len(line.group()) - len(line.group().lstrip())
        found = read_name(document.text[start : line.end()], rules.names)
        if found and treats(document.text, start + found[1], rules.names):
            yield _Named(found[0], start, start + found[1], 2 if line.start() in foot else 1)


def _specialty(document: Document, author: _Named | None, rules: AuthorRules) -> Field:
    """The specialty beside the author's name, behind its label, or in the letterhead."""
    places = []
    if author is not None:
        places.append((author.end, min(author.end + _SIGNATURE, len(document.text)), _BESIDE))
    head = list(re.finditer(r"[^\n\f]*[A-Za-z]{2}[^\n\f]*", document.text))[:_HEAD_LINES]
    places += [(start, end, _BESIDE) for start, end in _specialty_labels(document, rules)]
    places += [(*line.span(), _LETTERHEAD) for line in head if not line.group().rstrip().endswith((".", ","))]
    for start, end, confidence in places:
        match = rules.named.search(document.text, start, end)
        if match and (confidence > _LETTERHEAD or match.group()[0].isupper()):
            evidence = evidence_for(document, match.start(), match.end(), extractor=EXTRACTOR)
            value = rules.specialty_of(match.group())
            return Field(value, Status.FOUND, confidence, evidence=(evidence,))
    return NOT_FOUND


def _specialty_labels(document: Document, rules: AuthorRules) -> Iterator[tuple[int, int]]:
    labels = "|".join(map(re.escape, rules.labels.specialty))
    label = re.compile(rf"(?im)(?:^|\s{{2}})\s*(?:{labels})\s*[:.]\s*(?P<value>[^\n]{{3,60}})")
    for match in label.finditer(document.text):
        yield match.span("value")
