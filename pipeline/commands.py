"""What each `triage` command does. Stages are imported inside the command that needs them, since
spaCy, OpenCV and Prefect take seconds to import and `triage --help` must not wait for them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TextIO

from pipeline.errors import ExitCode, UnreadableFile, UsageError
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
    from pipeline.batch import told
    from pipeline.catalog import Catalog
    from pipeline.information_request import case_with_request
    from pipeline.intake.folder import left_out, receive
    from pipeline.summary import summarize

    submission = replace(receive(options.paths), received=_received(options))
    with progress(options, "Pages") as step, _processor(options, settings, on_page=step) as process:
        case = told(process(submission), left_out(options.paths))
    if options.output:
        _write(Path(options.output), case_with_request(case, Catalog(settings.models_dir)))
    _show(case, submission, options, settings, Path())
    if options.output != "-" and not options.quiet:
        sys.stdout.write(summarize(case))
    return ExitCode.DONE if case.status == "complete" else ExitCode.PARKED


def _run_each(options: argparse.Namespace, settings: Settings) -> ExitCode:
    from pipeline.batch import account, work_each
    from pipeline.catalog import Catalog
    from pipeline.information_request import case_with_request

    catalog = Catalog(settings.models_dir)
    statuses, accounts = [], list[str]()
    with progress(options, "Submissions") as step, _processor(options, settings) as process:
        works = work_each(options.each, process, received=_received(options), on_bug=report_bug)
        for done, (worked, in_all) in enumerate(works, 1):
            folder = options.output_dir / worked.name
            _write(folder / "case.json", case_with_request(worked.case, catalog))
            _show(worked.case, worked.submission, options, settings, folder)
            statuses.append(worked.case.status)
            accounts += account(worked)
            step(done, in_all)
    if not options.quiet:
        counts = ", ".join(f"{statuses.count(s)} {s}" for s in ("complete", "partial", "parked"))
        told = f"{len(statuses)} submissions: {counts}. Cases are in {options.output_dir}."
        sys.stdout.write("\n".join((*accounts, told)) + "\n")
    return ExitCode.DONE if all(status == "complete" for status in statuses) else ExitCode.PARKED


def _show(
    case: Case, submission: Submission, options: argparse.Namespace, settings: Settings, folder: Path
) -> None:
    """The images and the report that are asked for, named as the options say from `folder` on."""
    if options.images:
        from pipeline.evidence_images import draw_evidence

        with _writable(folder / options.images):
            draw_evidence(case, submission, folder / options.images, settings)
    if options.report:
        from pipeline.report import write_report

        with _writable(folder / options.report):
            write_report(case, submission, folder / options.report, settings)


def _received(options: argparse.Namespace) -> date:
    """The day of receipt: as the user says, else today (UTC), as in the ledger."""
    return options.received or datetime.now(UTC).date()


@contextmanager
def _processor(
    options: argparse.Namespace, settings: Settings, on_page: Callable[[int, int], None] | None = None
) -> Iterator[Process]:
    """The function from a submission to its case, in process or through the flow."""
    if options.flow:
        with resolve_name(FLOW)(settings, on_page=on_page) as process_in_flow:
            yield process_in_flow
        return
    from pipeline.cases import Knowledge, process, reading_processes

    knowledge = Knowledge(settings)
    with reading_processes(settings) as workers:
        yield lambda submission: process(submission, knowledge, on_page=on_page, workers=workers)


# --------------------------------------------------------------------------- extract


def extract(options: argparse.Namespace, settings: Settings) -> ExitCode:
    """`triage extract`: findings of plain texts, a JSON line in, a JSON line out."""
    from pipeline.cases import Knowledge
    from pipeline.plain_text import extract_text

    lines = list(_json_lines(options.file))
    if options.output.exists() and options.output.samefile(options.file):
        raise UsageError("--output is the input itself.", next_step="Name another file.")
    knowledge = Knowledge(settings)
    with _lines_to(options.output) as out, progress(options, "Texts") as step:
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
    from pipeline.cases import Knowledge, process, reading_processes
    from pipeline.evaluate_gate import figures_before, worse
    from pipeline.evaluate_set import compare, differences, expectations_in, report, request_paper, table
    from pipeline.intake.folder import receive
    from pipeline.report import write_report

    expectations = expectations_in(options.folder)
    before = figures_before(options.against) if options.against else None
    knowledge = Knowledge(settings)
    comparisons = []
    with progress(options, "Submissions") as step, reading_processes(settings) as workers:
        for done, expectation in enumerate(expectations, 1):
            submission = receive([expectation.folder])
            case = process(submission, knowledge, workers=workers)
            kind = _kind_of(request_paper(expectation.truth), submission, settings)
            comparisons.append(compare(to_json(case), expectation, kind))
            if options.differences and (remarks := differences(comparisons[-1])):
                path = options.differences / f"{comparisons[-1].id}.html"
                with _writable(path):
                    write_report(case, submission, path, settings, remarks=remarks)
            step(done, len(expectations))
    now = report(comparisons)
    if options.output:
        _write(options.output, now)
    if options.output != Path("-"):
        sys.stdout.write(table(comparisons))
    if lost := worse(before, now) if before is not None else ():
        sys.stdout.write(f"\nWorse than in {options.against}:\n" + "".join(f"    {one}\n" for one in lost))
    incomplete = any(one.status != "complete" for one in comparisons)
    return ExitCode.PARKED if lost or (incomplete and before is None) else ExitCode.DONE


def _kind_of(place: tuple[str, int] | None, submission: Submission, settings: Settings) -> str | None:
    """How a page of a submission came (see `pipeline.pages.kinds`); None where it cannot be opened."""
    from pipeline.pages.kinds import page_kind
    from pipeline.pages.limits import Limits

    file = next((one for one in submission.files if place and one.name == place[0]), None)
    if place is None or file is None:
        return None
    try:
        return page_kind(file, place[1], limits=Limits.of(settings))
    except UnreadableFile:
        return None


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Raises UsageError where something cannot be written at or under `path`."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", next_step="Name another place."
        ) from None


@contextmanager
def _lines_to(path: Path) -> Iterator[TextIO]:
    """A file for the owner alone, written as the work goes; standard output for `-`."""
    if path == Path("-"):
        yield sys.stdout
        return
    with _writable(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        yield out


def _write(path: Path, data: Any) -> None:
    """`data` as JSON at `path`, whole or not at all, for the owner alone; to standard output for `-`.

    Raises UsageError.
    """
    from pipeline.files import write_whole

    if path == Path("-"):
        sys.stdout.write(_dump(data))
        return
    with _writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _dump(data))


def _dump(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
