"""What several recognised papers print of a name or a birth date, and when that is sure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest

from pipeline.agreement import Print, decided
from pipeline.catalog.identity import load_identity
from pipeline.domain import Box, Document, Field, Page, Patient, Status, Word
from pipeline.identity import identify

RULES = load_identity(Path(__file__).parents[1] / "models")


def paper(
    number: int,
    text: str,
    *,
    kind: str = "progress_note",
    source: Literal["text", "ocr"] = "ocr",
    legible: float = 0.9,
    unsure: str = "",
    confirmed: bool = True,
) -> Document:
    """A paper of one page; the word `unsure` was read with next to no certainty."""
    words = tuple(
        Word(
            match.group(),
            Box(0, 0, 9, 9),
            match.start(),
            match.end(),
            0.1 if match.group() == unsure else 0.9,
            confirmed or not any(map(str.isdigit, match.group())),
        )
        for match in re.finditer(r"\S+", text)
    )
    page = Page("fax.pdf", number, source, 0, 612, 792, text, words, mean_confidence=legible)
    return Document(f"d{number}", kind, "", (page,))


def patient_of(*papers: Document) -> Patient:
    return identify(papers, RULES)[0]


def told(field: Field) -> tuple[Status, object, list[object]]:
    return field.status, field.value, [other.value for other in field.alternatives]


def named(*names: str, form: str = "Vane, Ottilie") -> Field:
    """The patient's name, of a recognised request form and notes, each with its name."""
    notes = [
        paper(number, f"Patient: {name.removeprefix('Patient: ')}     MRN 700123")
        for number, name in enumerate(names, 2)
    ]
    return patient_of(paper(1, f"Patient: {form}     MRN 700123", kind="pa_request_form"), *notes).name


FOUND, UNCERTAIN = Status.FOUND, Status.UNCERTAIN
OTTILIE, OTTILLE = "Vane, Ottilie", "Vane, Ottille"


@pytest.mark.parametrize(
    ("form", "notes", "expected"),
    [
        (OTTILIE, [], (FOUND, OTTILIE, [])),
        (OTTILIE, [OTTILIE], (FOUND, OTTILIE, [])),
        (OTTILIE, [OTTILLE], (UNCERTAIN, None, [OTTILIE, OTTILLE])),
        (OTTILLE, [OTTILIE, OTTILIE], (UNCERTAIN, None, [OTTILIE, OTTILLE])),
        (OTTILLE, [OTTILIE, OTTILIE, "VANE, OTTILIE"], (FOUND, OTTILIE, [])),
        (OTTILLE, [OTTILLE, OTTILIE, OTTILIE, OTTILIE], (UNCERTAIN, None, [OTTILIE, OTTILLE])),
        (
            OTTILIE,
            ["Vane, O", "Vane, Bertha", "Ruth Pell"],
            (FOUND, OTTILIE, []),
        ),  # none is a misreading of it
        (OTTILLE, ["VANE OTTILIE"] * 3, (FOUND, OTTILIE, [])),  # last and first as the form has them
        ("VANE OTTILIE", [OTTILIE], (FOUND, OTTILIE, [])),  # or as another does
        ("Vame, O", [OTTILIE] * 3, (FOUND, OTTILIE, [])),  # an initial votes on the other part alone
        ("McDonald, Ann", ["Mc Donald, Ann"], (FOUND, "McDonald, Ann", [])),
        ("Vane-Pell, Ann", ["VanePell, Anna"], (FOUND, "Vane-Pell, Ann", [])),  # Anna is as good as Ann
        ("Møller, Ann", ["Moller, Ann"], (FOUND, "Møller, Ann", [])),
        # a paper has its say for what it prints most
        (OTTILIE, ["\n".join([f"Patient: {OTTILIE}"] * 3 + [f"Patient: {OTTILLE}"])], (FOUND, OTTILIE, [])),
        # each part is voted on, and some paper must print both as they were voted
        ("Vame, Ottilie", [OTTILLE, OTTILIE, "Vane, Ottilie", OTTILIE], (FOUND, OTTILIE, [])),
    ],
)
def test_papers_vote_on_a_name(form: str, notes: list[str], expected: object) -> None:
    assert told(named(*notes, form=form)) == expected


def test_a_name_that_was_voted_stands_where_it_is_printed_so() -> None:
    field = named(OTTILIE, OTTILIE, OTTILIE, form=OTTILLE)
    assert [(shown.document, shown.quote) for shown in field.evidence] == [("d2", OTTILIE)]


