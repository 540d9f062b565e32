"""The records passed between stages, in the order in which they are made: the glossary.

All records are frozen: a stage takes records and returns new ones. What holds patient text
keeps it out of `repr`, so that a log line or an exception that shows a record shows no text.

Reading:    SourceFile, Submission, Word, Barcode, Page, Problem, Reading
Documents:  Section, Document
Findings:   Assertion, Mention, AnnotatedDocument, Evidence, Alternative, Field
Case:       the JSON shape of the contract, record for record (see `triage schema case`)
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple

# --------------------------------------------------------------------------- reading


class Box(NamedTuple):
    """A rectangle in points (1/72 inch); origin top left of the page as a person reads it upright."""

    x0: float
    top: float
    x1: float
    bottom: float


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One received file. `name` is the sender's name for it; `sha256` is its identity."""

    name: str
    path: Path
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Submission:
    """What one sender sent at one time: files that belong together.

    `id` is derived from the files' hashes, so the same bytes always make the same submission.
    `received` is the day of receipt, where it is known: a file says nothing of it.
    """

    id: str
    files: tuple[SourceFile, ...]
    received: date | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a clerk must know. `message` holds no patient text; `page` counts from 1."""

    file: str | None
    page: int | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it stands on the page: `Page.text[start:end] == text`, always.

    `confidence` is in 0..1; 1.0 for a word of a text layer. `confirmed` is False for a word with digits on
    a coarse fax (see `pages.raster.is_coarse`) whose letters and digits recognisers of two kinds did not read
    alike, or that is short and stands by itself.
    """

    text: str = field(repr=False)
    box: Box
    start: int
    end: int
    confidence: float = 1.0
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Barcode:
    """A barcode on a page: what it says, and where it stands."""

    text: str = field(repr=False)
    box: Box


