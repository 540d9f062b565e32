"""Checking a policy pack beyond its spelling: what an analyst may have written and not meant.

Loading a pack finds misspelt names and values (`pipeline.catalog.policy_packs`). This reads the
conditions for the ways in which they come true and finds what can never happen, or happens twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, islice, product

from pipeline.catalog.conditions import All, Condition, Not
from pipeline.catalog.policies import Criterion
from pipeline.rules.kleene import Truth
from pipeline.rules.ruleset import Ruleset
from pipeline.rules.situation import World
from pipeline.rules.ways import Ways

_MOST_TRIES = 50


def check(ruleset: Ruleset) -> list[str]:
    """What looks wrong in a pack, one sentence each; empty if nothing does."""
    return [
        *_unreachable(ruleset),
        *_overlapping(ruleset),
        *_idle_rulings(ruleset),
        *_unused(ruleset),
    ]


def _unreachable(ruleset: Ruleset) -> Iterator[str]:
    """Criteria that no values of their facts can meet, and those that all values meet."""
    for criterion in ruleset.policy.criteria:
        if not any(_met(ruleset, criterion, world) for world in _worlds(ruleset, criterion.when)):
            yield f"Criterion {criterion.id} can never be met."
        if criterion.unless is None and not list(_worlds(ruleset, Not(criterion.when))):
            yield f"Criterion {criterion.id} is met whatever the facts are."
    for route in ruleset.policy.routes:
        if not _possible(ruleset, route.when):
            yield f"Route {route.id} can never be taken."


def _overlapping(ruleset: Ruleset) -> Iterator[str]:
    """Criteria that one case can meet together: the first is named in the outcome."""
    for first, second in combinations(ruleset.policy.criteria, 2):
        if second.id in first.beside or first.id in second.beside:
            continue
        both = _worlds(ruleset, All((first.when, second.when)))
        if any(_met(ruleset, first, world) and _met(ruleset, second, world) for world in both):
            yield (
                f"Criteria {first.id} and {second.id} can be met together; the outcome then names {first.id}."
            )


def _idle_rulings(ruleset: Ruleset) -> Iterator[str]:
    for ruling in ruleset.policy.rulings:
        if not _possible(ruleset, ruling.when):
            yield f"Ruling {ruling.id} can never apply."


def _unused(ruleset: Ruleset) -> Iterator[str]:
    policy = ruleset.policy
    conditions = [route.when for route in policy.routes]
    conditions += [
        condition for criterion in policy.criteria for condition in ruleset.conditions_of(criterion)
    ]
    used = {name for condition in conditions for name in ruleset.names_in(condition)}
    for name in (*(named.name for named in policy.named), *(fact.name for fact in policy.combined)):
        if name not in used:
            yield f"{name} is defined and nowhere used."
    elements = {element for document in policy.required_documents for element in document.elements}
    for wording in policy.elements:
        if wording.name not in elements:
            yield f"Element {wording.name} is required by no document."


def _met(ruleset: Ruleset, criterion: Criterion, world: World) -> bool:
    return ruleset.verdict(criterion, world).truth is Truth.TRUE


def _possible(ruleset: Ruleset, condition: Condition) -> bool:
    return any(ruleset.truth(condition, world) is Truth.TRUE for world in _worlds(ruleset, condition))


def _worlds(ruleset: Ruleset, condition: Condition) -> Iterator[World]:
    """Worlds in which a condition should hold, found by reading it; contradictions may still spoil one."""
    every = frozenset(ruleset.facts_of(condition))
    ways = Ways(ruleset, {}, disputed=frozenset(), askable=every).of(condition, Truth.TRUE)
    for way in ways:
        for values in islice(product(*way.values()), _MOST_TRIES):
            yield dict(zip(way, values, strict=True))