def test_in_capitals_without_a_comma_last_and_first_are_told_by_the_other_papers() -> None:
    assert told(named("VANE OTTILIE", "VANE OTTILIE")) == (FOUND, OTTILIE, [])


def test_a_text_layer_decides_over_recognised_pages() -> None:
    form = paper(1, f"Patient: {OTTILLE}     MRN 700123", kind="pa_request_form")
    notes = [paper(2, f"Patient: {OTTILLE}     MRN 700123")]
    typed = paper(4, f"Patient: {OTTILIE}     MRN 700123", source="text")
    assert told(patient_of(form, *notes, typed).name) == (FOUND, OTTILIE, [])


def test_among_text_layers_the_paper_that_says_who_the_patient_is_decides() -> None:
    form = paper(1, "Patient: Vane, Bertha   DOB 07/15/1946", kind="pa_request_form", source="text")
    notes = [paper(number, "Patient: Vane, Berta   DOB 07/15/1948", source="text") for number in (2, 3)]
    patient = patient_of(form, *notes)
    assert (patient.name.value, patient.dob.value) == ("Vane, Bertha", "1946-07-15")


JOAN, JOHN = "Patient: Vane, Joan   DOB 07/15/1946", "Patient: Vane, John"


@pytest.mark.parametrize(
    ("recognised", "typed", "name", "day"),
    [
        # what no paper that names the patient says is no answer
        ([JOAN] * 3, [JOHN], "Vane, Joan", "1946-07-15"),
        # as many as print it, then as the form does
        (
            ["Patient: Vane, Bertha   DOB 07/15/1946"],
            [
                "Patient: Vane, Berta   DOB 07/15/1948",
                *["Patient: Vane, Bertha   DOB 07/15/1946"] * 2,
            ],
            "Vane, Bertha",
            "1946-07-15",
        ),
        (
            ["Patient: Vane, Bertha   DOB 07/15/1946"],
            ["Patient: Vane, Berta   DOB 07/15/1948", "Patient: Vane, Bertha   DOB 07/15/1946"],
            "Vane, Bertha",
            "1946-07-15",
        ),
        # a sure vote of many and a text layer that say otherwise are for a person
        ([JOAN] * 3, ["Patient: Vane, Joan   DOB 07/15/1948"], "Vane, Joan", None),
        # whose order is not told is read as the others have it
        (["Patient: VANE OTTILIE"], ["Patient: Vane, Ottilie"] * 2, OTTILIE, None),
    ],
)
def test_a_recognised_form_and_text_layers(
    recognised: list[str], typed: list[str], name: str, day: str | None
) -> None:
    form, *notes = recognised
    papers = [paper(1, form, kind="pa_request_form")]
    papers += [paper(number, text) for number, text in enumerate(notes, 2)]
    papers += [paper(number, text, source="text") for number, text in enumerate(typed, 2 + len(notes))]
    patient = patient_of(*papers)
    assert (patient.name.value, patient.dob.value) == (name, day)


def test_papers_of_somebody_else_have_no_vote() -> None:
    form = paper(1, "Patient: Vane, Joan   DOB 07/15/1946", kind="pa_request_form")
    others = [paper(number, "Patient: Vane, John   DOB 03/02/1939", source="text") for number in (2, 3)]
    patient, conflict, _ = identify([form, *others], RULES)
    assert conflict.value
    assert (patient.name.value, patient.dob.value) == ("Vane, Joan", "1946-07-15")


def test_a_birth_date_beside_another_last_name_is_the_patients_where_there_is_no_other() -> None:
    form = paper(1, "Patient: Pell, Ottilie", kind="pa_request_form", source="text")
    note = paper(2, f"Patient: {OTTILIE}   DOB 07/15/1946", source="text")
    patient, conflict, _ = identify([form, note], RULES)
    assert patient.dob.value == "1946-07-15"
    assert not conflict.value
    nobody = paper(3, "DOB 03/02/1939", source="text")
    assert patient_of(form, note, nobody).dob.value == "1946-07-15"


def test_what_can_hardly_be_read_disputes_nothing() -> None:
    form = paper(1, f"Patient: {OTTILIE}", kind="pa_request_form")
    assert told(patient_of(form, paper(2, f"Patient: {OTTILLE}", unsure="Ottille")).name) == (
        FOUND,
        OTTILIE,
        [],
    )


