"""What would settle a criterion that is unknown: the smallest sets of facts that, documented, could
make it met (or, where nothing can, not met).

The search tries values, smallest sets first. Of the values that no condition tells apart it tries one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

from pipeline.catalog.conditions import Condition, Is, Mentions
from pipeline.catalog.policies import Criterion
from pipeline.rules.kleene import Truth
from pipeline.rules.ruleset import Ruleset
from pipeline.rules.situation import Situation

_LARGEST = 5
_NEUTRAL_PHRASE = "-"

FactSet = tuple[str, ...]


def would_settle(ruleset: Ruleset, criterion: Criterion, situation: Situation) -> tuple[FactSet, ...]:
    """The sets for a criterion that is unknown in `situation`, smallest first. Each fact of a set is
    one that an office can be asked for; no set holds another."""
    choices = _choices(ruleset, criterion)
    narrowed = ruleset.narrowed(situation, ruleset.footprint(criterion))
    key = (criterion.id, _signature(narrowed, ruleset, criterion))
    if key not in ruleset.settled:
        ruleset.settled[key] = _search(ruleset, criterion, narrowed, choices)
    return ruleset.settled[key]


def _search(
    ruleset: Ruleset, criterion: Criterion, situation: Situation, choices: dict[str, tuple[str, ...]]
) -> tuple[FactSet, ...]:
    open_facts = [name for name in choices if len(situation.get(name, ())) != 1]
    for wanted in (Truth.TRUE, Truth.FALSE):
        found: list[FactSet] = []
        for size in range(1, min(_LARGEST, len(open_facts)) + 1):
            for names in combinations(open_facts, size):
                if any(set(smaller) <= set(names) for smaller in found):
                    continue
                if _reaches(ruleset, criterion, situation, names, choices, wanted):
                    found.append(names)
        if found:
            return tuple(found)
    return ()


def _reaches(
    ruleset: Ruleset,
    criterion: Criterion,
    situation: Situation,
    names: FactSet,
    choices: dict[str, tuple[str, ...]],
    wanted: Truth,
) -> bool:
    for values in product(*(choices[name] for name in names)):
        filled = {**situation, **{name: (value,) for name, value in zip(names, values, strict=True)}}
        answer = ruleset.over_worlds(filled, lambda world: ruleset.criterion(criterion, world))
        if answer.truth is wanted:
            return True
    return False


def _choices(ruleset: Ruleset, criterion: Criterion) -> dict[str, tuple[str, ...]]:
    """For each fact that can be asked for: one value of each kind that the conditions tell apart."""
    footprint = ruleset.footprint(criterion)
    return {
        fact.name: tuple(_distinct(ruleset, criterion, fact.name))
        for fact in ruleset.facts
        if fact.name in footprint and not fact.computed
    }


def _distinct(ruleset: Ruleset, criterion: Criterion, name: str) -> Iterator[str]:
    fact = ruleset.facts[name]
    seen = set()
    for value in fact.known_values or _phrases(ruleset, criterion, name):
        signature = _kind(ruleset, criterion, name, value)
        if value not in fact.no_answer and signature not in seen:
            seen.add(signature)
            yield value


def _phrases(ruleset: Ruleset, criterion: Criterion, name: str) -> Iterator[str]:
    for comparison in ruleset.comparisons(*ruleset.conditions_of(criterion)):
        if isinstance(comparison, Mentions) and comparison.fact == name:
            yield from (phrase.replace("*", "") for phrase in comparison.phrases)
    yield _NEUTRAL_PHRASE


def _kind(ruleset: Ruleset, criterion: Criterion, name: str, value: str) -> tuple[bool, ...]:
    """Which comparisons of the criterion a value satisfies: values of one kind are alike to it."""
    comparisons: Iterator[Condition] = ruleset.comparisons(*ruleset.conditions_of(criterion))
    return tuple(
        ruleset.truth(comparison, {name: value}) is Truth.TRUE
        for comparison in comparisons
        if isinstance(comparison, Is | Mentions) and comparison.fact == name
    )


def _signature(situation: Situation, ruleset: Ruleset, criterion: Criterion) -> frozenset[object]:
    return frozenset(
        (name, frozenset(_kind(ruleset, criterion, name, value) for value in values))
        for name, values in situation.items()
    )
