"""How records, pages and days are said in a request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from pipeline.information_request.record import Record
from pipeline.wording import pages_of


def record_of(record: Record) -> str:
    """`consultation of 07/29/2026, pages 3-4 of file 2`."""
    of_day = f" of {us_day(record.day)}" if record.day else ""
    return f"{lowered(record.title)}{of_day}, {pages(record)}"


def pages(record: Record) -> str:
    return pages_of(record.pages) + (f" of file {record.file}" if record.file else "")


def us_day(day: str | date) -> str:
    """A day as US offices write it. Text that is no ISO day stays as it is."""
    if isinstance(day, date):
        day = day.isoformat()
    match = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", day)
    return f"{match[2]}/{match[3]}/{match[1]}" if match else day


def lowered(title: str) -> str:
    """A title inside a sentence: `treatment plan`, but `History and Physical` as the policy calls it."""
    return title if re.search(r"[A-Z]", title[1:]) else title[:1].lower() + title[1:]


def a(title: str) -> str:
    """With its article: `a consultation`, `an operative report`."""
    return f"{'an' if title[:1].lower() in 'aeio' else 'a'} {lowered(title)}"


def listed(parts: Sequence[str], *, last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def sentence(text: str) -> str:
    """With a capital in front and one full stop at the end."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:].rstrip(". ") + "." if text else ""
