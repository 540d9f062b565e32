"""One HTML page for a case: the packet strip, every answer linked to its words on the pages.

The page needs nothing but itself: images, style and script are in it, and its content security policy
admits nothing else. Whatever a packet says is shown as text; the policy names the script and the two
styles by their hashes, so that nothing from a packet could run even where escaping failed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipeline.domain import Case, Evidence, Submission
from pipeline.files import write_whole
from pipeline.report.images import page_images
from pipeline.report.marks import Marks, marks_of
from pipeline.report.rows import Group, Row, groups_of
from pipeline.report.strip import Sheet, place_of, sheets_of
from pipeline.report.templates import templates_in
from pipeline.report.titles import titles_for
from pipeline.settings import Settings
from pipeline.wording import OUTCOMES, lead, plain, reason

__all__ = ["write_report"]

_HERE = Path(__file__).parent

# What is missing stands in the list of what to ask for.
_FOR_A_PERSON = {"conflict", "uncertain", "unclear", "two patients"}


def write_report(
    case: Case, submission: Submission, path: Path, settings: Settings, *, remarks: Sequence[str] = ()
) -> None:
    """The case as one self-contained HTML page at `path`; `submission` has the files of its pages, `remarks`
    stand at the top.

    A page whose image cannot be had is told of in its place. Raises OSError where `path` cannot be
    written.
    """
    titles = titles_for(case, settings)
    groups = groups_of(case, titles)
    marks, sheets = marks_of(case, groups), sheets_of(case, titles)
    style, script = (_HERE / "report.css").read_text("utf-8"), (_HERE / "report.js").read_text("utf-8")
    geometry = "".join(_geometry(sheets, marks))
    html = (
        templates_in(_HERE)
        .get_template("report.html.jinja")
        .render(
            case=case,
            remarks=remarks,
            titles=titles,
            groups=groups,
            marks=marks,
            sheets=sheets,
            images=page_images(case, submission, settings),
            outcome=OUTCOMES[case.evaluation.outcome] if case.evaluation else None,
            complete=all(one.status == "present" for one in case.completeness.documents.values()),
            attention=[row for group in groups for row in group.rows if row.status in _FOR_A_PERSON],
            row_ids=_ids_by_name(groups),
            place=lambda evidence: _place(case, evidence),
            place_of=lambda file, page: place_of(case, file, page),
            lead=lead,
            reason=reason,
            plain=plain,
            style=style,
            geometry=geometry,
            script=script,
            policy=_content_policy(styles=(style, geometry), script=script),
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, html.lstrip())


def _content_policy(styles: Iterable[str], script: str) -> str:
    admitted = " ".join(map(_hash, styles))
    return (
        f"default-src 'none'; img-src data:; style-src {admitted}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _geometry(sheets: Iterable[Sheet], marks: Marks) -> Iterator[str]:
    """Style rules that put every box and note on its page; numbers and ids of our own, nothing else."""
    for sheet in sheets:
        if (page := sheet.page) is None:
            continue
        yield f"#{sheet.id} .paper{{aspect-ratio:{page.width:.2f}/{page.height:.2f}}}\n"
        for mark in marks.on(page.file, page.page):
            yield f"#{mark.id}n{{top:{mark.note_top / page.height:.3%}}}\n"
            for number, box in enumerate(mark.boxes):
                left, top = box.x0 / page.width, box.top / page.height
                width, height = (box.x1 - box.x0) / page.width, (box.bottom - box.top) / page.height
                box_id = f"{mark.id}b{number}" if number else mark.id
                yield f"#{box_id}{{left:{left:.3%};top:{top:.3%};width:{width:.3%};height:{height:.3%}}}\n"


def _ids_by_name(groups: Iterable[Group]) -> dict[str, str]:
    """Row ids by what criteria call the rows; a finding goes before a required element of its name."""
    rows: list[Row] = [row for group in groups for row in group.rows]
    return {row.name: row.id for row in sorted(rows, key=lambda row: row.kind == "finding")}


def _place(case: Case, evidence: Evidence) -> str:
    return place_of(case, evidence.file, evidence.page)
