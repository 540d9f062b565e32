"""What the desk's routes share: ledger, settings, page images, and templates made into answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from fastapi import HTTPException
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.catalog.fields import load_fields
from pipeline.errors import UsageError
from pipeline.ledger import Ledger
from pipeline.review.casefile import CaseErased, CaseFile, open_case
from pipeline.review.pictures import Pictures
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session
from pipeline.settings import Settings
from pipeline.wording import OUTCOMES, label_of, labels_of, lead, plain, reason

_HERE: Final = Path(__file__).parent
# What text of a packet must not bring along: controls, and marks that change the direction of what follows.
_NOT_SHOWN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
GLASS_REASONS: Final = ("emergency_cover", "complaint", "legal_request", "technical_fault", "quality_audit")


@dataclass
class Desk:
    """What the routes share."""

    ledger: Ledger
    settings: Settings
    pictures: Pictures
    secure: bool

    @cached_property
    def templates(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=lambda value: _NOT_SHOWN.sub("\ufffd", value) if type(value) is str else value,
        )
        environment.filters |= {
            "words": label_of,
            "facts": labels_of,
            "one_line": lambda text: " ".join(text.split()),
            "left": time_left,
            "day": lambda time: time.strftime("%Y-%m-%d %H:%M"),
        }
        environment.globals |= {
            "plain": plain,
            "lead": lead,
            "reason": reason,
            "P": Permission,
            "outcomes": OUTCOMES,
            "glass_reasons": GLASS_REASONS,
        }
        return environment

    @cached_property
    def rules(self) -> Any:
        return load_fields(self.settings.models_dir)

    def page(self, name: str, session: Session | None, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A template as an answer."""
        html = self.templates.get_template(name).render(session=session, **values)
        return HTMLResponse(html, status)

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
