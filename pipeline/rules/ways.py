"""The ways in which a condition can come true or false, from where a situation leaves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from pipeline.catalog.conditions import All, Any, Condition, Is, Mentions, Named, Not
from pipeline.rules.kleene import Truth
from pipeline.rules.ruleset import Ruleset
from pipeline.rules.situation import Situation

Way = Mapping[str, tuple[str, ...]]
"""Facts to be documented, each with the values that would do."""

NEUTRAL_PHRASE = "-"  # a phrase that mentions nothing
MOST_WAYS = 400


class Ways:
    """Ways from one situation. Facts told stay as told, but for disputed ones, which may be documented
    anew; of the others only askable ones are filled in."""

    def __init__(
        self, ruleset: Ruleset, situation: Situation, *, disputed: frozenset[str], askable: frozenset[str]
    ) -> None:
        self._ruleset = ruleset
        self._situation = situation
        self._disputed = disputed
        self._askable = askable

    def of(self, condition: Condition, wanted: Truth) -> Sequence[Way]:
        """Ways in which a condition becomes true or false."""
        true = wanted is Truth.TRUE
        match condition:
            case Not(part):
                return self.of(part, Truth.FALSE if true else Truth.TRUE)
            case Named(name):
                return self.of(self._ruleset.named(name), wanted)
            case All(parts):
                return self._together(parts, wanted) if true else self._either(parts, wanted)
            case Any(parts):
                return self._either(parts, wanted) if true else self._together(parts, wanted)
            case Is(fact, values):
                readings = self._ruleset.readings(fact)
                if not readings:
                    return self._ways_of_value(fact, condition, values, wanted)
                return self._either(
                    [reading.when for reading in readings if (reading.value in values) is true], Truth.TRUE
                )
            case Mentions(fact, phrases):
                plain = tuple(phrase.replace("*", "") for phrase in phrases)
                return self._ways_of_value(fact, condition, plain, wanted)

    def _ways_of_value(
        self, fact: str, condition: Condition, values: tuple[str, ...], wanted: Truth
    ) -> Sequence[Way]:
        """Nothing to do where the fact is told and fits; else to document it with a value that fits."""
        told = self._situation.get(fact, ())
        ways: list[Way] = []
        if told and all(self._ruleset.truth(condition, {fact: value}) is wanted for value in told):
            ways.append({})
        if (not told or fact in self._disputed) and (fits := self._fitting(fact, values, wanted)):
            ways.append({fact: fits})
        return ways

    def _fitting(self, fact: str, values: tuple[str, ...], wanted: Truth) -> tuple[str, ...]:
        if fact not in self._askable:
            return ()
        true = wanted is Truth.TRUE
        known = self._ruleset.values(fact)
        if not known:
            return values if true else (NEUTRAL_PHRASE,)
        return tuple(value for value in known if (value in values) is true)

    def _either(self, parts: Iterable[Condition], wanted: Truth) -> Sequence[Way]:
        return _distinct(way for part in parts for way in self.of(part, wanted))

    def _together(self, parts: Iterable[Condition], wanted: Truth) -> Sequence[Way]:
        ways: Sequence[Way] = [{}]
        for part in parts:
            more = self.of(part, wanted)
            merged = (_merged(way, other) for way in ways for other in more)
            ways = _distinct(way for way in merged if way is not None)
        return ways


def _merged(way: Way, other: Way) -> Way | None:
    """Both ways at once; None where a fact would need two values."""
    merged = dict(way)
    for name, values in other.items():
        own = merged.get(name, values)
        if NEUTRAL_PHRASE in own:
            merged[name] = values
        elif NEUTRAL_PHRASE not in values:
            merged[name] = tuple(value for value in own if value in values)
        if not merged[name]:
            return None
    return merged


def _distinct(ways: Iterable[Way]) -> Sequence[Way]:
    """The ways without repetition, at most as many as are worth trying."""
    kept = {tuple(sorted(way.items())): way for way in ways}
    return list(islice(kept.values(), MOST_WAYS))
