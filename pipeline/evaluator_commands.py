"""What the commands about the rules evaluator do. Imports are inside the commands, as in `commands`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.commands import progress
from pipeline.errors import ExitCode, TriageError, UsageError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.catalog.policies import Policy
    from pipeline.domain import Case

_PASS, _FAIL = "ok    ", "FAILED"


def evaluate(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage evaluate`: asks the evaluator about a case that is there; its pages are not read again."""
    from pipeline.cases import evaluate as evaluate_case
    from pipeline.cases import reopened
    from pipeline.catalog import Catalog
    from pipeline.information_request import case_with_request
    from pipeline.summary import summarize

    former = reopened(_case(options.case))
    if former.status == "parked":
        raise UsageError(
            f"{options.case} is parked for another reason than the evaluator: {_reasons(former)}",
            next_step="Run the submission again.",
        )
    case = evaluate_case(replace(former, evaluation=None), settings)
    if case.evaluation is None and former.evaluation is not None and not options.output:
        sys.stderr.write(f"triage: {_reasons(case)} {options.case} keeps the evaluation that it has.\n")
        return ExitCode.PARKED
    content = case_with_request(case, Catalog(settings.models_dir))
    written = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    if options.output == "-":
        sys.stdout.write(written)
    else:
        _write(Path(options.output or options.case), written)
        if not options.quiet:
            sys.stdout.write(summarize(case))
    return ExitCode.DONE if case.status == "complete" else ExitCode.PARKED


def explain(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage explain`: the reasoning as a person would read it."""
    from pipeline.evaluation import ruleset_for
    from pipeline.rules.explain import explain as explain_case

    case = _case(options.case)
    sys.stdout.write(explain_case(case, ruleset_for(case.policy, settings).policy))
    return ExitCode.PARKED if case.status == "parked" else ExitCode.DONE


def policy_check(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage policy check`: what is wrong in a pack, or probably not meant, with file and line."""
    from pipeline.catalog.documents import load_documents
    from pipeline.catalog.facts import load_facts
    from pipeline.catalog.places import Places
    from pipeline.catalog.policy_packs import document_types, load_policy
    from pipeline.catalog.procedure_codes import load_procedure_codes
    from pipeline.rules import Ruleset
    from pipeline.rules.check import Books, check

    remarks = 0
    facts = load_facts(settings.models_dir)
    documents = load_documents(settings.models_dir)
    loinc = frozenset(code for name in documents if (code := documents.loinc(name)))
    books = Books(load_procedure_codes(settings.models_dir), loinc)
    paths = _pack_files(options.pack, settings)
    for path in map(Path.absolute, paths):
        policy = load_policy(path, facts, document_types(settings.models_dir))
        places = Places(path.read_text(encoding="utf-8"))
        for remark in check(Ruleset(policy, facts), books):
            remarks += 1
            sys.stdout.write(f"{path}:{places.line(remark.path)}: {remark.message}\n")
        if not options.quiet:
            sys.stdout.write(f"{path}: {_counted(policy)}\n")
    return ExitCode.PARKED if remarks else ExitCode.DONE


def serve_evaluator(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage serve-evaluator`: the embedded evaluator behind HTTP, until it is stopped."""
    from pipeline.evaluator_server import serve
    from pipeline.serving import Certificates

    def ready(address: str) -> None:
        if not options.quiet:
            sys.stdout.write(f"The rules evaluator answers at {address}; Ctrl-C stops it.\n")
            sys.stdout.flush()

    if not options.tls_cert and (options.tls_key or options.client_ca):
        raise UsageError("--tls-key and --client-ca need --tls-cert.")
    certificates = (
        Certificates(options.tls_cert, options.tls_key, options.client_ca) if options.tls_cert else None
    )
    # It is the evaluator: where another one is, is no matter of its.
    serve(settings, options.host, options.port, ready=ready, certificates=certificates)
    return ExitCode.DONE


def check_evaluator(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage check-evaluator`: whether an evaluator keeps the contract, check by check."""
    from pipeline.evaluation import ruleset_for
    from pipeline.evaluator_check import check_evaluator as checks_of
    from pipeline.evaluator_client import check_url, connect

    check_url(options.url)
    policy = ruleset_for(None, settings).policy
    broken = passed = 0
    with connect(settings) as client:
        for check in checks_of(client, options.url, policy):
            broken, passed = broken + bool(check.broken), passed + (not check.broken)
            if check.broken or not options.quiet:
                told = f"{_FAIL} {check.title}: {check.broken}" if check.broken else f"{_PASS} {check.title}"
                sys.stdout.write(f"{told}\n")
                sys.stdout.flush()
    if not options.quiet:
        sys.stdout.write(f"{passed} of {passed + broken} checks passed.\n")
    return ExitCode.PARKED if broken else ExitCode.DONE


def reevaluate(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage reevaluate`: what another version of a policy would change in the cases of a folder."""
    from pipeline import reevaluation

    ref = reevaluation.policy_named(options.policy, settings)
    paths = reevaluation.case_files(options.folder)
    with progress(options, "Cases") as step:
        results = reevaluation.reevaluate(paths, ref, settings, write=options.write, on_case=step)
    if options.output:
        report = json.dumps(reevaluation.report(results, ref), indent=2, ensure_ascii=False)
        _write(options.output, report + "\n")
    if not options.quiet:
        sys.stdout.write(reevaluation.table(results, ref))
    return ExitCode.PARKED if any(result.skipped for result in results) else ExitCode.DONE


# --------------------------------------------------------------------------- inside


def _case(path: Path) -> Case:
    """The case in a file. Raises UsageError; nothing of the case is quoted."""
    from pipeline.case_json import from_json

    try:
        return from_json(json.loads(path.read_bytes()))
    except OSError as error:
        raise UsageError(f"{path} cannot be opened: {error.strerror}.") from None
    except ValueError:
        raise UsageError(f"{path} is not JSON.") from None
    except TriageError as error:
        raise UsageError(f"{path} is no case. {error}") from None


def _write(path: Path, text: str) -> None:
    from pipeline.files import write_whole

    try:
        write_whole(path, text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None


def _reasons(case: Case) -> str:
    return " ".join(problem.message for problem in case.problems)


def _pack_files(name: str, settings: Settings) -> list[Path]:
    """The `policy.toml` that a path, or ID or ID@VERSION, names. Raises UsageError.

    A pack somewhere else than `models/policies/` is checked in the same way, against these facts.
    """
    path = Path(name)
    if path.is_file():
        return [path]
    policy_id, _, version = name.partition("@")
    packs = settings.models_dir / "policies" / policy_id
    for folder in (path, packs / version if version else packs):
        if found := sorted([*folder.glob("policy.toml"), *folder.glob("*/policy.toml")]):
            return found
    known = sorted(path.parent.name for path in settings.models_dir.glob("policies/*/*/"))
    raise UsageError(
        f"{name} is no policy pack.",
        next_step=f"Name a policy.toml, its folder, or one of: {', '.join(dict.fromkeys(known))}.",
    )


def _counted(policy: Policy) -> str:
    counts: dict[str, tuple[Any, ...]] = {
        "criteria": policy.criteria,
        "routes": policy.routes,
        "rulings": policy.rulings,
        "required documents": policy.required_documents,
        "service codes": policy.service_codes,
    }
    return ", ".join(f"{len(entries)} {name}" for name, entries in counts.items()) + "."
