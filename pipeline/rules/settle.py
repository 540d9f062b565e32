"""What would settle a criterion that is unknown: the smallest sets of facts that, documented, could
make it met (or, where nothing can, not met).

The ways in which its conditions can come true are tried one by one, since a
ruling or a contradiction may stand in its path. What is told stays as it is told, but for facts on
which the records disagree: documented anew, such a fact can settle a criterion too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product

from pipeline.catalog.policies import Criterion
from pipeline.rules.kleene import Truth
from pipeline.rules.ruleset import Ruleset
from pipeline.rules.situation import Situation, World, worlds
from pipeline.rules.ways import MOST_WAYS, Way, Ways

FactSet = tuple[str, ...]

_MOST_TRIES = 12
_MOST_DISPUTES = 2


@dataclass(frozen=True, slots=True)
class Settling:
    """Sets of facts that could settle a criterion, smallest first, and the truth they could give it.

    Each fact of a set is one that an office can be asked for; no set holds another.
    """

    sets: tuple[FactSet, ...] = ()
    truth: Truth = Truth.UNKNOWN


def would_settle(ruleset: Ruleset, criterion: Criterion, situation: Situation) -> Settling:
    """What could settle a criterion that is unknown in `situation`."""
    narrowed = ruleset.narrowed(situation, ruleset.kinds(criterion))
    return _Search(ruleset, criterion, narrowed).settling()


def would_settle_all(settlings: Sequence[Settling]) -> tuple[FactSet, ...]:
    """What could settle that no criterion is met: whatever could make one met; where nothing can, what
    makes every one of them not met."""
    met = [names for settling in settlings if settling.truth is Truth.TRUE for names in settling.sets]
    if not met:
        together = dict.fromkeys(name for settling in settlings if settling.sets for name in settling.sets[0])
        return (tuple(together),) if together else ()
    distinct = sorted(dict.fromkeys(met), key=len)
    return tuple(names for names in distinct if not any(set(other) < set(names) for other in distinct))


class _Search:
    """The ways of settling one criterion in one situation."""

    def __init__(self, ruleset: Ruleset, criterion: Criterion, situation: Situation) -> None:
        self._ruleset = ruleset
        self._criterion = criterion
        self._situation = situation
        self._kinds = ruleset.kinds(criterion)
        self._known: dict[tuple[str | None, ...], Truth] = {}
        self._fewer: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._disputed = self._disputes()
        askable = frozenset(fact.name for fact in ruleset.facts if not fact.computed)
        self._ways = Ways(ruleset, situation, disputed=frozenset(self._disputed), askable=askable)

    def settling(self) -> Settling:
        unless = [] if self._criterion.unless is None else [self._criterion.unless]
        met = self._tried(self._ways.of(self._criterion.when, Truth.TRUE), Truth.TRUE)
        if met:
            return Settling(met, Truth.TRUE)
        against = [self._ways.of(self._criterion.when, Truth.FALSE)]
        against += [self._ways.of(condition, Truth.TRUE) for condition in unless]
        return Settling(self._tried([way for ways in against for way in ways], Truth.FALSE), Truth.FALSE)

    def _tried(self, ways: Iterable[Way], wanted: Truth) -> tuple[FactSet, ...]:
        """The sets of the ways that do lead to the wanted truth, without those that hold another."""
        found: list[frozenset[str]] = []
        for way in sorted(self._with_disputes(ways), key=len):
            names = frozenset(way)
            if not any(smaller <= names for smaller in found) and self._leads(way, wanted):
                found.append(names)
        return tuple(
            tuple(fact.name for fact in self._ruleset.facts if fact.name in names) for names in found
        )

    def _leads(self, way: Way, wanted: Truth) -> bool:
        """Whether some values of the way's facts lead there in every world that is left."""
        values = product(*(self._told_apart(name, values) for name, values in way.items()))
        left = {name: told for name, told in self._situation.items() if name not in way}
        others = list(worlds(left))
        return any(
            all(self._truth({**world, **filled}) is wanted for world in others)
            for filled in (dict(zip(way, choice, strict=True)) for choice in islice(values, _MOST_TRIES))
        )

    def _truth(self, world: World) -> Truth:
        key = tuple(map(world.get, self._kinds))
        if key not in self._known:
            self._known[key] = self._ruleset.verdict(self._criterion, world).truth
        return self._known[key]

    def _told_apart(self, name: str, values: tuple[str, ...]) -> tuple[str, ...]:
        """Of values that the criterion does not tell apart one is tried for all."""
        if (name, values) not in self._fewer:
            kinds = self._kinds.get(name, {})
            self._fewer[name, values] = tuple(dict.fromkeys(kinds.get(value, value) for value in values))
        return self._fewer[name, values]

    # ------------------------------------------------------------------ disputes

    def _disputes(self) -> dict[str, tuple[str, ...]]:
        """Told facts on which records disagree: their own values differ, or they contradict another."""
        names = {name for name, values in self._situation.items() if len(values) > 1}
        for world in worlds(self._situation):
            names |= self._ruleset.contradicted(self._criterion, world)
        return {
            fact.name: self._ruleset.values(fact.name) or self._situation[fact.name]
            for fact in self._ruleset.facts
            if fact.name in names and not fact.computed
        }

    def _with_disputes(self, ways: Iterable[Way]) -> Iterator[Way]:
        """Each way as it is, and with some of the disputes settled as well."""
        few = list(islice(ways, MOST_WAYS))
        for count in range(min(_MOST_DISPUTES, len(self._disputed)) + 1):
            for names in combinations(self._disputed, count):
                for way in few:
                    yield {**{name: self._disputed[name] for name in names if name not in way}, **way}
