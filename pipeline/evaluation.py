"""The case goes to the rules evaluator: the embedded one, or another behind HTTP by configuration."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from pathlib import Path

import httpx

from pipeline.catalog.facts import load_facts
from pipeline.catalog.policies import Policies
from pipeline.catalog.policy_packs import load_policies
from pipeline.circuit import Circuit
from pipeline.domain import Case, Evaluation, PolicyRef
from pipeline.evaluator_client import ask, check_url, connect
from pipeline.rules import Ruleset
from pipeline.rules import evaluate as evaluate_embedded
from pipeline.settings import Settings

_KEPT_VERSIONS = 16
_KEPT_CIRCUITS = 16


def evaluate(
    case: Case,
    settings: Settings,
    *,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep,
    circuit: Circuit | None = None,
) -> Evaluation:
    """The evaluator's answer for a case, under the version of the policy that the case names.

    Raises EvaluatorError where an HTTP evaluator gives no usable answer. All calls of a process
    share one circuit for each evaluator, unless they are given another.
    """
    if not settings.evaluator_url:
        return evaluate_embedded(case, ruleset_for(case.policy, settings))
    check_url(settings.evaluator_url)
    with connect(settings, transport=transport) as client:
        return ask(client, case, settings, sleep=sleep, circuit=circuit or _circuit_for(settings))


def ruleset_for(ref: PolicyRef | None, settings: Settings) -> Ruleset:
    """The rules of the version that `ref` names; without one, today's of the policy in the settings."""
    policies = policies_in(settings.models_dir)
    policy = policies.version(ref) if ref else policies.in_force(settings.policy, date.today())
    return _ruleset(settings.models_dir, policy.ref)


@lru_cache(maxsize=_KEPT_VERSIONS)
def policies_in(models_dir: Path) -> Policies:
    """All policy packs, read once. Raises CatalogError."""
    return load_policies(models_dir)


@lru_cache(maxsize=_KEPT_VERSIONS)
def _ruleset(models_dir: Path, ref: PolicyRef) -> Ruleset:
    return Ruleset(policies_in(models_dir).version(ref), load_facts(models_dir))


def _circuit_for(settings: Settings) -> Circuit:
    return _circuit(settings.evaluator_url, settings.evaluator_circuit_failures, settings.evaluator_circuit_s)


@lru_cache(maxsize=_KEPT_CIRCUITS)
def _circuit(url: str, failures: int, seconds: float) -> Circuit:
    return Circuit(failures, seconds)
