"""No form of a request says anything of another patient, or a word that decides, whatever the packet says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from email.message import EmailMessage
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from request_packets import KNOWLEDGE, LETTERS, Made, made, sent

from pipeline.correspondence import To
from pipeline.correspondence.outgoing import parcel_of
from pipeline.delivery import Parcel
from pipeline.delivery.folder import Folder
from pipeline.delivery.mail import _message
from pipeline.delivery.webhook import _body
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
    Patient,
    Problem,
    Request,
    Requirement,
    Status,
)
from pipeline.information_request import draft_request
from pipeline.information_request.fhir import Provider, attachment_task, communication_request, lacking
from pipeline.information_request.letter import letter_blocks, letter_html
from pipeline.information_request.record import InformationRequest
from pipeline.information_request.x12 import x12_277

POLICY = KNOWLEDGE.catalog.policies["cryosurgical-ablation"]
TYPES = KNOWLEDGE.catalog.documents
WHO = Provider("Lakeside Urology", "1234567893", "(614) 555-0101")
TO = To(("folder",), WHO, "(614) 555-0101")
DECIDING = ["denied", "Approved", "NOT MEDICALLY NECESSARY", "rejected", "certified", "investigational"]


def written(request: InformationRequest) -> dict[str, str]:
    """The forms as text. Letter, PDF and HTML are of the same blocks."""
    made_of = {
        "letter.html": letter_html(request, LETTERS),
        "x12": json.dumps(x12_277(request, LETTERS, WHO)),
    }
    if not lacking(request, WHO):
        made_of["task"] = json.dumps(attachment_task(request, LETTERS, WHO))
        made_of["communication"] = json.dumps(communication_request(request, LETTERS, WHO))
    return made_of


def sent_out(request: InformationRequest, folder: Path) -> dict[str, str]:
    """Everything that leaves the house for a request, as text."""
    parcel = parcel_of(request, TO, KNOWLEDGE)
    told = {part.name: part.content.decode("utf-8", "replace") for part in parcel.parts[1:]}
    told["letter.pdf"] = "\n".join(
        page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(parcel.parts[0].content)
    )
    told["letter.html"] = letter_html(request, LETTERS)
    told["resources"] = json.dumps(list(parcel.resources))
    told["mail"] = _mail_text(parcel)
    told["webhook"] = json.dumps({**json.loads(_body(parcel)), "parts": [one.name for one in parcel.parts]})
    laid = folder / Folder(folder).deliver(parcel).id
    told["parcel.json"] = (laid / "parcel.json").read_text() + str(sorted(one.name for one in laid.iterdir()))
    return told


def _mail_text(parcel: Parcel) -> str:
    message: EmailMessage = _message(parcel, "um@plan.example")
    body = message.get_body()
    names = [part.get_filename() for part in message.iter_attachments()]
    return f"{message.items()} {body.get_content() if body else ''} {names}"


# ------------------------------------------------------------------ made packets

STRANGERS = [
    (scenario, "wrong_patient", turn)
    for turn, scenario in enumerate(
        ["kidney_clear_cell", "prostate_salvage", "lung_adenocarcinoma_ia", "uvea_melanoma", "cervix_cin3"]
    )
]


def strangers_words(packet: Made) -> set[str]:
    other, patient = packet.people.other, packet.people.patient
    born = other.born
    words = {other.first, other.mrn, other.member_id, other.member_id.split()[-1]}
    words |= {born.isoformat(), born.strftime("%m/%d/%Y"), f"{born.month}/{born.day}/{born.year}"}
    return words | ({other.last} if other.last != patient.last else set())


@pytest.mark.parametrize(("scenario", "gap", "turn"), STRANGERS, ids=[name for name, _, _ in STRANGERS])
def test_no_form_holds_anything_of_the_other_patient(
    scenario: str, gap: str, turn: int, tmp_path: Path
) -> None:
    packet = made(scenario, gap, turn)
    assert packet.case.completeness.identity_conflict.value
    assert packet.request.about.name == f"{packet.people.patient.last}, {packet.people.patient.first}"
    for name, text in sent_out(packet.request, tmp_path).items():
        for word in strangers_words(packet):
            assert word not in text, name
        assert not LETTERS.decides(text), name


# ------------------------------------------------------------------ any packet

MARK = "Qxzv"  # stands in everything that is the stranger's, or that a sender named
SAYS = st.sampled_from([f"{MARK} stage IV", f"{MARK}, Jane", "IIB", "denied", "approved by the plan", "IA"])
MISSING = st.lists(
    st.sampled_from(
        [
            "history_and_physical",
            "history_and_physical.physical_exam",
            "history_and_physical.date",
            "treatment_plan",
            "treatment_plan.treatment_area",
            "stage_group",
            "behavior",
            "origin",
            "x9",
            "denied.because",
        ]
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[CaseDocument, ...]:
    """The patient's documents and a stranger's, in any order."""
    kinds = st.sampled_from(["pa_request_form", "history_and_physical", "treatment_plan", "pathology_report"])
    found = []
    for number in range(1, draw(st.integers(2, 6))):
        own = draw(st.sampled_from([True, None, False]))
        text = f"{MARK} 07/04/1931" if own is False else "Patient Doe, Jane"
        day = "1931-07-04" if own is False else "2026-07-01"
        found.append(
            CaseDocument(
                f"d{number}",
                f"{MARK} denied.pdf",
                draw(kinds),
                None,
                f"{MARK} title",
                number,
                number,
                0.9,
                (number,),
                draw(st.sampled_from([day, None])),
                own,
                text,
            )
        )
    return tuple(found)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    came = draw(documents())
    own = [one for one in came if one.belongs_to_patient is not False]

    def shown(among: list[CaseDocument]) -> tuple[Evidence, ...]:
        picked = draw(st.lists(st.sampled_from(among), min_size=1, max_size=2)) if among else []
        quote = f"{MARK} quoted"
        return tuple(Evidence(d.file, d.first_page, d.id, 0, 4, quote) for d in picked) or (
            Evidence(f"{MARK}.pdf", None, None, None, None, quote),
        )

    def said() -> Field:
        """A value on the patient's own pages, or one on any page: then it may be the stranger's."""
        if own and draw(st.booleans()):
            value = draw(st.sampled_from(["IIB", "IA", "denied", "approved by the plan"]))
            return Field(value, Status.CONFLICTING, 0.5, evidence=shown(own), alternatives=others())
        strangers = [one for one in came if one.belongs_to_patient is False]
        if not strangers:
            return Field()
        return Field(draw(SAYS), Status.CONFLICTING, 0.5, evidence=shown(strangers), alternatives=others())

    def others() -> tuple[Alternative, ...]:
        strangers = [one for one in came if one.belongs_to_patient is False]
        return (Alternative(f"{MARK} value", "conflicting", shown(strangers)),) if strangers else ()

    def about(value: str) -> Field:
        strangers = [one for one in came if one.belongs_to_patient is False]
        if strangers and draw(st.booleans()):
            return Field(f"{MARK}-{value}", Status.FOUND, 0.9, evidence=shown(strangers))
        return Field(value, Status.FOUND, 0.9, evidence=shown(own)) if own else Field()

    codes = draw(MISSING)
    statuses = st.sampled_from(["missing", "incomplete", "unclear", "present"])
    named = draw(st.sampled_from([None, *(one.id for one in came)]))
    elements = {"physical_exam": Element(Met.MISSING), "history": Element(Met.UNCLEAR)}
    asks = st.sampled_from(["Send it.", "Denied: not documented", "The request was not approved"])
    settles = ("stage_group", "t+n+m", "behavior", "origin")
    return Case(
        case_id="c1",
        status="complete",
        problems=(
            Problem(f"{MARK} denied.pdf", 1, "missing_page", f"page 2 of 3 {MARK}"),
            Problem(f"{MARK} denied.pdf", 2, "timed_out", f"{MARK} took too long"),
            Problem(f"{MARK} denied.pdf", 1, "announced_not_received", f"Treatment plan: {MARK}"),
        ),
        policy=POLICY.ref,
        files=tuple(
            CaseFile(name, "0" * 64, "application/pdf", 9) for name in (f"{MARK} denied.pdf", f"{MARK} 2.pdf")
        ),
        documents=came,
        patient=Patient(about("Doe, Jane"), about("1950-01-02"), about("M12345678")),
        request=Request((about("32994"),), expedited=Field()),
        findings={
            name: said() for name in ("stage_group", "t", "n", "m", "node_status", "behavior", "origin")
        },
        completeness=Completeness(
            {
                name: Requirement(draw(statuses), elements, named)
                for name in ("history_and_physical", "treatment_plan")
            },
            IdentityConflict(True, ()),
        ),
        evaluation=Evaluation(
            EvaluatorInfo("t", "1", "r"),
            "needs_information",
            None,
            (CriterionResult(draw(st.sampled_from(["I.F.1", "I.A", "II"])), "unknown", (), settles),),
            tuple(Missing(code, draw(asks)) for code in codes),
        ),
        received=date(2026, 11, 20),
    )


@given(case=cases())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_came_no_form_tells_of_a_stranger_or_decides(case: Case) -> None:
    draft = draft_request(case, POLICY, LETTERS, TYPES)
    assert draft is not None
    for name, text in written(sent(draft)).items():
        assert MARK.lower() not in text.lower(), name
        assert "1931" not in text, name
        assert not LETTERS.decides(text), name


@pytest.mark.parametrize("word", DECIDING)
def test_a_policy_that_decides_in_its_titles_is_not_quoted(word: str) -> None:
    policy = POLICY.model_copy(
        update={
            "title": f"{word}: {POLICY.title}",
            "criteria": tuple(
                one.model_copy(update={"title": f"{one.title}, else {word}"}) for one in POLICY.criteria
            ),
            "required_documents": tuple(
                one.model_copy(update={"source": f"{word} without it", "title": f"{one.title} or {word}"})
                for one in POLICY.required_documents
            ),
        }
    )
    for scenario, gap in (("lung_stage_not_stated", "wrong_patient"), ("prostate_focal", "no_area")):
        draft = draft_request(made(scenario, gap).case, policy, LETTERS, TYPES)
        assert draft is not None
        assert draft.codes == made(scenario, gap).request.codes
        for name, text in written(sent(draft)).items():
            assert not LETTERS.decides(text), name


def test_a_patient_may_be_called_what_a_word_that_decides_is_called() -> None:
    request = made("kidney_clear_cell", "no_exam").request
    named = replace(request, about=replace(request.about, name="Denier, Certified"))
    letter, cover = letter_blocks(named, LETTERS)
    assert any("Denier, Certified" in block.plain for block in letter)
    assert not any("Denier" in block.plain for block in cover)
