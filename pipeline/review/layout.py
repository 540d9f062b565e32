"""Which pages make a document, as a person corrects it: split, merged, a page moved, another type.

Corrections name pages and not documents: a document's id changes when another is cut, a page's does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipeline.documents import Cut
from pipeline.domain import Case
from pipeline.errors import UsageError
from pipeline.review.corrections import Correction, Kind

_PAGE: Final = re.compile(r"pages\.(0|[1-9][0-9]{0,4})\.([1-9][0-9]{0,5})")
Place = tuple[str, int]
Cuts = tuple[Cut, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A case's documents as they stand; `lapsed` are corrections that make no sense any more, by number."""

    cuts: Cuts
    lapsed: Mapping[int, str]


def cuts_of(case: Case) -> Cuts:
    """The documents of a case; of which type each is follows from its pages."""
    return tuple(Cut(document.file, document.pages) for document in case.documents)


def layout_of(case: Case, corrections: Iterable[Correction]) -> Layout:
    """The documents of a case as it was read, with corrections of them applied in turn."""
    cuts, lapsed = cuts_of(case), dict[int, str]()
    for one in corrections:
        try:
            if (
                one.kind is Kind.RETYPE
                and pages_said(_cut_of(cuts, place_of(one.subject, case))) != one.basis
            ):
                raise UsageError("The document has other pages now.")
            cuts = laid_out(cuts, one, case)
        except UsageError:
            lapsed[one.number] = "other_document"
    return Layout(cuts, lapsed)


def laid_out(cuts: Cuts, one: Correction, case: Case) -> Cuts:
    """The documents after one more correction. Raises UsageError where it changes nothing or cannot be."""
    place = place_of(one.subject, case)
    if one.kind is Kind.MOVE:
        return _moved(cuts, place, place_of(str(one.after), case), case)
    cut = _cut_of(cuts, place)
    if one.kind is Kind.SPLIT:
        return _split(cuts, cut, place[1])
    if one.kind is Kind.MERGE:
        return _merged(cuts, cut, place[1])
    return _with(cuts, {cut: (replace(cut, type=str(one.after)),)})


def place_of(subject: str, case: Case) -> Place:
    """(file, page) of a correction's subject. Raises UsageError."""
    named = _PAGE.fullmatch(subject)
    if named is None or int(named[1]) >= len(case.files):
        raise UsageError("There is no such page.")
    place = case.files[int(named[1])].name, int(named[2])
    if not any((page.file, page.page) == place for page in case.pages):
        raise UsageError("There is no such page.")
    return place


def subject_of(case: Case, file: str, page: int) -> str:
    """A page as corrections name it."""
    return f"pages.{next(n for n, one in enumerate(case.files) if one.name == file)}.{page}"


def pages_said(cut: Cut) -> str:
    """The pages of a document as a correction keeps them."""
    return ",".join(map(str, cut.pages))


def cut_at(case: Case, place: Place) -> Cut | None:
    """The document that a page belongs to."""
    return next((cut for cut in cuts_of(case) if cut.file == place[0] and place[1] in cut.pages), None)


# --------------------------------------------------------------------------- inside


def _cut_of(cuts: Cuts, place: Place) -> Cut:
    found = next((cut for cut in cuts if cut.file == place[0] and place[1] in cut.pages), None)
    if found is None:
        raise UsageError("The page belongs to no document.")
    return found


def _split(cuts: Cuts, cut: Cut, page: int) -> Cuts:
    at = cut.pages.index(page)
    if at == 0:
        raise UsageError("A document begins at this page already.")
    return _with(cuts, {cut: (replace(cut, pages=cut.pages[:at]), Cut(cut.file, cut.pages[at:]))})


def _merged(cuts: Cuts, cut: Cut, page: int) -> Cuts:
    if cut.pages[0] != page:
        raise UsageError("No document begins at this page.")
    before = [other for other in cuts if other.file == cut.file and min(other.pages) < min(cut.pages)]
    if not before:
        raise UsageError("There is no document before this one in its file.")
    nearest = max(before, key=lambda other: max(page for page in other.pages if page < min(cut.pages)))
    return _with(cuts, {nearest: (replace(nearest, pages=nearest.pages + cut.pages),), cut: ()})


def _moved(cuts: Cuts, place: Place, to: Place, case: Case) -> Cuts:
    home = next((cut for cut in cuts if cut.file == place[0] and place[1] in cut.pages), None)
    target = _cut_of(cuts, to)
    if target.file != place[0]:
        raise UsageError("A document does not reach over two files.")
    if home == target:
        raise UsageError("The page belongs to that document already.")
    page = next(page for page in case.pages if (page.file, page.page) == place)
    if home is None and not (page.blank or page.duplicate_of):
        raise UsageError("This page is the plan's own.")
    behind = sum(number < place[1] for number in target.pages)
    pages = (*target.pages[:behind], place[1], *target.pages[behind:])
    changed: dict[Cut, Sequence[Cut]] = {target: (replace(target, pages=pages),)}
    if home is not None:
        left = tuple(number for number in home.pages if number != place[1])
        changed[home] = (replace(home, pages=left),) if left else ()
    return _with(cuts, changed)


def _with(cuts: Cuts, changed: Mapping[Cut, Sequence[Cut]]) -> Cuts:
    return tuple(new for cut in cuts for new in changed.get(cut, (cut,)))
