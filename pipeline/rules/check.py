"""Checking a policy pack beyond its spelling: what an analyst may have written and not meant.

Loading a pack finds misspelt names and values (`pipeline.catalog.policy_packs`). This reads the
conditions for the ways in which they come true and finds what can never happen, or happens twice;
and codes that do not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice, product

from pipeline.catalog.conditions import All, Condition, Not
from pipeline.catalog.policies import Criterion, Policy
from pipeline.catalog.procedure_codes import ProcedureCodes
from pipeline.rules.kleene import Truth
from pipeline.rules.ruleset import Ruleset
from pipeline.rules.situation import World
from pipeline.rules.ways import Ways

_MOST_TRIES = 50
# CPT: five digits, or four and a letter for performance measures (F), new technology (T),
# vaccinations (A), multianalyte assays (M) and proprietary tests (U).
# HCPCS level II: a letter A to V and four digits.
_SERVICE_CODE = re.compile(r"\d{4}[\dAFMTU]|[A-V]\d{4}")
_HCPCS = re.compile(r"[A-V]\d{4}")
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in a pack that was probably not meant. `path` is the key that it is about."""

    path: KeyPath
    message: str


@dataclass(frozen=True, slots=True)
class Books:
    """Which codes there are: procedure codes, and the LOINC codes of the document types."""

    procedures: ProcedureCodes
    loinc: frozenset[str]


def check(ruleset: Ruleset, books: Books) -> list[Remark]:
    """What looks wrong in a pack, one sentence each; empty if nothing does."""
    return [
        *_unreachable(ruleset),
        *_overlapping(ruleset),
        *_idle_rulings(ruleset),
        *_unused(ruleset),
        *_no_codes(ruleset.policy, books),
    ]


def _unreachable(ruleset: Ruleset) -> Iterator[Remark]:
    """Criteria that no values of their facts can meet, and those that all values meet."""
    for index, criterion in enumerate(ruleset.policy.criteria):
        place: KeyPath = ("criteria", index, "when")
        if not any(_met(ruleset, criterion, world) for world in _worlds(ruleset, criterion.when)):
            yield Remark(place, f"Criterion {criterion.id} can never be met.")
        if criterion.unless is None and not list(_worlds(ruleset, Not(criterion.when))):
            yield Remark(place, f"Criterion {criterion.id} is met whatever the facts are.")
    for index, route in enumerate(ruleset.policy.routes):
        if not _possible(ruleset, route.when):
            yield Remark(("routes", index, "when"), f"Route {route.id} can never be taken.")


def _overlapping(ruleset: Ruleset) -> Iterator[Remark]:
    """Criteria that one case can meet together: the first is named in the outcome."""
    for (_, first), (index, second) in combinations(enumerate(ruleset.policy.criteria), 2):
        if second.id in first.beside or first.id in second.beside:
            continue
        both = _worlds(ruleset, All((first.when, second.when)))
        if any(_met(ruleset, first, world) and _met(ruleset, second, world) for world in both):
            message = (
                f"Criteria {first.id} and {second.id} can be met together; the outcome then names {first.id}."
            )
            yield Remark(("criteria", index, "when"), message)


def _idle_rulings(ruleset: Ruleset) -> Iterator[Remark]:
    for index, ruling in enumerate(ruleset.policy.rulings):
        if not _possible(ruleset, ruling.when):
            yield Remark(("rulings", index, "when"), f"Ruling {ruling.id} can never apply.")


def _unused(ruleset: Ruleset) -> Iterator[Remark]:
    policy = ruleset.policy
    conditions = [route.when for route in policy.routes]
    conditions += [
        condition for criterion in policy.criteria for condition in ruleset.conditions_of(criterion)
    ]
    used = {name for condition in conditions for name in ruleset.names_in(condition)}
    for table, names in (
        ("named", [named.name for named in policy.named]),
        ("combined", [fact.name for fact in policy.combined]),
    ):
        for index, name in enumerate(names):
            if name not in used:
                yield Remark((table, index, "name"), f"{name} is defined and nowhere used.")
    elements = {element for document in policy.required_documents for element in document.elements}
    for index, wording in enumerate(policy.elements):
        if wording.name not in elements:
            yield Remark(("elements", index, "name"), f"Element {wording.name} is required by no document.")


def _no_codes(policy: Policy, books: Books) -> Iterator[Remark]:
    """Codes that do not exist, or that no knowledge file has: a slip of the pen is one or the other."""
    for index, service in enumerate(policy.service_codes):
        first, _, last = service.code.partition("-")
        place: KeyPath = ("service_codes", index, "code")
        for code in filter(None, (first, last)):
            if not _SERVICE_CODE.fullmatch(code) or not _may_exist(code, books):
                yield Remark(place, f"{code} is no CPT or HCPCS code.")
            elif code not in books.procedures.by_code and not _HCPCS.fullmatch(code):
                yield Remark(
                    place, f"{code} is not in models/procedure_codes.toml: correct it, or add it there."
                )
        if last and (last <= first or first[-1].isdigit() != last[-1].isdigit()):
            yield Remark(place, f"{service.code} is no range.")
    for index, document in enumerate(policy.required_documents):
        place = ("required_documents", index, "loinc")
        if document.loinc and not _is_loinc(document.loinc):
            yield Remark(place, f"{document.loinc} is no LOINC code: its check digit is wrong.")
        elif document.loinc and document.loinc not in books.loinc:
            yield Remark(place, f"{document.loinc} is the LOINC code of no type in models/documents/.")


def _may_exist(code: str, books: Books) -> bool:
    return _HCPCS.fullmatch(code) is not None or books.procedures.exists(code)


def _is_loinc(code: str) -> bool:
    """By the check digit after the hyphen (Luhn's, as the LOINC Users' Guide has it)."""
    number, _, digit = code.partition("-")
    doubled = [int(figure) * (2 if place % 2 == 0 else 1) for place, figure in enumerate(reversed(number))]
    total = sum(value // 10 + value % 10 for value in doubled)
    return (10 - total % 10) % 10 == int(digit)


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
