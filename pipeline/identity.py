"""Who the packet is about, and which of its documents are about somebody else.

Every page is searched for a patient's name, birth date, record and member number. The request form,
the cover sheet and the letters say who the patient is; where OCR may have misread a value there, the
other documents' readings decide between the candidates.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pipeline.agreement import Print, decided
from pipeline.catalog.identity import IdentityRules
from pipeline.dates import LATEST_YEAR, find_dates, newest_year
from pipeline.domain import (
    NOT_FOUND,
    Alternative,
    Document,
    Evidence,
    Field,
    IdentityConflict,
    Page,
    Patient,
    Status,
)
from pipeline.evidence import evidence_for
from pipeline.labels import Labelled, labelled_values
from pipeline.member_number import (
    BARE,
    EXPLICIT,
    NAMED,
    UNLABELLED,
    NumberSeen,
    member_field,
    member_numbers,
)
from pipeline.names import (
    PersonName,
    name_likeness,
    part_key,
    read_name,
    spelled_alike,
    treats,
    turned,
)
from pipeline.spelling import fold, tokenize

EXTRACTOR = "rule:identity"

# How much a document's word weighs on who the patient is; any other document only supports.
_AUTHORITY = {"pa_request_form": 6.0, "fax_cover": 3.0, "letter_of_medical_necessity": 2.0}

# Labels that leave no doubt that a patient is named.
_PATIENT_LABELS = frozenset(
    {"patient", "patient name", "name of patient", "member", "member name", "pt", "pt name", "patient label"}
)

_SPREAD = 2  # digits in which two readings of one day may differ
_SHOWN = 3  # readings of an uncertain value that are shown

# How much a member number counts by how surely its label says what it is (see `pipeline.member_number`).
_RANK_WEIGHT = {EXPLICIT: 1.0, NAMED: 0.7, BARE: 0.4, UNLABELLED: 0.2}
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
    """One reading of one fact of identity: `value` is its normal form, `raw` as it stands."""

    kind: str
    value: str
    document: Document
    start: int
    end: int
    name: PersonName | None = None
    labelled: bool = False
    weight: float = 1.0

    @property
    def evidence(self) -> Evidence:
        return evidence_for(self.document, self.start, self.end, extractor=EXTRACTOR)


@dataclass(frozen=True)
class _Reader:
    """How the papers of one submission are read. `latest_year` is the last in which they are dated."""

    rules: IdentityRules
    latest_year: int

    @classmethod
    def of(cls, documents: Sequence[Document], rules: IdentityRules) -> _Reader:
        return cls(rules, newest_year(document.text for document in documents) or LATEST_YEAR)


class _Known(NamedTuple):
    """What identifies the packet's patient; `records` are record numbers beside the birth date."""

    name: Seen | None
    dob: Seen | None
    records: frozenset[str]


def identify(
    documents: Sequence[Document], rules: IdentityRules
) -> tuple[Patient, IdentityConflict, tuple[Document, ...]]:
    """The patient, whether papers of another are there, and the documents with `belongs_to_patient`."""
    reader = _Reader.of(documents, rules)
    documents = _parted(documents, reader)
    seen = {document.id: tuple(_read(document, reader)) for document in documents}
    known = _known(seen, rules)
    marked, conflicts = [], []
    for document in documents:
        belongs, against = _belongs(seen[document.id], known, rules)
        marked.append(replace(document, belongs_to_patient=belongs))
        conflicts += against
    told = [reading for reading in (known.name, known.dob) if reading is not None]
    evidence = [reading.evidence for reading in (*told, *conflicts)] if conflicts else []
    everything = [reading for readings in seen.values() for reading in readings]
    strangers = {document.id for document in marked if document.belongs_to_patient is False}
    own = [reading for reading in everything if reading.document.id not in strangers]
    patient = Patient(
        name=_name_field(known.name, own, rules),
        dob=_dob_field(known.dob, own, rules),
        member_id=_member_id(everything, rules),
    )
    return patient, IdentityConflict(bool(conflicts), tuple(evidence)), tuple(marked)


