"""Every sub-folder and every lone file of a folder as a submission: each is worked or parked, none is lost
and none stops the others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

from pipeline.cases import parked
from pipeline.domain import Case, Problem, Submission
from pipeline.errors import ConfigurationError, TriageError, UsageError
from pipeline.files import printable, unused_name
from pipeline.intake.folder import NOT_RECEIVED, left_out, receive, submissions_in
from pipeline.wording import OUTCOMES

Process = Callable[[Submission], Case]


class Worked(NamedTuple):
    """What became of one entry. `name` is the entry's own, told apart from the others where need be."""

    name: str
    submission: Submission
    case: Case


def work_each(
    folder: Path, process: Process, *, received: date | None, on_bug: Callable[[Exception], None]
) -> Iterator[tuple[Worked, int]]:
    """(what became of an entry of `folder`, how many there are in all), by name.

    `on_bug` is told of errors that are bugs. Raises UsageError where the folder holds nothing, and
    ConfigurationError, which is the same for every submission.
    """
    entries = submissions_in(folder)
    used: set[str] = set()
    for entry, path in entries:
        name = unused_name(printable(entry), used)
        used.add(name)
        yield Worked(name, *_work_or_park(process, path, received, on_bug)), len(entries)


def told(case: Case, problems: Sequence[Problem]) -> Case:
    """The case with what was sent and is no part of it; then it is complete no more."""
    if not problems:
        return case
    status = "partial" if case.status == "complete" else case.status
    return replace(case, status=status, problems=(*problems, *case.problems))


def account(worked: Worked) -> Iterator[str]:
    """What came of an entry: its outcome, and why its case is not complete, a line for each reason."""
    status = "" if worked.case.status == "complete" else worked.case.status
    outcome = OUTCOMES[worked.case.evaluation.outcome] if worked.case.evaluation else ""
    yield f"{worked.name}: {', '.join(filter(None, (status, outcome)))}"
    for problem in worked.case.problems if status else ():
        place = ", ".join(
            filter(None, (problem.file, f"page {problem.page}" if problem.page is not None else ""))
        )
        yield f"    {place}: {problem.message}" if place else f"    {problem.message}"


def _work_or_park(
    process: Process, path: Path, received: date | None, on_bug: Callable[[Exception], None]
) -> tuple[Submission, Case]:
    """A submission and its case; parked where something goes wrong, so that the others go on."""
    submission = Submission(
        hashlib.sha256(str(path).encode("utf-8", "replace")).hexdigest()[:16], (), received
    )
    aside: list[Problem] = []
    try:
        aside = left_out([path])
        submission = replace(receive([path]), received=received)
        return submission, told(process(submission), aside)
    except ConfigurationError:
        raise  # the same for every submission: nothing is gained by going on
    except OSError as error:
        problem = Problem(None, None, "unreadable", f"The files cannot be opened: {error.strerror}.")
    except UsageError:
        problem = Problem(None, None, NOT_RECEIVED, "There is no file in it that can be read.")
    except TriageError as error:
        problem = Problem(None, None, "failed", str(error))
    except Exception as error:
        on_bug(error)
        message = "The tool failed on this submission; standard error has what to report."
        problem = Problem(None, None, "internal_error", message)
    return submission, told(parked(submission, problem), aside)
