"""A policy made ready to be evaluated: the truth of its conditions in one world."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from pipeline.catalog.conditions import All, Any, Condition, Is, Mentions, Named, Not, atoms
from pipeline.catalog.facts import Facts
from pipeline.catalog.policies import CombinedFact, Criterion, Policy, Reading, Route, Ruling
from pipeline.rules.kleene import Truth, agreement, negation
from pipeline.rules.situation import Situation, World, worlds

Memo = dict[str, str | None]
"""Values of the combined facts in one world, as far as they have been asked for."""
Test = Callable[[World, Memo], Truth]
"""A condition made ready: its truth in a world."""

Kinds = Mapping[str, Mapping[str, str]]
"""Facts that some conditions turn on; each value with that which stands for it, where the conditions
do not tell the two apart (to a criterion on the kidney, breast and bone are one)."""

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


@dataclass(frozen=True, slots=True)
class _Tests:
    """The conditions on one criterion, made ready."""

    when: Test
    unless: Test | None
    rulings: tuple[tuple[Ruling, Test], ...]


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
        self._made: dict[int, tuple[Condition, Test]] = {}
        self._readings: Mapping[str, tuple[tuple[str, Test], ...]] = {
            fact.name: tuple((reading.value, self._test(reading.when)) for reading in fact.readings)
            for fact in policy.combined
        }
        self._tests = {
            criterion.id: _Tests(
                self._test(criterion.when),
                None if criterion.unless is None else self._test(criterion.unless),
                tuple((ruling, self._test(ruling.when)) for ruling in self._rulings[criterion.id]),
            )
            for criterion in policy.criteria
        }
        self._kinds: dict[tuple[type, str], Kinds] = {}

    # ------------------------------------------------------------------ one world

    def truth(self, condition: Condition, world: World) -> Truth:
        """The truth of a condition where the facts of `world` are told and all others are not."""
        return self._test(condition)(world, {})

    def verdict(self, criterion: Criterion, world: World) -> Verdict:
        """Whether a criterion is met in one world, by its conditions and the rulings on it."""
        memo: Memo = {}
        tests = self._tests[criterion.id]
        truth, ground = tests.when(world, memo), criterion.when
        if criterion.unless is not None and tests.unless and tests.unless(world, memo) is Truth.TRUE:
            truth, ground = Truth.FALSE, criterion.unless
        applied = []
        for ruling, test in tests.rulings:
            if _RESULTS[truth] in ruling.replaces and test(world, memo) is Truth.TRUE:
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
        narrowed = self.narrowed(situation, self.kinds(criterion))
        verdicts = [(self.verdict(criterion, world), world) for world in worlds(narrowed)]
        because = dict.fromkeys(
            name for verdict, world in verdicts for name in self.because(verdict.ground, world)
        )
        applied = {ruling.id: ruling for verdict, _ in verdicts for ruling in verdict.rulings}
        return Answer(
            agreement(verdict.truth for verdict, _ in verdicts), tuple(because), tuple(applied.values())
        )

    def narrowed(self, situation: Situation, kinds: Kinds) -> Situation:
        """The part of a situation that bears on some conditions, values that they do not tell apart
        taken as one: fewer conflicts, fewer worlds, the same answers."""
        return {
            name: tuple(dict.fromkeys(kinds[name].get(value, value) for value in values))
            for name, values in situation.items()
            if name in kinds
        }

    def kinds(self, of: Criterion | Route) -> Kinds:
        """What all conditions on a criterion or a route turn on and tell apart."""
        key = (type(of), of.id)
        if key not in self._kinds:
            conditions = self.conditions_of(of) if isinstance(of, Criterion) else (of.when,)
            self._kinds[key] = self._told_apart(conditions)
        return self._kinds[key]

    def _told_apart(self, conditions: tuple[Condition, ...]) -> Kinds:
        asked: dict[str, list[tuple[str, ...]]] = {}
        for comparison in self.comparisons(*conditions):
            values = asked.setdefault(comparison.fact, [])
            if isinstance(comparison, Is):
                values.append(comparison.values)
        return {name: _kinds_of(self.values(name), several) for name, several in asked.items()}

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

    # ------------------------------------------------------------------ inside

    def _test(self, condition: Condition) -> Test:
        """The test of a condition, made once: by identity, since comparing whole trees costs more."""
        kept, test = self._made.get(id(condition), (None, None))
        if kept is not condition or test is None:
            test = self._make_test(condition)
            self._made[id(condition)] = (condition, test)
        return test

    def _make_test(self, condition: Condition) -> Test:
        match condition:
            case Is(fact, values) if fact in self._combined:
                return lambda world, memo: _one_of(self._combined_value(fact, world, memo), values)
            case Is(fact, values):
                return lambda world, memo: _one_of(world.get(fact), values)
            case Mentions(fact, phrases):
                return lambda world, memo: _mentions(world.get(fact), phrases)
            case Named(name):
                return self._test(self._named[name])
            case Not(part):
                test = self._test(part)
                return lambda world, memo: negation(test(world, memo))
            case All(parts):
                return _every(tuple(map(self._test, parts)))
            case Any(parts):
                return _some(tuple(map(self._test, parts)))

    def _combined_value(self, fact: str, world: World, memo: Memo) -> str | None:
        """The value in which all readings of a combined fact agree; None where there is no such value."""
        if fact not in memo:
            values = {value for value, test in self._readings[fact] if test(world, memo) is Truth.TRUE}
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


def _kinds_of(values: tuple[str, ...], asked: list[tuple[str, ...]]) -> Mapping[str, str]:
    """Each value with the first of those that no comparison tells apart from it."""
    first: dict[tuple[bool, ...], str] = {}
    return {value: first.setdefault(tuple(value in several for several in asked), value) for value in values}


def _every(tests: tuple[Test, ...]) -> Test:
    """`conjunction` of several tests; written out, since an evaluation runs it thousands of times."""

    def test(world: World, memo: Memo) -> Truth:
        result = Truth.TRUE
        for each in tests:
            truth = each(world, memo)
            if truth is Truth.FALSE:
                return truth
            if truth is Truth.UNKNOWN:
                result = truth
        return result

    return test


def _some(tests: tuple[Test, ...]) -> Test:
    """`disjunction` of several tests."""

    def test(world: World, memo: Memo) -> Truth:
        result = Truth.FALSE
        for each in tests:
            truth = each(world, memo)
            if truth is Truth.TRUE:
                return truth
            if truth is Truth.UNKNOWN:
                result = truth
        return result

    return test


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
