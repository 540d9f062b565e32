"""The patient's name, birth date and member number, of all that the papers print of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.agreement import Print, Verdict, decided
from pipeline.catalog.identity import IdentityRules
from pipeline.domain import (
    NOT_FOUND,
    Alternative,
    Field,
    Status,
)
from pipeline.identity.reading import AUTHORITY, RANK_WEIGHT, Seen
from pipeline.member_number import (
    NAMED,
    NumberSeen,
    member_field,
)
from pipeline.names import (
    PersonName,
    name_likeness,
    part_key,
    spelled_alike,
    turned,
)
from pipeline.spelling import fold

_SPREAD = 2  # digits in which two readings of one day may differ
_SHOWN = 3  # readings of an uncertain value that are shown


def agreed(kind: str, everything: Sequence[Seen], rules: IdentityRules) -> Seen | None:
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
    clear = RANK_WEIGHT[NAMED]
    return [number for number in numbers if number.weight >= clear or number.value not in records]


def member_id_field(everything: Sequence[Seen], rules: IdentityRules) -> Field:
    """The member number: as the request's own papers have it, else as any."""
    readings = _without_record_numbers([one for one in everything if one.kind == "member_id"], everything)
    official = [reading for reading in readings if reading.document.type in AUTHORITY]
    return member_field(
        [
            NumberSeen(one.document, one.start, one.end, one.weight * AUTHORITY.get(one.document.type, 1.0))
            for one in official or readings
        ],
        rules.believed,
    )


def _same(reading: Seen, other: Seen, rules: IdentityRules) -> bool:
    if reading.name and other.name:
        return name_likeness(reading.name, other.name, rules.names) >= 1
    return reading.value == other.value


def name_field(name: Seen | None, own: Sequence[Seen], typed: Sequence[Seen], rules: IdentityRules) -> Field:
    """The name as the patient's own papers print it; `typed` are those of them that have it in a text layer.

    Recognised pages vote on each part of it; an initial has no vote. It is uncertain where they do not agree
    on a part, and where none of them prints both parts as they were voted.
    """
    if name is None or name.name is None:
        return NOT_FOUND
    alike = [
        reading
        for reading in _first(name, _by_authority(own, "name", rules))
        if reading.name and name_likeness(name.name, reading.name, rules.names) >= 0
    ]
    ordered = next((one for one in alike if not _may_be_turned(one)), name)
    alike = [_turned(one, ordered, rules) for one in alike]
    known, pages = alike[0], [one for one in alike if not one.is_text]
    if known.name is None or not pages or pages[0] is not known:
        return _found(known, own, rules)
    votes: list[Verdict | None] = []
    for part, printed in enumerate(known.name):
        prints = [
            _printed_part(one, one.name[part])
            for one in pages
            if one.name and spelled_alike(printed, one.name[part], rules.names)
        ]
        votes.append(decided(prints, rules.believed) if prints else None)
    voted = [one for one in pages if one.name and _is_voted(one.name, votes)][:1]
    in_text = [
        one
        for one in (_turned(one, ordered, rules) for one in typed if one.name)
        if one.name and _may_be(known.name, one.name, rules)
    ]
    if answer := _of_text(in_text, known, voted, [vote for vote in votes if vote], own, rules):
        return answer
    if any(votes):
        sure = all(vote.sure for vote in votes if vote)
    else:
        sure = _printed(known).is_believed(rules.believed)
    return _found(voted[0], own, rules) if sure and voted else _as_read([*voted, *alike])


def dob_field(dob: Seen | None, own: Sequence[Seen], typed: Sequence[Seen], rules: IdentityRules) -> Field:
    """The birth date as the patient's own papers print it; `typed` are those that have it in a text layer."""
    if dob is None:
        return NOT_FOUND
    alike = [
        reading
        for reading in _first(dob, _by_authority(own, "dob", rules))
        if sum(a != b for a, b in zip(dob.value, reading.value, strict=True)) <= _SPREAD
    ]
    if dob.is_text:
        return _found(dob, own, rules)
    pages = [one for one in alike if not one.is_text]
    verdict = decided([_printed(one) for one in pages], rules.believed)
    shown = [one for one in pages if one.value == verdict.key]
    voted = min(shown, key=lambda one: not _printed(one).confirmed)
    in_text = [one for one in alike if any(one is other for other in typed)]
    if answer := _of_text(in_text, dob, [voted], [verdict], own, rules):
        return answer
    return _found(voted, own, rules) if verdict.sure else _as_read([voted, *alike])


def _of_text(
    typed: Sequence[Seen],
    known: Seen,
    voted: Sequence[Seen],
    votes: Sequence[Verdict],
    own: Sequence[Seen],
    rules: IdentityRules,
) -> Field | None:
    """What text layers print, None where there is none.

    The papers that say most who the patient is decide, then how many print it so. Where a paper that says
    nothing of it and a sure vote of many recognised ones print it otherwise, it is uncertain.
    """
    if not typed:
        return None
    papers = Counter(key for _, key in {(one.document.id, _key(one)) for one in typed})
    best = max(typed, key=lambda one: (_authority(one, rules), papers[_key(one)], _key(one) == _key(known)))
    many = bool(votes) and all(vote.sure and vote.many for vote in votes)
    against = [one for one in voted if many and _key(one) != _key(best) and _authority(best, rules) == 1]
    return _as_read([*against, best]) if against else _found(best, own, rules)


def _key(reading: Seen) -> tuple[str, ...]:
    """What is compared of it."""
    return tuple(map(part_key, reading.name)) if reading.name else (reading.value,)


def _may_be_turned(reading: Seen) -> bool:
    """Whether its first and last name cannot be told by how it is written: "VANE OTTILIE"."""
    text = reading.document.text[reading.start : reading.end]
    return text.isupper() and "," not in text


def _turned(reading: Seen, like: Seen, rules: IdentityRules) -> Seen:
    """The reading, its name in the other order where that is more like another's."""
    if reading.name is None or like.name is None or not _may_be_turned(reading):
        return reading
    return replace(reading, name=turned(reading.name, like.name, rules.names))


def _may_be(name: PersonName, other: PersonName, rules: IdentityRules) -> bool:
    """Whether two names may be one, a few letters of it misread; an initial may be any."""
    return all(
        len(part_key(one)) < 2 or spelled_alike(one, two, rules.names)
        for one, two in zip(name, other, strict=True)
    )


def _is_voted(name: PersonName, votes: Sequence[Verdict | None]) -> bool:
    return all(vote is None or part_key(part) == vote.key for part, vote in zip(name, votes, strict=True))


def _first(reading: Seen, readings: Sequence[Seen]) -> list[Seen]:
    """The readings, this one before the others."""
    return [reading, *(one for one in readings if one is not reading)]


def _printed(reading: Seen) -> Print:
    """What a paper prints, for a vote; digits are confirmed or not where it is a day."""
    words = reading.document.words_at(reading.start, reading.end) if reading.kind == "dob" else ()
    confirmed = all(word.confirmed for word in words)
    return Print(reading.document, reading.start, reading.end, reading.value, confirmed)


def _printed_part(reading: Seen, part: str) -> Print:
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
    weight = AUTHORITY.get(reading.document.type, 1.0)
    return weight if weight == 1.0 or _printed(reading).certainty >= rules.believed.word else 1.0


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
