"""Cases under another version of a policy: what would change, from what the cases already know.

No page is read again. A case keeps the evaluation it has, unless writing is asked for. One process:
10,000 cases take seconds, and with two it took longer (their evaluations must be sent back).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.case_json import SCHEMA_VERSION, from_json
from pipeline.catalog import Catalog
from pipeline.domain import Case, Evaluation, PolicyRef
from pipeline.errors import TriageError, UsageError
from pipeline.evaluation import policies_in, ruleset_for
from pipeline.files import write_whole
from pipeline.information_request import case_with_request
from pipeline.rules import evaluate
from pipeline.settings import Settings

_LISTED = 20

NOT_EVALUATED = "not evaluated"


@dataclass(frozen=True, slots=True)
class Reevaluated:
    """One case: where it lies, and what it was and would be. `skipped` says why it was left out."""

    path: str
    case_id: str = ""
    before: Evaluation | None = None
    after: Evaluation | None = None
    skipped: str = ""

    @property
    def changed(self) -> bool:
        return not self.skipped and _essence(self.before) != _essence(self.after)


def policy_named(name: str, settings: Settings) -> PolicyRef:
    """The policy that ID@VERSION names, the newest version for an ID alone. Raises UsageError."""
    policy_id, _, version = name.partition("@")
    policies = policies_in(settings.models_dir)
    return policies.version(PolicyRef(policy_id, version)).ref if version else policies[policy_id].ref


def case_files(folder: Path) -> list[Path]:
    """Every case.json under a folder. Raises UsageError where there is none."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.")
    paths = sorted(folder.rglob("case.json"))
    if not paths:
        raise UsageError(f"There is no case.json under {folder}.")
    return paths


def reevaluate(
    paths: Sequence[Path],
    ref: PolicyRef,
    settings: Settings,
    *,
    write: bool = False,
    on_case: Callable[[int, int], None] = lambda done, in_all: None,
) -> list[Reevaluated]:
    """Each case judged by the embedded evaluator under `ref`, in the order of `paths`.

    With `write` each file then names that policy, holds that evaluation and what the provider would be
    asked for under it; all else in it stays. A
    case that cannot be read, or that is parked, is skipped. `on_case` is told (cases done, in all).
    """
    results = []
    for path in paths:
        results.append(_reevaluated(path, ref, settings, write=write))
        on_case(len(results), len(paths))
    return results


def _reevaluated(path: Path, ref: PolicyRef, settings: Settings, *, write: bool) -> Reevaluated:
    try:
        data = json.loads(path.read_bytes())
        case = from_json(data)
    except OSError as error:
        return Reevaluated(str(path), skipped=f"cannot be opened: {error.strerror}")
    except ValueError:
        return Reevaluated(str(path), skipped="is not JSON")
    except TriageError as error:
        return Reevaluated(str(path), skipped=str(error))
    if case.status == "parked":
        return Reevaluated(str(path), case.case_id, skipped="is parked")
    after = evaluate(replace(case, policy=ref), ruleset_for(ref, settings))
    if write:
        changed = {**data, **_judged(replace(case, policy=ref, evaluation=after), settings)}
        write_whole(path, json.dumps(changed, indent=2, ensure_ascii=False) + "\n")
    return Reevaluated(str(path), case.case_id, case.evaluation, after)


def _judged(case: Case, settings: Settings) -> dict[str, Any]:
    """What of a case's JSON another policy changes: the policy, its evaluation, what would be asked for."""
    content = case_with_request(case, _catalog(settings.models_dir))
    return {name: content[name] for name in ("policy", "evaluation", "information_request")}


@lru_cache(maxsize=1)
def _catalog(models_dir: Path) -> Catalog:
    return Catalog(models_dir)


# ---------------------------------------------------------------------- report


def report(results: Sequence[Reevaluated], ref: PolicyRef) -> dict[str, Any]:
    """What changed, as JSON: counts from outcome to outcome, the changed cases, the ones left out."""
    judged = [result for result in results if not result.skipped]
    return {
        "schema_version": SCHEMA_VERSION,
        "policy": {"id": ref.id, "version": ref.version},
        "cases": len(judged),
        "changed": sum(result.changed for result in judged),
        "outcomes": [
            {"before": before, "after": after, "cases": count} for (before, after), count in _outcomes(judged)
        ],
        "changes": [_change(result) for result in judged if result.changed],
        "skipped": [{"path": result.path, "why": result.skipped} for result in results if result.skipped],
    }


def table(results: Sequence[Reevaluated], ref: PolicyRef) -> str:
    """The same for a terminal; of long lists the first lines."""
    judged = [result for result in results if not result.skipped]
    changed = [result for result in judged if result.changed]
    skipped = [f"{result.path}: {result.skipped}" for result in results if result.skipped]
    lines = [f"{len(judged)} cases under {ref.id}@{ref.version}: {len(changed)} change.", ""]
    for (before, after), count in _outcomes(judged):
        lines.append(f"{count:>8}  {before}" + (f" → {after}" if before != after else ", as before"))
    lines += _listed("Changed:", [_line(result) for result in changed])
    lines += _listed("Left out:", skipped)
    return "\n".join(lines) + "\n"


def _listed(head: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield ""
        yield head
        yield from (f"  {item}" for item in items[:_LISTED])
        if len(items) > _LISTED:
            yield f"  … and {len(items) - _LISTED} more; --output FILE writes them all."


def _outcomes(judged: Iterable[Reevaluated]) -> list[tuple[tuple[str, str], int]]:
    return Counter((_outcome(result.before), _outcome(result.after)) for result in judged).most_common()


def _outcome(evaluation: Evaluation | None) -> str:
    return evaluation.outcome if evaluation else NOT_EVALUATED


def _line(result: Reevaluated) -> str:
    return f"{result.path}: {_told(result.before)} → {_told(result.after)}"


def _told(evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return NOT_EVALUATED
    return evaluation.outcome + (f" ({evaluation.criterion})" if evaluation.criterion else "")


def _change(result: Reevaluated) -> dict[str, Any]:
    before, after = _results(result.before), _results(result.after)
    return {
        "path": result.path,
        "case_id": result.case_id,
        "before": _short(result.before),
        "after": _short(result.after),
        "criteria": [
            {"id": name, "before": before.get(name), "after": after.get(name)}
            for name in dict.fromkeys([*before, *after])
            if before.get(name) != after.get(name)
        ],
    }


def _short(evaluation: Evaluation | None) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    return {
        "ruleset": evaluation.evaluator.ruleset,
        "outcome": evaluation.outcome,
        "criterion": evaluation.criterion,
        "other_policy": evaluation.other_policy,
        "missing": [missing.code for missing in evaluation.missing],
    }


def _results(evaluation: Evaluation | None) -> dict[str, str]:
    return {result.id: result.result for result in evaluation.criteria} if evaluation else {}


def _essence(evaluation: Evaluation | None) -> Any:
    """What a reader would call a change; not who evaluated, nor in which words it is asked."""
    short = _short(evaluation)
    return short and ({**short, "ruleset": None}, _results(evaluation))
