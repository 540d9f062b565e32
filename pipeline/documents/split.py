"""Pages to documents: which pages go on with which, and which are missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.catalog.documents import DocumentTypes
from pipeline.dates import newest_year
from pipeline.documents.made import document_of
from pipeline.documents.missing import counted_not_received, numbered_not_received
from pipeline.documents.settle import settled
from pipeline.documents.sheets import Run, Sheet, sheets_of
from pipeline.documents.starts import gain, repeats_head, starts
from pipeline.domain import Document, Page, Problem

_OTHER_KIND = 3.0  # score points from which a page is surely of another kind than the run before it
_TELLING = 3  # words of a header, the patient's left out, that tell which document a page goes on with
_RUNS_BACK = 4  # runs before the last one that an interleaved page may go on with


def split_documents(
    pages: Sequence[Page], types: DocumentTypes
) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    """The documents of a submission in the order of their first pages; pages announced but not received.

    `pages` are of all files, in order; a document never spans files. Blank pages and copies of an
    earlier page belong to no document.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    year = newest_year(page.text for page in pages)
    for file in dict.fromkeys(page.file for page in pages):
        usable = [page for page in pages if page.file == file and not page.blank and not page.duplicate_of]
        for run in _runs(sheets_of(usable, types), types):
            documents.append(document_of(run.ordered(), types, number=len(documents) + 1, newest=year))
            problems += numbered_not_received(run, packet_pages=len(usable))
    problems += counted_not_received(documents, types.pages, received=len(pages))
    return tuple(documents), tuple(problems)


def _runs(sheets: Sequence[Sheet], types: DocumentTypes) -> list[Run]:
    """First the pages that start a document, then every other page to the run that it continues."""
    common = _common_words(sheets)
    runs: list[Run] = []
    waiting: list[Sheet] = []
    for sheet in sheets:
        if resumed := _resumed(sheet, runs, types):
            resumed.sheets.append(sheet)
            continue
        if starts(sheet, runs, types):
            runs.append(Run([sheet]))
            continue
        run = _continued(sheet, runs, common)
        if run is None:
            waiting.append(sheet)
        else:
            run.sheets.append(sheet)
    for sheet in waiting:  # came before the first page of their document, or that page bears no number
        run = _continued(sheet, runs, common) or _adopting(sheet, runs, types)
        if run is None:
            runs.append(Run([sheet]))
        else:
            run.sheets.append(sheet)
    return sorted(settled(runs, types), key=lambda run: min(sheet.page.number for sheet in run.sheets))


def _resumed(sheet: Sheet, runs: Sequence[Run], types: DocumentTypes) -> Run | None:
    """An earlier run whose head a page without number or title repeats, where the last run's it does not."""
    if sheet.numbering.number or sheet.is_titled or len(runs) < 2 or repeats_head(sheet, runs[-1], types):
        return None
    for run in reversed(runs[-1 - _RUNS_BACK : -1]):
        if not run.total and repeats_head(sheet, run, types) and gain(sheet, run, types) < _OTHER_KIND:
            return run
    return None


def _common_words(sheets: Sequence[Sheet]) -> frozenset[str]:
    """Words in the headers of most of a file's pages: the patient's, which tell no document from another."""
    words = frozenset().union(*(sheet.header for sheet in sheets))
    return frozenset(word for word in words if sum(word in s.header for s in sheets) > 0.6 * len(sheets))


def _continued(sheet: Sheet, runs: Iterable[Run], common: frozenset[str]) -> Run | None:
    """The run that `sheet` goes on, the nearest before it where several would take it."""
    number, total = sheet.numbering.number, sheet.numbering.total
    before = [run for run in runs if not run.sheets[0].is_separator]
    if not before:
        return None
    if total:
        fitting = [run for run in before if run.total == total and number not in run.numbers]
        if not fitting:
            return None
    elif number > 1:
        fitting = [run for run in before if run.total == 0 and len(run.sheets) == number - 1] or before[-1:]
    else:
        return _alike(sheet, before, common) or before[-1]
    # interleaved documents: the running header decides, then nearness
    return max(reversed(fitting), key=lambda run: round(_likeness(sheet, run), 1))


def _adopting(sheet: Sheet, runs: Sequence[Run], types: DocumentTypes) -> Run | None:
    """The run that ends where `sheet` stands and bears no numbers, if it is of its kind."""
    number = sheet.numbering.number
    for run in runs:
        ends_before = max(other.page.number for other in run.sheets) < sheet.page.number
        nothing_between = not any(
            max(other.page.number for other in run.sheets) < between.page.number < sheet.page.number
            for other_run in runs
            for between in other_run.sheets
        )
        fits = run.total == 0 and len(run.sheets) == number - 1
        if ends_before and nothing_between and fits and gain(sheet, run, types) < _OTHER_KIND:
            return run
    return None


def _alike(sheet: Sheet, runs: Sequence[Run], common: frozenset[str]) -> Run | None:
    """The run whose header words stand in the sheet's header, where another than the last one's do."""
    recent = [run for run in runs[-1 - _RUNS_BACK :] if not run.total]
    headers = {id(run): _header(run) - common for run in recent}
    known = sheet.header & frozenset().union(*headers.values())
    if len(known) < _TELLING:
        return None
    best = max(reversed(recent), key=lambda run: len(known & headers[id(run)]))
    return best if len(known & headers[id(best)]) > 0.5 * len(known) else None


def _likeness(sheet: Sheet, run: Run) -> float:
    """Share of the sheet's header words that stand in a header of the run."""
    return len(sheet.header & _header(run)) / len(sheet.header) if sheet.header else 0.0


def _header(run: Run) -> frozenset[str]:
    return frozenset().union(*(sheet.header for sheet in run.sheets))
