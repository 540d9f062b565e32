"""Reading policy packs: every fault told at once, with file and line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pydantic import ValidationError

from pipeline.catalog.conditions import Condition, Is, Mentions, Named, atoms
from pipeline.catalog.facts import Facts, load_facts
from pipeline.catalog.places import Places
from pipeline.catalog.policies import Policies, Policy
from pipeline.errors import CatalogError

_NEXT_STEP = "Correct the named lines."
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a pack, where it stands. `line` counts on from the key's, for long conditions."""

    path: KeyPath
    message: str
    line: int = 0


def load_policies(models_dir: Path) -> Policies:
    """All packs of `models/policies/`. Raises CatalogError with every fault of the first bad pack."""
    facts = load_facts(models_dir)
    types = document_types(models_dir)
    paths = sorted((models_dir / "policies").glob("*/*/policy.toml"))
    packs = [load_policy(path, facts, types) for path in paths]
    packs.sort(key=lambda policy: (policy.id, policy.effective, policy.version))
    return Policies({name: tuple(group) for name, group in groupby(packs, key=lambda policy: policy.id)})


def document_types(models_dir: Path) -> frozenset[str]:
    """The names that `accepted_types` may hold."""
    return frozenset(path.stem for path in (models_dir / "documents").glob("*.toml"))


def load_policy(path: Path, facts: Facts, document_types: frozenset[str]) -> Policy:
    """The pack at `path`, all its names checked. Raises CatalogError with every fault's line."""
    text, policy = _read(path)
    faults = [
        *_misplaced(policy, path),
        *_repeated(policy),
        *_unknown_types(policy, document_types),
        *_unknown_references(policy),
        *_unknown_findings(policy, facts),
        *_Names(policy, facts).faults(),
    ]
    if faults:
        raise _error(path, Places(text), faults)
    return policy


def _read(path: Path) -> tuple[str, Policy]:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise CatalogError(f"{path} cannot be read.", next_step="Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path} is not valid TOML: {error}.", next_step="Correct the file.") from error
    try:
        return text, Policy.model_validate(data)
    except ValidationError as error:
        faults = [
            Fault(problem["loc"], problem["msg"], problem.get("ctx", {}).get("line", 0))
            for problem in error.errors()
        ]
        raise _error(path, Places(text), faults) from error


def _error(path: Path, places: Places, faults: list[Fault]) -> CatalogError:
    told = [
        f"{path}:{places.line_in_value(fault.path, fault.line)}: {_key(fault.path)}: {fault.message}"
        for fault in faults
    ]
    return CatalogError("\n".join(told), next_step=f"\n{_NEXT_STEP}")


def _key(path: KeyPath) -> str:
    return ".".join(str(part) for part in path) or "file"


def _misplaced(policy: Policy, path: Path) -> Iterator[Fault]:
    """The folders repeat id and version, so that a copied pack cannot pass for its original."""
    if policy.version != path.parent.name:
        yield Fault(("version",), f"the folder is called {path.parent.name}")
    if policy.id != path.parent.parent.name:
        yield Fault(("id",), f"the folder is called {path.parent.parent.name}")


def _repeated(policy: Policy) -> Iterator[Fault]:
    for table, key, names in (
        ("criteria", "id", [criterion.id for criterion in policy.criteria]),
        ("rulings", "id", [ruling.id for ruling in policy.rulings]),
        ("routes", "id", [route.id for route in policy.routes]),
        ("required_documents", "name", [document.name for document in policy.required_documents]),
        ("named", "name", [condition.name for condition in policy.named]),
        ("combined", "name", [fact.name for fact in policy.combined]),
        ("service_codes", "code", [service.code for service in policy.service_codes]),
    ):
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Fault((table, index, key), f"{name} is there twice")


def _unknown_types(policy: Policy, types: frozenset[str]) -> Iterator[Fault]:
    for index, document in enumerate(policy.required_documents):
        for name in document.accepted_types:
            if name not in types:
                message = f"there is no document type {name}; types: {', '.join(sorted(types))}"
                yield Fault(("required_documents", index, "accepted_types"), message)


