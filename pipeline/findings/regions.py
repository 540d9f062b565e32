"""Where the packet says what will be done: the plan, its note, the board, the letter, the form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.catalog.treatment import Regions
from pipeline.domain import AnnotatedDocument, Assertion, Document, Evidence
from pipeline.evidence import evidence_for
from pipeline.findings.lines import rows
from pipeline.findings.phrases import holds

# The title stands among the first lines; a plan has so many different rows of its own.
_TITLE_LINES, _PLAN_ROWS = 6, 4
# A label of a plan is short, characters.
_LABEL = 18


@dataclass(frozen=True)
class Region:
    """A stretch of one document and what kind of place it is (a key of `regions.weights`)."""

    source: AnnotatedDocument
    kind: str
    start: int
    end: int
    section: str

    @property
    def document(self) -> Document:
        return self.source.document

    @property
    def text(self) -> str:
        return self.source.document.text

    def evidence(
        self, start: int, end: int, extractor: str, assertion: Assertion = Assertion.PRESENT
    ) -> Evidence:
        return evidence_for(
            self.document, start, end, section=self.section, assertion=assertion, extractor=extractor
        )


def regions(documents: Sequence[AnnotatedDocument], rules: Regions) -> list[Region]:
    """All stretches of `documents` in which the treatment may be spoken of, in text order.

    Silent documents (reports, hand-outs, the plan's own letters) give none; neither do the
    background sections of a note.
    """
    return [region for source in documents for region in _of_document(source, rules)]


def _of_document(source: AnnotatedDocument, rules: Regions) -> Iterator[Region]:
    kind = source.document.type
    whole = {
        **dict.fromkeys(rules.plan_documents, "plan_document"),
        **dict.fromkeys(rules.form_documents, "form"),
        **dict.fromkeys(rules.cover_documents, "cover"),
        **dict.fromkeys(rules.consent_documents, "consent"),
    }.get(kind)
    if whole != "plan_document" and _is_plan(source.document, rules):
        whole = "plan_document"
    elif kind in rules.silent_documents:
        return
    if whole or not source.sections:
        yield Region(source, whole or "narrative", 0, len(source.document.text), "preamble")
        return
    default = "letter" if kind in rules.letter_documents else "narrative"
    board = kind in rules.board_documents
    for section in source.sections:
        if section.name in rules.background_sections:
            continue
        kind_here = _section_kind(section.name, board, default, rules)
        yield Region(source, kind_here, _line_start(source, section.start), section.end, section.name)


def _is_plan(document: Document, rules: Regions) -> bool:
    """Whether a paper of another type reads as a plan: by its title and by how its rows are labelled."""
    if document.type not in rules.disguised_documents:
        return False
    head = "\n".join(document.text.split("\n")[:_TITLE_LINES])
    if not holds(rules.plan_titles, head):
        return False
    labels = {row.label for row in rows(document.text, 0, len(document.text)) if len(row.label) <= _LABEL}
    if any(holds(rules.form_rows, label) for label in labels):
        return False
    return sum(holds(rules.plan_rows, label) for label in labels) >= _PLAN_ROWS


def _line_start(source: AnnotatedDocument, offset: int) -> int:
    """The line's start where only blanks and a list mark stand before `offset`, else the blank before it."""
    start = source.document.text.rfind("\n", 0, offset) + 1
    before = source.document.text[start:offset]
    if not before.strip(" \t-*.()0123456789"):
        return start
    return offset - (len(before) - len(before.rstrip()))


def _section_kind(name: str, board: bool, default: str, rules: Regions) -> str:
    if name in rules.plan_sections:
        return "board" if board else "plan_section"
    if name in rules.assessment_sections:
        return "board" if board else "assessment"
    return "board" if board else default
