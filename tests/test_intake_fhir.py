"""FHIR requests: a bundle becomes a submission and is answered pended; nothing of it is lost or quoted."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fpdf import FPDF
from intakes import Intake, open_intake, served, token_for
from ledgers import DATABASES, Time, ledger_settings, open_test_ledger
from pas_bundles import PAS, changed, document, pas_bundle

from pipeline import ledger as led
from pipeline.case_json import from_json
from pipeline.catalog import Catalog
from pipeline.fhir import check_resource, faults_of
from pipeline.ledger import TOLD
from pipeline.queue_export import export
from pipeline.settings import load_settings

CATALOG = Catalog(load_settings({}).models_dir)
LETTER = b"%PDF-1.4 a letter"
FHIR = {"Content-Type": "application/fhir+json"}


@pytest.fixture(scope="module", params=DATABASES)
def intake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    home = tmp_path_factory.mktemp("fhir")
    with open_intake(home, request.param, intake_bundle_mb="2") as opened:
        yield opened


def submit(intake: Intake, bundle: Any, sender: str = "portal") -> httpx.Response:
    return intake.client(sender).post("/fhir/Claim/$submit", content=json.dumps(bundle), headers=FHIR)


def claim_response(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/fhir+json"
    response: dict[str, Any] = answer.json()["entry"][0]["resource"]
    return response


def submission_of(answer: httpx.Response) -> str:
    return str(claim_response(answer)["identifier"][0]["value"])


# --------------------------------------------------------------------------- the answer


def test_a_request_is_answered_pended(intake: Intake) -> None:
    asked = pas_bundle(LETTER, cpt=["50593", "76940"], claim_id="REQ-1")
    answer = submit(intake, asked)
    bundle, response = answer.json(), claim_response(answer)
    for resource in (bundle, response):
        assert check_resource(resource, CATALOG.profiles) == []
        assert resource["meta"]["profile"][0] in CATALOG.profiles
    assert [item["itemSequence"] for item in response["item"]] == [1, 2]
    for item in response["item"]:
        (adjudication,) = item["adjudication"]
        (action,) = adjudication["extension"]
        (code,) = action["extension"]
        assert code["valueCodeableConcept"]["coding"][0]["code"] == "A4"
    assert response["outcome"] == "complete"
    assert response["request"]["reference"] == asked["entry"][0]["fullUrl"]
    assert response["request"]["identifier"]["value"] == "REQ-1"
    assert bundle["identifier"] == asked["identifier"]
    # What the ClaimResponse refers to is in the bundle: patient, insurer, requestor.
    urls = {entry["fullUrl"] for entry in bundle["entry"]}
    assert {response[name]["reference"] for name in ("patient", "insurer", "requestor")} <= urls


def test_the_profiles_would_tell_a_wrong_answer(intake: Intake) -> None:
    """A near miss of each of the two: the check above can fail."""
    bundle = submit(intake, pas_bundle(LETTER)).json()
    response = bundle["entry"][0]["resource"]
    assert check_resource(response | {"use": "claim"}, CATALOG.profiles)
    assert check_resource(response | {"outcome": None}, CATALOG.profiles)
    assert check_resource(bundle | {"type": "searchset"}, CATALOG.profiles)


@pytest.mark.parametrize(("urgency", "hours"), [("U", 72), ("03", 72), ("E", 168)])
def test_the_level_of_service_sets_the_clock(intake: Intake, urgency: str, hours: int) -> None:
    item = led.item(intake.ledger, submission_of(submit(intake, pas_bundle(LETTER, urgency=urgency))))
    assert item.expedited is (hours == 72)
    assert item.due_at - item.received_at == timedelta(hours=hours)
    assert item.channel == "fhir:portal"


def test_the_documents_are_the_submission_s_files(intake: Intake) -> None:
    """Inline in a DocumentReference, in a Binary that one names, and in a report; a photo is none."""
    asked = pas_bundle(b"inline 1", b"inline 2")
    asked = changed(asked, "entry.5.resource.content.0.attachment.title", "../H&P\u202e.pdf")
    binary = {"resourceType": "Binary", "contentType": "application/pdf", "data": _base64(b"binary")}
    patient = asked["entry"][1]["fullUrl"]
    named = document(b"", patient, data=None, url="urn:uuid:binary")
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Pathology"},
        "presentedForm": [{"contentType": "application/pdf", "data": _base64(b"report")}],
    }
    for url, resource in (("urn:uuid:binary", binary), ("urn:uuid:n", named), ("urn:uuid:r", report)):
        asked["entry"].append({"fullUrl": url, "resource": resource})
    photo = [{"contentType": "image/png", "data": _base64(b"photo")}]
    asked = changed(asked, "entry.1.resource.photo", photo)
    history = led.history(intake.ledger, submission_of(submit(intake, asked)))
    contents = [b"inline 1", b"inline 2", b"binary", b"report"]
    assert [row["sha256"] for row in history.files][1:] == [hashlib.sha256(c).hexdigest() for c in contents]
    names = led.names(intake.ledger, history.item.id)
    assert names == ["request.pdf", ".._H&P\ufffd.pdf", "document-2.pdf", "document-3.pdf", "document-4.pdf"]


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_all_that_was_asked_is_kept_sealed(intake: Intake) -> None:
    asked = pas_bundle(LETTER, claim={"supportingInfo": [_message("Quillfeather has waited long")]})
    name = submission_of(submit(intake, asked))
    (told,) = led.load_all(intake.ledger, name, TOLD)
    del asked["entry"][5]["resource"]["content"][0]["attachment"]["data"]
    assert told["bundle"] == asked
    assert told["documents"] == ["Bundle.entry[5].resource.content[0].attachment"]
    if intake.ledger.database.is_sqlite:
        home = intake.settings.home
        assert all(b"Quillfeather" not in path.read_bytes() for path in home.glob("ledger.db*"))


def test_what_was_asked_is_exported_and_goes_with_the_rest(tmp_path: Path) -> None:
    """`triage queue export` writes the request; when its time is over it is erased, and who asks is told."""
    time_ = Time()
    with (
        open_test_ledger("sqlite", tmp_path, time_) as ledger,
        ledger_settings("sqlite", tmp_path) as settings,
    ):
        token = token_for(ledger, "portal", days=100)
        asked = pas_bundle(LETTER, claim_id="REQ-old")
        with served(ledger, settings) as url, httpx.Client(base_url=url) as client:
            client.headers["Authorization"] = f"Bearer {token}"
            name = submission_of(client.post("/fhir/Claim/$submit", json=asked, headers=FHIR))
            told = json.loads((export(ledger, name, tmp_path / "out") / "told-1.json").read_text())
            assert told["bundle"]["entry"][0] == asked["entry"][0]
            led.reject(ledger, name, reason="test", actor="user:test")
            time_.pass_(days=60)
            assert led.erase_old(ledger, timedelta(days=30), actor="user:test") == [name]
            assert led.load_all(ledger, name, TOLD) == []
            for operation in ("$submit", "$inquire"):
                answer = client.post(f"/fhir/Claim/{operation}", json=asked, headers=FHIR)
                assert (answer.status_code, answer.json()["resourceType"]) == (410, "OperationOutcome")


def _message(text: str) -> dict[str, Any]:
    return {"sequence": 1, "category": {"text": "message"}, "valueString": text}


def test_a_request_without_documents_is_a_submission_too(intake: Intake) -> None:
    item = led.item(intake.ledger, submission_of(submit(intake, pas_bundle())))
    assert item.file_count == 1


# --------------------------------------------------------------------------- again


def test_the_same_request_again_is_one(intake: Intake) -> None:
    """Sent again as it was, or written anew with other ids and times by a program that had no answer."""
    asked = pas_bundle(LETTER, claim_id="REQ-again")
    first = submit(intake, asked)
    again = submit(intake, asked)
    rewritten = submit(intake, pas_bundle(LETTER, claim_id="REQ-again"))
    assert claim_response(again) == claim_response(first)
    assert submission_of(rewritten) == submission_of(first)
    history = led.history(intake.ledger, submission_of(first))
    assert len(history.deliveries) == 1
    assert [event.kind for event in history.events] == ["received", "told_again"]
    assert len(led.load_all(intake.ledger, submission_of(first), TOLD)) == 2


def test_sent_many_times_at_once_it_is_one(intake: Intake) -> None:
    asked = pas_bundle(LETTER, claim_id="REQ-at-once")
    intake.client()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: submit(intake, asked), range(6)))
    (name,) = {submission_of(answer) for answer in answers}
    assert len(led.history(intake.ledger, name).deliveries) == 1
    assert len(led.load_all(intake.ledger, name, TOLD)) == 1


@pytest.mark.parametrize("other", [{"cpt": ("50592",)}, {"icd10": ("C64.1",)}, {"urgency": "U"}])
def test_another_request_under_the_same_identifier_is_refused(intake: Intake, other: dict[str, Any]) -> None:
    assert submit(intake, pas_bundle(LETTER, claim_id=f"REQ-{other}")).status_code == 200
    answer = submit(intake, pas_bundle(LETTER, claim_id=f"REQ-{other}", **other))
    assert answer.status_code == 409
    assert answer.json()["issue"][0]["code"] == "duplicate"
    assert submit(intake, pas_bundle(LETTER, claim_id=f"REQ-{other}", **other), "clinic").status_code == 200


def test_the_same_documents_for_another_request_are_another_submission(intake: Intake) -> None:
    assert submission_of(submit(intake, pas_bundle(LETTER))) != submission_of(
        submit(intake, pas_bundle(LETTER))
    )


# --------------------------------------------------------------------------- asking


def test_an_inquiry_tells_how_it_stands(intake: Intake) -> None:
    asked = pas_bundle(LETTER, claim_id="REQ-ask")
    first = submit(intake, asked)

    def inquire(sender: str = "portal", bundle: Any = asked) -> httpx.Response:
        return intake.client(sender).post("/fhir/Claim/$inquire", json=bundle, headers=FHIR)

    assert claim_response(inquire()) == claim_response(first)
    assert inquire("clinic").status_code == 404
    led.reject(intake.ledger, submission_of(first), reason="wrong_plan", actor="user:test")
    ended = inquire()
    assert claim_response(ended)["outcome"] == "error"
    assert check_resource(claim_response(ended), CATALOG.profiles) == []
    assert inquire(bundle=pas_bundle(claim_id="REQ-other")).status_code == 404
    assert inquire(bundle=changed(asked, "entry.0.resource.identifier", None)).status_code == 422


def test_the_server_says_what_it_does(intake: Intake) -> None:
    told = intake.client(None).get("/fhir/metadata").json()
    assert faults_of(told, "metadata") == []
    names = [one["name"] for one in told["rest"][0]["resource"][0]["operation"]]
    assert names == ["submit", "inquire"]


# --------------------------------------------------------------------------- what is not taken

CLAIM = "entry.0.resource"
NOTE = "entry.5.resource.content.0.attachment"


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("resourceType", "Quillfeather", "Bundle"),
        ("type", "transaction", "Bundle"),
        ("entry", [], "Bundle.entry"),
        ("entry", {"Quillfeather": 1}, "Bundle.entry"),
        ("entry.1", "Quillfeather", "Bundle.entry[1]"),
        ("entry.1.fullUrl", None, "Bundle.entry[1].fullUrl"),
        ("entry.1.fullUrl", {"a": 1}, "Bundle.entry[1].fullUrl"),
        ("entry.1.resource.resourceType", "Quillfeather", "Bundle.entry[1].resource"),
        ("entry.1.resource.resourceType", "fhirtypes", "Bundle.entry[1].resource"),
        ("entry.1.resource.Quillfeather", "x", "Bundle.entry[1].resource"),
        ("entry.1.resource.birthDate", "Quillfeather", "Bundle.entry[1].resource.birthDate"),
        ("entry.1.resource.contained", [{"resourceType": "Quillfeather"}], "Bundle.entry[1].resource"),
        ("entry.0", {"fullUrl": "u", "resource": {"resourceType": "Patient"}}, "Bundle.entry[0]"),
        (f"{CLAIM}.identifier", None, "Bundle.entry[0].resource.identifier"),
        (f"{CLAIM}.identifier", [{"system": "x"}], "Bundle.entry[0].resource.identifier"),
        (f"{CLAIM}.use", "claim", "Bundle.entry[0].resource.use"),
        (f"{CLAIM}.status", "draft", "Bundle.entry[0].resource.status"),
        (f"{CLAIM}.status", None, "Bundle.entry[0].resource.status"),
        (f"{CLAIM}.item", None, "Bundle.entry[0].resource.item"),
        (f"{CLAIM}.type", '{"text": "x"}', "Bundle.entry[0].resource.type"),
        (f"{CLAIM}.patient.reference", "Patient/Quillfeather", "Bundle.entry[0].resource.patient"),
        (f"{CLAIM}.provider.reference", "urn:uuid:x", "Bundle.entry[0].resource.provider"),
        (
            f"{CLAIM}.supportingInfo.0.valueReference.reference",
            "urn:uuid:x",
            "Bundle.entry[0].resource.supportingInfo[0].valueReference",
        ),
        (f"{NOTE}.data", None, "Bundle.entry[5].resource.content[0].attachment"),
        (f"{NOTE}.data", "Quillfeather!", "Bundle.entry[5].resource.content[0].attachment.data"),
        (f"{NOTE}.data", "QUJ", "Bundle.entry[5].resource.content[0].attachment.data"),
        (f"{NOTE}.data", "", "Bundle.entry[5].resource.content[0].attachment.data"),
        (f"{NOTE}.data", "\u00e4", "Bundle.entry[5].resource.content[0].attachment.data"),
        (f"{NOTE}.size", 4, "Bundle.entry[5].resource.content[0].attachment"),
        (f"{NOTE}.hash", "QUJD", "Bundle.entry[5].resource.content[0].attachment"),
    ],
)
def test_a_wrong_bundle_is_told_where(intake: Intake, path: str, value: Any, place: str) -> None:
    before = led.balance(intake.ledger).received
    answer = submit(intake, changed(pas_bundle(LETTER), path, value))
    told = answer.json()
    assert answer.status_code == 422, answer.text
    assert faults_of(told, "x") == []
    assert told["resourceType"] == "OperationOutcome"
    assert place in told["issue"][0]["expression"]
    assert "Quillfeather" not in answer.text
    assert led.balance(intake.ledger).received == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[1]", 400),
        (b"Quillfeather", 400),
        (b"\xff\xfe", 400),
        (b'{"a": NaN}', 400),
        (b'{"a": 1e999}', 400),
        (b'{"a": ' + b"9" * 5000 + b"}", 400),
        (b"[" * 190_000, 400),
        (b'{"a":' * 190_000, 400),
        (b'{"a":' * 100 + b"1" + b"}" * 100, 400),
        (b'{"a": [' + b"[]," * 300_000 + b"[]]}", 413),
        (b'{"a": "' + b"x" * 3_000_000 + b'"}', 413),
        (b"{}", 422),
    ],
)
def test_what_is_no_bundle_at_all(intake: Intake, body: bytes, status: int) -> None:
    started = time.monotonic()
    for operation in ("$submit", "$inquire"):
        answer = intake.client().post(f"/fhir/Claim/{operation}", content=body, headers=FHIR)
        assert answer.status_code == status, answer.text
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert "Quillfeather" not in answer.text
    assert time.monotonic() - started < 30  # a bomb would take minutes


def test_only_senders_and_only_json(intake: Intake) -> None:
    answer = intake.client(None).post("/fhir/Claim/$submit", json=pas_bundle())
    assert (answer.status_code, answer.json()["resourceType"]) == (401, "OperationOutcome")
    xml = intake.client().post(
        "/fhir/Claim/$submit", content=b"<a/>", headers={"Content-Type": "application/fhir+xml"}
    )
    assert xml.status_code == 415
    assert intake.client().get("/fhir/Claim/$submit").status_code == 405
    assert intake.client().get("/fhir/Patient").json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("entry.1.resource.name", [{"given": [None, "Alma"], "_given": [{"id": "x"}, None]}]),
        ("entry.1.resource.name", None),
        ("entry.1.resource.identifier", None),
        ("entry.1.resource.birthDate", "1950"),
        (f"{CLAIM}.diagnosis", None),
        (f"{CLAIM}.insurer", None),
        (f"{CLAIM}.item.0.productOrService", {"text": "cryoablation \u6f22\u5b57 \U0001f600\n\n new line"}),
        (f"{CLAIM}.item.0.productOrService", {}),
        (f"{CLAIM}.item.0.productOrService", '{"text": "x"}'),
        (f"{CLAIM}.item.0.quantity", {"value": 2}),
        ("entry.2.resource", {"resourceType": "Organization", "name": "Sample Valley Urology"}),
        (f"{CLAIM}.extension", [{"url": f"{PAS}/extension-levelOfServiceCode", "valueString": "x"}]),
        ("entry.5.resource.content.0.attachment.title", "\ud83d"),
    ],
)
def test_odd_but_possible(intake: Intake, path: str, value: Any) -> None:
    """What FHIR allows and a form does not need is taken, or refused with its place; it is never a bug."""
    answer = submit(intake, changed(pas_bundle(LETTER), path, value))
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 200:
        assert check_resource(claim_response(answer), CATALOG.profiles) == []


def test_the_balance_holds_after_all_that(intake: Intake) -> None:
    assert led.balance(intake.ledger).holds


# --------------------------------------------------------------------------- the page of the request


def test_the_same_claim_makes_the_same_page(intake: Intake) -> None:
    from pipeline.intake_server.asked import read_claim
    from pipeline.intake_server.bundle import take_apart
    from pipeline.intake_server.claim_page import claim_page

    pages = [
        claim_page(read_claim(take_apart(pas_bundle(LETTER, claim_id="REQ-page")), CATALOG.claims))
        for _ in range(2)
    ]
    assert pages[0] == pages[1]


def test_what_is_asked_reaches_the_case_with_its_page(tmp_path: Path) -> None:
    """The claim's codes, patient and provider are read like a form's, and nothing of it is parked."""
    from pipeline.working import Worker

    with open_intake(tmp_path, workers="1") as intake:
        asked = pas_bundle(_letter(), cpt=["50593"], icd10=["C64.2", "Z85.528"], urgency="U")
        name = submission_of(submit(intake, asked))
        with closing(Worker(intake.ledger, intake.settings, "test")) as worker:
            (claim,) = led.claim(intake.ledger, "test")
            worker.work(claim)
        case = from_json(led.load_case(intake.ledger, name))
    assert (case.status, case.problems) == ("complete", ())
    assert case.documents[0].type == "pa_request_form"
    assert [one.value for one in case.request.cpt] == ["50593"]
    assert [one.value for one in case.request.icd10] == ["C64.2", "Z85.528"]
    assert case.request.expedited.value is True
    assert case.request.npi.value == "1234567893"
    assert case.request.provider.value == "Sampleton, Rita"
    assert case.patient.name.value == "Testperson, Alma"
    assert case.patient.dob.value == "1950-02-03"
    assert case.patient.member_id.value == "EXM77120034"
    for answered in (*case.request.cpt, *case.request.icd10, case.request.npi, case.patient.member_id):
        assert answered.evidence[0].page == 1
        assert answered.evidence[0].file == "request.pdf"


def _letter() -> bytes:
    pdf = FPDF(format="letter")
    pdf.add_page()
    pdf.set_font("Courier", size=10)
    pdf.multi_cell(
        0,
        5,
        "SAMPLE VALLEY UROLOGY\nHISTORY AND PHYSICAL        Date of service: 03/02/2026\n"
        "Patient: Testperson, Alma     DOB 02/03/1950\n\n"
        "HISTORY OF PRESENT ILLNESS: 76 y/o woman with a 2.1 cm mass of the left kidney.\n"
        "ASSESSMENT: Renal cell carcinoma, left kidney, cT1a N0 M0.\n",
    )
    return bytes(pdf.output())


def test_a_body_is_bounded_in_json_too(intake: Intake) -> None:
    wide = pas_bundle(LETTER)
    wide["entry"] += [{"fullUrl": f"urn:{n}", "resource": {"resourceType": "Patient"}} for n in range(1000)]
    answer = submit(intake, wide)
    assert answer.status_code == 422
    assert json.loads(answer.text)["issue"][0]["expression"] == ["Bundle.entry"]