def test_what_can_be_read_of_a_name_has_its_vote_beside_what_cannot() -> None:
    form = paper(1, f"Patient: {OTTILIE}", kind="pa_request_form")
    others = [paper(2, "Patient: Vame, Ottilie"), paper(3, f"Patient: {OTTILIE}")]
    assert patient_of(form, *others).name.status is UNCERTAIN
    others.append(paper(4, "Patient: Vane, Ottifie", unsure="Ottifie"))
    assert told(patient_of(form, *others).name) == (FOUND, OTTILIE, [])


def test_an_initial_that_can_hardly_be_read_is_for_a_person() -> None:
    assert told(patient_of(paper(1, "Patient: Vane, O")).name) == (FOUND, "Vane, O", [])
    unsure = patient_of(paper(1, "Patient: Vane, O", unsure="Vane,")).name
    assert told(unsure) == (UNCERTAIN, None, ["Vane, O"])


@pytest.mark.parametrize(("legible", "unsure"), [(0.5, ""), (0.9, "Ottilie")])
def test_a_name_that_one_paper_alone_has_and_hardly_shows_is_for_a_person(
    legible: float, unsure: str
) -> None:
    field = patient_of(paper(1, "Patient: Vane, Ottilie", legible=legible, unsure=unsure)).name
    assert told(field) == (UNCERTAIN, None, [OTTILIE])
    assert [other.reason for other in field.alternatives] == ["not_readable"]
    assert field.likeliest == OTTILIE


def test_a_form_that_hardly_shows_a_name_does_not_say_who_the_patient_is() -> None:
    form = paper(1, "Patient: Fanwardeo, Oeiie     MRN 700123", kind="pa_request_form", unsure="Oeiie")
    notes = [paper(number, f"Patient: {OTTILIE}     MRN 700123") for number in (2, 3)]
    assert told(patient_of(form, *notes).name) == (FOUND, OTTILIE, [])


def born(*days: str) -> Field:
    """The birth date, of papers that print these; "?" behind one tells that its digits are not confirmed."""
    papers = [
        paper(number, f"Patient: {OTTILIE}     DOB {day.rstrip('?')}", confirmed=not day.endswith("?"))
        for number, day in enumerate(days, 1)
    ]
    return patient_of(*papers).dob


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (["07/15/1946"], (FOUND, "1946-07-15", [])),
        (["07/15/1946?"], (UNCERTAIN, None, ["1946-07-15"])),
        (["07/15/1946", "15 Jul 1946"], (FOUND, "1946-07-15", [])),
        # papers of one fax are misread alike
        (["07/15/1948?", "15 Jul 1948?"], (UNCERTAIN, None, ["1948-07-15"])),
        (["07/15/1948?", "15 Jul 1948?", "07/15/1946"], (FOUND, "1946-07-15", [])),
        (["07/15/1946?", "15 Jul 1946?", "7/15/46?"], (FOUND, "1946-07-15", [])),
        ([*["07/15/1946"] * 4, *["07/15/1948?"] * 3], (FOUND, "1946-07-15", [])),
        (["07/15/1948", *["07/15/1946?"] * 3], (UNCERTAIN, None, ["1948-07-15", "1946-07-15"])),
        (
            ["07/15/1946?", "15 Jul 1946?", "7/15/46?", "7/15/48?"],
            (UNCERTAIN, None, ["1946-07-15", "1948-07-15"]),
        ),
        (["07/15/1948", "07/15/1946", "07/15/1946"], (UNCERTAIN, None, ["1946-07-15", "1948-07-15"])),
        (["07/18/1948", *["07/15/1946"] * 3], (FOUND, "1946-07-15", [])),
        (["07/15/1946", "15 Jul 1946", "11/30/1921"], (FOUND, "1946-07-15", [])),  # no misreading of it
    ],
)
def test_papers_vote_on_a_birth_date(days: list[str], expected: object) -> None:
    assert told(born(*days)) == expected


def test_the_birth_date_on_a_paper_of_somebody_else_is_not_the_patients() -> None:
    stranger = paper(1, "Patient: Vane, Orville     DOB 07/04/1953")
    own = [
        paper(2, f"Patient: {OTTILIE}     DOB 08/18/1969"),
        paper(3, f"Patient: {OTTILIE}", kind="pa_request_form"),
    ]
    assert told(patient_of(stranger, *own).dob) == (FOUND, "1969-08-18", [])


def test_a_paper_has_one_vote_however_often_it_prints_a_thing() -> None:
    often = paper(1, "A A A A")
    prints = [Print(often, start, start + 1, "a") for start in (0, 2, 4, 6)]
    other = paper(2, "B")
    verdict = decided([*prints, Print(other, 0, 1, "b")], RULES.believed)
    assert (verdict.key, verdict.sure) == ("a", False)
