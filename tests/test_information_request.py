"""A request asks for what is missing and for nothing else, and what it says of the pages is so."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from request_packets import KNOWLEDGE, LETTERS, draft_of, made, sent, wanted

from pipeline.catalog.letters import Deadlines, load_letters
from pipeline.domain import (
    Alternative,
    Case,
    CaseDocument,
    CaseFile,
    Completeness,
    CriterionResult,
    Element,
    Evaluation,
    EvaluatorInfo,
    Evidence,
    Field,
    IdentityConflict,
    Met,
    Missing,
    PolicyRef,
    Problem,
    Requirement,
    Status,
)
from pipeline.errors import CatalogError
from pipeline.information_request import InformationRequest
from pipeline.information_request.record import due_day, expiry_day, issued, reminder_days

PACKETS = [
    ("kidney_clear_cell", "no_exam"),
    ("kidney_oncocytoma", "no_plan"),
    ("prostate_focal", "no_area"),
    ("prostate_salvage", "wrong_patient"),
    ("lung_adenocarcinoma_ia", "no_history"),
    ("lung_stage_not_stated", "complete"),
    ("lung_stage_not_stated", "wrong_patient"),
    ("skin_without_biopsy", "complete"),
    ("breast_fibroadenoma", "no_plan"),
    # nothing is asked for: met, not met, another policy, another organ
    ("kidney_clear_cell", "complete"),
    ("breast_ductal", "complete"),
    ("bone_osteoid_osteoma", "complete"),
    ("prostate_hifu", "no_plan"),
    ("liver_hepatocellular", "no_history"),
]


@pytest.mark.parametrize(("scenario", "gap"), PACKETS, ids="-".join)
def test_asks_for_what_is_missing_and_for_nothing_that_is_there(scenario: str, gap: str) -> None:
    packet = made(scenario, gap)
    asked = list(packet.draft.codes) if packet.draft else []
    assert asked == wanted(packet)


@pytest.mark.parametrize(("scenario", "gap"), PACKETS[:9], ids="-".join)
def test_every_record_that_is_named_stands_on_its_pages(scenario: str, gap: str) -> None:
    packet = made(scenario, gap)
    draft = packet.draft
    assert draft is not None
    true = {(row["first_page"], row["last_page"]): row["type"] for row in packet.truth["documents"]}
    told = [record for item in draft.items for found in item.found for record in found.records]
    assert told or all(item.found for item in draft.items)
    for record in told:
        # a part of a document is cited by its own pages
        kinds = [true[span] for span in true if span[0] <= min(record.pages) <= max(record.pages) <= span[1]]
        assert kinds == [record.type]
        assert any(str(record.pages[0]) in found.text for item in draft.items for found in item.found)


def test_pages_of_another_patient_are_named_by_their_numbers_alone() -> None:
    packet = made("prostate_salvage", "wrong_patient")
    assert packet.draft is not None
    strangers = [d for d in packet.case.documents if d.belongs_to_patient is False]
    [item] = packet.draft.items
    assert item.found[0].records == ()
    assert item.found[0].text.startswith("Another patient is named on page")
    assert str(strangers[0].first_page) in item.found[0].text
    assert not {record.document for found in item.found for record in found.records} & {
        d.id for d in strangers
    }


# ------------------------------------------------------------------ single cases


def evidence(document: str, page: int) -> Evidence:
    return Evidence("a.pdf", page, document, 0, 4, "word")


def document(
    name: str, kind: str, *pages: int, day: str | None = None, own: bool | None = True
) -> CaseDocument:
    return CaseDocument(name, "a.pdf", kind, None, "", pages[0], pages[-1], 0.9, pages, day, own)


def case_of(*missing: Missing, **changes: object) -> Case:
    """A lung case with an H&P on pages 3 and 4 of 07/29/2026, a plan on page 6, and what is given."""
    case = Case(
        case_id="c1",
        status="complete",
        problems=(),
        policy=PolicyRef("cryosurgical-ablation", "2023-02-01"),
        files=(CaseFile("a.pdf", "0" * 64, "application/pdf", 7),),
        documents=(
            document("d1", "pa_request_form", 1, 2),
            document("d2", "history_and_physical", 3, 4, day="2026-07-29"),
            document("d3", "pathology_report", 5, day="2026-06-01"),
            document("d4", "treatment_plan", 6),
        ),
        completeness=Completeness(
            {
                "history_and_physical": Requirement(
                    "incomplete", {"history": Element(Met.MET), "physical_exam": Element(Met.MISSING)}, "d2"
                ),
                "treatment_plan": Requirement("present", {}, "d4"),
            }
        ),
        evaluation=Evaluation(EvaluatorInfo("t", "1", "r"), "needs_information", None, (), missing),
    )
    return replace(case, **changes)  # type: ignore[arg-type]


def found_in(case: Case) -> list[str]:
    draft = draft_of(case)
    assert draft is not None
    return [found.text for item in draft.items for found in item.found]


EXAM = Missing("history_and_physical.physical_exam", "The findings of the physical examination.")
STAGE = Missing("stage_group", "The stage group of the cancer.")


def test_says_what_was_found_instead_with_its_pages() -> None:
    assert found_in(case_of(EXAM)) == [
        "The history and physical of 07/29/2026, pages 3-4, has no physical examination."
    ]


def test_an_element_is_answered_by_a_corrected_copy_or_another_record() -> None:
    draft = draft_of(case_of(EXAM))
    assert draft is not None
    [item] = draft.items
    assert item.loinc.code == "34117-2"
    assert item.title == "Physical examination in the history and physical"
    assert item.settled_by == (
        "a corrected copy of the history and physical of 07/29/2026, pages 3-4, "
        "that has the physical examination",
        "another record that has the physical examination",
    )


def test_pages_that_the_record_announces_and_that_did_not_come_are_named() -> None:
    lost = Problem("a.pdf", 3, "missing_page", "page 3 of 3 of this document was not received")
    other = Problem("a.pdf", 6, "missing_page", "page 2 of 2 of this document was not received")
    assert found_in(case_of(EXAM, problems=(lost, other)))[1:] == [
        "The history and physical of 07/29/2026, pages 3-4, says that it has 3 pages. "
        "Page 3 did not reach us."
    ]


def test_with_several_files_a_page_is_one_of_a_file_by_its_number_not_its_name() -> None:
    names = ("Doe_Jane.pdf", "a.pdf")
    files = tuple(CaseFile(name, "0" * 64, "application/pdf", 7) for name in names)
    [told] = found_in(case_of(EXAM, files=files))
    assert told == "The history and physical of 07/29/2026, pages 3-4 of file 2, has no physical examination."


def test_a_missing_document_is_told_with_what_came_instead() -> None:
    missing = Missing("treatment_plan", "Treatment plan.")
    announced = Problem(
        "a.pdf",
        1,
        "announced_not_received",
        "Treatment plan: announced as attached, not among the pages received",
    )
    case = case_of(
        missing,
        problems=(announced,),
        documents=case_of().documents[:3],
        completeness=Completeness({"treatment_plan": Requirement("missing")}),
    )
    assert found_in(case) == [
        "Your request (page 1) lists it as attached. It did not reach us.",
        "We received: history and physical (07/29/2026, pages 3-4) and pathology report (06/01/2026, "
        "page 5). None of them is a treatment plan including the treatment area.",
    ]


def test_nothing_is_cited_of_records_of_another_patient() -> None:
    documents = (
        document("d1", "pa_request_form", 1),
        document("d2", "consultation", 2, 3, day="2026-01-01", own=False),
    )
    case = case_of(
        Missing("history_and_physical", "History and Physical."),
        documents=documents,
        completeness=Completeness(
            {"history_and_physical": Requirement("missing")}, IdentityConflict(True, (evidence("d2", 2),))
        ),
    )
    assert found_in(case) == [
        "Another patient is named on pages 2-3. We did not use what is there.",
        "We received no History and Physical.",
    ]


def test_a_lack_is_told_with_the_pages_of_another_patient_that_came_in_its_place() -> None:
    stray = document("d9", "consultation", 7, own=False)
    told = found_in(case_of(EXAM, documents=(*case_of().documents, stray)))
    assert told[1:] == ["Another patient is named on page 7. We did not use what is there."]
    scan = document("d9", "pathology_report", 7, own=False)  # it would have been no history and physical
    assert len(found_in(case_of(EXAM, documents=(*case_of().documents, scan)))) == 1


def test_a_fact_that_no_record_states_names_the_records_that_usually_do() -> None:
    assert found_in(case_of(STAGE)) == [
        "The history and physical of 07/29/2026, pages 3-4, does not say it.",
        "The pathology report of 06/01/2026, page 5, does not say it.",
    ]


def test_a_disagreement_shows_each_side_on_its_page() -> None:
    stage = Field(
        "IB",
        Status.CONFLICTING,
        0.5,
        evidence=(evidence("d2", 4),),
        alternatives=(
            Alternative("IIB", "conflicting", (evidence("d3", 5),)),
            Alternative("IV", "family", (evidence("d2", 3),)),
        ),
    )
    assert found_in(case_of(STAGE, findings={"stage_group": stage})) == [
        "The history and physical of 07/29/2026, page 4, says: IB.",
        "The pathology report of 06/01/2026, page 5, says: IIB.",
    ]


def test_a_value_that_answers_nothing_is_said_to_leave_it_open() -> None:
    behavior = Field("uncertain", Status.FOUND, 0.9, evidence=(evidence("d3", 5),))
    case = case_of(Missing("behavior", "Malignant or benign?"), findings={"behavior": behavior})
    assert found_in(case) == ["The pathology report of 06/01/2026, page 5, speaks of it but leaves it open."]


def test_a_fact_is_answered_by_any_one_of_the_smallest_sets() -> None:
    results = (
        CriterionResult("I.F.1", "unknown", (), ("stage_group", "t+n+m", "stage_group+origin")),
        CriterionResult("II", "unknown", (), ("stage_group", "t+n+m")),
    )
    evaluation = replace(case_of(STAGE).evaluation, criteria=results)  # type: ignore[type-var]
    draft = draft_of(case_of(evaluation=evaluation))
    assert draft is not None
    [item] = draft.items
    records = "a consultation, history and physical, pathology report or diagnostic imaging report"
    assert item.settled_by == (
        f"{records} that says the stage group",
        f"{records} that says the T category, N category and M category",
    )
    assert (item.criterion, item.loinc.code) == ("I.F.1", "11488-4")
    assert item.why.startswith("Criterion I.F.1 of the policy asks about it: Non-small cell lung cancer")


def test_what_could_not_be_read_is_noted() -> None:
    unread = Problem("a.pdf", 7, "timed_out", "The page took too long.")
    draft = draft_of(case_of(EXAM, problems=(unread,), status="partial"))
    assert draft is not None
    assert draft.notes == (
        "We could not read page 7 of what you sent. If it is there, please send it again.",
    )


def test_an_evaluators_words_that_decide_are_not_passed_on() -> None:
    draft = draft_of(
        case_of(Missing("stage_group", "Denied: stage not documented"), Missing("x9", "Send x9"))
    )
    assert draft is not None
    assert [item.ask for item in draft.items] == ["Stage of the cancer.", "Send x9."]
    assert draft.items[1].loinc.code == "11503-0"


@pytest.mark.parametrize("outcome", ["meets", "investigational", "out_of_scope", "other_policy"])
def test_no_other_outcome_asks(outcome: str) -> None:
    evaluation = Evaluation(EvaluatorInfo("t", "1", "r"), outcome, None, (), (EXAM,))  # type: ignore[arg-type]
    assert draft_of(case_of(evaluation=evaluation)) is None


def test_a_parked_case_asks_nothing() -> None:
    assert draft_of(case_of(evaluation=None)) is None


# ------------------------------------------------------------------ days


@pytest.mark.parametrize(
    ("sent_on", "due"),
    [("2026-11-20", "2026-11-30"), ("2026-11-18", "2026-11-30"), ("2026-11-19", "2026-11-30")],
    ids=["falls on a Monday", "on a Saturday", "on a Sunday"],
)
def test_a_due_day_on_a_weekend_moves_to_monday(sent_on: str, due: str) -> None:
    deadlines = Deadlines(answer_days=10, expire_days=20)
    assert due_day(date.fromisoformat(sent_on), deadlines).isoformat() == due


def test_an_expedited_request_may_be_due_on_a_weekend() -> None:
    days = Deadlines(answer_days=2, expire_days=2, weekends=True)
    assert due_day(date(2026, 11, 20), days) == date(2026, 11, 22)


# A request of Monday 07/13/2026 must be decided by Monday 07/20; an expedited one by Thursday 07/16.
@pytest.mark.parametrize(
    ("sent_on", "decision", "expedited", "due", "expires"),
    [
        ("2026-07-13", "2026-07-20", False, "2026-07-17", "2026-07-19"),
        (
            "2026-07-14",
            "2026-07-20",
            False,
            "2026-07-17",
            "2026-07-20",
        ),  # Saturday, Monday is too late: Friday
        ("2026-07-16", "2026-07-20", False, "2026-07-17", "2026-07-20"),
        ("2026-07-17", "2026-07-20", False, "2026-07-18", "2026-07-20"),  # no weekday is left before
        ("2026-07-19", "2026-07-20", False, "2026-07-20", "2026-07-21"),
        ("2026-07-25", "2026-07-20", False, "2026-07-26", "2026-07-27"),  # the clock had run out before
        ("2026-07-13", "2026-07-16", True, "2026-07-14", "2026-07-15"),
        ("2026-07-15", "2026-07-16", True, "2026-07-16", "2026-07-17"),
        ("2026-07-17", None, False, "2026-07-21", "2026-07-23"),
    ],
)
def test_an_answer_is_due_before_the_plan_must_decide(
    sent_on: str, decision: str | None, expedited: bool, due: str, expires: str
) -> None:
    days, day = LETTERS.deadlines("cryosurgical-ablation", expedited=expedited), date.fromisoformat(sent_on)
    by = date.fromisoformat(decision) if decision else None
    assert due_day(day, days, by) == date.fromisoformat(due)
    assert expiry_day(day, days, due_day(day, days, by), by) == date.fromisoformat(expires)


def test_a_plan_whose_clock_stands_still_waits_as_long_as_it_says() -> None:
    days, day = Deadlines(answer_days=45, expire_days=60, within_clock=False), date(2026, 7, 13)
    assert due_day(day, days, date(2026, 7, 20)) == date(2026, 8, 27)
    assert expiry_day(day, days, date(2026, 8, 27), date(2026, 7, 20)) == date(2026, 9, 11)


@given(
    answer=st.integers(1, 60),
    longer=st.integers(0, 30),
    review=st.integers(0, 9),
    remind=st.lists(st.integers(1, 59), max_size=4),
    sent=st.dates(date(2026, 1, 1), date(2030, 1, 1)),
    left=st.integers(-5, 60),
    weekends=st.booleans(),
)
def test_the_days_are_in_order_and_keep_to_the_clock_where_there_is_time(
    answer: int, longer: int, review: int, remind: list[int], sent: date, left: int, weekends: bool
) -> None:
    days = Deadlines(
        answer_days=answer,
        remind_days=tuple(day for day in remind if day < answer),
        expire_days=answer + longer,
        weekends=weekends,
        review_days=review,
    )
    decision = sent + timedelta(days=left)
    due = due_day(sent, days, decision)
    expires = expiry_day(sent, days, due, decision)
    assert sent < due < expires
    assert all(sent < day < due for day in reminder_days(sent, days, due))
    if left > review:
        assert due <= decision - timedelta(days=review)
    if left > review and review:
        assert expires <= decision


def test_a_second_request_counts_on_and_names_the_first() -> None:
    draft = draft_of(case_of(EXAM))
    assert draft is not None
    first = sent(draft)
    second = issued(
        draft,
        reference="X0YY-46A9-YT",
        today=date(2026, 12, 1),
        deadlines=LETTERS.deadlines("x", expedited=False),
        follows=first,
    )
    assert (first.number, second.number, second.follows) == (1, 2, first.reference)


# ------------------------------------------------------------------ the knowledge files


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "words.toml",
            "{element}.",
            "{elements}.",
            "lacks must hold these gaps and no other: {record}, {element}",
        ),
        ("plan.toml", "expire_days = 6\n", "expire_days = 3\n", "expire_days is before answer_days"),
        ("plan.toml", "America/New_York", "Ohio", "no time zone"),
        ("items.toml", '"treatment_plan", "consultation"', '"treatment_plans"', "there is no document type"),
        ("plan.toml", 'name = "Example', 'nane = "Example', "plan.nane"),
    ],
    ids=["gap", "days", "zone", "record", "key"],
)
def test_a_wrong_knowledge_file_is_told_when_it_is_read(
    tmp_path: Path, file: str, old: str, new: str, told: str
) -> None:
    letters = tmp_path / "letters"
    letters.mkdir()
    for path in LETTERS.folder.iterdir():
        text = path.read_text(encoding="utf-8")
        (letters / path.name).write_text(text.replace(old, new, 1) if path.name == file else text)
    with pytest.raises(CatalogError, match="letters") as error:
        load_letters(tmp_path, frozenset(KNOWLEDGE.catalog.documents))
    assert told in str(error.value)


def test_every_fact_that_an_office_can_be_asked_for_has_its_words() -> None:
    from pipeline.catalog.facts import load_facts

    facts = load_facts(KNOWLEDGE.settings.models_dir)
    askable = {fact.name for fact in facts if fact.ask and not fact.computed}
    assert askable <= set(LETTERS.items.facts)


PACKETS_ELSEWHERE = os.environ.get("REQUEST_CASES", "")


@pytest.mark.skipif(not PACKETS_ELSEWHERE, reason="REQUEST_CASES names no folder of cases with expected.json")
def test_packets_elsewhere() -> None:
    """`triage run --each PACKETS --output-dir CASES`, then REQUEST_CASES=CASES:PACKETS."""
    from pipeline.case_json import from_json

    cases, packets = map(Path, PACKETS_ELSEWHERE.split(":"))
    wrong, seen = [], 0
    for path in sorted(packets.glob("*/expected.json")):
        truth = json.loads(path.read_text())
        case = from_json(json.loads((cases / path.parent.name / "case.json").read_text()))
        faults = [*_wrongly_asked(draft_of(case), truth), *_wrongly_cited(draft_of(case), case, truth)]
        wrong += [(path.parent.name, fault) for fault in faults]
        seen += 1
    assert wrong == []
    assert seen


def _wrongly_asked(draft: InformationRequest | None, truth: dict[str, Any]) -> Iterator[str]:
    """What is asked for and is there, and what is lacking and not asked for."""
    if truth["policy"]["outcome"] != "needs_information":
        yield from () if draft is None else [f"asks for {draft.codes}"]
        return
    asked = set(draft.codes) if draft else set()
    for name, state in truth["completeness"].items():
        of_it = {code for code in asked if code.split(".")[0] == name}
        if state == "missing" and of_it != {name}:
            yield f"{name} is missing, asked for: {of_it}"
        if state == "incomplete" and (not of_it or name in of_it):
            yield f"{name} is incomplete, asked for: {of_it}"
        if state == "present" and of_it:
            yield f"{name} is there, asked for: {of_it}"
    facts = {code for code in asked if code.split(".")[0] not in truth["completeness"]}
    if not asked:
        yield "asks for nothing"
    yield from (f"{fact} is stated" for fact in facts if truth["findings"].get(fact) is not None)


def _wrongly_cited(draft: InformationRequest | None, case: Case, truth: dict[str, Any]) -> Iterator[str]:
    """Records that are not what stands on their pages."""
    for record in (
        (one for item in draft.items for found in item.found for one in found.records) if draft else ()
    ):
        file = case.files[record.file - 1 if record.file else 0].name
        there = [
            row["type"]
            for row in truth["documents"]
            if row["file"] == file
            and row["first_page"] <= min(record.pages) <= max(record.pages) <= row["last_page"]
        ]
        if there != [record.type]:
            yield f"{record.type} on pages {record.pages}: {there}"