def _known(seen: Mapping[str, Sequence[Seen]], rules: IdentityRules) -> _Known:
    everything = [reading for readings in seen.values() for reading in readings]
    name = _agreed("name", everything, rules)
    dob = _agreed("dob", _not_of_others(seen, name, rules), rules)
    records = {r.value for r in everything if r.kind == "mrn" and dob and _near(r, seen, dob)}
    return _Known(name, dob, frozenset(records))


def _not_of_others(seen: Mapping[str, Sequence[Seen]], name: Seen | None, rules: IdentityRules) -> list[Seen]:
    """The birth dates on papers that do not name somebody else; all, where there is none on such a paper."""
    dobs = {id_: [one for one in readings if one.kind == "dob"] for id_, readings in seen.items()}
    own = [
        dob
        for id_, readings in seen.items()
        if max((_name_score(name, one, rules) for one in readings if one.name), default=0) >= 0
        for dob in dobs[id_]
    ]
    return own or [dob for found in dobs.values() for dob in found]


def _parted(documents: Sequence[Document], reader: _Reader) -> Sequence[Document]:
    """The documents, pages of another patient inside one made a document of their own."""
    rules = reader.rules
    seen = {document.id: tuple(_read(document, reader)) for document in documents}
    known = _known(seen, rules)
    parts: list[Document] = []
    for document in documents:
        verdicts = [_page_belongs(document, page, seen[document.id], known, rules) for page in document.pages]
        if True not in verdicts or False not in verdicts:
            parts.append(document)
            continue
        # a page that names nobody goes with the page before it
        filled: list[bool] = []
        for verdict in verdicts:
            filled.append(verdict if verdict is not None else filled[-1] if filled else True)
        for own in (True, False):
            pages = zip(document.pages, filled, strict=True)
            kept = tuple(page for page, verdict in pages if verdict is own)
            parts.append(replace(document, pages=kept))
    if len(parts) == len(documents):
        return documents
    return [replace(document, id=f"d{number}") for number, document in enumerate(parts, 1)]


def _page_belongs(
    document: Document, page: Page, readings: Sequence[Seen], known: _Known, rules: IdentityRules
) -> bool | None:
    start, end = document.page_span(page)
    return _belongs([reading for reading in readings if start <= reading.start < end], known, rules)[0]


def _near(reading: Seen, seen: Mapping[str, Sequence[Seen]], dob: Seen) -> bool:
    """Whether the reading's document also states the patient's birth date."""
    return any(other.kind == "dob" and other.value == dob.value for other in seen[reading.document.id])


# --------------------------------------------------------------------------- reading


def _read(document: Document, reader: _Reader) -> Iterable[Seen]:
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
    reader: _Reader,
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
        if number.rank == EXPLICIT or document.type in _AUTHORITY:
            value = fold(_plain(document.text[number.start : number.end]))
            weight = _RANK_WEIGHT[number.rank]
            yield Seen("member_id", value, document, number.start, number.end, weight=weight)


def _header_names(document: Document, reader: _Reader) -> Iterable[Seen]:
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


# --------------------------------------------------------------------------- agreeing


def _agreed(kind: str, everything: Sequence[Seen], rules: IdentityRules) -> Seen | None:
    """The reading that form, cover and the other documents support most, in the best document's words."""
    readings = [reading for reading in everything if reading.kind == kind]
    authority = {id(reading): _authority(reading, rules) for reading in readings}
    official = [reading for reading in readings if authority[id(reading)] > 1]
    candidates = official or readings
    if not candidates:
        return None
    support: dict[int, float] = defaultdict(float)
    for index, candidate in enumerate(candidates):
        for document_id in {reading.document.id for reading in readings}:
            agreeing = [
                reading
                for reading in readings
                if reading.document.id == document_id and _same(candidate, reading, rules)
            ]
            if agreeing:
                spelled = any(fold(candidate.value) == fold(reading.value) for reading in agreeing)
                weight = max(authority[id(reading)] for reading in agreeing)
                support[index] += weight * (1.5 if spelled else 1.0) * max(r.weight for r in agreeing)
    best = max(range(len(candidates)), key=lambda index: (round(support[index], 2), -index))
    return candidates[best]


