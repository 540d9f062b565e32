"""Which open request a reply answers. Where that is not sure, a person says it: a reply is never joined to
the case of another patient, and never to one of two that it fits alike. What bears no reference of ours is a
reply only to what was asked before it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pipeline.catalog.letters import Letters
from pipeline.domain import Case
from pipeline.information_request.record import InformationRequest
from pipeline.rejoin.portrait import Portrait, Reader, Telling, is_near
from pipeline.rejoin.seen import Seen
from pipeline.spelling import tokenize

By = Literal["barcode", "reference", "content"]
Reason = Literal["unknown", "closed", "several", "another_patient", "not_sure"]

_SURE_NAME = 0.9
_SURE_DIGITS = 0.5


@dataclass(frozen=True, slots=True)
class Known:
    """A request that was sent, what its case says of the patient, and the moment at which it was issued (None
    where that is not known); a reply to one that is not open any more is for a person."""

    request: InformationRequest
    portrait: Portrait
    issued_at: datetime | None
    open: bool = True

    def was_issued_before(self, moment: datetime) -> bool:
        return self.issued_at is not None and self.issued_at < moment

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


def match(
    reply: Case, seen: Seen, requests: Sequence[Known], letters: Letters, *, received_at: datetime
) -> Match:
    """The request that `reply`, worked as a case of its own, answers. `seen` is what it bears of ours.

    What bears a reference of ours came after it went out, whatever a channel's clock says. By content alone
    a reply answers only what was issued before it was received, and is joined only where no page is of
    another patient: an office that sends our sheet back says what it answers, and nobody says it of these.
    """
    known = {one.reference: one for one in requests}
    texts = [document.text for document in reply.documents if document.belongs_to_patient is not False]
    reader = Reader(texts, Telling([one.portrait for one in requests]))
    steps: tuple[tuple[By, frozenset[str]], ...] = (
        ("barcode", seen.barcodes),
        ("reference", seen.printed),
        ("reference", seen.misread),
    )
    for by, references in steps:
        named = [known[reference] for reference in sorted(references) if reference in known]
        if named:
            return _named(named, by, reader)
    asked = [one for one in requests if one.open and one.was_issued_before(received_at)]
    return _by_content(reply, reader, asked, letters)


def _named(named: list[Known], by: By, reader: Reader) -> Match:
    """The request that the reply names: the latest of its case, where all that it names are of one case."""
    candidates = tuple(one.reference for one in named)
    if len({one.request.case_id for one in named}) > 1:
        return Match(None, reason="several", candidates=candidates)
    latest = max(named, key=lambda one: (one.open, one.request.number))
    if not latest.open:
        return Match(None, reason="closed", candidates=candidates)
    if reader.is_of_another(latest.portrait):
        return Match(None, reason="another_patient", candidates=candidates)
    return Match(latest.request, by=by, candidates=candidates)


# ------------------------------------------------------------------ by what it says


def _by_content(reply: Case, reader: Reader, requests: Sequence[Known], letters: Letters) -> Match:
    """The request whose patient and records the reply has, where it is far enough ahead of all others."""
    scored = sorted(
        ((_score(reply, reader, one, letters), one.reference, one) for one in requests),
        key=lambda row: (-row[0], row[1]),
    )
    likely = [row for row in scored if row[0] > 0]
    if not likely:
        return Match(None, reason="unknown")
    score, _, best = likely[0]
    rules, candidates = letters.rejoin, tuple(reference for _, reference, _ in likely[:5])
    others = [row for row in likely[1:] if row[2].request.case_id != best.request.case_id]
    if score < rules.enough or (others and score - others[0][0] < rules.ahead):
        return Match(None, reason="not_sure", score=score, candidates=candidates)
    if _has_pages_of_another(reply, best.portrait):
        return Match(None, reason="another_patient", score=score, candidates=candidates)
    return Match(best.request, by="content", score=score, candidates=candidates)


def _has_pages_of_another(reply: Case, portrait: Portrait) -> bool:
    """Whether a document of the reply is not its patient's, or says that it is of somebody else than this."""
    return (
        reply.completeness.identity_conflict.value
        or any(document.belongs_to_patient is False for document in reply.documents)
        or any(Reader([one.text], Telling([])).is_of_another(portrait) for one in reply.documents)
    )


def _score(reply: Case, reader: Reader, known: Known, letters: Letters) -> float:
    """Points for what a reply and a request have in common; 0 where it may be about another patient.

    Two of name, birth date and number must agree: each of them alone is shared by others.
    """
    points, said = letters.rejoin.points, reader.said_of(known.portrait)
    agreeing = (said.name > 0) + is_near(said.dob) + is_near(said.number)
    if agreeing < 2 or (said.other_dob and not is_near(said.number)):
        return 0.0
    score = points.name if said.name >= _SURE_NAME else points.name_maybe if said.name else 0.0
    score += _digits(said.dob, points.dob, points.dob_maybe)
    score += _digits(said.number, points.number, points.number_maybe)
    return score + points.words * said.words + _records(reply, known.request, letters)


def _digits(differing: float | None, sure: float, maybe: float) -> float:
    if differing is None or not is_near(differing):
        return 0.0
    return sure if differing <= _SURE_DIGITS else maybe


def _records(reply: Case, request: InformationRequest, letters: Letters) -> float:
    """Points for the kinds of records, the service and the words of a reply."""
    points = letters.rejoin.points
    own = [document for document in reply.documents if document.belongs_to_patient is not False]
    types = {document.type for document in own}
    answers = any(types & set(item.records) for item in request.items)
    says_so = any(letters.rejoin.known.find(tokenize(document.text), misread=True) for document in own)
    services = {field.value for field in reply.request.cpt if isinstance(field.value, str)}
    score = points.record if answers else 0.0
    score += points.phrase if says_so else 0.0
    if services and request.about.services:
        score += points.service if services & set(request.about.services) else points.other_service
    if "pa_request_form" in types and not says_so:
        score += points.new_request
    return score
