"""Reading: received files to upright pages of words.

    read_submission(submission, settings) -> Reading     in processes of its own, within limits
    reading_processes(settings) -> Workers               kept for many submissions, given to the former
    read_pages(file, engine) -> FilePages                one file in this process, for tests and tools

Pages of a text layer that shows what the page shows are read from it, all others are recognised. Reading
is always done in processes of its own, also for one small PDF: a parser written in C that meets a bad
file must not take the run with it. The first process starts at once and costs about half a second; more
are started only when there are pages to recognise. Who reads many submissions keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import NamedTuple

from pipeline.domain import Page, Problem, Reading, SourceFile, Submission
from pipeline.errors import UnreadableFile
from pipeline.ocr import ENGINES, Engine, load
from pipeline.pages.duplicates import mark_duplicates
from pipeline.pages.limits import Limits
from pipeline.pages.stored import Carried
from pipeline.pages.worker import Count, FileFacts, Job, ReadPage
from pipeline.pages.workers import Answer, Workers
from pipeline.settings import Settings

__all__ = [
    "FilePages",
    "Limits",
    "Reading",
    "Workers",
    "read_pages",
    "read_submission",
    "reading_processes",
]

OnPage = Callable[[int, int], None]
"""Told (pages done, pages in all) after each page."""

# Text layers take 20 ms a page: below this number a second process costs more than it brings.
_WORTH_A_SECOND_PROCESS = 60

_STOPPED = ("timed_out", "crashed", "out_of_memory")
_FILES_INSIDE = (
    "Files inside the PDF, which were not opened: {}. Ask the sender for them as files of their own."
)
_SCRIPT = "The PDF carries a script. It was not run; what it would have filled in or shown is not read."
_CUT_OFF = "The file is cut off: pages may be missing at its end. Ask the sender to send it again."


class FilePages(NamedTuple):
    """The pages of one file, in their order, and what could not be read."""

    pages: tuple[Page, ...]
    problems: tuple[Problem, ...]


def reading_processes(settings: Settings) -> Workers:
    """Processes for `read_submission`; none is started yet. Use as a context manager, or close it."""
    return Workers(settings.ocr_engine, Limits.of(settings), settings.workers)


def read_submission(
    submission: Submission,
    settings: Settings,
    *,
    on_page: OnPage | None = None,
    workers: Workers | None = None,
) -> Reading:
    """All pages of a submission, read by `workers`, which are kept, else by processes that end with it.
    What cannot be read is a problem, never an exception.

    Raises ConfigurationError when the OCR engine is unknown or not installed.
    """
    if settings.ocr_engine not in ENGINES and ":" not in settings.ocr_engine:
        load(settings.ocr_engine)  # raises, before a process is started
    with nullcontext(workers) if workers else reading_processes(settings) as processes:
        try:
            return _read(submission, processes, settings.workers, on_page)
        finally:
            processes.let_go()


def _read(submission: Submission, workers: Workers, side_by_side: int, on_page: OnPage | None) -> Reading:
    workers.start()
    counts, scanned, problems = _count(submission, workers)
    jobs = [ReadPage(file, number) for file in submission.files for number in range(1, counts[file.name] + 1)]
    many = scanned or len(jobs) > _WORTH_A_SECOND_PROCESS
    pages: dict[tuple[str, int], Page] = {}
    answers = workers.work_through(list[Job](jobs), side_by_side=side_by_side if many else 1)
    for done, (job, answer) in enumerate(answers, 1):
        assert isinstance(job, ReadPage)
        if answer[0] == "page":
            pages[job.file.name, job.number] = answer[1]
        else:
            problems.append(_problem(job.file, job.number, answer))
        if on_page is not None:
            on_page(done, len(jobs))
    read = (pages.get((job.file.name, job.number)) for job in jobs)
    ordered = [page for page in read if page is not None]
    return Reading(tuple(mark_duplicates(ordered)), tuple(problems), counts)


def _count(submission: Submission, workers: Workers) -> tuple[dict[str, int], bool, list[Problem]]:
    """(pages by file name, whether some seem to need recognition, files that are not whole)."""
    counts, scanned, problems = {file.name: 0 for file in submission.files}, False, list[Problem]()
    for file, answer in _counted(submission, workers):
        if answer[0] != "pages":
            problems.append(_problem(file, None, answer))
            continue
        facts: FileFacts = answer[1]
        counts[file.name] = facts.pages
        scanned = scanned or facts.scanned
        if facts.cut_off:
            problems.append(Problem(file.name, None, "truncated", _CUT_OFF))
        problems += _beside_the_pages(file, facts.carried)
    return counts, scanned, problems


def _counted(submission: Submission, workers: Workers) -> Iterator[tuple[SourceFile, Answer]]:
    """What counting says of each file. Where a page stops it, the pages are counted without a look at them,
    and the page is one that cannot be read: the others can."""
    stopped = []
    for job, answer in workers.work_through([Count(file) for file in submission.files], side_by_side=1):
        if answer[0] == "unreadable" and answer[1] in _STOPPED:
            stopped.append(job.file)
        else:
            yield job.file, answer
    for job, answer in workers.work_through([Count(file, probe=False) for file in stopped], side_by_side=1):
        yield job.file, answer


def _beside_the_pages(file: SourceFile, carried: Carried) -> Iterator[Problem]:
    if carried.files:
        yield Problem(file.name, None, "not_received", _FILES_INSIDE.format(carried.files))
    if carried.script:
        yield Problem(file.name, None, "script", _SCRIPT)


def _problem(file: SourceFile, page: int | None, answer: Answer) -> Problem:
    if answer[0] == "unreadable":
        _, code, message, next_step = answer
        return Problem(file.name, page, code, f"{message} {next_step}".rstrip())
    return Problem(file.name, page, "crashed", f"Reading it failed ({answer[1]}). Look at it yourself.")


def read_pages(file: SourceFile, engine: Engine, *, limits: Limits | None = None) -> FilePages:
    """The pages of one file, read in this process. Raises UnreadableFile where it has none."""
    from pipeline.pages.reading import open_file, read_page

    stored = open_file(file.path, file.media_type, limits or Limits())
    pages, problems = list[Page](), list[Problem]()
    try:
        for number in range(1, len(stored) + 1):
            try:
                pages.append(read_page(file, stored, number, engine))
            except UnreadableFile as error:
                problems.append(
                    _problem(file, number, ("unreadable", error.code, error.args[0], error.next_step))
                )
    finally:
        stored.close()
    return FilePages(tuple(mark_duplicates(pages)), tuple(problems))
