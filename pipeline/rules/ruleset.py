"""A policy made ready to be evaluated: the truth of its conditions in one world."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from pipeline.catalog.conditions import All, Any, Condition, Is, Mentions, Named, Not, atoms
from pipeline.catalog.facts import Facts
from pipeline.catalog.policies import CombinedFact, Criterion, Policy, Reading, Ruling
from pipeline.rules.kleene import Truth, agreement, conjunction, disjunction, negation
from pipeline.rules.situation import Situation, World, worlds

Memo = dict[str, str | None]


_RESULTS = {Truth.TRUE: "met", Truth.FALSE: "not_met", Truth.UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Truth of a criterion in one world, the condition that gave it, and the rulings that bore on it."""

    truth: Truth
    ground: Condition
    rulings: tuple[Ruling, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Truth of a criterion in every possible world, the facts it rests on, the rulings that bore on it."""

    truth: Truth
    because: tuple[str, ...] = ()
    rulings: tuple[Ruling, ...] = ()


class Ruleset:
    """A policy and the facts it may use, its names looked up once. Holds nothing of any case."""

    def __init__(self, policy: Policy, facts: Facts) -> None:
        self.policy = policy
        self.facts = facts
        self._named: Mapping[str, Condition] = {named.name: named.when for named in policy.named}
        self._combined: Mapping[str, CombinedFact] = {fact.name: fact for fact in policy.combined}
        self._code_facts: Mapping[str, tuple[str, ...]] = {
            fact.name: fact.values for fact in policy.code_facts
        }
        self._rulings: Mapping[str, tuple[Ruling, ...]] = {
            criterion.id: tuple(ruling for ruling in policy.rulings if criterion.id in ruling.criteria)
            for criterion in policy.criteria
        }
        self._footprints: dict[str, frozenset[str]] = {}

    # ------------------------------------------------------------------ one world

    def truth(self, condition: Condition, world: World) -> Truth:
        """The truth of a condition where the facts of `world` are told and all others are not."""
        return self._truth(condition, world, {})

    def verdict(self, criterion: Criterion, world: World) -> Verdict:
        """Whether a criterion is met in one world, by its conditions and the rulings on it."""
        memo: Memo = {}
        truth, ground = self._truth(criterion.when, world, memo), criterion.when
        if criterion.unless is not None and self._truth(criterion.unless, world, memo) is Truth.TRUE:
            truth, ground = Truth.FALSE, criterion.unless
        applied = []
        for ruling in self._rulings[criterion.id]:
            if _RESULTS[truth] in ruling.replaces and self._truth(ruling.when, world, memo) is Truth.TRUE:
                applied.append(ruling)
                if ruling.result is not None:
                    truth = Truth.TRUE if ruling.result == "met" else Truth.FALSE
                    ground = ruling.when
        return Verdict(truth, ground, tuple(applied))

    def because(self, condition: Condition, world: World) -> tuple[str, ...]:
        """The told facts on which the truth of a condition rests: what decides it, not all it asks."""
        found = dict.fromkeys(self._because(condition, world))
        return tuple(name for name in found if name in world)

    def contradicted(self, criterion: Criterion, world: World) -> frozenset[str]:
        """The told facts that a criterion turns on and that contradict one another."""
        found: set[str] = set()
        for fact in self._combined_of(criterion.when):
            readings = [reading for reading in fact.readings if self.truth(reading.when, world) is Truth.TRUE]
            if len({reading.value for reading in readings}) > 1:
                found.update(name for reading in readings for name in self.because(reading.when, world))
        return frozenset(found)

    # ------------------------------------------------------------------ every world

    def answer(self, criterion: Criterion, situation: Situation) -> Answer:
        """What holds of a criterion in every world that the situation leaves possible."""
        narrowed = self.narrowed(situation, self.footprint(criterion))
        verdicts = [(self.verdict(criterion, world), world) for world in worlds(narrowed)]
        because = dict.fromkeys(
            name for verdict, world in verdicts for name in self.because(verdict.ground, world)
        )
        applied = {ruling.id: ruling for verdict, _ in verdicts for ruling in verdict.rulings}
        return Answer(
            agreement(verdict.truth for verdict, _ in verdicts), tuple(because), tuple(applied.values())
        )

    def narrowed(self, situation: Situation, names: Iterable[str]) -> Situation:
        """The part of a situation that bears on some facts: fewer conflicts, fewer worlds."""
        wanted = set(names)
        return {name: values for name, values in situation.items() if name in wanted}

    # ------------------------------------------------------------------ names

    def named(self, name: str) -> Condition:
        return self._named[name]

    def values(self, fact: str) -> tuple[str, ...]:
        """The values of a fact that answer something; empty for a phrase."""
        if fact in self._code_facts:
            return self._code_facts[fact]
        known = self.facts[fact]
        return tuple(value for value in known.known_values if value not in known.no_answer)

    def readings(self, fact: str) -> tuple[Reading, ...]:
        """The ways in which a combined fact is told; empty for a fact that is told as it is."""
        return self._combined[fact].readings if fact in self._combined else ()

    def conditions_of(self, criterion: Criterion) -> tuple[Condition, ...]:
        """All conditions that bear on a criterion: its own and its rulings'."""
        rulings = tuple(ruling.when for ruling in self._rulings[criterion.id])
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

    def names_in(self, condition: Condition) -> Iterator[str]:
        """Every name in a condition, and in what its names stand for."""
        for atom in atoms(condition):
            match atom:
                case Named(name):
                    yield name
                    yield from self.names_in(self._named[name])
                case Is(fact) | Mentions(fact):
                    yield fact

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

    def _combined_of(self, condition: Condition) -> Iterator[CombinedFact]:
        for atom in atoms(condition):
            if isinstance(atom, Named):
                yield from self._combined_of(self._named[atom.name])
            elif isinstance(atom, Is) and atom.fact in self._combined:
                yield self._combined[atom.fact]

    def _because_of_readings(self, fact: CombinedFact, world: World) -> Iterator[str]:
        true = [reading for reading in fact.readings if self.truth(reading.when, world) is Truth.TRUE]
        for reading in true or fact.readings:
            yield from self._because(reading.when, world)


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
