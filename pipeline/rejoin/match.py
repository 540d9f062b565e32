"""Which open request a reply answers. Where that is not sure, a person says it: a reply is never joined to
the case of another patient, and never to one of two that it fits alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.catalog.identity import NameRules
from pipeline.catalog.letters import Letters
from pipeline.domain import Case, Field
from pipeline.information_request.record import InformationRequest
from pipeline.names import PersonName, name_likeness
from pipeline.rejoin.seen import Seen
from pipeline.spelling import fold, misreading_distance, tokenize

By = Literal["barcode", "reference", "content"]
Reason = Literal["unknown", "closed", "several", "another_patient", "not_sure"]

_SAME, _MAYBE, _OTHER = 2, 1, -1


@dataclass(frozen=True, slots=True)
class Known:
    """A request that was sent; a reply to one that is not open any more is for a person."""

    request: InformationRequest
    open: bool = True

    @property
    def reference(self) -> str:
        return self.request.reference or ""


@dataclass(frozen=True, slots=True)
class Match:
    """The request that a reply answers, and by what that was known; or None and the reason for a person.

    `candidates` are the references that it may answer, the likeliest first, for the person.
    """

    request: InformationRequest | None
    by: By | None = None
    reason: Reason | None = None
    score: float | None = None
    candidates: tuple[str, ...] = ()


def match(reply: Case, seen: Seen, requests: Sequence[Known], letters: Letters, names: NameRules) -> Match:
    """The request that `reply`, worked as a case of its own, answers. `seen` is what it bears of ours."""
    known = {one.reference: one for one in requests}
    steps: tuple[tuple[By, frozenset[str]], ...] = (
        ("barcode", seen.barcodes),
        ("reference", seen.printed),
        ("reference", seen.misread),
    )
    for by, references in steps:
        named = [known[reference] for reference in sorted(references) if reference in known]
        if named:
            return _named(reply, named, by, names)
    return _by_content(reply, [one for one in requests if one.open], letters, names)


def _named(reply: Case, named: list[Known], by: By, names: NameRules) -> Match:
    """The request that the reply names: the latest of its case, where all that it names are of one case."""
    candidates = tuple(one.reference for one in named)
    if len({one.request.case_id for one in named}) > 1:
        return Match(None, reason="several", candidates=candidates)
    latest = max(named, key=lambda one: (one.open, one.request.number))
    if not latest.open:
        return Match(None, reason="closed", candidates=candidates)
    if _is_another(reply, latest.request, names):
        return Match(None, reason="another_patient", candidates=candidates)
    return Match(latest.request, by=by, candidates=candidates)


# ------------------------------------------------------------------ by what it says


def _by_content(reply: Case, requests: Iterable[Known], letters: Letters, names: NameRules) -> Match:
    """The request whose patient and records the reply has, where it is far enough ahead of all others."""
    scored = sorted(
        ((_score(reply, one.request, letters, names), one.reference, one.request) for one in requests),
        key=lambda row: (-row[0], row[1]),
    )
    likely = [row for row in scored if row[0] > 0]
    if not likely:
        return Match(None, reason="unknown")
    score, _, request = likely[0]
    rules, candidates = letters.rejoin, tuple(reference for _, reference, _ in likely[:5])
    others = [row for row in likely[1:] if row[2].case_id != request.case_id]
    if score < rules.enough or (others and score - others[0][0] < rules.ahead):
        return Match(None, reason="not_sure", score=score, candidates=candidates)
    return Match(request, by="content", score=score, candidates=candidates)


def _score(reply: Case, request: InformationRequest, letters: Letters, names: NameRules) -> float:
    """Points for what a reply and a request have in common; 0 where it cannot be about this patient."""
    points = letters.rejoin.points
    about = request.about
    name = _names_alike(_text(reply.patient.name), about.name, names)
    day = _days_alike(_text(reply.patient.dob), about.dob)
    number = _numbers_alike(_text(reply.patient.member_id), about.member_id)
    if _OTHER in (name, day) or sum(fact > 0 for fact in (name, day, number)) < 2:
        return 0.0
    score = {_SAME: points.name, _MAYBE: points.name_maybe}.get(name, 0.0)
    score += {_SAME: points.dob, _MAYBE: points.dob_maybe}.get(day, 0.0)
    score += points.member_id if number == _SAME else 0.0
    return score + _content(reply, request, letters)


def _content(reply: Case, request: InformationRequest, letters: Letters) -> float:
    """Points for the records, the service and the words of a reply."""
    points = letters.rejoin.points
    own = [document for document in reply.documents if document.belongs_to_patient is not False]
    types = {document.type for document in own}
    answers = any(types & set(item.records) for item in request.items)
    says_so = any(letters.rejoin.known.find(tokenize(document.text), misread=True) for document in own)
    services = {value for field in reply.request.cpt if (value := _text(field))}
    score = points.record if answers else 0.0
    score += points.phrase if says_so else 0.0
    if services and request.about.services:
        score += points.service if services & set(request.about.services) else points.other_service
    if "pa_request_form" in types and not says_so:
        score += points.new_request
    return score


# ------------------------------------------------------------------ who it is about


def _is_another(reply: Case, request: InformationRequest, names: NameRules) -> bool:
    """Whether name and birth date are both another's. One of them alone may be misread or mistyped."""
    about = request.about
    return (
        _names_alike(_text(reply.patient.name), about.name, names) == _OTHER
        and _days_alike(_text(reply.patient.dob), about.dob) == _OTHER
    )


def _text(field: Field) -> str | None:
    return field.value if isinstance(field.value, str) else None


def _names_alike(one: str | None, other: str | None, names: NameRules) -> int:
    """2 the same, 1 perhaps, 0 not known, -1 another."""
    if not one or not other:
        return 0
    likeness = name_likeness(_person(one), _person(other), names.same_first)
    return {2: _SAME, 1: _MAYBE, 0: _MAYBE}.get(likeness, _OTHER)


def _person(name: str) -> PersonName:
    last, _, first = name.partition(", ")
    return PersonName(last, first)


def _days_alike(one: str | None, other: str | None) -> int:
    """As of names; where one of year, month and day differs it may be misread."""
    if not one or not other:
        return 0
    differing = sum(a != b for a, b in zip(one.split("-"), other.split("-"), strict=False))
    return {0: _SAME, 1: _MAYBE}.get(differing, _OTHER)


def _numbers_alike(one: str | None, other: str | None) -> int:
    """2 the same but for one misread character, 0 else: a packet may state another number of the patient."""
    if not one or not other:
        return 0
    plain, plain_other = (fold("".join(filter(str.isalnum, number))) for number in (one, other))
    return _SAME if misreading_distance(plain, plain_other, 1.0) <= 1.0 else 0
