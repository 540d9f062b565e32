"""What came with a case, as a request may tell of it: records, pages, what was announced or lost.

Nothing of a document that names another patient is told but where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from pipeline.catalog.documents import DocumentTypes
from pipeline.catalog.letters import Letters
from pipeline.domain import Case, CaseDocument, Evidence, Problem
from pipeline.errors import UnreadableFile
from pipeline.information_request.record import Found, Record
from pipeline.information_request.say import listed, lowered, pages, record_of

# The words of `pipeline.documents.split` and `pipeline.announced`; a problem has no field for numbers.
_LOST_PAGE = re.compile(r"page (\d+) of (\d+) ")


@dataclass(frozen=True)
class Came:
    """The records of one case, and what is said of them."""

    case: Case
    letters: Letters
    types: DocumentTypes

    @property
    def own(self) -> list[CaseDocument]:
        """The documents that are the patient's, in the order in which they came."""
        return [document for document in self.case.documents if document.belongs_to_patient is not False]

    def record(self, document: CaseDocument) -> Record:
        numbers = document.pages or tuple(range(document.first_page, document.last_page + 1))
        return Record(
            document=document.id,
            type=document.type,
            title=self.types[document.type].title,
            pages=numbers,
            day=document.service_date,
            file=self._file(document.file),
        )

    def by_id(self, document_id: str | None) -> Record | None:
        """The patient's record of that id; None where there is none, or where it is another patient's."""
        return next((self.record(document) for document in self.own if document.id == document_id), None)

    def at(self, evidence: Iterable[Evidence]) -> list[Record]:
        """The patient's records in which evidence stands, cut to the pages on which it does."""
        places: dict[str, list[int]] = {}
        for words in evidence:
            if words.document is not None and words.page is not None:
                places.setdefault(words.document, []).append(words.page)
        records = [(self.by_id(document), sorted(set(numbers))) for document, numbers in places.items()]
        return [replace(record, pages=tuple(numbers)) for record, numbers in records if record is not None]

    def clinical(self) -> list[Record]:
        """The patient's records without covers, forms and what is about nobody."""
        left_out = self.letters.items.not_records
        return [self.record(document) for document in self.own if document.type not in left_out]

    # ------------------------------------------------------------------ sentences

    def other_records(self, title: str) -> Found:
        """What came in place of a document that did not."""
        words, records = self.letters.words.found, self.clinical()
        if not records:
            return Found(words.none.format(document=title))
        told = listed([f"{lowered(record.title)} ({_day_and_pages(record)})" for record in records])
        return Found(words.others.format(records=told, document=lowered(title)), tuple(records))

    def announced(self, name: str) -> Iterator[Found]:
        """Where the request lists a document as attached that did not come."""
        title = self.types[name].title if name in self.types else None
        for problem in self.case.problems:
            announces = problem.code == "announced_not_received" and problem.message.startswith(f"{title}:")
            if announces and (place := self._place(problem)):
                yield Found(self.letters.words.found.announced.format(pages=place))

    def other_patients(self, among: Collection[str] | None = None) -> Iterator[Found]:
        """Where pages stand that name another patient, nothing of what is on them; of `among`, if given."""
        strangers = [self.record(d) for d in self.case.documents if d.belongs_to_patient is False]
        if any(among is None or record.type in among for record in strangers):
            places = listed([pages(record) for record in strangers])
            yield Found(self.letters.words.found.other_patient.format(pages=places))

    def pages_lost(self, record: Record) -> Iterator[Found]:
        """Pages that a record says it has and that did not come."""
        lost = [
            match.groups()
            for problem in self.case.problems
            if problem.code == "missing_page"
            and problem.page in record.pages
            and self._file(problem.file) == record.file
            and (match := _LOST_PAGE.match(problem.message))
        ]
        if lost:
            missing = listed([number for number, _ in lost])
            words = self.letters.words.found.pages_lost
            yield Found(words.format(record=record_of(record), missing=missing, total=lost[0][1]), (record,))

    def not_read(self) -> Iterator[str]:
        """What of the submission could not be read."""
        places = [self._place(p) or "a part" for p in self.case.problems if p.code in UnreadableFile.CODES]
        if places:
            yield self.letters.words.found.lost_file.format(pages=listed(list(dict.fromkeys(places))))

    def _place(self, problem: Problem) -> str:
        """`page 2 of file 1`, `file 2`; empty where the problem is of no place."""
        file = self._file(problem.file)
        told = [f"page {problem.page}"] if problem.page else []
        return " of ".join([*told, *([f"file {file}"] if file else [])])

    def _file(self, name: str | None) -> int | None:
        names = [file.name for file in self.case.files]
        return names.index(name) + 1 if name in names and len(names) > 1 else None


def _day_and_pages(record: Record) -> str:
    """What `record_of` says behind the title."""
    return record_of(record).removeprefix(lowered(record.title)).removeprefix(" of ").removeprefix(", ")
