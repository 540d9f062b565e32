"""Who the packet is about, and which of its documents are about somebody else.

Every page is searched for a patient's name, birth date, record and member number. The request form,
the cover sheet and the letters say who the patient is; where OCR may have misread a value there, the
other documents' readings decide between the candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pipeline.catalog.identity import IdentityRules
from pipeline.domain import Document, IdentityConflict, Page, Patient
from pipeline.identity.fields import agreed, dob_field, member_id_field, name_field
from pipeline.identity.reading import Reader, Seen, read
from pipeline.names import name_likeness, shares_first


class _Known(NamedTuple):
    """What identifies the packet's patient; `records` are record numbers beside the birth date."""

    name: Seen | None
    dob: Seen | None
    records: frozenset[str]


def identify(
    documents: Sequence[Document], rules: IdentityRules
) -> tuple[Patient, IdentityConflict, tuple[Document, ...]]:
    """The patient, whether papers of another are there, and the documents with `belongs_to_patient`."""
    reader = Reader.of(documents, rules)
    documents = _parted(documents, reader)
    seen = {document.id: tuple(read(document, reader)) for document in documents}
    known = _known(seen, rules)
    marked, conflicts = [], []
    for document in documents:
        belongs, against = _belongs(seen[document.id], known, rules)
        marked.append(replace(document, belongs_to_patient=belongs))
        conflicts += against
    told = [reading for reading in (known.name, known.dob) if reading is not None]
    evidence = [reading.evidence for reading in (*told, *conflicts)] if conflicts else []
    everything = [reading for readings in seen.values() for reading in readings]
    whose = {document.id: document.belongs_to_patient for document in marked}
    own = [reading for reading in everything if whose[reading.document.id] is not False]
    typed = [one for one in own if whose[one.document.id] and one.is_text]
    patient = Patient(
        name=name_field(known.name, own, typed, rules),
        dob=dob_field(known.dob, own, typed, rules),
        member_id=member_id_field(everything, rules),
    )
    return patient, IdentityConflict(bool(conflicts), tuple(evidence)), tuple(marked)


def _known(seen: Mapping[str, Sequence[Seen]], rules: IdentityRules) -> _Known:
    everything = [reading for readings in seen.values() for reading in readings]
    name = agreed("name", everything, rules)
    dob = agreed("dob", _not_of_others(seen, name, rules), rules)
    records = {r.value for r in everything if r.kind == "mrn" and dob and _near(r, seen, dob)}
    return _Known(name, dob, frozenset(records))


def _not_of_others(seen: Mapping[str, Sequence[Seen]], name: Seen | None, rules: IdentityRules) -> list[Seen]:
    """The birth dates on papers that do not name another; all, where there is none on such a paper.

    Another has another first name: a last name changes with a marriage.
    """
    dobs = {id_: [one for one in readings if one.kind == "dob"] for id_, readings in seen.items()}
    own = [dob for id_, found in dobs.items() if not _names_another(seen[id_], name, rules) for dob in found]
    return own or [dob for found in dobs.values() for dob in found]


def _names_another(readings: Sequence[Seen], name: Seen | None, rules: IdentityRules) -> bool:
    names = [one.name for one in readings if one.name]
    if name is None or name.name is None or not names:
        return False
    return not any(shares_first(name.name, one, rules.names) for one in names)


def _parted(documents: Sequence[Document], reader: Reader) -> Sequence[Document]:
    """The documents, pages of another patient inside one made a document of their own."""
    rules = reader.rules
    seen = {document.id: tuple(read(document, reader)) for document in documents}
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
