"""A case of the desk as the filled form: its corrections say whose each answer is."""

from __future__ import annotations

import io
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache

from PIL import Image
from sqlalchemy import select

from pipeline.catalog import Catalog
from pipeline.errors import UsageError
from pipeline.ledger import Ledger, State, items
from pipeline.prefill import By, Form, PageImage, Rendered, Touch, Touches, form_of, rendered
from pipeline.review import tables
from pipeline.review.casefile import CaseErased, CaseFile, open_case
from pipeline.review.correction_records import RecordMissing
from pipeline.review.corrections import Correction, Kind
from pipeline.review.pictures import Pictures

_BATCH = 200
_NO_VALUE = (None, "missing", "unclear")  # of a field, of a required element


def form_of_file(ledger: Ledger, file: CaseFile, catalog: Catalog) -> Form:
    """The form of a case as it stands. Raises UsageError as `form_of` does."""
    return form_of(file.case, catalog, touches_of(file.corrections, roles_of(ledger), lapsed=file.lapsed))


def exported(
    ledger: Ledger, pictures: Pictures, file: CaseFile, catalog: Catalog, name: str, *, at: datetime
) -> Rendered:
    """The form of a case in a format of `prefill.FORMATS`, for a server: what a sender's file does to a
    decoder ends in the processes of `pictures`. Whoever sends it on writes the audit row.

    Raises UsageError for a format that there is none of, and as `form_of` does.
    """
    form = form_of_file(ledger, file, catalog)
    return rendered(form, catalog, name, at=at, page_image=_drawn_by(pictures, file))


def _drawn_by(pictures: Pictures, file: CaseFile) -> PageImage:
    positions = {one.name: position for position, one in enumerate(file.case.files)}
    rotations = {(one.file, one.page): one.rotation for one in file.case.pages}

    @cache
    def page_image(name: str, page: int) -> Image.Image | None:
        if (name, page) not in rotations:
            return None
        png = pictures.picture(file.item.id, positions[name], page, rotations[name, page], "page")
        return Image.open(io.BytesIO(png)) if png is not None else None

    return page_image


def touches_of(
    corrections: Sequence[Correction], roles: Mapping[str, str], *, lapsed: Container[int] = ()
) -> Touches:
    """What people did about each answer, in their order, what was undone left out, and the numbers `lapsed`
    that count no more though nobody undid them."""
    undone = {one.subject for one in corrections if one.kind is Kind.UNDO}
    touches: dict[str, Touch] = {}
    for one in corrections:
        if one.kind is Kind.UNDO or str(one.number) in undone or one.number in lapsed:
            continue
        before = touches.get(one.subject) or Touch(replaced=one.before not in _NO_VALUE)
        touches[one.subject] = _touched(before, one, By(one.actor, roles.get(one.actor), one.at))
    return touches


def roles_of(ledger: Ledger) -> dict[str, str]:
    """The roles of all users, as they are now."""
    query = select(tables.users.c.name, tables.users.c.role)
    return {row.name: row.role for row in ledger.read(lambda db: db.execute(query).all())}


def _touched(touch: Touch, one: Correction, by: By) -> Touch:
    match one.kind:
        case Kind.ACCEPT:
            return replace(touch, confirmed=by, rejected=None)
        case Kind.CHANGE:
            return replace(touch, changed=by, confirmed=None, rejected=None)
        case Kind.REJECT:
            return replace(touch, changed=None, confirmed=None, rejected=by)
        case _:
            return touch  # of a document or an outcome: no answer of the form


def forms_in(
    ledger: Ledger,
    catalog: Catalog,
    *,
    on_left_out: Callable[[str], None] = lambda _: None,
    states: Sequence[State] = (State.DONE, State.PARTIAL),
) -> Iterator[Form]:
    """The forms of all cases that stand in the ledger, in the order of the queue.

    What was erased has none. What cannot be shown is left out, and `on_left_out` is told the submission: a
    record of it is missing, or its policy's version is not kept.
    """
    after: str | None = None
    while found := items(ledger, states=states, after=after, most=_BATCH):
        for one in found:
            try:
                file = open_case(ledger, one.id)
                if file is not None and file.case.policy is not None:
                    yield form_of_file(ledger, file, catalog)
            except CaseErased:
                continue
            except (RecordMissing, UsageError):
                on_left_out(one.id)
        after = found[-1].id
