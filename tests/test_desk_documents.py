"""Documents by hand: split, merged, a page moved, another type; what follows from it, and what lapses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desks import TestDesk, open_desk
from ledgers import DATABASES

from pipeline.errors import UsageError
from pipeline.review.casefile import CaseFile, VersionChanged, open_case
from pipeline.review.correcting import Change, Mark, correct
from pipeline.review.corrections import Kind

PACKET = """SAMPLE VALLEY UROLOGY
HISTORY AND PHYSICAL                      Date of service: 03/02/2026
Patient: Testperson, Alma     DOB 02/03/1950

HISTORY OF PRESENT ILLNESS: 76 y/o woman with a 2.1 cm mass of the lung, right upper lobe.
PAST MEDICAL HISTORY: Hypertension. MEDICATIONS: Lisinopril. ALLERGIES: None.
PHYSICAL EXAMINATION: Abdomen soft, no mass. Lungs clear. Heart regular.
ASSESSMENT: Adenocarcinoma of the right upper lobe, cT2a N0 M0.
PLAN: CT-guided cryoablation of the 2.1 cm right upper lobe nodule, curative intent.
\fSAMPLE VALLEY PATHOLOGY
SURGICAL PATHOLOGY REPORT                 Collected: 02/20/2026
Patient: Testperson, Alma     DOB 02/03/1950

SPECIMEN: Right upper lobe, core biopsy.
FINAL DIAGNOSIS: Adenocarcinoma, moderately differentiated.
\fGROSS DESCRIPTION: Two cores in formalin, entirely submitted.
MICROSCOPIC: Sections show adenocarcinoma. TTF-1 positive.
Signed out by the pathologist. Patient: Testperson, Alma
"""


@pytest.fixture(params=DATABASES)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestDesk]:
    with open_desk(tmp_path, PACKET, kind=request.param) as desk:
        yield desk


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    """A desk for tests that change no case."""
    with open_desk(tmp_path_factory.mktemp("desk"), PACKET) as desk:
        yield desk


def now(desk: TestDesk) -> CaseFile:
    file = open_case(desk.ledger, desk.submission_id)
    assert file is not None
    return file


def make(desk: TestDesk, kind: Kind, subject: str, after: str | None = None, **rest: object) -> CaseFile:
    change = Change(kind=kind, subject=subject, after=after, why="as the pages say", **rest)  # type: ignore[arg-type]
    version = now(desk).version
    made = correct(desk.ledger, desk.settings, desk.submission_id, change, version=version, actor="nora")
    assert made == now(desk)  # what is kept is what was told
    return made


def documents(file: CaseFile) -> list[tuple[str, tuple[int, ...]]]:
    return [(one.type, one.pages) for one in file.case.documents]


READ = [("history_and_physical", (1,)), ("pathology_report", (2, 3))]


def test_the_packet_is_read_as_two_documents(shared: TestDesk) -> None:
    assert documents(now(shared)) == READ


@pytest.mark.parametrize(
    ("kind", "subject", "after", "become"),
    [
        (Kind.SPLIT, "pages.0.3", None, [(1,), (2,), (3,)]),
        (Kind.MERGE, "pages.0.2", None, [(1, 2, 3)]),
        (Kind.MOVE, "pages.0.2", "pages.0.1", [(1, 2), (3,)]),
        (Kind.MOVE, "pages.0.1", "pages.0.3", [(1, 2, 3)]),
        (Kind.RETYPE, "pages.0.3", "progress_note", [(1,), (2, 3)]),
    ],
)
def test_each_change_makes_its_documents_and_can_be_undone(
    desk: TestDesk, kind: Kind, subject: str, after: str | None, become: list[tuple[int, ...]]
) -> None:
    before = now(desk)
    changed = make(desk, kind, subject, after)
    assert [pages for _, pages in documents(changed)] == become
    assert changed.read == before.case
    for document in changed.case.documents:
        assert document.text.count("\f") == len(document.pages) - 1
    assert make(desk, Kind.UNDO, "1").case == before.case


def test_what_follows_from_a_document_follows_from_the_new_one(desk: TestDesk) -> None:
    """A history and physical that is none: the policy's document is missing, and the outcome knows it."""
    before = now(desk)
    assert before.case.completeness.documents["history_and_physical"].status == "present"
    changed = make(desk, Kind.RETYPE, "pages.0.1", "consent_form")
    assert changed.case.documents[0].type == "consent_form"
    assert changed.case.documents[0].confidence == 1.0
    assert changed.case.completeness.documents["history_and_physical"].status != "present"
    assert changed.case.evaluation != before.case.evaluation
    (made,) = changed.corrections
    assert (made.before, made.after, made.basis) == ("history_and_physical", "consent_form", "1")
    assert now(desk).item.outcome == changed.case.evaluation.outcome  # type: ignore[union-attr]


