"""Who the packet is about, and whose papers do not belong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalog.identity import load_identity
from pipeline.domain import Document, IdentityConflict, Page, Patient, Status
from pipeline.identity import identify
from pipeline.names import PersonName, name_likeness

RULES = load_identity(Path(__file__).parents[1] / "models")

FORM = """PRIOR AUTHORIZATION REQUEST
Member name   Thornbury, Agnes R      DOB  04/05/1950
Member ID     BAY 123456789           Sex  F
Subscriber    Thornbury, Walter       Relation  spouse
Provider      Rhoda Pell, MD          NPI  1999999991"""


def document(number: int, kind: str, text: str, source: str = "text") -> Document:
    page = Page("fax.pdf", number, source, 0, 612, 792, text, ())  # type: ignore[arg-type]  # a literal
    return Document(f"d{number}", kind, "", (page,))


def read(*texts: str, form: str = FORM) -> tuple[Patient, IdentityConflict, tuple[Document, ...]]:
    notes = [document(number, "progress_note", text) for number, text in enumerate(texts, 2)]
    return identify([document(1, "pa_request_form", form), *notes], RULES)


FORMS = [
    "Last  name  Thornbury            First name - Agnes\nDOB 04/05/1950\nMember ID  BAY 123456789\n"
    "PROVIDER\nName      Rhoda Pell, MD    Urology",
    "Patient: Thornbury. Agnes     DOB 4/5/1950\nID#: BAY 123456789",
    "Patient: Agnes R. Thornbury     DOB 4/5/1950\nID#: BAY 123456789",
    "Last name  Thornbury    First name  Agnes    MI R\nBirth date  April 5, 1950\nID no.  BAY 123456789",
    "Last name Thornbury First name Agnes\nDOB 04-05-1950 Sex F\nMember no. BAY 123456789 Group 12",
    "Member ........ Thornbury, Agnes\nID ............ BAY 123456789\nDOB ........... 04/05/50",
    "PT    THORNBURY, AGNES     ACCT 5512\nDOB   04/05/1950\nINS   BAYSIDE       ID  BAY 123456789",
    "1. Member name      THORNBURY, AGNES\n2. Member ID        BAY 123456789\n3. Date of birth    04/05/1950",
    "Thornbury, Agnes   DOB 04/05/1950   BAY 123456789\nPlease call with questions.",
]


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_patient_as_forms_print_one(form: str) -> None:
    patient = read(form=form)[0]
    assert (patient.name.value, patient.dob.value, patient.member_id.value) == (
        "Thornbury, Agnes",
        "1950-04-05",
        "BAY 123456789",
    )


def test_evidence_stands_where_it_says() -> None:
    patient = read()[0]
    for field in (patient.name, patient.dob, patient.member_id):
        evidence = field.evidence[0]
        assert evidence.quote == FORM[evidence.start : evidence.end]
        assert (evidence.document, evidence.page) == ("d1", 1)


def test_nobody_is_named() -> None:
    patient, conflict, documents = read(form="PRIOR AUTHORIZATION REQUEST\nProvider   Rhoda Pell, MD")
    assert [field.status for field in (patient.name, patient.dob, patient.member_id)] == [
        Status.NOT_FOUND
    ] * 3
    assert not conflict.value
    assert documents[0].belongs_to_patient is None


# Papers of the same patient, as they name one.
OWN = [
    "THORNBURY, AGNES R     MRN 700123     DOB 04/05/1950",
    "Agnes Thornbury DOB April 5, 1950 MRN 700123",
    "Patient: A. Thornbury     DOB 4/5/50",
    "Name: Thornbury-Vane, Agnes     DOB 04/05/1950",
    "Patient: Vane, Agnes     DOB 04/05/1950",
    "Patient: THORNBURY, AGNES     DOB 04/06/1950",
    "Patient: THORNBURV, AGNE5     DOB 04/05/1950",
]


@pytest.mark.parametrize(
    "header", OWN, ids=["as is", "order", "initial", "hyphen", "married", "digit", "misread"]
)
def test_papers_of_the_patient(header: str) -> None:
    _, conflict, documents = read(header + "\nSeen today.")
    assert not conflict.value
    assert documents[1].belongs_to_patient is True


OTHERS = [
    "Patient: THORNBERRY, ALBERT     MRN 911000     DOB 09/17/1961",
    "Patient: Thornbury, Ruth     MRN 911000     DOB 11/30/1974",
    "Patient: Thornbury, Agnes     MRN 911000     DOB 12/25/1921",
    "PATIENT: OKAFOR, DENISE     DOB 08/08/1980",
]


@pytest.mark.parametrize("header", OTHERS, ids=["alike", "daughter", "namesake", "stranger"])
def test_papers_of_somebody_else(header: str) -> None:
    own = "Patient: Thornbury, Agnes   MRN 700123   DOB 04/05/1950\nSeen today."
    _, conflict, documents = read(own, header + "\nSeen today.")
    assert conflict.value
    assert [d.belongs_to_patient for d in documents] == [True, True, False]
    assert {evidence.document for evidence in conflict.evidence} == {"d1", "d3"}


def test_a_nickname_is_the_same_person() -> None:
    form = FORM.replace("Thornbury, Agnes R", "Thornbury, Robert")
    _, conflict, documents = read("Patient: Thornbury, Bob     DOB 04/05/1950", form=form)
    assert (conflict.value, documents[1].belongs_to_patient) == (False, True)


NOT_PATIENTS = [
    "Provider: Jonas Wick, MD\nReferring: Ivo Brandt, DO\nSeen today.",
    "FAMILY HISTORY: her mother, Ruth Thornbury, had breast cancer.",
    "CONSENT\nWitness  K. Abara, MA     Date 05/26/2026",
    "Subscriber   Thornbury, Walter    DOB 01/02/1948\nPatient   Thornbury, Agnes   DOB 04/05/1950",
]


@pytest.mark.parametrize("text", NOT_PATIENTS, ids=["providers", "mother", "witness", "subscriber"])
def test_other_names_are_no_conflict(text: str) -> None:
    _, conflict, documents = read(text)
    assert not conflict.value
    assert documents[1].belongs_to_patient is not False


def test_other_documents_decide_between_misread_numbers() -> None:
    cover = document(
        1, "fax_cover", "FAX\nPatient: Thornbury, Agnes  DOB 04/05/1950\nMember ID: BAY 123456189"
    )
    form = document(2, "pa_request_form", FORM)
    patient = identify([cover, form], RULES)[0]
    assert patient.member_id.value == "BAY 123456789"


LIKENESS = [
    (("Vane", "Robert"), ("Vane", "Bob"), 2),
    (("Vane", "Robert"), ("VANE", "R"), 1),
    (("Vane-Holt", "Ann"), ("Vane", "Ann"), 1),
    (("Robert", "Vane"), ("Vane", "Robert"), 2),
    (("Gaines", "Robert"), ("Haines", "Roberta"), 0),
    (("Vane", "Ruth"), ("Vane", "Thomas"), -2),
    (("Holt", "Ann"), ("Vane", "Thomas"), -2),
]


@pytest.mark.parametrize(("one", "other", "likeness"), LIKENESS)
def test_likeness_of_names(one: tuple[str, str], other: tuple[str, str], likeness: int) -> None:
    assert name_likeness(PersonName(*one), PersonName(*other), RULES.names) == likeness


NAMES = [
    ("Muñoz, José", "Muñoz, José"),
    ("JOSÉ MUÑOZ", "Muñoz, José"),
    ("José Mun\u0303oz", "Mun\u0303oz, José"),
    ("de la Cruz, Maria", "de la Cruz, Maria"),
    ("Maria de la Cruz", "de la Cruz, Maria"),
    ("DE LA CRUZ MARIA", "De La Cruz, Maria"),
    ("Pieter van der Meer", "van der Meer, Pieter"),
    ("St. John, Mary", "St. John, Mary"),
    ("Mary St. John", "St. John, Mary"),
    ("Vane Jr, Robert", "Vane, Robert"),
    ("Vane, Jr., Robert", "Vane, Robert"),
    ("Robert Vane, Jr.", "Vane, Robert"),
    ("Robert Vane III", "Vane, Robert"),
    ("O'Brien-Vane, Siobhán", "O'Brien-Vane, Siobhán"),
    ("Case, Norman", "Case, Norman"),
    ("Linda Prior", "Prior, Linda"),
    ("Grace Center", "Center, Grace"),
    ("Do, Linh", "Do, Linh"),
]


@pytest.mark.parametrize(("written", "name"), NAMES)
def test_names_as_papers_write_them(written: str, name: str) -> None:
    patient = read(form=f"Patient name:  {written}     DOB  04/05/1950")[0]
    assert patient.name.value == name


@pytest.mark.parametrize(
    "words",
    ["same as above", "Female", "Member ID", "DOB 04/05/1950", "see attached", "Rhoda Pell, MD", "Unknown"],
)
def test_what_is_no_name_behind_a_label(words: str) -> None:
    assert read(form=f"Patient name:  {words}     Sex  F")[0].name.status is Status.NOT_FOUND


SAME = [
    ("Muñoz, José", "MUNOZ, JOSE"),
    ("de la Cruz, Maria", "Delacruz, Maria"),
    ("de la Cruz, Maria", "Cruz, Maria"),
    ("St. John, Mary", "Saint John, Mary"),
    ("St. John, Mary", "STJOHN, MARY"),
    ("Vane Jr, Robert", "Bob Vane"),
    ("Thornbury, Guadalupe", "Thornbury, Lupe"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_person_under_two_spellings(one: str, other: str) -> None:
    form = f"Patient name:  {one}     DOB  04/05/1950"
    _, conflict, documents = read(f"Patient: {other}     MRN 700123", form=form)
    assert (conflict.value, documents[1].belongs_to_patient) == (False, True)


@pytest.mark.parametrize(
    ("one", "other"), [("Vane Sr, Robert", "Vane Jr, Robert"), ("Cruz, Ana", "de la Cruz, Ana")]
)
def test_the_birth_date_parts_people_of_one_name(one: str, other: str) -> None:
    form = f"Patient name:  {one}     DOB  04/05/1950"
    _, conflict, _ = read(f"Patient: {other}     DOB 11/30/1974     MRN 911000", form=form)
    assert conflict.value


YEARS = [
    ("DOB 4/5/50", "Seen 06/02/2026 and 06/09/2026", "1950-04-05"),
    ("DOB 4/5/12", "Seen 06/02/2026 and 06/09/2026", "2012-04-05"),
    ("DOB 4/5/30", "Seen 06/02/2026 and 06/09/2026", "1930-04-05"),
    ("DOB 4/5/30", "Seen 06/02/2031 and 06/09/2031", "2030-04-05"),
    ("DOB 4/5/30", "Seen 06/02/2026 and 06/09/2026. Effective through 12/31/2099.", "1930-04-05"),
]


@pytest.mark.parametrize(("birth", "papers", "day"), YEARS)
def test_the_century_of_a_birth_year_is_told_by_the_packets_dates(birth: str, papers: str, day: str) -> None:
    patient = read(papers, form=f"Patient: Thornbury, Agnes     {birth}\nMember ID BAY 123456789")[0]
    assert patient.dob.value == day


def test_a_strangers_page_inside_a_document_becomes_a_document() -> None:
    own = "Thornbury, Agnes     MRN 700123     DOB 04/05/1950\nPage 1"
    other = "Okafor, Denise     MRN 911000     DOB 08/08/1980\nPage 2"
    leaves = tuple(Page("fax.pdf", n, "text", 0, 612, 792, t, ()) for n, t in ((2, own), (3, other)))
    note = Document("d2", "progress_note", "", leaves)
    _, conflict, documents = identify([document(1, "pa_request_form", FORM), note], RULES)
    assert conflict.value
    assert [(d.id, d.first_page, d.belongs_to_patient) for d in documents] == [
        ("d1", 1, True),
        ("d2", 2, True),
        ("d3", 3, False),
    ]
