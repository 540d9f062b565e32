"""`triage prefill` and `triage corrections`: the form for other systems, and what people corrected."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.command_parts import operator, put
from pipeline.errors import ExitCode, UsageError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.catalog import Catalog
    from pipeline.catalog.policies import Policy
    from pipeline.prefill import Rendered

# As in `prefill.FORMATS`, which takes seconds to import.
FORMATS = ("questionnaire-response", "questionnaire", "mcode", "pdf", "csv", "json")
_TABLES = ("csv", "json")


def add_commands(
    command: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """The options of `triage prefill` and `triage corrections`."""
    form = command.add_parser("prefill", parents=[shared], help="the filled review form for other systems")
    form.add_argument("subject", nargs="?", metavar="SUBJECT", help="a submission, or a case.json")
    form.add_argument("--format", choices=FORMATS, required=True)
    form.add_argument("--all", action="store_true", help="every case of the ledger, as csv or json")
    form.add_argument(
        "--policy", metavar="ID[@VERSION]", help="with questionnaire: what a policy asks, without a case"
    )
    form.add_argument(
        "--files",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="with a case.json as pdf: the submission's files, to cut the marked words from",
    )
    form.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
    form.set_defaults(function=prefill)

    corrections = command.add_parser("corrections", help="what people corrected at the desk")
    what = corrections.add_subparsers(dest="corrections_command", required=True, metavar="COMMAND")
    export = what.add_parser(
        "export", parents=[shared], help="corrected cases as a set for `triage evaluate-set`"
    )
    export.add_argument("folder", type=Path, metavar="OUT", help="a new folder")
    _period(export)
    export.set_defaults(function=export_corrections)
    report = what.add_parser(
        "report", parents=[shared], help="share filled, accepted and overridden, by field and model version"
    )
    report.add_argument("--json", action="store_true", help="as JSON")
    _period(report)
    report.set_defaults(function=report_corrections)


def _period(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", type=_day, metavar="YYYY-MM-DD", help="from this day on (UTC)")
    parser.add_argument("--until", type=_day, metavar="YYYY-MM-DD", help="before this day (UTC)")


def _day(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time(), UTC)


# --------------------------------------------------------------------------- prefill


def prefill(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage prefill`: one form, the rows of all, or a policy's questionnaire."""
    from pipeline.catalog import Catalog

    _check(options)
    catalog = Catalog(settings.models_dir)
    left_out: list[str] = []
    if options.all:
        made, left_out = _every_case(options.format, catalog, settings)
    elif options.policy:
        from pipeline.prefill import rendered_questionnaire

        made = rendered_questionnaire(_policy(options.policy, catalog), catalog)
    elif (path := Path(options.subject)).is_file():
        made = _of_file(path, options, catalog, settings)
    else:
        made = _of_submission(options.subject, options.format, catalog, settings)
    put(made.content, options.output)
    if left_out:
        sys.stderr.write(f"triage: left out, since they cannot be shown: {' '.join(left_out)}\n")
    return ExitCode.PARKED if left_out else ExitCode.DONE


def _check(options: argparse.Namespace) -> None:
    if sum(map(bool, (options.all, options.policy, options.subject))) != 1:
        raise UsageError("Name a submission or a case.json, or --all, or --policy.")
    if options.all and options.format not in _TABLES:
        raise UsageError("--all is for csv and json.")
    if options.policy and options.format != "questionnaire":
        raise UsageError("--policy is for --format questionnaire.")
    if options.files and options.format != "pdf":
        raise UsageError("--files is for --format pdf.")


def _policy(name: str, catalog: Catalog) -> Policy:
    from pipeline.domain import PolicyRef

    policy_id, _, version = name.partition("@")
    policies = catalog.policies
    return policies.version(PolicyRef(policy_id, version)) if version else policies[policy_id]


def _of_file(path: Path, options: argparse.Namespace, catalog: Catalog, settings: Settings) -> Rendered:
    """The form of a case.json: what people did is as far known as the case itself shows it."""
    from pipeline.case_json import from_json
    from pipeline.intake.folder import receive
    from pipeline.prefill import form_of, page_images, rendered

    try:
        data = json.loads(path.read_bytes())
    except ValueError:
        raise UsageError(f"{path} is not a case.") from None
    form = form_of(from_json(data), catalog)
    images = page_images(form, receive(options.files), settings) if options.files else {}
    return rendered(
        form, catalog, options.format, at=datetime.now(UTC), page_image=lambda *page: images.get(page)
    )


def _of_submission(submission_id: str, name: str, catalog: Catalog, settings: Settings) -> Rendered:
    """The form of a case of the ledger, with its corrections; it is exported, and the audit trail says so."""
    from pipeline import audit
    from pipeline.ledger import open_ledger, opened
    from pipeline.prefill import page_images, rendered
    from pipeline.review.casefile import open_case
    from pipeline.review.prefilled import form_of_file

    with open_ledger(settings) as ledger:
        file = open_case(ledger, submission_id)
        if file is None:
            raise UsageError(f"Submission {submission_id} has no case yet.")
        form = form_of_file(ledger, file, catalog)
        images = {}
        if name == "pdf":
            with opened(ledger, submission_id) as submission:
                images = page_images(form, submission, settings)
        made = rendered(form, catalog, name, at=datetime.now(UTC), page_image=lambda *page: images.get(page))
        audit.write(ledger, operator(), "exported", submission_id, format=name, case=file.number)
    return made


def _every_case(name: str, catalog: Catalog, settings: Settings) -> tuple[Rendered, list[str]]:
    """The table of all cases, and the submissions whose cases could not be shown."""
    from pipeline import audit
    from pipeline.ledger import open_ledger
    from pipeline.prefill import rendered_rows, rows_of
    from pipeline.review.prefilled import forms_in

    left_out: list[str] = []
    with open_ledger(settings) as ledger:
        # One case after another: a thousand of them with their texts would not fit.
        rows = [rows_of(form) for form in forms_in(ledger, catalog, on_left_out=left_out.append)]
        audit.write(ledger, operator(), "exported", format=name, cases=len(rows), left_out=len(left_out))
    return rendered_rows([row for own in rows for row in own], name), left_out


# --------------------------------------------------------------------------- corrections


def export_corrections(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage corrections export`: says that files of patients leave the vault."""
    from pipeline.catalog import Catalog
    from pipeline.ledger import open_ledger
    from pipeline.review.regression import export_set

    with open_ledger(settings) as ledger:
        made = export_set(
            ledger,
            Catalog(settings.models_dir),
            options.folder,
            actor=operator(),
            since=options.since,
            until=options.until,
        )
    if not options.quiet:
        left_out = (
            f" {made.left_out} are left out: erased, with a record missing, or of a policy not kept."
            if made.left_out
            else ""
        )
        sys.stdout.write(
            f"{made.cases} cases with {made.fields} values that people confirmed or changed.{left_out}\n"
            f"{options.folder} holds files of patients that are sealed no more. It is open to you alone; "
            "delete it when you have measured: triage evaluate-set.\n"
        )
    return ExitCode.DONE


def report_corrections(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage corrections report`."""
    from pipeline.catalog import Catalog
    from pipeline.ledger import open_ledger
    from pipeline.review.regression import share_report

    with open_ledger(settings) as ledger:
        shares = share_report(ledger, Catalog(settings.models_dir), since=options.since, until=options.until)
    sys.stdout.write(json.dumps(shares.as_json(), indent=2) + "\n" if options.json else shares.table())
    return ExitCode.DONE
