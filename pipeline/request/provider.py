"""Who asks: the requesting provider's name and National Provider Identifier (NPI).

A paper names several people and places; the label beside a name says which of them asks. A number goes
with the person on whose line, under whose label or below whose name it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.catalog.request import RequestRules
from pipeline.domain import NOT_FOUND, Alternative, Document, Field, Problem, Status
from pipeline.evidence import evidence_for
from pipeline.names import PersonName, read_name, treats
from pipeline.request.lines import Cell, Line, cell_above, cell_below, is_misread, lines_of
from pipeline.request.npi import has_check_digit
from pipeline.spelling import DIGITS, Phrases, tokenize

EXTRACTOR = "rule:provider"

_RANKS = ("asks", "refers", "treats")  # whose name is taken, best first; "others" is never
_GAP = re.compile(r"(?:\s?(?:name|\(s\)|office|/\s?NPI))?[\s.:=|_#/>-]*", re.IGNORECASE)
_TITLE = re.compile(r"\b(?:Dr|DR|Doctor)\b\.?\s*")
_NAME_LABEL = re.compile(r"\s*(?:name)\b[\s.:=|_]*", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w-])[12Il][0-9OIlSB]{9}(?![\w-])")
_CELLS = re.compile(r"\s{2,}|\||\d{10}")
_BLOCK = 3  # lines below a label, or a name, that still belong to it


class _Role(NamedTuple):
    """A label that says what somebody does: asks, refers, treats, others."""

    kind: str
    line: int
    start: int
    end: int


class _Named(NamedTuple):
    """A name under its role; offsets are in the document."""

    role: _Role
    name: PersonName
    line: int
    start: int
    end: int


class _Npi(NamedTuple):
    """Ten digits in the place of an NPI; `role` is whose they are, as far as the paper says."""

    digits: str
    start: int
    end: int
    role: _Role | None


def read_provider(documents: Sequence[Document], rules: RequestRules) -> tuple[Field, Field]:
    """The provider who asks ("Last, First") and the NPI; an NPI whose check digit is wrong is uncertain."""
    for source in rules.sources:
        for document in (document for document in documents if document.type == source):
            if found := _provider(document, rules):
                return found
    return NOT_FOUND, NOT_FOUND


def npi_problems(npi: Field) -> Iterator[Problem]:
    """A problem where the NPI on the page fails its own check."""
    if npi.status is Status.UNCERTAIN and npi.evidence:
        shown = npi.evidence[0]
        told = "The provider's NPI has a wrong check digit. Check it on the page."
        yield Problem(shown.file, shown.page, "npi_check_digit", told)


def _provider(document: Document, rules: RequestRules) -> tuple[Field, Field] | None:
    lines = lines_of(document.text)
    roles = [*_roles(lines, rules, misread=is_misread(document))]
    named = [*_names(lines, roles, rules), *_signed(lines, rules)]
    best = min(named, key=lambda one: (_RANKS.index(one.role.kind), one.start), default=None)
    if best is None:
        return None
    evidence = evidence_for(document, best.start, best.end, extractor=EXTRACTOR)
    numbers = [*_npis(lines, roles, rules, misread=is_misread(document))]
    own = _number_of(best, named, numbers)
    return Field(str(best.name), Status.FOUND, 0.9, evidence=(evidence,)), _npi_field(document, own)


def _npi_field(document: Document, npi: _Npi | None) -> Field:
    if npi is None:
        return NOT_FOUND
    evidence = (evidence_for(document, npi.start, npi.end, extractor=EXTRACTOR),)
    if has_check_digit(npi.digits):
        return Field(npi.digits, Status.FOUND, 0.97, evidence=evidence)
    printed = Alternative(npi.digits, "wrong_check_digit", evidence)
    return Field(status=Status.UNCERTAIN, evidence=evidence, alternatives=(printed,))


# --------------------------------------------------------------------------- roles and names


def _roles(lines: Sequence[Line], rules: RequestRules, *, misread: bool) -> Iterator[_Role]:
    """Labels of people and places, the longest at a place, where they open a cell or follow a mark."""
    for number, line in enumerate(lines):
        end = 0
        hits = rules.provider.phrases.find(tokenize(line.text), misread=misread)
        for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
            if hit.start >= end and _opens(line.text, hit.start):
                end = hit.end
                yield _Role(rules.provider.by_phrase[hit.phrase], number, hit.start, hit.end)


def _opens(line: str, start: int) -> bool:
    before = line[:start]
    last = before.rstrip()[-1:]
    return not last or before.endswith("  ") or not (last.isalpha() or last == ",")


def _names(lines: Sequence[Line], roles: Sequence[_Role], rules: RequestRules) -> Iterator[_Named]:
    for index, role in enumerate(roles):
        if role.kind not in _RANKS:
            continue
        following = roles[index + 1] if index + 1 < len(roles) else None
        for line, start, room in _rooms(lines, role, following):
            if name := _name_at(room, rules):
                found, skipped, length = name
                begin = lines[line].start + start + skipped
                yield _Named(role, found, line, begin, begin + length)
                break


def _rooms(lines: Sequence[Line], role: _Role, following: _Role | None) -> Iterator[tuple[int, int, str]]:
    """(line, column, text) of the places where the name of a label may stand: behind it, below, above."""
    text = lines[role.line].text
    end = following.start if following and following.line == role.line else len(text)
    gap = _GAP.match(text, role.end, end)
    start = gap.end() if gap else role.end
    if text[start:end].strip():
        yield role.line, start, text[start:end]
    bracketed = text[: role.start].rstrip().endswith("(")
    beside = (cell_above if bracketed else cell_below)(lines, role.line, role.start, role.end)
    if beside:
        label = _NAME_LABEL.match(beside.text)
        skipped = label.end() if label else 0
        text = lines[beside.line].text[beside.column + skipped :]
        yield beside.line, beside.column + skipped, text


def _name_at(room: str, rules: RequestRules) -> tuple[PersonName, int, int] | None:
    """The name in a room: (name, characters before it, its length)."""
    cell = re.split(r"\s{3,}|\s\|", room.lstrip(" |"))[0]
    skipped = len(room) - len(room.lstrip(" |"))
    if title := _TITLE.search(cell):
        skipped, cell = skipped + title.end(), cell[title.end() :]
    if degree := rules.names.credential.search(cell, 1):
        cell = cell[: degree.start()]
    found = read_name(cell, rules.names, labelled=True)
    if found is None or not cell.lstrip()[:1].isupper() or _is_place(cell[: found[1]], rules):
        return None
    return found[0], skipped, found[1]


def _signed(lines: Sequence[Line], rules: RequestRules) -> Iterator[_Named]:
    """Names with a degree that open a line, as at the foot of a letter."""
    for number, line in enumerate(lines):
        column = len(line.text) - len(line.text.lstrip())
        found = read_name(line.text[column:], rules.names)
        if found is None or _is_place(line.text[: column + found[1]], rules):
            continue
        if treats(line.text, column + found[1], rules.names):
            role = _Role("treats", number, column, column)
            yield _Named(role, found[0], number, line.start + column, line.start + column + found[1])


def _is_place(words: str, rules: RequestRules) -> bool:
    return not rules.provider.places.isdisjoint(token.word for token in tokenize(words))


# --------------------------------------------------------------------------- numbers


def _npis(
    lines: Sequence[Line], roles: Sequence[_Role], rules: RequestRules, *, misread: bool
) -> Iterator[_Npi]:
    """Numbers that a label calls an NPI, or that stand behind a name on a labelled line."""
    labels = Phrases(rules.provider.npi)
    for number, line in enumerate(lines):
        for match in _NUMBER.finditer(line.text):
            digits = match.group().translate(DIGITS) if misread else match.group()
            start, end = match.span()
            before = next((cell for cell in reversed(_CELLS.split(line.text[:start])) if cell.strip()), "")
            above = cell_above(lines, number, start, end)
            below = cell_below(lines, number, start, end)
            here = [role for role in roles if role.line == number and role.end <= start]
            if labels.find(tokenize(before), misread=misread):
                over = [role for role in roles if number - _BLOCK <= role.line < number]
                owner = next(reversed(here or over), None)
            elif above and labels.find(tokenize(above.text), misread=misread):
                over = [role for role in roles if _in_header(role, above)]
                owner = next(reversed(over), None)
            elif below and labels.find(tokenize(below.text), misread=misread):
                over = [role for role in roles if _in_header(role, below)]
                owner = next(reversed(over), None)
            elif here and has_check_digit(digits):  # not labelled: a telephone number has none
                owner = here[-1]
            else:
                continue
            yield _Npi(digits, line.start + start, line.start + end, owner)


def _in_header(role: _Role, cell: Cell) -> bool:
    """Whether the role stands in a header's cell, or to the left of it."""
    return role.line == cell.line and role.start <= cell.column + len(cell.text)


def _number_of(best: _Named, named: Sequence[_Named], numbers: Sequence[_Npi]) -> _Npi | None:
    """The number that goes with a name: its own role's, else one of that kind, else one of nobody else."""
    taken = {(one.role.line, one.role.start) for one in named if one.role != best.role}
    free = [
        one
        for one in numbers
        if one.role is None or (one.role.kind in _RANKS and (one.role.line, one.role.start) not in taken)
    ]
    for wanted in (
        [one for one in free if one.role == best.role],
        [one for one in free if one.role and one.role.kind == best.role.kind],
        [one for one in free if one.start > best.end],
        free,
    ):
        if wanted:
            return wanted[0]
    return None
