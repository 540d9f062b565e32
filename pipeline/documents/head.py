"""What the head of a document's first page says of it: its title, and the day of the visit or study."""

from __future__ import annotations

from pipeline.catalog.pages import PageRules
from pipeline.dates import find_dates
from pipeline.documents.sheets import Sheet

_HEAD = 1500  # characters in which a document states its day
_BEFORE = 28  # characters in front of a date in which its label stands
OLDEST = 25  # years before the packet's papers; an older day is a birth date whose label was lost


def title_of(sheet: Sheet, kind: str) -> str | None:
    """The heading that names a document of type `kind`, as it is printed; None where no line is one.

    What the paper calls itself counts, also where that is not its type; a weaker word for its type does
    not, nor does a mention in a sentence.
    """
    titles = sheet.cues.set_titles
    if not titles:
        return None
    best = max(titles.values())
    own = titles.get(kind, best)
    _, start, end = own if own[0] >= 0.5 * best[0] else best
    return " ".join(sheet.page.text[start:end].split()).strip(" :-–—*_=")


def service_date(sheet: Sheet, rules: PageRules, newest: int | None) -> str | None:
    """The day that a label at the head calls the day of the visit, else the first day there.

    `newest` is the latest year in which the packet's papers are dated.
    """
    text = sheet.page.text[:_HEAD]
    days = [
        date
        for date in find_dates(text)
        if not any(low <= date.start < high for low, high in sheet.skip)
        and not rules.before_birth_date.search(text[max(0, date.start - _BEFORE) : date.start])
        and (newest is None or int(date.day[:4]) >= newest - OLDEST)
    ]
    labelled = [
        date
        for date in days
        if rules.before_service_day.search(text[max(0, date.start - _BEFORE) : date.start])
    ]
    return next((date.day for date in (*labelled, *days)), None)