@dataclass(frozen=True, slots=True)
class Page:
    """One page, upright. `text` is laid out: one line of the page is one line of text.

    Words of a line are joined by spaces; a gap as wide as n characters gives about n spaces, so
    two or more spaces mean a column gap. An empty line is a vertical gap. Columns that are read
    one after the other stand one after the other in `text`.

    `number` counts from 1 in its file. `rotation` is by how many degrees clockwise the stored
    page was turned to be upright. `width` and `height` are of the upright page, in points.
    `banner` is the (start, end) of a fax machine's header line in `text`, which belongs to the
    transmission and not to the document. `duplicate_of` names an earlier page of the submission
    as (file, number). `mean_confidence` is the mean over words, None without words. `barcodes` are
    those of a page that was recognised, or that has little text. `transmission` are all ranges of
    `text` that a fax machine or portal added, known once a submission's pages were compared.
    """

    file: str
    number: int
    source: Literal["text", "ocr"]
    rotation: int
    width: float
    height: float
    text: str = field(repr=False)
    words: tuple[Word, ...] = field(repr=False)
    blank: bool = False
    duplicate_of: tuple[str, int] | None = None
    banner: tuple[int, int] | None = None
    mean_confidence: float | None = None
    barcodes: tuple[Barcode, ...] = ()
    transmission: tuple[tuple[int, int], ...] = ()

    def words_at(self, start: int, end: int) -> tuple[Word, ...]:
        """The words of which `text[start:end]` holds something."""
        return tuple(word for word in self.words if word.start < end and word.end > start)

    def boxes(self, start: int, end: int) -> tuple[Box, ...]:
        """One box for each line that `text[start:end]` touches, in reading order."""
        lines: list[list[Box]] = []
        previous: Word | None = None
        for word in self.words_at(start, end):
            if previous is None or "\n" in self.text[previous.end : word.start]:
                lines.append([])
            lines[-1].append(word.box)
            previous = word
        return tuple(
            Box(
                min(box.x0 for box in line),
                min(box.top for box in line),
                max(box.x1 for box in line),
                max(box.bottom for box in line),
            )
            for line in lines
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a submission gave: pages of all files in order, and what could not be read.

    `page_counts` has the number of pages of each file by its name, 0 where it cannot be known.
    """

    pages: tuple[Page, ...]
    problems: tuple[Problem, ...]
    page_counts: Mapping[str, int]


# --------------------------------------------------------------------------- documents


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part of a document's text.

    `name` is a section of `models/sections.toml`; heading is `text[start:body]`, what it heads is
    `text[body:end]`. Text before the first heading is the section `preamble`.
    """

    name: str
    start: int
    body: int
    end: int


class Location(NamedTuple):
    """Where an offset range stands: one page of one file, one box for each line it touches."""

    file: str
    page: int
    boxes: tuple[Box, ...]


PAGE_BREAK = "\n\f\n"


def _own_text(page: Page) -> str:
    text = page.text
    for start, end in page.transmission:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


@dataclass(frozen=True, slots=True)
class Document:
    """A run of pages of one type; `printed` once, untouched: the pages' texts joined by PAGE_BREAK.

    `text` is the same, of equal length, with blanks for what the transmission added to the pages
    (`Page.transmission`): a fax machine's line is nobody's finding. Every stage reads `text`; a case
    publishes and quotes what is `printed`.

    `type` is a name of `models/documents/`; `confidence` of the type is in 0..1.
    `service_date` is ISO 8601 where the document states one. `belongs_to_patient` is False where
    the document names another patient, None where it names none.
    """

    id: str
    type: str
    title: str = field(repr=False)
    pages: tuple[Page, ...]
    confidence: float = 1.0
    service_date: str | None = None
    belongs_to_patient: bool | None = None
    text: str = field(default="", repr=False)
    printed: str = field(default="", repr=False)
    _starts: tuple[int, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        starts, position = [], 0
        for page in self.pages:
            starts.append(position)
            position += len(page.text) + len(PAGE_BREAK)
        object.__setattr__(self, "_starts", tuple(starts))
        printed = PAGE_BREAK.join(page.text for page in self.pages)
        whole = not any(page.transmission for page in self.pages)
        object.__setattr__(self, "printed", printed)
        object.__setattr__(self, "text", printed if whole else PAGE_BREAK.join(map(_own_text, self.pages)))

    @property
    def file(self) -> str:
        """Name of the file that the first page came in."""
        return self.pages[0].file

    @property
    def first_page(self) -> int:
        return min(page.number for page in self.pages)

    @property
    def last_page(self) -> int:
        return max(page.number for page in self.pages)

    def page_at(self, offset: int) -> Page:
        """The page on which the character at `offset` stands."""
        return self.pages[max(0, bisect.bisect_right(self._starts, offset) - 1)]

    def page_span(self, page: Page) -> tuple[int, int]:
        """(start, end) of `page`'s text in this document's text. Raises ValueError if not a page of it."""
        index = self.pages.index(page)
        return self._starts[index], self._starts[index] + len(page.text)

    def words_at(self, start: int, end: int) -> tuple[Word, ...]:
        """The words of which the range holds something, on the page where it starts."""
        page = self.page_at(start)
        base = self._starts[self.pages.index(page)]
        return page.words_at(start - base, end - base)

    def locate(self, start: int, end: int) -> Location:
        """Offsets to page and boxes; the only way from one to the other.

        One box for each line that the range touches, in reading order. A range that runs over a
        page's end is located on the page where it starts.
        """
        page = self.page_at(start)
        base = self._starts[self.pages.index(page)]
        return Location(page.file, page.number, page.boxes(start - base, end - base))


# --------------------------------------------------------------------------- findings


class Assertion(StrEnum):
    """What the text says of a mention: ConText's axes and those of i2b2 2010."""

    PRESENT = "present"
    ABSENT = "absent"
    POSSIBLE = "possible"
    CONDITIONAL = "conditional"
    HYPOTHETICAL = "hypothetical"
    HISTORICAL = "historical"
    FAMILY = "family"


@dataclass(frozen=True, slots=True)
class Mention:
    """A span of one text that a component recognised, before anything is decided.

    `label` is the kind (neoplasm, site, histology, laterality, tnm, stage_group, procedure, ...),
    `value` its normal form; `text[start:end]` are the untouched words. `attributes` hold what else
    the words say (site and behaviour of a histology, basis of a TNM, size in mm).
    """

    label: str
    value: str
    start: int
    end: int
    assertion: Assertion = Assertion.PRESENT
    section: str = "preamble"
    extractor: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnnotatedDocument:
    """A document with what the language pipeline saw in its text, in text order."""

    document: Document
    sections: tuple[Section, ...]
    mentions: tuple[Mention, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The words that show a value: where they stand and what they assert.

    `quote` is exactly `document.text[start:end]`, on one page. `document`, `file` and `page` are
    None for a plain text that has no pages (`triage extract`).
    """

    file: str | None
    page: int | None
    document: str | None
    start: int
    end: int
    quote: str = field(repr=False)
    boxes: tuple[Box, ...] = ()
    section: str | None = None
    assertion: Assertion = Assertion.PRESENT
    source: Literal["text", "ocr"] = "text"
    extractor: str = ""


class Status(StrEnum):
    """How well a field's value stands. Only FOUND and CONFLICTING carry a value."""

    FOUND = "found"
    CONFLICTING = "conflicting"
    UNCERTAIN = "uncertain"
    NOT_FOUND = "not_found"


Value = str | bool


@dataclass(frozen=True, slots=True)
class Code:
    """A code of a published system: ICD-O-3, ICD-10-CM, SNOMED CT, LOINC."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A value that was considered and not taken, with the reason (historical, family, superseded...)."""

    value: Value = field(repr=False)
    reason: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One answer about the case.

    `value` is None unless `status` is found or conflicting (then the better-supported value, the
    other in `alternatives`). A value always has evidence. `confidence` is in 0..1, None without a
    value. `basis` is the prefix of a T, N or M (c, p, yc, yp, r, rc); `edition` names the staging
    manual of a derived group. `code` is the value's first code; `codes` has all of them, in several systems.
    """

    value: Value | None = field(default=None, repr=False)
    status: Status = Status.NOT_FOUND
    confidence: float | None = None
    code: Code | None = None
    evidence: tuple[Evidence, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    basis: str | None = None
    edition: str | None = None
    codes: tuple[Code, ...] = ()

    def __post_init__(self) -> None:
        has_value = self.value is not None
        if has_value != (self.status in (Status.FOUND, Status.CONFLICTING)):
            raise ValueError(f"a field with status {self.status} must {'not ' * has_value}have a value")
        if has_value and not self.evidence:
            raise ValueError("a field with a value must have evidence")

    @property
    def likeliest(self) -> Value | None:
        """The value, or what was read of it where that is not sure enough to be one."""
        read = (one.value for one in self.alternatives if one.reason == "not_readable")
        return self.value if self.value is not None else next(read, None)


NOT_FOUND = Field()


@dataclass(frozen=True, slots=True)
class Neoplasm:
    """A tumour that a text names: `status` is current, history, suspected or ruled_out;
    `relation` is patient or family; `codes` are of its site and of the histologies named."""

    site: str | None
    status: Literal["current", "history", "suspected", "ruled_out"]
    relation: Literal["patient", "family"]
    evidence: tuple[Evidence, ...] = ()
    codes: tuple[Code, ...] = ()


# --------------------------------------------------------------------------- completeness


class Met(StrEnum):
    """Whether a required element is there. `unclear` is for a person; it is never a guess."""

    MET = "met"
    MISSING = "missing"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Element:
    """One thing that a required document must hold, with the words that show it.

    `page` is of the document's file: the page that shows it, or where one would look for it. None where
    no document was found that should hold it.
    """

    status: Met
    evidence: tuple[Evidence, ...] = ()
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """A required document of the policy: is it in the packet, and does it hold its elements."""

    status: Literal["present", "incomplete", "missing", "unclear"]
    elements: Mapping[str, Element] = field(default_factory=dict)
    document: str | None = None


@dataclass(frozen=True, slots=True)
class IdentityConflict:
    """Whether pages of another patient are in the packet, with both identities' evidence."""

    value: bool
    evidence: tuple[Evidence, ...] = ()


# --------------------------------------------------------------------------- evaluation


@dataclass(frozen=True, slots=True)
class EvaluatorInfo:
    """Who evaluated, and by which rules."""

    name: str
    version: str
    ruleset: str


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """One criterion by Kleene's logic. `because` names the findings it rests on; `would_settle`
    the smallest sets of facts that would turn `unknown` into an answer ("t+n" is a set of two)."""

    id: str
    result: Literal["met", "not_met", "unknown"]
    because: tuple[str, ...] = ()
    would_settle: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing to ask the provider for: a code of the policy and words an office understands."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The evaluator's outcome and its reasons. It recommends; a person decides."""

    evaluator: EvaluatorInfo
    outcome: Literal["meets", "investigational", "needs_information", "out_of_scope", "other_policy"]
    criterion: str | None
    criteria: tuple[CriterionResult, ...] = ()
    missing: tuple[Missing, ...] = ()
    other_policy: str | None = None
    needs_person: tuple[str, ...] = ()


# --------------------------------------------------------------------------- case


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """Policy and version under which the case is judged."""

    id: str
    version: str


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A received file as the case lists it; `pages` is 0 where it could not be read."""

    name: str
    sha256: str
    media_type: str
    pages: int


@dataclass(frozen=True, slots=True)
class CasePage:
    """A page as the case lists it; see `Page`. `duplicate_of` is "file#page" of the earlier page."""

    file: str
    page: int
    source: Literal["text", "ocr"]
    rotation: int
    blank: bool
    duplicate_of: str | None
    mean_confidence: float | None
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class CaseDocument:
    """A document as the case lists it. `text` is what `start` and `end` of every evidence count in.

    `author` ("Last, First") and `specialty` are as the paper's signature, head or letterhead states them.
    """

    id: str
    file: str
    type: str
    loinc: str | None
    title: str = field(repr=False)
    first_page: int
    last_page: int
    confidence: float
    pages: tuple[int, ...] = ()
    service_date: str | None = None
    belongs_to_patient: bool | None = None
    text: str = field(default="", repr=False)
    author: Field = NOT_FOUND
    specialty: Field = NOT_FOUND


@dataclass(frozen=True, slots=True)
class Patient:
    """Who the request is for, as the form and cover sheet say."""

    name: Field = NOT_FOUND
    dob: Field = NOT_FOUND
    member_id: Field = NOT_FOUND


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: codes as the packet states them, unticked codes left out.

    `provider` ("Last, First") is who asks, `npi` that provider's National Provider Identifier.
    """

    cpt: tuple[Field, ...] = ()
    icd10: tuple[Field, ...] = ()
    expedited: Field = NOT_FOUND
    provider: Field = NOT_FOUND
    npi: Field = NOT_FOUND


@dataclass(frozen=True, slots=True)
class Completeness:
    """Required documents by name, and whether pages of another patient are in the packet."""

    documents: Mapping[str, Requirement] = field(default_factory=dict)
    identity_conflict: IdentityConflict = IdentityConflict(False)


@dataclass(frozen=True, slots=True)
class Maker:
    """What made a case: the release of this program, and the digest of the knowledge that it used."""

    version: str
    knowledge: str

    @property
    def name(self) -> str:
        """Both in one word: the model version that figures are kept by."""
        return f"{self.version}+{self.knowledge}"


@dataclass(frozen=True, slots=True)
class Case:
    """All that the evaluator and the reviewer see of one submission. `received`: see `Submission`;
    `made_by` is None where nothing was read, and in cases of before it was kept."""

    case_id: str
    status: Literal["complete", "partial", "parked"]
    problems: tuple[Problem, ...]
    policy: PolicyRef | None
    files: tuple[CaseFile, ...]
    pages: tuple[CasePage, ...] = ()
    documents: tuple[CaseDocument, ...] = ()
    patient: Patient = Patient()
    request: Request = Request()
    findings: Mapping[str, Field] = field(default_factory=dict)
    completeness: Completeness = Completeness()
    evaluation: Evaluation | None = None
    received: date | None = None
    made_by: Maker | None = None