def _without_record_numbers(numbers: Sequence[Seen], everything: Sequence[Seen]) -> list[Seen]:
    """Member numbers less those without a clear label that are some paper's record number."""
    records = {reading.value for reading in everything if reading.kind == "mrn"}
    clear = _RANK_WEIGHT[NAMED]
    return [number for number in numbers if number.weight >= clear or number.value not in records]


def _member_id(everything: Sequence[Seen], rules: IdentityRules) -> Field:
    """The member number: as the request's own papers have it, else as any."""
    readings = _without_record_numbers([one for one in everything if one.kind == "member_id"], everything)
    official = [reading for reading in readings if reading.document.type in _AUTHORITY]
    return member_field(
        [
            NumberSeen(one.document, one.start, one.end, one.weight * _AUTHORITY.get(one.document.type, 1.0))
            for one in official or readings
        ],
        rules.believed,
    )


def _same(reading: Seen, other: Seen, rules: IdentityRules) -> bool:
    if reading.name and other.name:
        return name_likeness(reading.name, other.name, rules.names) >= 1
    return reading.value == other.value


def _name_field(name: Seen | None, own: Sequence[Seen], rules: IdentityRules) -> Field:
    """The name as the patient's own papers print it.

    A text layer decides, the one that says most who the patient is. Recognised pages vote, on each part of
    the name; it is uncertain where they do not agree on one, or none of them prints both as they were voted.
    """
    if name is None or name.name is None:
        return NOT_FOUND
    alike = [
        replace(reading, name=turned(reading.name, name.name, rules.names))
        for reading in _first(name, _by_authority(own, "name", rules))
        if reading.name and name_likeness(name.name, reading.name, rules.names) >= 0
    ]
    lasts = [one for one in alike if one.name and spelled_alike(name.name.last, one.name.last, rules.names)]
    firsts = [
        one for one in alike if one.name and spelled_alike(name.name.first, one.name.first, rules.names)
    ]
    both = {id(one) for one in lasts} & {id(one) for one in firsts}
    printed = [one for one in alike if id(one) in both and _print(one).is_text]
    if printed or not both:  # a text layer; or an initial, or one part alone
        best = printed[0] if printed else name
        sure = _print(best).is_believed(rules.believed)
        return _found(best, own, rules) if sure else _as_read([best])
    last = decided([_print_of(one, one.name.last) for one in lasts if one.name], rules.believed)
    first = decided([_print_of(one, one.name.first) for one in firsts if one.name], rules.believed)
    voted = last.keys[0], first.keys[0]
    shown = [
        one for one in alike if one.name and (part_key(one.name.last), part_key(one.name.first)) == voted
    ]
    if shown and last.sure and first.sure:
        return _found(shown[0], own, rules)
    return _as_read([*shown[:1], *alike])


def _dob_field(dob: Seen | None, own: Sequence[Seen], rules: IdentityRules) -> Field:
    """The birth date as the patient's own papers print it: a text layer decides, recognised pages vote."""
    if dob is None:
        return NOT_FOUND
    alike = [
        reading
        for reading in _first(dob, _by_authority(own, "dob", rules))
        if sum(a != b for a, b in zip(dob.value, reading.value, strict=True)) <= _SPREAD
    ]
    printed = next((reading for reading in alike if _print(reading).is_text), None)
    if printed is not None:
        return _found(printed, own, rules)
    verdict = decided([_print(reading) for reading in alike], rules.believed)
    shown = [reading for reading in alike if reading.value == verdict.keys[0]]
    shown.sort(key=lambda reading: not _print(reading).confirmed)
    return _found(shown[0], own, rules) if verdict.sure else _as_read([shown[0], *alike])