def test_an_answer_that_a_person_gave_stays_with_its_words(desk: TestDesk) -> None:
    (box,) = now(desk).case.findings["t"].evidence[0].boxes
    area = box._replace(x0=box.x0 - 1, x1=box.x1 + 1, top=box.top - 1, bottom=box.bottom + 1)
    mark = Mark(now(desk).case.files[0].name, 1, area)
    make(desk, Kind.CHANGE, "findings.stage_group", "IB", marks=(mark,))
    moved = make(desk, Kind.MOVE, "pages.0.1", "pages.0.2")
    stage = moved.case.findings["stage_group"]
    assert (stage.value, stage.confidence, moved.lapsed) == ("IB", 1.0, {})
    (shown,) = stage.evidence
    (document,) = moved.case.documents
    assert (shown.document, shown.page) == (document.id, 1)
    assert document.text[shown.start : shown.end] == shown.quote
    assert shown.boxes == now(desk).corrections[0].evidence[0].boxes


def test_what_was_accepted_lapses_with_its_value(desk: TestDesk) -> None:
    make(desk, Kind.ACCEPT, "findings.tumor_site")
    make(desk, Kind.REJECT, "elements.history_and_physical.physical_exam")
    assert make(desk, Kind.SPLIT, "pages.0.3").lapsed == {}
    changed = make(
        desk, Kind.RETYPE, "pages.0.1", "consent_form"
    )  # what is printed there says nothing of her
    assert changed.case.findings["tumor_site"].value is None
    assert changed.lapsed == {1: "another_value", 2: "another_value"}
    assert make(desk, Kind.UNDO, "4").lapsed == {}


def test_a_type_lapses_with_the_pages_it_was_said_of(desk: TestDesk) -> None:
    make(desk, Kind.SPLIT, "pages.0.3")
    make(desk, Kind.RETYPE, "pages.0.3", "letter")
    assert documents(now(desk))[-1] == ("letter", (3,))
    back = make(desk, Kind.UNDO, "1")
    assert documents(back) == READ
    assert back.lapsed == {2: "other_document"}


@pytest.mark.parametrize(
    ("kind", "subject", "after"),
    [
        (Kind.SPLIT, "pages.0.2", None),
        (Kind.SPLIT, "pages.0.4", None),
        (Kind.SPLIT, "pages.1.1", None),
        (Kind.SPLIT, "pages.0.03", None),
        (Kind.SPLIT, "findings.intent", None),
        (Kind.MERGE, "pages.0.3", None),
        (Kind.MERGE, "pages.0.1", None),
        (Kind.MOVE, "pages.0.2", "pages.0.3"),
        (Kind.MOVE, "pages.0.2", None),
        (Kind.RETYPE, "pages.0.2", "novel"),
        (Kind.RETYPE, "pages.0.2", None),
        (Kind.ACCEPT, "pages.0.2", None),
    ],
)
def test_what_changes_nothing_or_cannot_be_is_refused(
    shared: TestDesk, kind: Kind, subject: str, after: str | None
) -> None:
    with pytest.raises(UsageError):
        make(shared, kind, subject, after)
    assert now(shared).corrections == ()


def test_of_two_who_cut_the_same_packet_the_second_is_told(desk: TestDesk) -> None:
    seen = now(desk).version
    make(desk, Kind.SPLIT, "pages.0.3")
    late = Change(Kind.MERGE, "pages.0.2", why="one paper")
    with pytest.raises(VersionChanged):
        correct(desk.ledger, desk.settings, desk.submission_id, late, version=seen, actor="max")
    assert [one.kind for one in now(desk).corrections] == [Kind.SPLIT]
