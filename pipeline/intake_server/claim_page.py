"""A Claim as a page: what a program sent as codes stands in the packet as a form, and is read like one.

So a request without documents is a packet too, every value of the case has its page, and what the letters say
can be held against what was asked. The page says what it is; nothing stands on it that was not sent.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterator, Sequence

from fpdf import FPDF

from pipeline.intake_server.asked import Asked, Code

NAME = "request.pdf"
"""What the page's file is called in the submission."""
_MARGIN, _SIZE, _LEADING = 54.0, 11.0, 16.0
_FROM = "Written by the plan's intake from the electronic request (FHIR Claim) that was received."


def claim_page(asked: Asked) -> bytes:
    """The page as PDF; the same request gives the same bytes."""
    pdf = FPDF(unit="pt", format="letter")
    pdf.set_creation_date(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    pdf.set_margins(_MARGIN, _MARGIN, _MARGIN)
    pdf.set_auto_page_break(True, margin=_MARGIN)
    pdf.add_page()
    for style, text in _lines(asked):
        pdf.set_font("Helvetica", style, 15 if style == "BU" else _SIZE)
        pdf.multi_cell(0, _LEADING, _written(text), align="L", new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


def _lines(asked: Asked) -> Iterator[tuple[str, str]]:
    yield "BU", "PRIOR AUTHORIZATION REQUEST"
    yield "", _FROM
    yield "", f"Request number: {asked.claim_id}"
    yield "", f"Review type: {'Expedited' if asked.expedited else 'Standard'}"
    yield from _section("MEMBER")
    yield from _said("Last name", asked.last_name)
    yield from _said("First name", asked.first_name)
    yield from _said("Date of birth", _day(asked.birth_date))
    yield from _said("Sex", asked.sex)
    yield from _said("Member ID", asked.member_id)
    yield from _section("REQUESTING PROVIDER")
    yield from _said("Requesting provider", asked.provider)
    yield from _said("NPI", asked.npi)
    yield from _section("SERVICES REQUESTED")
    yield from _coded("CPT", asked.codes, "procedure")
    yield from _coded("Service type", asked.codes, "other")
    yield from _section("DIAGNOSES")
    yield from _coded("ICD-10", asked.codes, "diagnosis")
    if asked.documents:
        yield from _section("ATTACHED")
        yield "", f"Documents that came with it: {len(asked.documents)}"


def _section(title: str) -> Iterator[tuple[str, str]]:
    yield "", ""
    yield "B", title


def _said(label: str, text: str) -> Iterator[tuple[str, str]]:
    if text:
        yield "", f"{label}: {text}"


def _coded(label: str, codes: Sequence[Code], kind: str) -> Iterator[tuple[str, str]]:
    for code in codes:
        if code.kind == kind:
            yield "", "   ".join(filter(None, (f"{label}: {code.code}", code.display, code.detail)))


def _day(text: str) -> str:
    """A whole date as forms here write it; a part of one as it came."""
    try:
        return dt.date.fromisoformat(text).strftime("%m/%d/%Y")
    except ValueError:
        return text


def _written(text: str) -> str:
    """In the letters of the PDF's own type (Latin 1): one that it lacks loses its accent, or becomes `?`."""
    letters = (letter if ord(letter) < 256 else unicodedata.normalize("NFKD", letter)[0] for letter in text)
    return "".join(letters).encode("latin-1", "replace").decode("latin-1")