def _unknown_references(policy: Policy) -> Iterator[Fault]:
    ids = [criterion.id for criterion in policy.criteria]
    unknown = f"; criteria: {', '.join(ids)}"
    for index, ruling in enumerate(policy.rulings):
        for name in ruling.criteria:
            if name not in ids:
                yield Fault(("rulings", index, "criteria"), f"there is no criterion {name}{unknown}")
    for index, criterion in enumerate(policy.criteria):
        for name in criterion.beside:
            if name not in ids:
                yield Fault(("criteria", index, "beside"), f"there is no criterion {name}{unknown}")
    if policy.otherwise.id in ids:
        yield Fault(("otherwise", "id"), f"{policy.otherwise.id} is also a criterion")
    asked = {wording.name for wording in policy.elements}
    for index, document in enumerate(policy.required_documents):
        for element in document.elements:
            if element not in asked:
                message = f"[[elements]] does not say how to ask for {element}"
                yield Fault(("required_documents", index, "elements"), message)


def _unknown_findings(policy: Policy, facts: Facts) -> Iterator[Fault]:
    findings = {fact.finding or fact.name for fact in facts}
    for name in policy.thresholds:
        if name not in findings:
            yield Fault(
                ("thresholds", name), f"there is no finding {name}; findings: {', '.join(sorted(findings))}"
            )


class _Names:
    """The names that conditions of one pack may use, and where they use others."""

    def __init__(self, policy: Policy, facts: Facts) -> None:
        self._policy = policy
        self._facts = facts
        self._named = [condition.name for condition in policy.named]
        self._values: Mapping[str, tuple[str, ...]] = {
            **{fact.name: fact.known_values for fact in facts},
            **{fact.name: fact.values for fact in policy.code_facts},
            **{fact.name: fact.values for fact in policy.combined},
        }

    def faults(self) -> Iterator[Fault]:
        yield from self._clashes()
        yield from self._states()
        for path, condition, named in self._conditions():
            for atom in atoms(condition):
                for message in self._wrong(atom, named):
                    yield Fault(path, message, atom.line)

    def _conditions(self) -> Iterator[tuple[KeyPath, Condition, list[str]]]:
        """Every condition with its place and the names that it may use; names build on earlier ones."""
        policy = self._policy
        for index, fact in enumerate(policy.combined):
            for number, reading in enumerate(fact.readings):
                yield ("combined", index, "readings", number, "when"), reading.when, []
        for index, condition in enumerate(policy.named):
            yield ("named", index, "when"), condition.when, self._named[:index]
        for index, route in enumerate(policy.routes):
            yield ("routes", index, "when"), route.when, self._named
        for index, criterion in enumerate(policy.criteria):
            yield ("criteria", index, "when"), criterion.when, self._named
            if criterion.unless is not None:
                yield ("criteria", index, "unless"), criterion.unless, self._named
        for index, ruling in enumerate(policy.rulings):
            yield ("rulings", index, "when"), ruling.when, self._named

    def _wrong(self, atom: Condition, named: list[str]) -> Iterator[str]:
        match atom:
            case Named(name):
                if name not in named:
                    known = ", ".join(named) or "none"
                    yield f"there is no condition named {name} before this one; names: {known}"
            case Mentions(fact):
                if fact not in self._facts or self._facts[fact].kind != "phrase":
                    phrases = ", ".join(known.name for known in self._facts if known.kind == "phrase")
                    yield f"{fact} is not a fact that holds a phrase; such facts: {phrases}"
            case Is(fact, values):
                yield from self._wrong_comparison(fact, values)

    def _wrong_comparison(self, fact: str, values: tuple[str, ...]) -> Iterator[str]:
        if fact not in self._values:
            yield f"there is no fact {fact}; facts: {', '.join(sorted(self._values))}"
            return
        known = self._values[fact]
        if not known:
            yield f"{fact} holds a phrase: compare it with 'mentions'"
            return
        for value in values:
            if value not in known:
                yield f"{fact} is never {value}; values: {', '.join(known)}"

    def _clashes(self) -> Iterator[Fault]:
        taken = {fact.name for fact in self._facts}
        for table, names in (
            ("code_facts", [fact.name for fact in self._policy.code_facts]),
            ("combined", [fact.name for fact in self._policy.combined]),
            ("named", self._named),
        ):
            for index, name in enumerate(names):
                if name in taken:
                    yield Fault((table, index, "name"), f"{name} is already the name of a fact")
            taken.update(names)

    def _states(self) -> Iterator[Fault]:
        for index, service in enumerate(self._policy.service_codes):
            for fact, value in service.states.items():
                for message in self._wrong_comparison(fact, (value,)):
                    yield Fault(("service_codes", index, "states"), message)
