"""What each paper says of who the patient is: names, birth dates, record and member numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.catalog.identity import IdentityRules
from pipeline.dates import LATEST_YEAR, find_dates, newest_year
from pipeline.domain import (
    Document,
    Evidence,
)
from pipeline.evidence import evidence_for
from pipeline.labels import Labelled, labelled_values
from pipeline.member_number import (
    BARE,
    EXPLICIT,
    NAMED,
    UNLABELLED,
    member_numbers,
)
from pipeline.names import (
    PersonName,
    read_name,
    treats,
)
from pipeline.spelling import fold, tokenize

EXTRACTOR = "rule:identity"

# How much a document's word weighs on who the patient is; any other document only supports.
AUTHORITY = {"pa_request_form": 6.0, "fax_cover": 3.0, "letter_of_medical_necessity": 2.0}

# Labels that leave no doubt that a patient is named.
_PATIENT_LABELS = frozenset(
    {"patient", "patient name", "name of patient", "member", "member name", "pt", "pt name", "patient label"}
)


# How much a member number counts by how surely its label says what it is (see `pipeline.member_number`).
RANK_WEIGHT = {EXPLICIT: 1.0, NAMED: 0.7, BARE: 0.4, UNLABELLED: 0.2}
_RECORD = re.compile(r"[A-Z]{0,4}[ -]?\d[\dA-Z-]{2,14}")
_HEADER_NAME = re.compile(r"(?m)^[ \t]*(?:\[label\]\s*)?(?=[^\W\d_])")
_CAPITAL_CELL = re.compile(r"[A-ZÀ-ÖØ-Þ'’.-]{2,}(?: [A-ZÀ-ÖØ-Þ'’.-]{2,}){0,3}(?: [A-Z])?(?= {2}|\t)")
_NAME_PART = r"[^\W\d_](?:[^\W\d_]|['’.-])*"
# A date beside a name, so many years before the papers were written, is a birth date without its label.
_LONG_AGO = 10
_BIRTH_BEHIND = re.compile(r",?\s+(?:DOB|D\.O\.B\.?|born|MRN)\b", re.IGNORECASE)
_BESIDE_NAME = re.compile(
    r"\b(?:DOB|D\.O\.B|MRN|MR|acct|born|M|F)\b|\d{1,2}[/-]\d{1,2}[/-]\d{2,4}", re.IGNORECASE
)


@dataclass(frozen=True)
class Seen:
    """One reading of one fact of identity, `start` to `end` of its document; `value` is its normal form."""

    kind: str
    value: str = field(repr=False)
    document: Document = field(repr=False)
    start: int
    end: int
    name: PersonName | None = field(default=None, repr=False)
    labelled: bool = False
    weight: float = 1.0

    @property
    def is_text(self) -> bool:
        """Whether it stands in a text layer."""
        return self.document.page_at(self.start).source == "text"

    @property
    def evidence(self) -> Evidence:
        return evidence_for(self.document, self.start, self.end, extractor=EXTRACTOR)


@dataclass(frozen=True)
class Reader:
    """How the papers of one submission are read. `latest_year` is the last in which they are dated."""

    rules: IdentityRules
    latest_year: int

    @classmethod
    def of(cls, documents: Sequence[Document], rules: IdentityRules) -> Reader:
        return cls(rules, newest_year(document.text for document in documents) or LATEST_YEAR)


def read(document: Document, reader: Reader) -> Iterable[Seen]:
    rules = reader.rules
    tokens = tokenize(document.text)
    misread = any(page.source == "ocr" for page in document.pages)
    values = list(
        labelled_values(
            document.text, tokens, rules.phrases, misread=misread, sure=rules.sure, joined=rules.joined
        )
    )
    labelled: list[Seen] = []
    for index, value in enumerate(values):
        kinds = rules.by_label[value.label]
        following = values[index + 1] if index + 1 < len(values) else None
        labelled += _read_value(document, value, following, kinds, reader)
    yield from labelled
    # a name behind its label may be one of a header, too, with a short label ("Pt") for a part of it
    names = [reading for reading in labelled if reading.name]
    for reading in _header_names(document, reader):
        if reading.name is None or not any(
            reading.start < one.end and one.start < reading.end for one in names
        ):
            yield reading
    yield from _member_numbers(document, rules, misread=misread)


def _read_value(
    document: Document,
    value: Labelled,
    following: Labelled | None,
    kinds: frozenset[str],
    reader: Reader,
) -> Iterable[Seen]:
    rules, text = reader.rules, document.text[value.start : value.end]
    if "last_name" in kinds and following and "first_name" in rules.by_label[following.label]:
        yield from _split_name(document, value, following)
    labelled = value.label in _PATIENT_LABELS
    if "name" in kinds and (found := _name(document, value.start, value.end, rules, labelled=labelled)):
        name, end = found
        yield Seen("name", str(name), document, value.start, value.start + end, name, labelled)
    if (
        "dob" in kinds
        and (date := next(find_dates(text[:30], latest_year=reader.latest_year), None))
        and date.start < 12
    ):
        yield Seen("dob", date.day, document, value.start + date.start, value.start + date.end)
    if "mrn" in kinds and (match := _RECORD.match(text)) and sum(map(str.isdigit, match.group())) >= 4:
        yield Seen("mrn", fold(_plain(match.group())), document, value.start, value.start + match.end())


def _split_name(document: Document, last: Labelled, first: Labelled) -> Iterable[Seen]:
    """ "Last name  X   First name  Y"."""
    room = re.compile(rf"[\s-]*(?P<name>{_NAME_PART}(?: {_NAME_PART})*)")
    lasts = room.match(document.text, last.start, last.end)
    firsts = room.match(document.text, first.start, first.end)
    if lasts and firsts:
        name = PersonName(lasts["name"], firsts["name"].split()[0])
        end = firsts.start("name") + len(name.first)
        yield Seen("name", str(name), document, lasts.start("name"), end, name, labelled=True)


def _member_numbers(document: Document, rules: IdentityRules, *, misread: bool) -> Iterable[Seen]:
    """Member numbers: on the request's own papers by any label, on others by an outright one."""
    for number in member_numbers(document.text, rules.numbers, misread=misread):
        if number.rank == EXPLICIT or document.type in AUTHORITY:
            value = fold(_plain(document.text[number.start : number.end]))
            weight = RANK_WEIGHT[number.rank]
            yield Seen("member_id", value, document, number.start, number.end, weight=weight)


