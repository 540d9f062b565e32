"""A policy made ready to be evaluated: the truth of its conditions in one world."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from pipeline.catalog.conditions import All, Any, Condition, Is, Mentions, Named, Not, atoms
from pipeline.catalog.facts import Facts
from pipeline.catalog.policies import CombinedFact, Criterion, Policy, Ruling
from pipeline.rules.kleene import Truth, conjunction, disjunction, negation
from pipeline.rules.situation import Situation, World, worlds

Memo = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """Truth of a condition or criterion, the facts it rests on, and the rulings that bore on it."""

    truth: Truth
    because: tuple[str, ...] = ()
    rulings: tuple[Ruling, ...] = ()


class Ruleset:
    """A policy and the facts it may use, its names looked up once. Holds nothing of any case."""

    def __init__(self, policy: Policy, facts: Facts) -> None:
        self.policy = policy
        self.facts = facts
        self.settled: dict[object, tuple[tuple[str, ...], ...]] = {}
        """What `pipeline.rules.settle` has found, by criterion and the kinds of values told."""
        self._named: Mapping[str, Condition] = {named.name: named.when for named in policy.named}
        self._combined: Mapping[str, CombinedFact] = {fact.name: fact for fact in policy.combined}
        self._footprints: dict[str, frozenset[str]] = {}

    # ------------------------------------------------------------------ one world

    def truth(self, condition: Condition, world: World) -> Truth:
        """The truth of a condition where the facts of `world` are told and all others are not."""
        return self._truth(condition, world, {})

    def criterion(self, criterion: Criterion, world: World) -> Answer:
        """Whether a criterion is met in one world, by its conditions and the rulings on it."""
        truth = self.truth(criterion.when, world)
        because = self.because(criterion.when, world)
        if criterion.unless is not None and self.truth(criterion.unless, world) is Truth.TRUE:
            truth, because = Truth.FALSE, self.because(criterion.unless, world)
        applied = []
        for ruling in self.policy.rulings:
            if criterion.id not in ruling.criteria or _result(truth) not in ruling.replaces:
                continue
            if self.truth(ruling.when, world) is Truth.TRUE:
                applied.append(ruling)
                if ruling.result is not None:
                    truth = Truth.TRUE if ruling.result == "met" else Truth.FALSE
                    because = self.because(ruling.when, world)
        return Answer(truth, because, tuple(applied))

    def because(self, condition: Condition, world: World) -> tuple[str, ...]:
        """The told facts on which the truth of a condition rests: what decides it, not all it asks."""
        found = dict.fromkeys(self._because(condition, world))
        return tuple(name for name in found if name in world)

    # ------------------------------------------------------------------ every world

    def over_worlds(self, situation: Situation, answer: Callable[[World], Answer]) -> Answer:
        """What holds in every world that the situation leaves possible."""
        answers = [answer(world) for world in worlds(situation)]
        truths = {each.truth for each in answers}
        truth = truths.pop() if len(truths) == 1 else Truth.UNKNOWN
        because = dict.fromkeys(name for each in answers for name in each.because)
        rulings = dict.fromkeys(ruling.id for each in answers for ruling in each.rulings)
        by_id = {ruling.id: ruling for ruling in self.policy.rulings}
        return Answer(truth, tuple(because), tuple(by_id[name] for name in rulings))

    def narrowed(self, situation: Situation, names: Iterable[str]) -> Situation:
        """The part of a situation that bears on some facts: fewer conflicts, fewer worlds."""
        wanted = set(names)
        return {name: values for name, values in situation.items() if name in wanted}

    # ------------------------------------------------------------------ names

    def conditions_of(self, criterion: Criterion) -> tuple[Condition, ...]:
        """All conditions that bear on a criterion: its own and its rulings'."""
        rulings = tuple(ruling.when for ruling in self.policy.rulings if criterion.id in ruling.criteria)
        unless = () if criterion.unless is None else (criterion.unless,)
        return (criterion.when, *unless, *rulings)

    def comparisons(self, *conditions: Condition) -> Iterator[Is | Mentions]:
        """Every comparison with a told fact, names and combined facts followed to their ends."""
        for condition in conditions:
            for atom in atoms(condition):
                match atom:
                    case Named(name):
                        yield from self.comparisons(self._named[name])
                    case Is(fact) if fact in self._combined:
                        readings = self._combined[fact].readings
                        yield from self.comparisons(*(reading.when for reading in readings))
                    case Is() | Mentions():
                        yield atom

    def facts_of(self, *conditions: Condition) -> frozenset[str]:
        """The facts that conditions turn on."""
        return frozenset(comparison.fact for comparison in self.comparisons(*conditions))

    def footprint(self, criterion: Criterion) -> frozenset[str]:
        """The facts that a criterion turns on, its rulings included."""
        if criterion.id not in self._footprints:
            self._footprints[criterion.id] = self.facts_of(*self.conditions_of(criterion))
        return self._footprints[criterion.id]

    # ------------------------------------------------------------------ inside

    def _truth(self, condition: Condition, world: World, memo: Memo) -> Truth:
        match condition:
            case Is(fact, values):
                return _one_of(self._value(fact, world, memo), values)
            case Mentions(fact, phrases):
                return _mentions(world.get(fact), phrases)
            case Named(name):
                return self._truth(self._named[name], world, memo)
            case Not(part):
                return negation(self._truth(part, world, memo))
            case All(parts):
                return conjunction(self._truth(part, world, memo) for part in parts)
            case Any(parts):
                return disjunction(self._truth(part, world, memo) for part in parts)

    def _value(self, fact: str, world: World, memo: Memo) -> str | None:
        combined = self._combined.get(fact)
        if combined is None:
            return world.get(fact)
        if fact not in memo:
            values = {
                reading.value
                for reading in combined.readings
                if self._truth(reading.when, world, memo) is Truth.TRUE
            }
            memo[fact] = values.pop() if len(values) == 1 else None
        return memo[fact]

    def _because(self, condition: Condition, world: World) -> Iterator[str]:
        match condition:
            case Is(fact) if fact in self._combined:
                yield from self._because_of_readings(self._combined[fact], world)
            case Is(fact) | Mentions(fact):
                yield fact
            case Named(name):
                yield from self._because(self._named[name], world)
            case Not(part):
                yield from self._because(part, world)
            case All(parts):
                yield from self._deciding(parts, Truth.FALSE, world)
            case Any(parts):
                yield from self._deciding(parts, Truth.TRUE, world)

    def _deciding(self, parts: tuple[Condition, ...], decisive: Truth, world: World) -> Iterator[str]:
        """The facts of the parts that decide alone, or of all parts if none does."""
        alone = [part for part in parts if self.truth(part, world) is decisive]
        for part in alone or parts:
            yield from self._because(part, world)

    def _because_of_readings(self, fact: CombinedFact, world: World) -> Iterator[str]:
        true = [reading for reading in fact.readings if self.truth(reading.when, world) is Truth.TRUE]
        for reading in true or fact.readings:
            yield from self._because(reading.when, world)


def _result(truth: Truth) -> str:
    return {Truth.TRUE: "met", Truth.FALSE: "not_met", Truth.UNKNOWN: "unknown"}[truth]


def _one_of(value: str | None, values: tuple[str, ...]) -> Truth:
    if value is None:
        return Truth.UNKNOWN
    return Truth.TRUE if value in values else Truth.FALSE


def _mentions(text: str | None, phrases: tuple[str, ...]) -> Truth:
    if text is None:
        return Truth.UNKNOWN
    return Truth.TRUE if any(_pattern(phrase).search(text) for phrase in phrases) else Truth.FALSE


@cache
def _pattern(phrase: str) -> re.Pattern[str]:
    """Whole words in any letter case, any blank or hyphen between them; a star stands for an ending."""
    words = [re.escape(word).replace(r"\*", r"\w*") for word in re.split(r"[\s-]+", phrase.strip())]
    return re.compile(r"(?<!\w)" + r"[\s-]+".join(words) + r"(?!\w)", re.IGNORECASE)