def _first(reading: Seen, readings: Sequence[Seen]) -> list[Seen]:
    """The readings, this one before the others."""
    return [reading, *(one for one in readings if one is not reading)]


def _print(reading: Seen) -> Print:
    """What a paper prints, for a vote; digits are confirmed or not where it is a day."""
    words = reading.document.words_at(reading.start, reading.end) if reading.kind == "dob" else ()
    confirmed = all(word.confirmed for word in words)
    return Print(reading.document, reading.start, reading.end, reading.value, confirmed)


def _print_of(reading: Seen, part: str) -> Print:
    """What a paper prints of a part of a name, for a vote."""
    place = reading.document.text.find(part, reading.start, reading.end)
    start, end = (place, place + len(part)) if place >= 0 else (reading.start, reading.end)
    return Print(reading.document, start, end, part_key(part))


def _by_authority(readings: Iterable[Seen], kind: str, rules: IdentityRules) -> list[Seen]:
    """The readings of a kind, those of the papers that say who the patient is first."""
    of_kind = (reading for reading in readings if reading.kind == kind)
    return sorted(of_kind, key=lambda reading: -_authority(reading, rules))


def _authority(reading: Seen, rules: IdentityRules) -> float:
    """How much its paper says who the patient is; a word that could hardly be read says no more there."""
    weight = _AUTHORITY.get(reading.document.type, 1.0)
    return weight if weight == 1.0 or _print(reading).certainty >= rules.believed.word else 1.0


def _value(reading: Seen) -> str:
    return str(reading.name) if reading.name else reading.value


def _found(reading: Seen, own: Sequence[Seen], rules: IdentityRules) -> Field:
    same = [other for other in own if other.kind == reading.kind and _same(reading, other, rules)]
    confidence = 0.99 if len({other.document.id for other in same}) > 1 else 0.9
    return Field(_value(reading), Status.FOUND, confidence, evidence=(reading.evidence,))


def _as_read(readings: Sequence[Seen]) -> Field:
    """No value: what was read of it, each once, in this order."""
    printed: dict[str, Seen] = {}
    for reading in readings:
        printed.setdefault(_value(reading), reading)
    shown = tuple(printed.items())[:_SHOWN]
    return Field(
        status=Status.UNCERTAIN,
        evidence=(shown[0][1].evidence,),
        alternatives=tuple(Alternative(value, "not_readable", (one.evidence,)) for value, one in shown),
    )


# --------------------------------------------------------------------------- comparing


def _belongs(readings: Sequence[Seen], known: _Known, rules: IdentityRules) -> tuple[bool | None, list[Seen]]:
    """True, False or None (names nobody), and where False the readings that say so."""
    name, dob, records = known
    names = [reading for reading in readings if reading.name]
    dobs = [reading for reading in readings if reading.kind == "dob"]
    mrns = [reading for reading in readings if reading.kind == "mrn"]
    by_name = max((_name_score(name, reading, rules) for reading in names), default=0)
    by_dob = max((_dob_likeness(dob.value, reading.value) for reading in dobs), default=0) if dob else 0
    by_mrn = (2 if any(reading.value in records for reading in mrns) else -1) if mrns and records else 0
    score = by_name + by_dob + by_mrn
    if score <= -2 and (by_dob < 0 or (by_name < 0 and any(reading.labelled for reading in names))):
        return False, [*names[:1], *dobs[:1]]
    return (True if score > 0 else None), []


def _name_score(name: Seen | None, reading: Seen, rules: IdentityRules) -> int:
    if name is None or name.name is None or reading.name is None:
        return 0
    return name_likeness(name.name, reading.name, rules.names)


def _dob_likeness(day: str, other: str) -> int:
    """3 the same, 1 one part differs (misread or mistyped), -3 two differ, -4 nothing is the same."""
    differing = sum(a != b for a, b in zip(day.split("-"), other.split("-"), strict=True))
    if differing == 0:
        return 3
    swapped = day.split("-")[0] == other.split("-")[0] and sorted(day) == sorted(other)
    return 1 if differing == 1 or swapped else -1 - differing