def _header_names(document: Document, reader: Reader) -> Iterable[Seen]:
    """Names without a label: at the start of a line on which a birth date or record number stands too."""
    rules = reader.rules
    for match in _HEADER_NAME.finditer(document.text):
        line_end = document.text.find("\n", match.end())
        line = document.text[match.end() : line_end if line_end >= 0 else len(document.text)]
        found = _name(document, match.end(), match.end() + len(line), rules)
        if not found or not _BESIDE_NAME.search(line[found[1] :]):
            continue
        name, end = found
        # a name in written order is told from other words by what stands right behind it
        if "," not in line[:end] and not _CAPITAL_CELL.match(line) and not _BIRTH_BEHIND.match(line, end):
            continue
        yield Seen("name", str(name), document, match.end(), match.end() + end, name)
        date = next(find_dates(line[end:], latest_year=reader.latest_year), None)
        if date and not date.two_digit_year and int(date.day[:4]) < reader.latest_year - _LONG_AGO:
            start = match.end() + end + date.start
            yield Seen("dob", date.day, document, start, start + date.end - date.start)


def _name(
    document: Document, start: int, end: int, rules: IdentityRules, *, labelled: bool = False
) -> tuple[PersonName, int] | None:
    """The name at `start` and where it ends there, unless it is that of somebody who treats.

    `end` is where the room for the name ends; a degree may stand behind it.
    """
    found = read_name(document.text[start:end], rules.names, labelled=labelled)
    return None if found is None or treats(document.text, start + found[1], rules.names) else found


def _plain(number: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", number)
