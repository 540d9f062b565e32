"""The filled form as a PDF: each answer beside its words, cut out of the page; what needs a look is first."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from PIL import Image

from pipeline.domain import Alternative, Case, Evidence
from pipeline.paper import BOTTOM, FAMILY, MARGIN, RULE, Paper
from pipeline.prefill.crops import Cut, PageImage, crop, shown
from pipeline.prefill.records import Answer, By, Form, Group, Question, Source
from pipeline.wording import BASES, OUTCOMES, STATUSES, place_of, plain

_SIZE: Final = 11.0  # a standard fax shows no smaller type, see information_request.pdf
_LINE: Final = 13.5
_TITLE, _HEADING = 15.0, 12.5
_WORDS: Final = 196.0  # width of the left column, points
_GAP: Final = 12.0
_MOST_QUOTED: Final = 300  # characters
_TALLEST: Final = 60.0  # of a crop
_SMALLEST: Final = 0.75  # of its size on the page
_Words = tuple[str, Literal["", "B"]]
"""Words and whether they are bold."""
_STATUSES = {
    "uncertain": "uncertain",
    "conflicting": "the packet contradicts itself",
    "not_found": "not stated",
    "missing": "not there",
    "unclear": "unclear",
}


def form_pdf(form: Form, fonts: Path, *, at: datetime, page_image: PageImage) -> bytes:
    """The form on US letter pages, drawn `at`, in the type of the folder `fonts`; the same form and images
    give the same bytes.

    `page_image` gives the pages that the words are cut from; where it has none, the words are quoted.
    """
    paper = _Sheet(form, fonts, page_image)
    paper.set_creation_date(at.astimezone(UTC))
    paper.set_title(f"Case {form.case.case_id}")
    paper.add_page()
    paper.head()
    paper.attention()
    for group in form.asked.groups:
        paper.group(group)
    return bytes(paper.output())


class _Sheet(Paper):
    def __init__(self, form: Form, fonts: Path, page_image: PageImage) -> None:
        super().__init__(fonts, f"Review form   case {form.case.case_id}")
        self._form, self._page_image = form, page_image

    def head(self) -> None:
        case, asked = self._form.case, self._form.asked
        self._write(asked.title, _TITLE, bold=True)
        received = f"received {case.received.isoformat()}   " if case.received else ""
        made = f"   read by {case.made_by.name}" if case.made_by else ""
        self._write(f"{received}{STATUSES[case.status]}   policy of {asked.policy.version}{made}", _SIZE)
        if case.evaluation is not None:
            criterion = case.evaluation.criterion
            named = f" (criterion {criterion})" if criterion and "." in criterion else ""
            self._write(f"{OUTCOMES[case.evaluation.outcome]}{named}. A person decides.", _HEADING, bold=True)

    def attention(self) -> None:
        """What a person must look at: what is missing, what the packet contradicts, what is doubtful."""
        told = list(_attention(self._form))
        if not told:
            return
        self._heading("Look at first")
        for line in told:
            self._paragraph(f"- {line}", "", self.epw)

    def group(self, group: Group) -> None:
        answers = [answer for question in group.questions for answer in self._form.of(question.link_id)]
        told = [one for one in answers if one.value is not None or one.candidates]
        silent = [one for one in answers if one.value is None and not one.candidates]
        self._heading(group.title)
        for answer in told:
            self._answer(answer)
        by_status: dict[str, list[str]] = {}
        for one in silent:
            by_status.setdefault(_STATUSES.get(one.status, one.status), []).append(_name(one.question))
        for status, names in by_status.items():
            self._write(f"{status.capitalize()}: {'; '.join(names)}", _SIZE)

    # ---------------------------------------------------------------------- parts

    def _answer(self, answer: Answer) -> None:
        """One answer: its words on the left, where they stand on the right."""
        if answer.candidates:
            self._row([(_name(answer.question), ""), ("the packet contradicts itself", "B")], None)
            for one in answer.candidates:
                self._row(self._candidate(one), shown(one.evidence))
            return
        place = shown(answer.evidence)
        note = ", ".join(_notes(answer, self._form.case, place))
        name = f"{_name(answer.question)} ({note})" if note else _name(answer.question)
        self._row([(name, ""), (_said(answer), "B")], place)

    def _candidate(self, one: Alternative) -> list[_Words]:
        place = shown(one.evidence)
        where = place_of(self._form.case, place.file, place.page) if place else ""
        lines: list[_Words] = [(plain(one.value), "B"), (where, "")]
        return lines if where else lines[:1]

    def _row(self, lines: list[_Words], place: Evidence | None) -> None:
        """Words on the left, their picture on the right; a picture that would be too small there, below."""
        picture = crop(place, self._form.case, self._page_image) if place is not None else None
        quoted = _quoted(place) if place is not None and picture is None else ""
        right = self.epw - _WORDS - _GAP
        below = picture is not None and picture.width * _SMALLEST > right
        room = self.epw if below else right
        width, height = _fitted(picture, room) if picture is not None else (0.0, 0.0)
        words = sum(self._lines(text, style, room if below else _WORDS) for text, style in lines) * _LINE
        beside = self._lines(quoted, "", right) * _LINE if quoted else height
        tall = words + height + 3 if below else max(words, beside)
        if self.will_page_break(tall + 6):
            self.add_page()
        top = self.y + 3
        self.set_y(top)
        for text, style in lines:
            self._paragraph(text, style, room if below else _WORDS)
        if picture is not None:
            left, above = (MARGIN, top + words + 3) if below else (MARGIN + _WORDS + _GAP, top)
            self.image(_png(picture.picture), left, above, width, height)
        elif quoted:
            self.set_xy(MARGIN + _WORDS + _GAP, top)
            self.set_font(FAMILY, "", _SIZE)
            self.multi_cell(right, _LINE, self.printable(quoted), align="L")
        self.set_y(top + tall + 3)

    def _paragraph(self, text: str, style: Literal["", "B"], width: float) -> None:
        self.set_font(FAMILY, style, _SIZE)
        self.set_x(MARGIN)
        self.multi_cell(width, _LINE, self.printable(text), align="L", new_x="LMARGIN", new_y="NEXT")

    def _lines(self, text: str, style: Literal["", "B"], width: float) -> int:
        self.set_font(FAMILY, style, _SIZE)
        lines = self.multi_cell(width, _LINE, self.printable(text), dry_run=True, output="LINES")
        return len(lines) if isinstance(lines, list) else 0

    def _write(self, text: str, size: float, *, bold: bool = False) -> None:
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_x(MARGIN)
        self.multi_cell(self.epw, size * 1.24, self.printable(text), align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(2)

    def _heading(self, title: str) -> None:
        """With room for what it heads: it is not left alone at the foot of a page."""
        if self.y + 80 > self.h - BOTTOM:
            self.add_page()
        self.ln(6)
        self.set_line_width(RULE)
        self.line(MARGIN, self.y, self.w - MARGIN, self.y)
        self.ln(4)
        self._write(title, _HEADING, bold=True)


# --------------------------------------------------------------------------- what is said


def _attention(form: Form) -> Iterator[str]:
    evaluation = form.case.evaluation
    if evaluation is not None:
        yield from (f"Missing: {one.message}" for one in evaluation.missing)
        yield from evaluation.needs_person
    for answer in form.answers:
        if answer.candidates:
            values = " or ".join(plain(one.value) for one in answer.candidates)
            yield f"{_name(answer.question)}: {values}, the packet says both"
        elif answer.status == "uncertain":
            yield f"{_name(answer.question)}: uncertain, look at the pages"
    if form.case.completeness.identity_conflict.value:
        yield "Pages of another patient are in the packet; nothing was taken from them."


def _name(question: Question) -> str:
    return question.text.rstrip(".")


def _said(answer: Answer) -> str:
    value = answer.value
    assert value is not None
    if answer.question.kind == "flag":
        return "yes" if value else "no"
    return (
        value if answer.question.kind in ("text", "open", "code") and isinstance(value, str) else plain(value)
    )


def _notes(answer: Answer, case: Case, place: Evidence | None) -> Iterator[str]:
    if answer.basis:
        yield BASES.get(answer.basis, answer.basis)
    if place is not None and (where := place_of(case, place.file, place.page)):
        yield where
    touch = answer.touch
    if answer.source is Source.OVERRIDE:
        yield f"changed by a {_role(answer.author)}"
    elif answer.source is Source.MANUAL:
        yield f"entered by a {_role(answer.author)}"
    if touch is not None and touch.confirmed is not None:
        yield f"confirmed by a {_role(touch.confirmed)}"


def _quoted(place: Evidence) -> str:
    """The words themselves; of many the first, since no row may be taller than a page."""
    words = " ".join(place.quote.split())
    return f'"{words[:_MOST_QUOTED]}..."' if len(words) > _MOST_QUOTED else f'"{words}"'


def _role(by: By | None) -> str:
    return (by.role or "person").replace("_", " ") if by is not None else "person"


def _fitted(cut: Cut, width: float) -> tuple[float, float]:
    """Its size on the sheet: as on the page, smaller where there is no room, never larger."""
    height = cut.picture.height * cut.width / cut.picture.width
    scale = min(1.0, width / cut.width, _TALLEST / height)
    return cut.width * scale, height * scale


def _png(picture: Image.Image) -> io.BytesIO:
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    out.seek(0)
    return out
