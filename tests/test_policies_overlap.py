"""No two criteria of a policy overlap silently: shown over every combination of the facts' values.

Enumerated, not sampled. A fact is given a value (each it can have, and none) only when a condition asks
for it: what no condition asks for cannot matter, so that few worlds stand for all. Two things are taken
wider than they are, which can only find more overlaps: a combined fact may have any of its values
whatever its findings say, and phrases may mention anything together with anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import pytest

from pipeline.catalog.conditions import All, Condition, Is, Mentions, Not
from pipeline.catalog.conditions import Any as Either
from pipeline.catalog.facts import load_facts
from pipeline.catalog.policies import CodeFact, Criterion, Policy
from pipeline.catalog.policy_packs import load_policies
from pipeline.rules import Ruleset
from pipeline.rules.kleene import Truth
from pipeline.rules.ruleset import Verdict
from pipeline.settings import load_settings

MODELS = load_settings({}).models_dir
FACTS = load_facts(MODELS)
POLICIES = load_policies(MODELS)


class Asked(Exception):
    """A condition asks for a fact that has not been given a value yet."""


class Growing(dict[str, Any]):
    """A world that raises Asked for what is not decided; None stands for not documented."""

    def get(self, name: str, default: object = None) -> Any:
        if name not in self:
            raise Asked(name)
        return self[name]


@dataclass(frozen=True)
class Widened:
    """A policy whose phrases and combined facts are plain facts, and the values of all its facts."""

    rules: Ruleset
    values: Mapping[str, tuple[str, ...]]

    def worlds(self, decide: Callable[[Growing], bool]) -> Iterator[tuple[Growing, bool]]:
        """Worlds that between them stand for every combination, with what is decided there."""
        waiting = [Growing()]
        while waiting:
            world = waiting.pop()
            try:
                yield world, decide(world)
            except Asked as asked:
                (name,) = asked.args
                waiting += [Growing({**world, name: value}) for value in (None, *self.values[name])]


def widened(policy: Policy) -> Widened:
    phrases: dict[str, tuple[str, ...]] = {}

    def plain(condition: Condition) -> Condition:
        match condition:
            case Mentions(fact, words, line):
                name = f"{fact} mentions {' '.join(words)}"
                phrases[name] = ("true", "false")
                return Is(name, ("true",), line)
            case Not(part):
                return Not(plain(part))
            case All(parts):
                return All(tuple(map(plain, parts)))
            case Either(parts):
                return Either(tuple(map(plain, parts)))
            case _:
                return condition

    def edited(entry: Any) -> Any:
        changes = {"when": plain(entry.when)}
        if getattr(entry, "unless", None) is not None:
            changes["unless"] = plain(entry.unless)
        return entry.model_copy(update=changes)

    free = tuple(CodeFact(name=fact.name, values=fact.values) for fact in policy.combined)
    tables = {
        name: tuple(map(edited, getattr(policy, name))) for name in ("criteria", "rulings", "named", "routes")
    }
    wide = policy.model_copy(update={"combined": (), "code_facts": (*policy.code_facts, *free), **tables})
    values = {
        **{fact.name: tuple(set(fact.known_values) - set(fact.no_answer)) for fact in FACTS},
        **{fact.name: fact.values for fact in wide.code_facts},
        **phrases,
    }
    return Widened(Ruleset(wide, FACTS), values)


def overlaps(policy: Policy) -> tuple[set[frozenset[str]], int]:
    """The pairs of criteria that some world meets together, and how many worlds were looked at."""
    wide = widened(policy)
    found, count = set(), 0
    for first, second in combinations(wide.rules.policy.criteria, 2):

        def both(world: Growing, first: Criterion = first, second: Criterion = second) -> bool:
            return met(wide.rules.verdict(first, world)) and met(wide.rules.verdict(second, world))

        for _, together in wide.worlds(both):
            count += 1
            if together:
                found.add(frozenset((first.id, second.id)))
    return found, count


def met(verdict: Verdict) -> bool:
    return verdict.truth is Truth.TRUE


def meant(policy: Policy) -> set[frozenset[str]]:
    return {frozenset((criterion.id, other)) for criterion in policy.criteria for other in criterion.beside}


@pytest.mark.parametrize("name", sorted(POLICIES.versions))
def test_no_criteria_overlap_but_those_that_say_so(name: str) -> None:
    for policy in POLICIES.versions[name]:
        found, count = overlaps(policy)
        assert found == meant(policy)
        assert count > 10 * len(policy.criteria)


def test_an_overlap_would_be_found() -> None:
    policy = POLICIES["cryosurgical-ablation"]
    prostate = next(criterion for criterion in policy.criteria if criterion.id == "I.D")
    wider = prostate.model_copy(
        update={"when": replace(prostate.when, values=("prostate", "kidney"))}  # type: ignore[type-var]
    )
    criteria = tuple(wider if criterion.id == "I.D" else criterion for criterion in policy.criteria)
    found, _ = overlaps(policy.model_copy(update={"criteria": criteria}))
    assert frozenset(("I.C", "I.D")) in found


def test_every_world_gives_every_criterion_one_of_three_results() -> None:
    for name in POLICIES.versions:
        for criterion in POLICIES[name].criteria:
            assert results(POLICIES[name], criterion.id) == {Truth.TRUE, Truth.FALSE, Truth.UNKNOWN}


def results(policy: Policy, criterion_id: str) -> set[Truth]:
    wide = widened(policy)
    criterion = next(each for each in wide.rules.policy.criteria if each.id == criterion_id)
    seen = set()

    def decide(world: Growing) -> bool:
        seen.add(wide.rules.verdict(criterion, world).truth)
        return True

    assert all(decided for _, decided in wide.worlds(decide))
    return seen
