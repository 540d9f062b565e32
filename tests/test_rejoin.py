"""A reply comes to its case and to no other; only what it answers is closed."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from request_packets import KNOWLEDGE, LETTERS, SETTINGS, Made, draft_of, made, read_exactly, recipe_of, sent

from fixtures import render
from fixtures.replies import Reply, answering_records, fax_reply
from pipeline.cases import build_case, evaluate
from pipeline.domain import (
    Alternative,
    Barcode,
    Box,
    Case,
    CaseDocument,
    Completeness,
    Field,
    IdentityConflict,
    Page,
    Reading,
    Request,
    Status,
    Submission,
)
from pipeline.information_request.ours import is_ours
from pipeline.information_request.pdf import letter_pdf
from pipeline.information_request.reference import barcode_text, new_reference
from pipeline.intake.folder import receive
from pipeline.pages import read_submission
from pipeline.rejoin import Known, Match, Portrait, Seen, joined, match, portrait_of, references_in, settle

OPEN = [
    ("kidney_clear_cell", "no_exam"),
    ("kidney_oncocytoma", "no_plan"),
    ("prostate_focal", "no_area"),
    ("lung_stage_not_stated", "wrong_patient"),
]


ISSUED = datetime(2026, 11, 23, 19, 56, 52, tzinfo=UTC)


def reference(number: int) -> str:
    return new_reference(random.Random(number).randrange)


def requests() -> list[Known]:
    drafts = [made(*packet).draft for packet in OPEN]
    cases = [made(*packet).case for packet in OPEN]
    return [
        Known(sent(draft, reference(number)), portrait_of(case), ISSUED)
        for number, (draft, case) in enumerate(zip(drafts, cases, strict=True))
        if draft
    ]


def reply_of(packet: Made, folder: Path) -> tuple[Submission, Reading]:
    """The records that the packet lacks, as exact text and without a sheet on top."""
    sheets = answering_records(packet.recipe)
    pages = [
        render.DrawnPage(lines, sheet.font, sheet.two_column)
        for sheet in sheets
        for lines in render.paginate(sheet)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reply.pdf").write_bytes(render.draw(pages)[0])
    submission = receive([folder])
    return submission, read_exactly(submission)


def found(
    reply: Case,
    seen: Seen | None = None,
    known: list[Known] | None = None,
    *,
    received_at: datetime = ISSUED + timedelta(hours=1),
) -> Match:
    known = known if known is not None else requests()
    return match(reply, seen or Seen(), known, LETTERS, received_at=received_at)


def test_a_member_number_that_is_not_sure_is_not_looked_for() -> None:
    case = replace(made(*OPEN[0]).case, documents=())
    number = case.patient.member_id
    assert len(portrait_of(case).numbers) == 1
    printed = Alternative(str(number.value), "not_readable", number.evidence)
    unsure = Field(status=Status.UNCERTAIN, evidence=number.evidence, alternatives=(printed,))
    assert not portrait_of(replace(case, patient=replace(case.patient, member_id=unsure))).numbers


def test_a_name_and_a_day_that_are_not_sure_are_looked_for() -> None:
    """A reply is held against them with misreading in mind."""
    case = made(*OPEN[0]).case
    name, dob = (
        Field(
            status=Status.UNCERTAIN,
            evidence=known.evidence,
            alternatives=(Alternative(str(known.value), "not_readable", known.evidence),),
        )
        for known in (case.patient.name, case.patient.dob)
    )
    unsure = replace(case, patient=replace(case.patient, name=name, dob=dob))
    assert portrait_of(unsure) == portrait_of(case)


# ------------------------------------------------------------------ as a coarse fax

FAXED = [
    Reply(recipe_of(*OPEN[1]), "letter", "b", turned=True),
    Reply(recipe_of(*OPEN[2]), "cover", "c", covered="left", sheet_turned=True, behind=True),
]


@pytest.mark.parametrize("reply", FAXED, ids=["upside down with the letter", "half covered, last, turned"])
def test_a_faxed_reply_comes_to_its_case_by_the_barcode(reply: Reply, tmp_path: Path) -> None:
    known = requests()
    [own] = [number for number, packet in enumerate(OPEN) if recipe_of(*packet) == reply.recipe]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "fax.pdf").write_bytes(fax_reply(reply, letter_pdf(known[own].request, LETTERS)))
    submission = receive([tmp_path / "in"])
    reading = read_submission(submission, SETTINGS)
    seen = references_in(reading, [one.reference for one in known])
    case = build_case(submission, reading, KNOWLEDGE)
    answer = found(case, seen, known)
    assert answer.by == "barcode"
    assert answer.request == known[own].request
    # the plan's own pages are no records; the office's are
    ours = [page.number for page in reading.pages if is_ours(page)]
    count, pages = len(ours), [page.number for page in reading.pages]
    assert ours == (pages[-count:] if reply.behind else pages[:count])
    assert count == (reply.sheets if reply.top == "cover" else len(pages) - len(case.documents[0].pages))
    assert {d.type for d in case.documents} <= {"history_and_physical", "treatment_plan", "consultation"}
    # without its cover sheet the same fax finds the same case
    assert found(case, Seen(), known).request == known[own].request


# ------------------------------------------------------------------ by the reference


def page(text: str = "", *codes: str, number: int = 1) -> Page:
    barcodes = tuple(Barcode(code, Box(0, 0, 1, 1)) for code in codes)
    return Page("a.pdf", number, "ocr", 0, 612, 792, text, (), barcodes=barcodes)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Your reference {0}", "printed"),
        ("RE: {0} Doe", "printed"),
        ("ref {1}", "misread"),
        ("nothing of ours", "none"),
    ],
)
def test_references_are_seen_as_surely_as_they_were_read(text: str, kind: str) -> None:
    own = reference(0)
    misread = own[:3] + ("W" if own[3] != "W" else "F") + own[4:]
    seen = references_in(Reading((page(text.format(own, misread)),), (), {}), [own, reference(1)])
    assert (
        seen
        == {
            "printed": Seen(printed=frozenset({own})),
            "misread": Seen(misread=frozenset({own})),
            "none": Seen(),
        }[kind]
    )


def test_only_known_references_are_seen() -> None:
    pages = (page(reference(7), barcode_text(reference(8)), "HTTPS://EXAMPLE.ORG"),)
    assert references_in(Reading(pages, (), {}), [reference(0)]) == Seen()


@pytest.mark.parametrize(
    ("text", "code", "ours"),
    [
        ("", barcode_text(reference(0)), True),
        (f"Request for records   {reference(0)}   page 1 of 2\nExample Health Plan", "", True),
        (f"Requcst for recards {reference(0)} pago 1 of 2", "", True),
        (f"FAX to the plan\nRE: your request for records {reference(0)}", "", False),
        ("HISTORY AND PHYSICAL page 1 of 2", "", False),
        ("", "SEPARATOR-PAGE-T", False),
    ],
    ids=[
        "barcode",
        "letter",
        "misread letter",
        "an office's sheet that quotes it",
        "a note",
        "another barcode",
    ],
)
def test_pages_that_the_plan_sent_are_told_from_those_of_an_office(text: str, code: str, ours: bool) -> None:
    assert is_ours(page(text, *([code] if code else []))) is ours


EMPTY = Case("r", "complete", (), None, ())


def test_a_barcode_goes_before_print_and_print_before_a_guess() -> None:
    known = requests()
    seen = Seen(frozenset({reference(0)}), frozenset({reference(1)}), frozenset({reference(2)}))
    assert found(EMPTY, seen, known).request == known[0].request
    assert found(EMPTY, replace(seen, barcodes=frozenset()), known).request == known[1].request
    assert found(EMPTY, Seen(misread=frozenset({reference(2)})), known).request == known[2].request


def test_sheets_of_two_cases_in_one_fax_wait_for_a_person() -> None:
    answer = found(EMPTY, Seen(frozenset({reference(0), reference(1)})))
    assert (answer.request, answer.reason) == (None, "several")
    assert answer.candidates == tuple(sorted([reference(0), reference(1)]))


def test_the_sheet_may_lie_in_another_file_or_come_more_than_once() -> None:
    [first, *_], own = requests(), barcode_text(reference(0))
    pages = (
        replace(page("Patient notes"), file="records.pdf"),
        replace(page("", own), file="sheet.pdf"),
        replace(page(f"Request for records {reference(0)} page 1 of 2", own, number=2), file="sheet.pdf"),
    )
    seen = references_in(Reading(pages, (), {}), [one.reference for one in requests()])
    assert found(EMPTY, seen).request == first.request
    assert [is_ours(one) for one in pages] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Your reference {0}", "printed"),
        (
            "Your reference {0[2]}{0[3]}-{0[5]}{0[6]}{0[7]}{0[8]}-{0[10]}{0[11]}",
            "none",
        ),  # its left end is cut
        ("Your reference {0[0]}{0[1]}{0[2]}{0[3]}-{0[5]}{0[6]}", "none"),
    ],
)
def test_a_reference_that_is_partly_cut_off_points_at_nobody(text: str, seen: str) -> None:
    got = references_in(Reading((page(text.format(reference(0))),), (), {}), [reference(0), reference(1)])
    assert got == (Seen(printed=frozenset({reference(0)})) if seen == "printed" else Seen())


def test_the_sheet_of_a_first_request_answers_the_second_of_its_case() -> None:
    known = requests()
    second = replace(known[0], request=replace(known[0].request, reference=reference(9), number=2))
    answer = found(EMPTY, Seen(frozenset({reference(0)})), [replace(known[0], open=False), second])
    assert answer.reason == "closed"
    both = Seen(frozenset({reference(0), reference(9)}))
    assert found(EMPTY, both, [replace(known[0], open=False), second]).request == second.request


def test_a_reply_to_a_closed_request_waits_for_a_person() -> None:
    [first, *_] = requests()
    answer = found(EMPTY, Seen(frozenset({first.reference})), [replace(first, open=False)])
    assert (answer.request, answer.reason) == (None, "closed")


def saying(*lines: str, kind: str = "history_and_physical", cpt: str = "") -> Case:
    """A reply of one document with these lines."""
    document = CaseDocument("d1", "a.pdf", kind, None, "", 1, 1, 0.9, (1,), text="\n".join(lines))
    shown = made(*OPEN[0]).case.patient.name.evidence
    services = (Field(cpt, Status.FOUND, 0.9, evidence=shown),) if cpt else ()
    return replace(EMPTY, documents=(document,), request=Request(services))


def who(number: int = 0) -> Portrait:
    return requests()[number].portrait


def born(portrait: Portrait) -> str:
    assert portrait.dob
    year, month, day = portrait.dob.split("-")
    return f"{month}/{day}/{year}"


def test_the_right_sheet_on_the_records_of_somebody_else_waits_for_a_person() -> None:
    seen = Seen(frozenset({reference(0)}))
    answer = found(saying("Patient: Ottilie Zuckerman   DOB 07/04/1931"), seen)
    assert (answer.request, answer.reason) == (None, "another_patient")
    own = who()
    assert found(saying(f"Patient: {own.first} {own.last}   DOB 07/04/1931"), seen).request is not None
    assert found(saying("Please find the records attached."), seen).request is not None


# ------------------------------------------------------------------ by what it says


@pytest.mark.parametrize("number", range(len(OPEN)))
def test_records_without_a_sheet_find_their_case(number: int, tmp_path: Path) -> None:
    submission, reading = reply_of(made(*OPEN[number]), tmp_path)
    answer = found(build_case(submission, reading, KNOWLEDGE))
    assert answer.by == "content"
    assert answer.request == requests()[number].request


def test_a_misread_name_and_day_still_find_the_case() -> None:
    own = who()
    assert own.dob
    misread_day = born(own).replace("19", "18", 1)
    misread = own.last[:2] + "x" + own.last[3:]
    [number, *_] = sorted(own.numbers)
    for lines in (
        [f"{own.last.upper()}, {own.first.upper()}  DOB: {born(own)}"],
        [f"{own.first} {misread}   DOB {misread_day}   MRN {number}"],
        [f"Patient {own.last}, {own.first}", f"Member {number}"],
    ):
        assert found(saying(*lines)).request == requests()[0].request, lines


def test_second_request_additional_records_attached() -> None:
    own = who()
    said = [
        "FAX",
        f"RE: {own.first} {own.last}   DOB {born(own)}",
        "Second request, additional records attached.",
    ]
    assert found(saying(*said, kind="fax_cover")).request == requests()[0].request
    assert found(saying(said[0], said[2], kind="fax_cover")).reason == "unknown"


@pytest.mark.parametrize("what", ["name", "namesake", "twin", "birth date", "nothing", "sign of no other"])
def test_identity_is_never_stretched(what: str) -> None:
    own = who()
    lines = {
        "name": f"Patient: {own.last}, {own.first}",
        "namesake": f"Patient: {own.last}, {own.first}  DOB 11/30/1934",
        "twin": f"Patient: {own.last}, Marybeth  DOB {born(own)}",
        "birth date": f"DOB {born(own)}",
        "nothing": "Records attached.",
        "sign of no other": f"Patient: Zuckerman, Ottilie  DOB {born(own)}",
    }
    answer = found(saying(lines[what]))
    assert answer.request is None
    assert answer.reason in ("unknown", "not_sure")


def test_a_new_request_for_another_service_is_no_reply() -> None:
    own = who()
    line = f"Patient: {own.last}, {own.first}  DOB {born(own)}"
    answer = found(saying(line, kind="pa_request_form", cpt="19105"))
    assert (answer.request, answer.reason) == (None, "not_sure")
    assert answer.candidates[0] == reference(0)
    same = requests()[0].request.about.services[0]
    assert found(saying(line, "additional records", kind="pa_request_form", cpt=same)).request is not None


def test_two_open_requests_for_one_patient_wait_for_a_person() -> None:
    [first, *_] = requests()
    twin = replace(first, request=replace(first.request, case_id="other", reference=reference(9)))
    own = first.portrait
    answer = found(saying(f"{own.last}, {own.first} DOB {born(own)}"), known=[first, twin])
    assert (answer.request, answer.reason) == (None, "not_sure")


def test_a_closed_request_is_not_found_by_content() -> None:
    [first, *_] = requests()
    own = first.portrait
    reply = saying(f"{own.last}, {own.first} DOB {born(own)}")
    assert found(reply, known=[replace(first, open=False)]).reason == "unknown"


def own_records() -> str:
    own = who()
    return f"Patient: {own.last}, {own.first}   DOB {born(own)}"


@pytest.mark.parametrize(("seconds", "joined_to"), [(-175, None), (0, None), (1, reference(0))])
def test_what_came_before_it_was_asked_for_is_no_reply(seconds: int, joined_to: str | None) -> None:
    came = ISSUED + timedelta(seconds=seconds)
    answer = found(saying(own_records()), received_at=came)
    assert (answer.request.reference if answer.request else None) == joined_to
    assert answer.reason == (None if joined_to else "unknown")
    # our sheet cannot have come before the request: a channel's clock is wrong
    seen = Seen(frozenset({reference(0)}))
    assert found(saying(own_records()), seen, received_at=came).by == "barcode"


def test_a_request_of_which_no_moment_is_known_is_found_by_its_reference_alone() -> None:
    known = [replace(requests()[0], issued_at=None)]
    assert found(saying(own_records()), known=known).reason == "unknown"
    assert found(saying(own_records()), Seen(printed=frozenset({reference(0)})), known).by == "reference"


def test_a_request_that_was_issued_later_is_none_of_two_that_a_reply_fits_alike() -> None:
    [first, *_] = requests()
    asked = replace(first.request, case_id="other", reference=reference(9))
    later = replace(first, request=asked, issued_at=ISSUED + timedelta(hours=2))
    assert found(saying(own_records()), known=[first, later]).request == first.request


STRANGER = "Patient: Zuckerman, Ottilie   DOB 07/04/1931"


@pytest.mark.parametrize(
    ("second", "belongs", "conflict", "is_joined"),
    [
        (own_records(), None, False, True),
        ("Please find the records attached.", None, False, True),
        (STRANGER, False, False, False),  # a document that is known not to be the patient's
        (STRANGER, None, False, False),  # or that says it itself
        (own_records(), None, True, False),  # or some page of one of them
    ],
    ids=["own", "says nobody", "marked", "says another", "conflict"],
)
def test_pages_of_another_patient_come_to_no_case_by_what_the_rest_says(
    second: str, belongs: bool | None, conflict: bool, is_joined: bool
) -> None:
    reply = saying(own_records(), "additional records")
    other = replace(reply.documents[0], id="d2", text=second, belongs_to_patient=belongs)
    reply = replace(
        reply,
        documents=(*reply.documents, other),
        completeness=Completeness(identity_conflict=IdentityConflict(conflict)),
    )
    answer = found(reply)
    assert (answer.request is not None) is is_joined
    assert answer.reason == (None if is_joined else "another_patient")
    assert answer.candidates[0] == reference(0)
    # under our sheet the office says what it answers
    assert found(reply, Seen(frozenset({reference(0)}))).by == "barcode"


# ------------------------------------------------------------------ joined and worked again


@pytest.mark.parametrize(("number", "closes"), [(0, 1), (1, 1), (2, 1), (3, 1)])
def test_the_joined_case_has_all_pages_and_asks_only_for_the_rest(
    number: int, closes: int, tmp_path: Path
) -> None:
    packet = made(*OPEN[number])
    before = requests()[number].request
    reply = reply_of(packet, tmp_path)
    submission, reading = joined((packet.submission, packet.reading), reply)
    assert submission.id == packet.submission.id
    assert len(reading.pages) == len(packet.reading.pages) + len(reply[1].pages)
    case = evaluate(build_case(submission, reading, KNOWLEDGE), SETTINGS)
    after = draft_of(case)
    settled = settle(before, after, outcome=case.evaluation.outcome if case.evaluation else None)
    assert len(settled.closed) == closes
    assert settled.open == before.codes[closes:]
    assert settled.new == ()
    assert (after.codes if after else ()) == before.codes[closes:]


def test_a_reply_that_answers_nothing_closes_nothing(tmp_path: Path) -> None:
    packet = made(*OPEN[0])
    wrong = reply_of(made(*OPEN[1]), tmp_path)  # another patient's plan, joined by a person's mistake
    submission, reading = joined((packet.submission, packet.reading), wrong)
    case = evaluate(build_case(submission, reading, KNOWLEDGE), SETTINGS)
    before = requests()[0].request
    settled = settle(before, draft_of(case), outcome="needs_information")
    assert settled.closed == ()
    assert settled.open == before.codes
    assert case.completeness.identity_conflict.value


def test_files_of_one_name_are_told_apart_and_a_file_sent_again_is_there_once(tmp_path: Path) -> None:
    packet = made(*OPEN[0])
    name = packet.submission.files[0].name
    same = replace(packet.submission, id="reply")
    submission, reading = joined((packet.submission, packet.reading), (same, packet.reading))
    assert [file.name for file in submission.files] == [name]
    assert reading.pages == packet.reading.pages
    other = replace(same, files=tuple(replace(file, sha256="1" * 64) for file in same.files))
    submission, reading = joined((packet.submission, packet.reading), (other, packet.reading))
    assert [file.name for file in submission.files] == [name, name.replace(".pdf", " (2).pdf")]
    assert set(reading.page_counts) == {file.name for file in submission.files}
    repeated = [page.duplicate_of for page in reading.pages[len(packet.reading.pages) :]]
    assert repeated == [(name, page.number) for page in packet.reading.pages]


@pytest.mark.parametrize(
    ("before", "after", "closed", "still", "new"),
    [
        (["a", "b"], ["b"], ["a"], ["b"], []),
        (["a"], [], ["a"], [], []),
        (["plan"], ["plan.area"], [], ["plan"], []),
        (["stage"], ["nodes"], ["stage"], [], ["nodes"]),
        (["plan.area"], ["plan.area"], [], ["plan.area"], []),
    ],
)
def test_settling(
    before: list[str], after: list[str], closed: list[str], still: list[str], new: list[str]
) -> None:
    request = requests()[0].request

    def asking(codes: list[str]) -> tuple[object, ...]:
        return tuple(replace(request.items[0], code=code) for code in codes)

    first = replace(request, items=asking(before))
    second = replace(request, items=asking(after)) if after else None
    settled = settle(first, second, outcome="needs_information")
    assert (list(settled.closed), list(settled.open), list(settled.new)) == (closed, still, new)


def test_what_is_not_needed_any_more_is_closed_as_that_and_a_parked_case_closes_nothing() -> None:
    request = requests()[0].request
    assert settle(request, None, outcome="other_policy").why == "not_needed"
    assert settle(request, None, outcome=None).open == request.codes
