"""What each `triage` command does. Stages are imported inside the command that needs them, since
spaCy, OpenCV and Prefect take seconds to import and `triage --help` must not wait for them."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigurationError, ExitCode, TriageError, UsageError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.domain import Case, Submission

Process = Callable[["Submission"], "Case"]

# The flow is named, not imported: Prefect is imported by flows/ alone, and only when asked for.
FLOW = "flows.run:through_flow"


def set_up_logging(options: argparse.Namespace) -> None:
    """Logs go to stderr at the chosen level, without patient text."""
    from pipeline.logs import configure_logging

    configure_logging(level=options.log_level, json=options.json_logs, quiet=options.quiet)


def report_bug(error: Exception) -> None:
    """Where a bug struck, on stderr: classes and code lines, not the messages, which may quote a page."""
    from pipeline.logs import safe_traceback

    sys.stderr.write(f"triage: internal error, please report it.\n{safe_traceback(error)}\n")


@contextmanager
def progress(options: argparse.Namespace, title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; yields the function that sets it, called with (done, in all)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    hidden = options.quiet or options.json_logs or not console.is_terminal
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, in_all: bar.update(task, completed=done, total=in_all)


# --------------------------------------------------------------------------- run


def run(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage run`: one submission, or with --each every submission of a folder."""
    return _run_each(options, settings) if options.each else _run_one(options, settings)


def _run_one(options: argparse.Namespace, settings: Settings) -> ExitCode:
    from pipeline.case_json import to_json
    from pipeline.intake.folder import receive
    from pipeline.summary import summarize

    submission = replace(receive(options.paths), received=options.received)
    with progress(options, "Pages") as step, _processor(options, settings, on_page=step) as process:
        case = process(submission)
    if options.output == "-":
        sys.stdout.write(_dump(to_json(case)))
    elif options.output:
        _write(Path(options.output), to_json(case))
    if options.images:
        from pipeline.evidence_images import draw_evidence

        draw_evidence(case, submission, options.images, settings)
    if options.report:
        from pipeline.report import write_report

        write_report(case, submission, options.report, settings)
    if options.output != "-" and not options.quiet:
        sys.stdout.write(summarize(case))
    return ExitCode.DONE if case.status == "complete" else ExitCode.PARKED


def _run_each(options: argparse.Namespace, settings: Settings) -> ExitCode:
    from pipeline.case_json import to_json
    from pipeline.intake.folder import submissions_in

    named = submissions_in(options.each)
    statuses = []
    with progress(options, "Submissions") as step, _processor(options, settings) as process:
        for done, (name, paths) in enumerate(named, 1):
            case = _work_or_park(process, paths, options.received)
            _write(options.output_dir / _printable(name) / "case.json", to_json(case))
            statuses.append(case.status)
            step(done, len(named))
    if not options.quiet:
        counts = ", ".join(f"{statuses.count(s)} {s}" for s in ("complete", "partial", "parked"))
        sys.stdout.write(f"{len(statuses)} submissions: {counts}. Cases are in {options.output_dir}.\n")
    return ExitCode.DONE if all(status == "complete" for status in statuses) else ExitCode.PARKED


def _work_or_park(process: Process, paths: Sequence[Path], received: date | None) -> Case:
    """The submission's case; parked where something goes wrong, so that the others go on."""
    from pipeline.cases import parked
    from pipeline.domain import Problem, Submission
    from pipeline.intake.folder import receive

    submission = Submission(hashlib.sha256(str(paths).encode()).hexdigest()[:16], (), received)
    try:
        submission = replace(receive(paths), received=received)
        return process(submission)
    except ConfigurationError:
        raise  # the same for every submission: nothing is gained by going on
    except OSError as error:
        problem = Problem(None, None, "unreadable", f"The files cannot be opened: {error.strerror}.")
    except TriageError as error:
        problem = Problem(None, None, "failed", str(error))
    except Exception as error:
        report_bug(error)
        message = "The tool failed on this submission; standard error has what to report."
        problem = Problem(None, None, "internal_error", message)
    return parked(submission, problem)


@contextmanager
def _processor(
    options: argparse.Namespace, settings: Settings, on_page: Callable[[int, int], None] | None = None
) -> Iterator[Process]:
    """The function from a submission to its case, in process or through the flow."""
    if options.flow:
        with resolve_name(FLOW)(settings, on_page=on_page) as process_in_flow:
            yield process_in_flow
        return
    from pipeline.cases import Knowledge, process

    knowledge = Knowledge(settings)
    yield lambda submission: process(submission, knowledge, on_page=on_page)


# --------------------------------------------------------------------------- extract


def extract(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage extract`: findings of plain texts, a JSON line in, a JSON line out."""
    from pipeline.cases import Knowledge
    from pipeline.plain_text import extract_text

    lines = list(_json_lines(options.file))
    if options.output.exists() and options.output.samefile(options.file):
        raise UsageError("--output is the input itself.", next_step="Name another file.")
    knowledge = Knowledge(settings)
    with options.output.open("w", encoding="utf-8") as out, progress(options, "Texts") as step:
        for done, line in enumerate(lines, 1):
            out.write(
                json.dumps(extract_text(line["id"], line["text"], knowledge), ensure_ascii=False) + "\n"
            )
            step(done, len(lines))
    return ExitCode.DONE


def _json_lines(path: Path) -> Iterator[Mapping[str, str]]:
    """The lines of a JSON Lines file. Raises UsageError naming the line, never its content."""
    if not path.is_file():
        raise UsageError(f"{path} is not a file.")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line.decode("utf-8-sig"))
            except ValueError:
                raise UsageError(f"{path}, line {number} is not JSON in UTF-8.") from None
            text = record.get("text") if isinstance(record, dict) else None
            if not isinstance(text, str) or "id" not in record:
                raise UsageError(f'{path}, line {number} must have "id" and "text", a string.')
            # Half of a surrogate pair is valid JSON and no character: as long, and it can be written.
            yield record | {"text": text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")}


# --------------------------------------------------------------------------- schema, evaluate-set


def schema(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage schema case`: the published JSON Schema of a case."""
    from pipeline.case_json import case_schema

    sys.stdout.write(_dump(case_schema()))
    return ExitCode.DONE


def evaluate_set(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage evaluate-set`: runs every submission that has an expected.json and compares."""
    from pipeline.case_json import to_json
    from pipeline.cases import Knowledge, process
    from pipeline.evaluate_set import compare, expectations_in, report, table
    from pipeline.intake.folder import receive

    expectations = expectations_in(options.folder)
    knowledge = Knowledge(settings)
    comparisons = []
    with progress(options, "Submissions") as step:
        for done, expectation in enumerate(expectations, 1):
            case = to_json(process(receive([expectation.folder]), knowledge))
            comparisons.append(compare(case, expectation))
            step(done, len(expectations))
    if options.output:
        _write(options.output, report(comparisons))
    sys.stdout.write(table(comparisons))
    return ExitCode.PARKED if any(one.status != "complete" for one in comparisons) else ExitCode.DONE


def _printable(name: str) -> str:
    """A sender's file name as text that can be written, whatever its bytes."""
    return os.fsencode(name).decode("utf-8", "replace")


def _write(path: Path, data: Any) -> None:
    """`data` as JSON at `path`, whole or not at all, for the owner alone. Raises UsageError."""
    from pipeline.files import write_whole

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _dump(data))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", next_step="Name another place."
        ) from None


def _dump(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
