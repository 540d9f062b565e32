"""Pages to documents: where one starts, which pages go on, which are missing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.catalog.documents import DocumentTypes
from pipeline.dates import find_dates
from pipeline.documents.classify import PageCues, classify, page_cues
from pipeline.documents.pages import (
    Numbering,
    closes,
    first_line,
    head_lines,
    header_words,
    numbering,
    transmission_lines,
)
from pipeline.domain import Document, Page, Problem
from pipeline.spelling import tokenize

_TITLE_STARTS = 3.5  # title score from which a page is a document's first
_BANNER_PAGES, _BANNER_SHARE = 4, 0.75  # pages of a file, and the share of them that begin alike
_CONTINUES = 8.0  # what a repeated running header takes from them
_HEAD_LINES = 8  # lines in which a first page names patient, day and letterhead
_STARTS = 2.0  # sum of the signs below from which a page without a number starts a document
_HEAD = 1500  # characters in which a document states its day
_OLDEST_RECORD = "2000-01-01"  # an older day is a birth date whose label was lost
_BIRTH = re.compile(r"(?i)\b(?:dob|d\.o\.b|birth|born|bdate)\b[^\n\d]*$")
_SERVICE = re.compile(
    r"""\b(?: service | dos | visit | seen | exam(?:ination)?(?:\ date)? | encounter | conference | collected
      | procedure\ date | plan\ date | study\ date | date | prepared )\b[^\n\d]{0,12}$""",
    re.VERBOSE | re.IGNORECASE,
)
_OTHER_KIND = 3.0  # score points from which a page is surely of another kind than the run before it

# How a note, a letter or a report opens, and what stands only further inside one.
_OPENING = re.compile(
    r"""^\s*(?: chief\ complaint | cc\b | hpi\b | history\ of\ present | hx\b | subjective | s\s?:
      | reason\ for | dear\b | to\ whom | indication | specimen
      | clinical\ (?:history|information|indication) | exam\s?:
      | re\s?: | referring | requested\ by | date\ of\ (?:service|visit|procedure|operation)
      | preoperative | pre-op )""",
    re.VERBOSE | re.IGNORECASE,
)
_INSIDE = re.compile(
    r"""^\s*(?: physical\ exam(?:ination)? | review\ of\ systems | ros | assessment(?:\ and\ plan)?
      | impression | plan
      | labs? | laboratory(?:\ data)? | a | a/p | o | p | recommendations? | discussion | family\ history
      | social\ history | medications | microscopic(?:\ description)? | comment | addendum
      | imaging(?:\ review)?
      | data | results | section\ [2-9].* | follow.?up | \d{1,2}[.)]\ .*
      )\s*(?:[:.(]|\d|\s{2}|$)""",
    re.VERBOSE | re.IGNORECASE,
)
# A day or number of its own in place of what its predecessor bore: another report of the same kind.
_OF_ITS_OWN = re.compile(
    r"""^\s*(?: case | accession | acc | collected | taken | received | reported | exam\ date | study\ date
      | (?:visit|plan|service|procedure)?\ ?date | dos | date\ of\ \w+ | visit | encounter | seen
      )\s?(?:\#|no\.?|number)?[ .:#]+\S*\d""",
    re.VERBOSE | re.IGNORECASE,
)
# The lines that head a visit or a report; a running header has no provider and no kind of date.
_HEADED = re.compile(
    r"""\b(?: date\ of\ (?:service|visit|exam|birth) | dos | dob | visit\ date | exam\ date
      | provider | attending
      | accession | referring | ordered\ by | ordering | requested\ by | collected | encounter )\b""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class _Sheet:
    """A page with all that is known of it before documents are made."""

    page: Page
    cues: PageCues
    numbering: Numbering
    header: frozenset[str]
    lines: tuple[str, ...]
    skip: tuple[tuple[int, int], ...] = ()

    @property
    def title_score(self) -> float:
        return max(self.cues.titles.values(), default=0.0)


@dataclass
class _Run:
    """Pages that were found to belong together, in the order in which they came."""

    sheets: list[_Sheet] = field(default_factory=list)

    @property
    def total(self) -> int:
        return max((sheet.numbering.total for sheet in self.sheets), default=0)

    @property
    def numbers(self) -> set[int]:
        """Page numbers that came; a first page often bears none."""
        printed = {sheet.numbering.number for sheet in self.sheets if sheet.numbering.number}
        return printed | ({1} if not self.sheets[0].numbering.number else set())

    def ordered(self) -> list[_Sheet]:
        """As the document numbers its pages; pages without a number stay where they came."""
        if all(sheet.numbering.number or sheet is self.sheets[0] for sheet in self.sheets):
            return sorted(self.sheets, key=lambda sheet: sheet.numbering.number or 1)
        return self.sheets


def split_documents(
    pages: Sequence[Page], types: DocumentTypes
) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    """The documents of a submission in the order of their first pages; pages announced but not received.

    `pages` are of all files, in order; a document never spans files. Blank pages and copies of an
    earlier page belong to no document.
    """
    documents: list[Document] = []
    problems: list[Problem] = []
    for file in dict.fromkeys(page.file for page in pages):
        usable = [page for page in pages if page.file == file and not page.blank and not page.duplicate_of]
        banner = _common_first_line(usable)
        sheets = [_sheet(page, types, banner) for page in usable]
        for run in _runs(sheets, types):
            documents.append(_document(run, types, number=len(documents) + 1))
            problems += _missing(run, packet_pages=len(usable))
    return tuple(documents), tuple(problems)


def _common_first_line(pages: Sequence[Page]) -> str | None:
    """The first line that most pages of a file begin with, numbers apart: it says nothing of any of them."""
    if len(pages) < _BANNER_PAGES:
        return None
    line, count = Counter(_masked(first_line(page)[2]) for page in pages).most_common(1)[0]
    return line if count >= _BANNER_SHARE * len(pages) else None


def _masked(line: str) -> str:
    return re.sub(r"\d+", "#", " ".join(line.split()))


def _sheet(page: Page, types: DocumentTypes, banner: str | None) -> _Sheet:
    skip = transmission_lines(page)
    start, end, line = first_line(page)
    if banner is not None and _masked(line) == banner:
        skip = (*skip, (start, end))
    return _Sheet(
        page=page,
        cues=page_cues(page.text, types, misread=page.source == "ocr", skip=skip),
        numbering=numbering(page, skip),
        header=header_words(page, skip),
        lines=tuple(head_lines(page, skip, count=12)),
        skip=skip,
    )


def _runs(sheets: Sequence[_Sheet], types: DocumentTypes) -> list[_Run]:
    """First the pages that start a document, then every other page to the run that it continues."""
    sheets = _without_packet_numbering(sheets)
    runs: list[_Run] = []
    waiting: list[_Sheet] = []
    for sheet in sheets:
        if _starts(sheet, runs, types):
            runs.append(_Run([sheet]))
            continue
        run = _continued(sheet, runs)
        if run is None:
            waiting.append(sheet)
        else:
            run.sheets.append(sheet)
    for sheet in waiting:  # came before the first page of their document, or that page bears no number
        run = _continued(sheet, runs) or _adopting(sheet, runs, types)
        if run is None:
            runs.append(_Run([sheet]))
        else:
            run.sheets.append(sheet)
    return sorted(runs, key=lambda run: min(sheet.page.number for sheet in run.sheets))


def _without_packet_numbering(sheets: Sequence[_Sheet]) -> list[_Sheet]:
    """Numbers that count the packet's pages, not a document's, say nothing about documents."""
    counted = [s for s in sheets if s.numbering.total and abs(s.numbering.total - len(sheets)) <= 1]
    in_step = [s for s in counted if abs(s.numbering.number - s.page.number) <= 1]
    if len(sheets) < 4 or len(in_step) < 0.6 * len(sheets):
        return list(sheets)
    return [
        _Sheet(s.page, s.cues, Numbering() if s in in_step else s.numbering, s.header, s.lines, s.skip)
        for s in sheets
    ]


def _starts(sheet: _Sheet, runs: Sequence[_Run], types: DocumentTypes) -> bool:
    """Whether a page is a document's first: by its number where it has one, else by several signs."""
    number = sheet.numbering.number
    if number == 1:
        return True
    if number > 1 or sheet.numbering.continued:
        return False
    if not runs:
        return True
    return _signs_of_start(sheet, runs[-1], types) >= _STARTS


def _signs_of_start(sheet: _Sheet, run: _Run, types: DocumentTypes) -> float:
    """Signs that a page without a number starts a document, less those that it goes on with `run`."""
    before = run.sheets[-1]
    titled = sheet.title_score >= _TITLE_STARTS and sheet.cues.title_line <= 7
    signs = 4.0 if titled else 2.0 if sheet.title_score >= 2.0 and sheet.cues.title_line <= 7 else 0.0
    signs += 2.0 if any(_OPENING.match(line) for line in sheet.lines) else 0.0
    signs += 1.0 if sheet.lines and _is_header(sheet.lines[0]) else 0.0
    signs += (
        1.0 if len({hit.lower() for line in sheet.lines[:6] for hit in _HEADED.findall(line)}) >= 2 else 0.0
    )
    signs += min(2.5, 0.5 * _gain(sheet, run, types))
    signs += 1.0 if closes(before.page) else 0.0
    if sheet.lines:
        signs -= 2.0 if not titled and any(_INSIDE.match(line) for line in sheet.lines[:4]) else 0.0
        signs -= 4.0 if sheet.lines[0].lstrip()[:1].islower() else 0.0
    if _repeats_head(sheet, run, types):
        signs -= _CONTINUES
    return signs


def _repeats_head(sheet: _Sheet, run: _Run, types: DocumentTypes) -> bool:
    """Whether the page opens with names and numbers that its predecessor's head bore, and with no new title.

    A later page of a document repeats who and when ("Doe, Jane   MRN 12   06/04/2026"); the first page of
    another document has another title, day or letterhead.
    """
    known = {token.word for line in run.sheets[0].lines[:_HEAD_LINES] for token in tokenize(line)}
    repeated = 0
    for line in sheet.lines[:6]:
        words = [token.word for token in tokenize(line) if len(token.word) > 2 or token.word.isdigit()]
        new = [word for word in words if word not in known]
        lenient = len(words) > 2 and any(map(str.isdigit, words)) and not _OF_ITS_OWN.match(line)
        if len(new) > (1 if lenient else 0):
            break
        repeated += 1
    head, rest = sheet.lines[:repeated], sheet.lines[repeated:_HEAD_LINES]
    if not any(char.isdigit() for line in head for char in line):
        return False
    if any(_OPENING.match(line) for line in rest) or (rest and _OF_ITS_OWN.match(rest[0])):
        return False
    if sheet.title_score < _TITLE_STARTS or sheet.cues.title_line > repeated:
        return True
    title = max(sheet.cues.titles, key=lambda name: sheet.cues.titles[name])
    kind = classify([other.cues for other in run.sheets], types).type
    return title == kind or _is_repeated(sheet, run.sheets[0].lines[:_HEAD_LINES])


def _is_repeated(sheet: _Sheet, head: Sequence[str]) -> bool:
    """Whether the page's title stood, word for word, in the head before."""
    start, end = sheet.cues.title or (0, 0)
    title = " ".join(sheet.page.text[start:end].lower().split())
    return any(title in " ".join(line.lower().split()) for line in head)


def _is_header(line: str) -> bool:
    """A letterhead or running header rather than a sentence or a row: in parts, in capitals, or titled."""
    words = [word for word in line.split() if word[0].isalpha()]
    return (
        "   " in line.strip()
        or line.isupper()
        or (len(words) >= 2 and all(word[0].isupper() for word in words))
    )


def _gain(sheet: _Sheet, run: _Run, types: DocumentTypes) -> float:
    """By how much a page, read by itself, is rather of another kind than the run before it."""
    alone = classify([sheet.cues], types)
    before = classify([other.cues for other in run.sheets], types)
    return alone.scores[alone.type] - alone.scores[before.type]


def _continued(sheet: _Sheet, runs: Iterable[_Run]) -> _Run | None:
    """The run that `sheet` goes on, the nearest before it where several would take it."""
    number, total = sheet.numbering.number, sheet.numbering.total
    before = list(runs)
    if not before:
        return None
    if total:
        fitting = [run for run in before if run.total == total and number not in run.numbers]
        if not fitting:
            return None
    elif number > 1:
        fitting = [run for run in before if run.total == 0 and len(run.sheets) == number - 1] or before[-1:]
    else:
        fitting = before[-1:]
    # interleaved documents: the running header decides, then nearness
    return max(reversed(fitting), key=lambda run: round(_likeness(sheet, run), 1))


def _adopting(sheet: _Sheet, runs: Sequence[_Run], types: DocumentTypes) -> _Run | None:
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
        if ends_before and nothing_between and fits and _gain(sheet, run, types) < _OTHER_KIND:
            return run
    return None


def _likeness(sheet: _Sheet, run: _Run) -> float:
    """Share of the sheet's header words that stand in a header of the run."""
    words = frozenset().union(*(other.header for other in run.sheets))
    return len(sheet.header & words) / len(sheet.header) if sheet.header else 0.0


def _missing(run: _Run, *, packet_pages: int) -> list[Problem]:
    """One problem for each page that the document's own numbering announces and that did not come."""
    total = run.total
    if not total or (total == packet_pages and len(run.sheets) == 1):  # the packet's own count
        return []
    first = run.ordered()[0].page
    return [
        Problem(
            first.file,
            first.number,
            "missing_page",
            f"page {number} of {total} of this document was not received",
        )
        for number in sorted(set(range(1, total + 1)) - run.numbers)
    ]


def _document(run: _Run, types: DocumentTypes, *, number: int) -> Document:
    sheets = run.ordered()
    verdict = classify([sheet.cues for sheet in sheets], types)
    first = sheets[0]
    title = first.cues.title
    return Document(
        id=f"d{number}",
        type=verdict.type,
        title=" ".join(first.page.text[title[0] : title[1]].split()) if title else types[verdict.type].title,
        pages=tuple(sheet.page for sheet in sheets),
        confidence=verdict.confidence,
        service_date=_service_date(first),
    )


def _service_date(sheet: _Sheet) -> str | None:
    """The day that a label at the head calls the day of the visit, else the first day there."""
    text = sheet.page.text[:_HEAD]
    days = [
        date
        for date in find_dates(text)
        if not any(low <= date.start < high for low, high in sheet.skip)
        and not _BIRTH.search(text[max(0, date.start - 24) : date.start])
        and date.day >= _OLDEST_RECORD
    ]
    labelled = [date for date in days if _SERVICE.search(text[max(0, date.start - 28) : date.start])]
    return next((date.day for date in (*labelled, *days)), None)
