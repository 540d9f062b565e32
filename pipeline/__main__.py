"""`triage`: the command line. Options become arguments, errors become exit codes; nothing else.

Importing this module is cheap, so that `triage --help` answers at once: what does the work is
imported by the command that needs it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from pipeline import (
    commands,
    evaluator_commands,
    intake_commands,
    ledger_commands,
    monitor_commands,
    prefill_commands,
    queue_commands,
    request_commands,
    review_commands,
    service_commands,
    webhook_commands,
)
from pipeline.errors import ExitCode, TriageError, UsageError
from pipeline.settings import load_settings


def parser() -> argparse.ArgumentParser:
    """All commands and options."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--quiet", action="store_true", help="no progress bar and no summary, errors only")
    shared.add_argument("--json-logs", action="store_true", help="log lines as JSON on stderr")
    shared.add_argument("--log-level", default="WARNING", choices=["DEBUG", "INFO", "WARNING", "ERROR"])

    top = argparse.ArgumentParser(
        prog="triage", description="Prior-authorization packets in, evaluated cases with their evidence out."
    )
    command = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = command.add_parser(
        "run", parents=[shared], help="read, build and evaluate one submission or a folder of them"
    )
    run.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="files, or a folder whose files belong together"
    )
    run.add_argument(
        "--each", type=Path, metavar="FOLDER", help="every sub-folder or lone file is one submission"
    )
    run.add_argument(
        "--output-dir",
        type=Path,
        metavar="OUT",
        help="with --each: writes OUT/<name>/case.json, images and report beside it",
    )
    run.add_argument(
        "--output", metavar="FILE", help="write the case JSON to FILE, or to standard output with -"
    )
    run.add_argument(
        "--images", type=Path, metavar="DIR", help="page images with the evidence boxes drawn on them"
    )
    run.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html",
        help="one page to read: packet strip, answers, marked pages",
    )
    run.add_argument(
        "--received",
        type=_day,
        metavar="YYYY-MM-DD",
        help="day of receipt, today without: which version of the policy holds, how old a document is",
    )
    run.add_argument("--flow", action="store_true", help="through the Prefect flow instead of in process")
    run.set_defaults(function=commands.run)

    extract = command.add_parser("extract", parents=[shared], help="clinical extraction alone, on plain text")
    extract.add_argument("file", type=Path, metavar="FILE.jsonl", help='each line {"id", "text"}')
    extract.add_argument("--output", type=Path, required=True, metavar="OUT.jsonl")
    extract.set_defaults(function=commands.extract)

    schema = command.add_parser("schema", parents=[shared], help="print a published JSON Schema")
    schema.add_argument("name", choices=["case"])
    schema.set_defaults(function=commands.schema)

    evaluate = command.add_parser(
        "evaluate-set",
        parents=[shared],
        help="accuracy per field over submissions that have an expected.json",
    )
    evaluate.add_argument("folder", type=Path, metavar="FOLDER")
    evaluate.add_argument(
        "--output", type=Path, metavar="FILE", help="write the figures and differences as JSON"
    )
    evaluate.add_argument(
        "--differences", type=Path, metavar="DIR", help="a page to read for each submission with differences"
    )
    evaluate.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="figures that --output wrote before: exit code 1 and the rows, if any got worse",
    )
    evaluate.set_defaults(function=commands.evaluate_set)
    _add_evaluator_commands(command, shared)
    review_commands.add_commands(command, shared)
    queue_commands.add_commands(command, shared)
    ledger_commands.add_commands(command, shared)
    service_commands.add_commands(command, shared)
    intake_commands.add_commands(command, shared)
    request_commands.add_commands(command, shared)
    prefill_commands.add_commands(command, shared)
    monitor_commands.add_commands(command, shared)
    webhook_commands.add_commands(command, shared)
    return top


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _add_evaluator_commands(
    command: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    evaluate = command.add_parser(
        "evaluate",
        parents=[shared],
        help="ask the rules evaluator again about a case; its pages are not read again",
    )
    evaluate.add_argument("case", type=Path, metavar="CASE.json")
    evaluate.add_argument(
        "--output", metavar="FILE", help="write the case there, or to standard output with -; else in place"
    )
    evaluate.set_defaults(function=evaluator_commands.evaluate)

    explain = command.add_parser("explain", parents=[shared], help="why a case was evaluated as it was")
    explain.add_argument("case", type=Path, metavar="CASE.json")
    explain.set_defaults(function=evaluator_commands.explain)

    policy = command.add_parser("policy", help="policy packs")
    pack = policy.add_subparsers(dest="policy_command", required=True, metavar="COMMAND")
    pack_check = pack.add_parser(
        "check", parents=[shared], help="what is wrong in a pack or probably not meant, with file and line"
    )
    pack_check.add_argument("pack", metavar="PACK", help="a policy.toml, its folder, or ID[@VERSION]")
    pack_check.set_defaults(function=evaluator_commands.policy_check)

    serve = command.add_parser(
        "serve-evaluator", parents=[shared], help="the embedded rules evaluator behind HTTP"
    )
    serve.add_argument("--host", default="127.0.0.1", help="default: this machine alone")
    serve.add_argument("--port", type=int, default=8350, help="default: 8350; 0 takes a free one")
    serve.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate (PEM): serve https")
    serve.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, if not in the same file")
    serve.add_argument(
        "--client-ca", type=Path, metavar="FILE", help="clients must show a certificate of this authority"
    )
    serve.set_defaults(function=evaluator_commands.serve_evaluator)

    kit = command.add_parser(
        "check-evaluator", parents=[shared], help="does a rules evaluator behind HTTP keep the contract?"
    )
    kit.add_argument("url", metavar="URL")
    kit.set_defaults(function=evaluator_commands.check_evaluator)

    again = command.add_parser(
        "reevaluate", parents=[shared], help="what another version of a policy would change in many cases"
    )
    again.add_argument("folder", type=Path, metavar="FOLDER", help="every case.json under it")
    again.add_argument("--policy", required=True, metavar="ID[@VERSION]")
    again.add_argument("--output", type=Path, metavar="FILE", help="write what changed as JSON")
    again.add_argument(
        "--write", action="store_true", help="put the new policy and evaluation into the cases"
    )
    again.set_defaults(function=evaluator_commands.reevaluate)


def check(options: argparse.Namespace) -> None:
    """Raises UsageError for options that contradict each other."""
    if options.command != "run":
        return
    if options.each and (options.paths or options.output):
        raise UsageError("--each takes no other PATH and no --output.", next_step="Use --output-dir OUT.")
    for name in filter(None, (options.images, options.report) if options.each else ()):
        if name.is_absolute() or ".." in name.parts:
            raise UsageError(
                "With --each, --images and --report are names inside each OUT/<name>.",
                next_step="Name them without a leading / and without ...",
            )
    if options.each and not options.output_dir:
        raise UsageError("--each needs --output-dir OUT.")
    if options.each and options.output_dir.resolve().is_relative_to(options.each.resolve()):
        raise UsageError(
            "OUT lies in FOLDER, where it would be taken for a submission.",
            next_step="Name an --output-dir elsewhere.",
        )
    if not options.each and not options.paths:
        raise UsageError("Nothing to run.", next_step="Name the files of one submission, or --each FOLDER.")
    if not options.each and options.output_dir:
        raise UsageError("--output-dir belongs to --each.", next_step="Use --output FILE.")


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Runs one command and returns its exit code (see `errors.ExitCode`)."""
    options = parser().parse_args(argv)
    try:
        check(options)
        settings = load_settings(os.environ if environ is None else environ)
        commands.set_up_logging(options)
        return int(options.function(options, settings))
    except TriageError as error:
        sys.stderr.write(f"triage: {error}\n")
        return int(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.DONE)
    except KeyboardInterrupt:
        sys.stderr.write("triage: interrupted.\n")
        return int(ExitCode.INTERNAL)
    except Exception as error:
        commands.report_bug(error)
        return int(ExitCode.INTERNAL)


if __name__ == "__main__":
    sys.exit(main())
