"""What the desk's routes share: ledger, settings, page images, and templates made into answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final

from cachetools import LRUCache
from fastapi import HTTPException
from fastapi.responses import HTMLResponse
from jinja2 import Environment

from pipeline.cases import Knowledge
from pipeline.catalog.desk import DeskReasons
from pipeline.domain import Case
from pipeline.errors import UsageError
from pipeline.ledger import Ledger, item
from pipeline.report.templates import templates_in
from pipeline.report.titles import Titles, titles_in
from pipeline.review.casefile import CaseErased, CaseFile, open_case
from pipeline.review.oidc import Oidc
from pipeline.review.pictures import Pictures
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session
from pipeline.review.standing import knowledge_of
from pipeline.settings import Settings
from pipeline.wording import OUTCOMES, lead, plain, reason

_HERE: Final = Path(__file__).parent
_CASES_KNOWN: Final = 256
LAPSES: Final = {
    "another_value": "the packet says something else now",
    "no_such_answer": "the case has no such answer now",
    "words_not_found": "its words belong to no document now",
    "other_document": "the document has other pages now",
}


@dataclass
class Desk:
    """What the routes share."""

    ledger: Ledger
    settings: Settings
    pictures: Pictures
    secure: bool
    provider: Oidc | None = None
    _turns: LRUCache[tuple[str, int], dict[tuple[int, int], int]] = field(
        default_factory=lambda: LRUCache(_CASES_KNOWN)
    )
    _lock: Lock = field(default_factory=Lock)

    @cached_property
    def templates(self) -> Environment:
        environment = templates_in(_HERE / "templates")
        environment.filters |= {
            "left": time_left,
            "day": lambda time: time.strftime("%Y-%m-%d %H:%M"),
        }
        environment.globals |= {
            "plain": plain,
            "lead": lead,
            "reason": reason,
            "P": Permission,
            "lapses": LAPSES,
            "outcomes": OUTCOMES,
            "has_provider": self.provider is not None,
        }
        return environment

    @property
    def knowledge(self) -> Knowledge:
        """The knowledge files, and the language pipeline for documents that are cut by hand."""
        return knowledge_of(self.settings)

    @property
    def reasons(self) -> DeskReasons:
        """What a person may choose among where a reason is asked for."""
        return self.knowledge.catalog.desk

    @cached_property
    def document_types(self) -> dict[str, str]:
        """Titles of the types of documents, by name."""
        types = self.knowledge.catalog.documents
        return dict(sorted(((name, types[name].title) for name in types), key=lambda pair: pair[1]))

    @cached_property
    def policies(self) -> dict[str, str]:
        """Titles of the policies, by id."""
        return {name: every[-1].title for name, every in self.knowledge.catalog.policies.versions.items()}

    def titles(self, case: Case) -> Titles:
        """Names as clinic and payer use them."""
        return titles_in(case, self.knowledge.catalog)

    def page(self, name: str, session: Session | None, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A template as an answer."""
        html = self.templates.get_template(name).render(session=session, **values)
        return HTMLResponse(html, status)

    def rotation(self, submission_id: str, position: int, number: int) -> int:
        """By how much a page is turned to be upright; asked for each image, so a case is opened for the
        first alone. Raises 404 and 410 as `case`."""
        try:
            listed = item(self.ledger, submission_id)
        except UsageError:
            raise HTTPException(404, "There is no such submission.") from None
        key = (submission_id, listed.case_number or 0)
        with self._lock:
            turns = None if listed.erased_at else self._turns.get(key)
        if turns is None:
            case = self.case(submission_id).case
            positions = {one.name: n for n, one in enumerate(case.files)}
            turns = {(positions[page.file], page.page): page.rotation for page in case.pages}
            with self._lock:
                self._turns[key] = turns
        if (position, number) not in turns:
            raise HTTPException(404, "There is no such page.")
        return turns[position, number]

    def warm(self) -> None:
        """Start what the first person would wait for: processes that draw, and the knowledge files."""
        self.pictures.warm()
        Thread(target=self._read_knowledge, daemon=True, name="warm").start()

    def _read_knowledge(self) -> None:
        catalog = self.knowledge.catalog
        for name in ("documents", "policies", "findings", "desk", "letters"):
            getattr(catalog, name)

    def case(self, submission_id: str) -> CaseFile:
        """The case file. Raises 404 where there is none, 410 where it was erased."""
        try:
            file = open_case(self.ledger, submission_id)
        except UsageError:
            raise HTTPException(404, "There is no such submission.") from None
        except CaseErased as error:
            raise HTTPException(410, str(error)) from None
        if file is None:
            raise HTTPException(404, "There is no case of it, or not yet.")
        return file


def time_left(left: timedelta) -> str:
    """`2 d 5 h`, `40 min`; `late by ...` once it is over."""
    minutes = int(abs(left).total_seconds() // 60)
    days, hours = minutes // 1440, minutes % 1440 // 60
    said = f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
    return said if left >= timedelta() else f"late by {said}"
