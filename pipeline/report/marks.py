"""Where evidence stands on the pages: one mark for a place, however many rows point to it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.domain import Box, Case, Evidence
from pipeline.report.rows import Group, Row

# How a mark looks where rows of several kinds point to it: the first of these.
_LOUDEST = ("person", "conflict", "finding", "element", "request", "other")
_AROUND = 1.5  # points between the ink and the mark's edge
# A note beside the page, in points of the page: height of a line, of its frame, characters in a line.
_LINE, _FRAME, _CHARACTERS = 12.5, 7.0, 18

Place = tuple[str, int, tuple[Box, ...]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A marked place of one page, in points.

    `rows` are what it shows, `others` those for which it was not taken, as (row id, label);
    `note_top` is where its note stands beside the page.
    """

    id: str
    kind: str
    boxes: tuple[Box, ...]
    rows: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]
    note_top: float

    @property
    def leads_to(self) -> str:
        """Id of the row that it shows before all."""
        return (*self.rows, *self.others)[0][0]

    @property
    def text(self) -> str:
        """What it shows, in words."""
        taken, others = (", ".join(label for _, label in part) for part in (self.rows, self.others))
        return "; ".join([*([taken] if taken else []), *([f"not taken: {others}"] if others else [])])

    @property
    def area(self) -> float:
        """Square points; a small mark lies over the large one around it."""
        return sum((box.x1 - box.x0) * (box.bottom - box.top) for box in self.boxes)


@dataclass(frozen=True)
class Marks:
    """The marks of each page by (file, page), and the id of each place's mark."""

    by_page: Mapping[tuple[str, int], tuple[Mark, ...]]
    ids: Mapping[Place, str]

    def on(self, file: str, page: int) -> tuple[Mark, ...]:
        return self.by_page.get((file, page), ())

    def id_of(self, evidence: Evidence) -> str | None:
        """None where the evidence stands on no page that is shown."""
        place = _place(evidence)
        return self.ids.get(place) if place else None


def marks_of(case: Case, groups: Iterable[Group]) -> Marks:
    """One mark for each place that a row's evidence names, numbered page by page from the top."""
    shown: dict[Place, list[tuple[Row, str]]] = {}
    for place, row, kind in _pointers(groups):
        shown.setdefault(place, []).append((row, kind))
    ids: dict[Place, str] = {}
    by_page = {}
    for page in case.pages:
        places = sorted(
            (place for place in shown if place[:2] == (page.file, page.page)),
            key=lambda place: (place[2][0].top, place[2][0].x0),
        )
        ids |= {place: f"m{len(ids) + number}" for number, place in enumerate(places, 1)}
        marks = [_mark(ids[place], place[2], shown[place]) for place in places]
        by_page[page.file, page.page] = tuple(_with_notes_apart(marks, page.height))
    return Marks(by_page, ids)


def _pointers(groups: Iterable[Group]) -> Iterator[tuple[Place, Row, str]]:
    """(place, row, how the row would have it look)"""
    for row in (row for group in groups for row in group.rows):
        kind = "conflict" if row.status == "conflict" else row.kind
        for evidence in row.evidence:
            if place := _place(evidence):
                yield place, row, kind
        for alternative in row.alternatives:
            for evidence in alternative.evidence:
                if place := _place(evidence):
                    yield place, row, kind if kind == "conflict" else "other"


def _place(evidence: Evidence) -> Place | None:
    if evidence.file is None or evidence.page is None or not evidence.boxes:
        return None
    return evidence.file, evidence.page, evidence.boxes


def _mark(mark_id: str, boxes: tuple[Box, ...], pointers: list[tuple[Row, str]]) -> Mark:
    kind = min((kind for _, kind in pointers), key=_LOUDEST.index)
    # By label: an element is often shown by the words of the finding of its name.
    rows, others = dict[str, str](), dict[str, str]()
    for row, row_kind in sorted(pointers, key=lambda pointer: _LOUDEST.index(pointer[1])):
        (others if row_kind == "other" else rows).setdefault(row.label, row.id)
    around = tuple(
        Box(box.x0 - _AROUND, box.top - _AROUND, box.x1 + _AROUND, box.bottom + _AROUND) for box in boxes
    )
    taken, not_taken = (tuple((row_id, label) for label, row_id in part.items()) for part in (rows, others))
    return Mark(mark_id, kind, around, taken, not_taken, boxes[0].top)


def _with_notes_apart(marks: list[Mark], height: float) -> Iterator[Mark]:
    """The marks with notes that do not cover one another; those at the foot are pushed up."""
    heights = [_note_height(mark) for mark in marks]
    tops = list[float]()
    free = 0.0
    for mark, needed in zip(marks, heights, strict=True):
        tops.append(max(mark.note_top, free))
        free = tops[-1] + needed
    floor = max(height, sum(heights))
    for index in reversed(range(len(tops))):
        tops[index] = min(tops[index], floor - heights[index])
        floor = tops[index]
    for mark, top in zip(marks, tops, strict=True):
        yield replace(mark, note_top=top)


def _note_height(mark: Mark) -> float:
    return math.ceil(len(mark.text) / _CHARACTERS) * _LINE + _FRAME
