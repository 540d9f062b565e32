"""What a case tells of the facts: one value, several that conflict, or nothing.

A situation is evaluated world by world: where two values of a fact conflict, one world takes the one
and another the other, and what holds in every world holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod

from pipeline.catalog.facts import FALSE, TRUE, Fact, Facts
from pipeline.catalog.policies import Policy
from pipeline.domain import NOT_FOUND, Case, Field, Status, Value

Situation = Mapping[str, tuple[str, ...]]
"""Fact → the values that it may have. A fact that is not documented is not in it."""
World = Mapping[str, str]
"""Fact → its value, in one of the worlds that the records leave possible."""

_MAX_WORLDS = 64
# Reasons for which a value was set aside because it is not about the lesion as it is now: such a value
# is no side of a conflict.
_SET_ASIDE = frozenset(
    {"historical", "history", "family", "superseded", "absent", "negated", "hypothetical", "conditional"}
    | {"ruled_out", "other_lesion", "other_patient", "mentioned"}
)


def situation_of(case: Case, policy: Policy, facts: Facts) -> Situation:
    """The facts as the case's findings and service codes tell them, in the names of the catalog.

    A finding that is not found, uncertain, of too low a confidence or of a value that the catalog
    does not list tells nothing.
    """
    told: dict[str, tuple[str, ...]] = {}
    for fact in facts:
        finding = fact.finding or fact.name
        values = _told(fact, case.findings.get(finding, NOT_FOUND), policy.least_confidence(finding))
        if values:
            told[fact.name] = values
    for name, values in _stated_by_codes(case, policy).items():
        if _silent(case, name):
            told[name] = values
    return told


def worlds(situation: Situation) -> Iterator[World]:
    """Every combination of the conflicting values.

    Beyond 64 worlds the facts with most values count as not documented: that can only lead to
    unknown, never to an answer.
    """
    sizes = {name: len(values) for name, values in situation.items()}
    while prod(sizes.values()) > _MAX_WORLDS:
        del sizes[max(sizes, key=lambda name: sizes[name])]
    names = list(sizes)
    for values in product(*(situation[name] for name in names)):
        yield dict(zip(names, values, strict=True))


def _told(fact: Fact, field: Field, minimum_confidence: float) -> tuple[str, ...]:
    if field.value is None or (field.confidence is not None and field.confidence < minimum_confidence):
        return ()
    if fact.attribute != "value":
        return _known(fact, [getattr(field, fact.attribute) or ""])
    if field.status is not Status.CONFLICTING:
        return _known(fact, [_text(field.value)])
    others = [other.value for other in field.alternatives if other.reason not in _SET_ASIDE]
    others = others or [other.value for other in field.alternatives]
    # A conflict whose other side is not named could be with anything.
    return _known(fact, [_text(side) for side in (field.value, *others)]) if others else ()


def _known(fact: Fact, values: list[str]) -> tuple[str, ...]:
    """The values in the catalog's spelling; empty if any of them tells nothing.

    One side of a conflict that tells nothing leaves the fact open: it could be anything.
    """
    if fact.kind == "phrase":
        return tuple(dict.fromkeys(value for value in values if value))
    spelling = {value.casefold(): value for value in fact.known_values}
    known = [spelling.get(value.strip().casefold()) for value in values]
    if None in known or any(value in fact.no_answer for value in known):
        return ()
    return tuple(dict.fromkeys(value for value in known if value is not None))


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return TRUE if value else FALSE
    return value


def _silent(case: Case, fact: str) -> bool:
    """Whether no document says anything of the fact, not even something doubtful."""
    return case.findings.get(fact, NOT_FOUND).status is Status.NOT_FOUND


def _stated_by_codes(case: Case, policy: Policy) -> Mapping[str, tuple[str, ...]]:
    """What the requested service codes imply; codes that disagree make a conflict."""
    stated: dict[str, dict[str, None]] = {}
    for field in case.request.cpt:
        if field.status is not Status.FOUND or not isinstance(field.value, str):
            continue
        for service in policy.service_codes:
            if service.covers(field.value.strip().upper()):
                for fact, value in service.states.items():
                    stated.setdefault(fact, {})[value] = None
    return {fact: tuple(values) for fact, values in stated.items()}
