"""Every channel hands a parcel over once, says when waiting can help, and loses nothing to a bad answer."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from mail_servers import mail_server
from request_packets import KNOWLEDGE, LETTERS, made

from pipeline.delivery import Later, Part, Receipt, channels_in, parcel
from pipeline.delivery.fhir_endpoint import FhirEndpoint
from pipeline.delivery.folder import Folder
from pipeline.delivery.mail import Mail
from pipeline.delivery.webhook import NONCE, SIGNATURE, TIMESTAMP, WINDOW_S, Verifier, Webhook, sign
from pipeline.errors import ConfigurationError, DeliveryError
from pipeline.fhir import check_resource
from pipeline.information_request.fhir import Provider, attachment_task, communication_request
from pipeline.settings import load_settings

TIMEOUT_S = 1.5
SECRET = "a secret of the plan"
LETTER = Part("letter.pdf", "application/pdf", b"%PDF-1.4 a letter")
PARCEL = parcel(
    "4KW7-M9XT-7N", [LETTER, Part("request.json", "application/json", b"{}")], to="(614) 555-0101"
)
PROFILES = KNOWLEDGE.catalog.profiles


def fhir_parcel() -> Any:
    request = made("kidney_clear_cell", "no_exam").request
    provider = Provider("Lakeside Urology", "1234567893")
    forms = [form(request, LETTERS, provider) for form in (attachment_task, communication_request)]
    return parcel(request.reference or "", [LETTER], forms)


# ------------------------------------------------------------------ a server on loopback


def _outcome(severity: str, code: str) -> bytes:
    issue = [{"severity": severity, "code": code, "diagnostics": "about Testperson, Jane"}]
    return json.dumps({"resourceType": "OperationOutcome", "issue": issue}).encode()


# A yes that is none: what a server or something on the way to it answers without having taken anything.
SPOILT = {
    "200 and a web page": (200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Please log in</html>"),
    "200 and nothing": (200, {}, b""),
    "200 and nonsense": (200, {"Content-Type": "application/json"}, b"{not json"),
    "200 and a passing error": (200, {}, _outcome("error", "timeout")),
    "201 and a passing error": (201, {}, _outcome("fatal", "exception")),
    "200 and an error": (200, {}, _outcome("error", "invalid")),
    "429 for half an hour": (429, {"Retry-After": "1800"}, b""),
    "503 until a day": (503, {"Retry-After": "Fri, 31 Dec 2055 23:59:59 GMT"}, b""),
}


@dataclass
class Answers:
    """A server that answers as it is told, each answer once, then as a good one does."""

    faults: list[int | str] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    answer: Callable[[Answers, str, str, Mapping[str, str], bytes], tuple[int, Any]] | None = None

    def reply(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        assert self.answer is not None
        return self.answer(self, method, path, headers, body)


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answers.requests.append((self.command, self.path, dict(self.headers), body))
            fault = answers.faults.pop(0) if answers.faults else None
            if fault == "hang":
                threading.Event().wait(2 * TIMEOUT_S)
                return
            if fault == "cut":
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if fault in SPOILT:
                self._send(*SPOILT[str(fault)])
                return
            lost = fault == "taken, answer lost"
            status, told = (fault, None) if isinstance(fault, int) else (0, None)
            if not status:
                status, told = answers.reply(self.command, self.path, self.headers, body)
            if lost:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            content = json.dumps(told).encode() if told is not None else b""
            self._send(status, answers.headers, content)

        def _send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "https://elsewhere.example/")
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET = _handle

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.block_on_close = False  # one may still be hanging
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _endless(read: list[int]) -> Iterator[bytes]:
    for _ in range(1000):
        read.append(65536)
        yield b" " * 65536


def _trickling(read: list[int]) -> Iterator[bytes]:
    for _ in range(100):
        read.append(1)
        time.sleep(0.05)
        yield b" "


@pytest.mark.parametrize(
    ("answer", "headers", "most"),
    [
        (_endless, {}, 17 * 65536),
        (_endless, {"Content-Encoding": "gzip"}, 0),
        (_trickling, {}, 50),
    ],
)
def test_an_answer_is_read_so_far_and_so_long(
    answer: Callable[[list[int]], Iterator[bytes]], headers: dict[str, str], most: int
) -> None:
    read: list[int] = []

    def act(request: httpx.Request) -> httpx.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return httpx.Response(200, headers=headers, content=answer(read))

    channel = Webhook("https://localhost/", SECRET, 0.3, transport=httpx.MockTransport(act))
    with pytest.raises(DeliveryError) as error:
        channel.deliver(PARCEL)
    assert error.value.retryable
    assert sum(read) <= most


# ------------------------------------------------------------------ FHIR


def fhir_server(answers: Answers, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
    """A server that creates a valid resource once by its identifier, and refuses any other."""
    parts = urlsplit(path)
    if method == "GET":
        [wanted] = parse_qs(parts.query)["identifier"]
        found = [{"resource": one} for one in answers.resources.values() if wanted in one["__query"]]
        return 200, {"resourceType": "Bundle", "type": "searchset", "entry": found}
    resource = json.loads(body)
    if faults := check_resource(resource, PROFILES):
        return 422, {"resourceType": "OperationOutcome", "issue": faults}
    [wanted] = parse_qs(headers["If-None-Exist"])["identifier"]
    [identifier, *_] = resource["identifier"]
    assert wanted == f"{identifier['system']}|{identifier['value']}"
    if parts.path != f"/fhir/{resource['resourceType']}":
        return 404, None
    key = f"{resource['resourceType']}:{wanted}"
    if key in answers.resources:
        return 200, None
    answers.resources[key] = {**resource, "__query": [wanted]}
    return 201, None


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """The models take longer to import than a server may take to answer."""
    assert check_resource(fhir_parcel().resources[0], PROFILES) == []


@pytest.fixture
def fhir() -> Iterator[tuple[Answers, FhirEndpoint]]:
    answers = Answers(answer=fhir_server)
    with serving(answers) as url:
        kinds = ("Task", "CommunicationRequest")
        yield answers, FhirEndpoint(f"{url}/fhir", "token", kinds, timeout_s=TIMEOUT_S)


def test_a_server_that_checks_required_elements_takes_both_resources(fhir: Any) -> None:
    answers, endpoint = fhir
    endpoint.deliver(fhir_parcel())
    assert [key.split(":")[0] for key in answers.resources] == ["Task", "CommunicationRequest"]
    assert all(headers["Authorization"] == "Bearer token" for _, _, headers, _ in answers.requests)


def test_a_resource_without_a_required_element_is_refused_for_good(fhir: Any) -> None:
    answers, endpoint = fhir
    whole = fhir_parcel()
    task = {key: value for key, value in whole.resources[0].items() if key != "owner"}
    with pytest.raises(DeliveryError, match="status 422") as error:
        endpoint.deliver(replace(whole, resources=(task,)))
    assert not error.value.retryable
    assert answers.resources == {}


@pytest.mark.parametrize(
    "fault",
    [
        500,
        503,
        409,
        412,
        429,
        "hang",
        "cut",
        "taken, answer lost",
        *(n for n in SPOILT if n != "200 and an error"),
    ],
)
def test_after_a_bad_answer_the_same_delivery_comes_through_once(fhir: Any, fault: int | str) -> None:
    answers, endpoint = fhir
    answers.faults.append(fault)
    with pytest.raises(DeliveryError) as error:
        endpoint.deliver(fhir_parcel())
    assert error.value.retryable
    assert "Testperson" not in str(error.value)
    endpoint.deliver(fhir_parcel())
    endpoint.deliver(fhir_parcel())
    assert len(answers.resources) == 2


def test_a_conflict_over_a_resource_that_is_there_is_a_delivery(fhir: Any) -> None:
    answers, endpoint = fhir
    endpoint.deliver(fhir_parcel())
    for fault in (409, 412, "200 and nothing", "200 and an error", "201 and a passing error"):
        answers.faults.append(fault)
        endpoint.deliver(fhir_parcel())
    assert len(answers.resources) == 2


def test_an_error_in_a_yes_that_waiting_cannot_help_is_not_tried_again(fhir: Any) -> None:
    answers, endpoint = fhir
    answers.faults.append("200 and an error")
    with pytest.raises(DeliveryError, match="does not find") as error:
        endpoint.deliver(fhir_parcel())
    assert not error.value.retryable
    assert "Testperson" not in str(error.value)


@pytest.mark.parametrize(
    ("fault", "wait_s"), [("429 for half an hour", 1800), ("503 until a day", 3600), (503, 0)]
)
def test_a_server_says_for_how_long_it_is_to_be_left_alone(
    fhir: Any, fault: int | str, wait_s: float
) -> None:
    answers, endpoint = fhir
    answers.faults.append(fault)
    with pytest.raises(DeliveryError) as error:
        endpoint.deliver(fhir_parcel())
    assert error.value.wait_s == wait_s


@pytest.mark.parametrize(
    ("status", "later"),
    [
        ("requested", Later("waiting", final=False)),
        ("received", Later("acknowledged", "received", final=False)),
        ("in-progress", Later("acknowledged", "in_progress", final=False)),
        ("completed", Later("acknowledged", "completed")),
        ("rejected", Later("failed", "rejected")),
        ("cancelled", Later("failed", "cancelled")),
        ("Mr. Doe", Later("waiting", final=False)),
    ],
)
def test_the_status_of_a_task_tells_what_became_of_it(fhir: Any, status: str, later: Later) -> None:
    answers, endpoint = fhir
    receipt = endpoint.deliver(fhir_parcel())
    assert (receipt.acknowledged, len(receipt.id) < 300) == (False, True)
    [key] = [key for key in answers.resources if key.startswith("Task")]
    answers.resources[key]["status"] = status
    assert endpoint.later(receipt.id) == later


def test_a_task_that_is_gone_and_a_server_that_fails_tell_nothing(fhir: Any) -> None:
    answers, endpoint = fhir
    receipt = endpoint.deliver(fhir_parcel())
    answers.resources.clear()
    assert endpoint.later(receipt.id).state == "waiting"
    answers.faults.append(500)
    with pytest.raises(DeliveryError):
        endpoint.later(receipt.id)


@pytest.mark.parametrize("entries", [5, "Testperson", {"resource": {}}, [5, None, "Testperson"]])
def test_a_search_that_is_answered_with_nonsense_tells_nothing(entries: Any) -> None:
    def answer(answers: Answers, *asked: Any) -> tuple[int, Any]:
        return 200, {"resourceType": "Bundle", "entry": entries}

    with serving(Answers(answer=answer)) as url:
        assert FhirEndpoint(url, timeout_s=TIMEOUT_S).later("Task?identifier=a%7Cb").state == "waiting"


def test_a_communication_request_says_no_more() -> None:
    answers = Answers(answer=fhir_server)
    with serving(answers) as url:
        channel = FhirEndpoint(f"{url}/fhir", kinds=("CommunicationRequest",), timeout_s=TIMEOUT_S)
        receipt = channel.deliver(fhir_parcel())
    assert (receipt.acknowledged, receipt.id) == (True, "")


@pytest.mark.parametrize(("status", "retryable"), [(400, False), (401, False), (404, False), (302, False)])
def test_what_waiting_cannot_help_is_not_tried_again(fhir: Any, status: int, retryable: bool) -> None:
    answers, endpoint = fhir
    answers.faults.append(status)
    with pytest.raises(DeliveryError) as error:
        endpoint.deliver(fhir_parcel())
    assert error.value.retryable is retryable
    assert len(answers.requests) == 1


def test_a_parcel_without_a_fhir_form_is_for_another_channel(fhir: Any) -> None:
    with pytest.raises(DeliveryError, match="no FHIR form") as error:
        fhir[1].deliver(PARCEL)
    assert not error.value.retryable


# ------------------------------------------------------------------ webhook


def webhook_server(verifier: Verifier) -> Callable[..., tuple[int, Any]]:
    def answer(answers: Answers, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        if not verifier.accepts(dict(headers), body):
            return 401, None
        answers.resources[headers["Idempotency-Key"]] = json.loads(body)
        return 202, None

    return answer


def test_a_signed_parcel_is_accepted_once_and_an_overheard_one_never_again() -> None:
    verifier = Verifier(SECRET)
    answers = Answers(answer=webhook_server(verifier))
    with serving(answers) as url:
        Webhook(url, SECRET, TIMEOUT_S).deliver(PARCEL)
    [(_, _, headers, body)] = answers.requests
    [told] = answers.resources.values()
    assert [part["name"] for part in told["parts"]] == ["letter.pdf", "request.json"]
    assert headers["Idempotency-Key"] == PARCEL.key
    assert not verifier.accepts(headers, body)


@pytest.mark.parametrize("fault", [500, 409, "hang", "cut", "taken, answer lost"])
def test_a_webhook_that_fails_gets_the_same_key_again(fault: int | str) -> None:
    answers = Answers(faults=[fault], answer=webhook_server(Verifier(SECRET)))
    with serving(answers) as url:
        channel = Webhook(url, SECRET, TIMEOUT_S)
        with pytest.raises(DeliveryError) as error:
            channel.deliver(PARCEL)
        assert error.value.retryable
        channel.deliver(PARCEL)
    assert {headers["Idempotency-Key"] for _, _, headers, _ in answers.requests} == {PARCEL.key}
    assert len({headers[NONCE] for _, _, headers, _ in answers.requests}) == 2
    assert len(answers.resources) == 1


@pytest.mark.parametrize("fault", ["200 and a web page", "429 for half an hour"])
def test_a_login_page_is_no_yes(fault: str) -> None:
    answers = Answers(faults=[fault], answer=webhook_server(Verifier(SECRET)))
    with serving(answers) as url:
        channel = Webhook(url, SECRET, TIMEOUT_S)
        with pytest.raises(DeliveryError) as error:
            channel.deliver(PARCEL)
        assert error.value.retryable
        assert channel.deliver(PARCEL) == Receipt()
    assert len(answers.resources) == 1


@pytest.mark.parametrize(
    ("told", "later"),
    [
        ({"state": "acknowledged", "code": "sent"}, Later("acknowledged", "sent")),
        ({"state": "failed", "code": "no-answer"}, Later("failed", "no_answer")),
        ({"state": "failed", "code": "Mr. Doe is out"}, Later("failed", "failed")),
        ({"state": "waiting"}, Later("waiting", final=False)),
        (["something else"], Later("waiting", final=False)),
        (None, Later("waiting", final=False)),
    ],
)
def test_a_receiver_that_names_a_place_is_asked_there(told: Any, later: Later) -> None:
    verifier = Verifier(SECRET)

    def answer(answers: Answers, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        assert verifier.accepts(dict(headers), body if method == "POST" else path.encode())
        return (202, None) if method == "POST" else (200, told)

    answers = Answers(headers={"Location": "/parcels/7"}, answer=answer)
    with serving(answers) as url:
        channel = Webhook(f"{url}/in", SECRET, TIMEOUT_S)
        receipt = channel.deliver(PARCEL)
        assert receipt == Receipt(acknowledged=False, id="/parcels/7")
        assert channel.later(receipt.id) == later


@pytest.mark.parametrize(
    "place", ["https://elsewhere.example/parcels/7", "//elsewhere.example/7", "/parcels/7?patient=Doe", ""]
)
def test_nobody_else_is_asked(place: str) -> None:
    answers = Answers(headers={"Location": place}, answer=webhook_server(Verifier(SECRET)))
    with serving(answers) as url:
        assert Webhook(url, SECRET, TIMEOUT_S).deliver(PARCEL) == Receipt()


def signed(
    body: bytes = b"{}", secret: str = SECRET, at: float = 1000.0, nonce: str = "n1"
) -> dict[str, str]:
    timestamp = str(int(at))
    return {TIMESTAMP: timestamp, NONCE: nonce, SIGNATURE: sign(secret, timestamp, nonce, body)}


@pytest.mark.parametrize(
    ("headers", "body", "accepted"),
    [
        (signed(), b"{}", True),
        (signed(), b'{"a": 1}', False),
        (signed(secret="another secret of them"), b"{}", False),
        (signed() | {NONCE: "n2"}, b"{}", False),
        (signed() | {TIMESTAMP: "1001"}, b"{}", False),
        (signed(at=1000 - WINDOW_S - 1), b"{}", False),
        (signed(at=1000 + WINDOW_S + 1), b"{}", False),
        (signed(nonce=""), b"{}", False),
        ({name.lower(): value for name, value in signed().items()}, b"{}", True),
        ({}, b"{}", False),
    ],
    ids=["good", "body", "secret", "nonce", "time", "too old", "too new", "no nonce", "any case", "nothing"],
)
def test_what_a_receiver_accepts(headers: dict[str, str], body: bytes, accepted: bool) -> None:
    verifier = Verifier(SECRET, now=lambda: 1000.0)
    assert verifier.accepts(headers, body) is accepted
    assert not verifier.accepts(headers, body)  # never twice


def test_nonces_are_forgotten_only_when_their_time_is_over() -> None:
    clock = [1000.0]
    verifier = Verifier(SECRET, now=lambda: clock[0])
    assert verifier.accepts(signed(), b"{}")
    clock[0] += WINDOW_S - 1
    assert verifier.accepts(signed(at=clock[0], nonce="n2"), b"{}")
    assert not verifier.accepts(signed(), b"{}")
    clock[0] += 3 * WINDOW_S
    assert not verifier.accepts(signed(), b"{}")


# ------------------------------------------------------------------ folder


def test_a_folder_gets_a_parcel_whole_and_once(tmp_path: Path) -> None:
    channel = Folder(tmp_path / "out")
    receipt = channel.deliver(PARCEL)
    assert not receipt.acknowledged
    channel.deliver(PARCEL)
    [folder] = (tmp_path / "out").iterdir()
    assert folder.name.startswith("4KW7-M9XT-7N-")
    assert {path.name for path in folder.iterdir()} == {"letter.pdf", "request.json", "parcel.json"}
    assert (folder / "letter.pdf").read_bytes() == LETTER.content
    assert json.loads((folder / "parcel.json").read_text())["to"] == PARCEL.to
    assert (folder / "letter.pdf").stat().st_mode & 0o077 == 0


def test_the_gateway_says_whether_it_went_out(tmp_path: Path) -> None:
    channel = Folder(tmp_path)
    receipt = channel.deliver(PARCEL)
    folder = tmp_path / receipt.id
    assert channel.later(receipt.id).state == "waiting"
    assert not channel.later(receipt.id).final
    (folder / "acknowledged").touch()
    assert channel.later(receipt.id) == Later("acknowledged")
    (folder / "failed").write_text("no_answer\n")
    assert channel.later(receipt.id) == Later("failed", "no_answer")
    (folder / "failed").write_text("Patient Testperson not found")
    assert channel.later(receipt.id) == Later("failed", "failed")
    assert channel.later("not-there").state == "waiting"


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeliveryError) as error:
        Folder(tmp_path / "file").deliver(PARCEL)
    assert error.value.retryable


def test_another_letter_of_the_same_request_is_another_parcel() -> None:
    other = parcel(PARCEL.reference, [replace(LETTER, content=b"%PDF-1.4 a reminder")], to=PARCEL.to)
    assert other.key != PARCEL.key
    assert parcel(PARCEL.reference, PARCEL.parts, to=PARCEL.to).key == PARCEL.key
    assert "%PDF" not in repr(PARCEL)


# ------------------------------------------------------------------ e-mail


def mail(server: str, folder: Path) -> Mail:
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    return Mail(server, "um@plan.example", timeout_s=2, context=context)


def test_a_letter_goes_by_mail_over_tls_and_the_text_names_nobody(tmp_path: Path) -> None:
    to = replace(PARCEL, to="office@clinic.example")
    with mail_server(tmp_path) as (server, told):
        receipt = mail(server, tmp_path).deliver(to)
    text = "\n".join(told)
    assert told.index("STARTTLS") < next(n for n, line in enumerate(told) if line.upper().startswith("MAIL"))
    assert f"Subject: Request for records {PARCEL.reference}" in text
    assert receipt.id in text
    assert re.search(r'filename="letter.pdf"', text)
    assert "request.json" not in text
    with mail_server(tmp_path) as (server, _):
        assert mail(server, tmp_path).deliver(to).id == receipt.id


@pytest.mark.parametrize(("code", "retryable"), [(450, True), (550, False)])
def test_a_refused_recipient_is_tried_again_only_where_the_server_says_so(
    tmp_path: Path, code: int, retryable: bool
) -> None:
    with mail_server(tmp_path, refuse=code) as (server, _), pytest.raises(DeliveryError) as error:
        mail(server, tmp_path).deliver(replace(PARCEL, to="office@clinic.example"))
    assert error.value.retryable is retryable
    assert "clinic.example" not in str(error.value)


def test_without_tls_nothing_is_said(tmp_path: Path) -> None:
    with mail_server(tmp_path, tls=False) as (server, told), pytest.raises(DeliveryError) as error:
        mail(server, tmp_path).deliver(replace(PARCEL, to="office@clinic.example"))
    assert error.value.retryable
    assert not any(line.upper().startswith("MAIL") for line in told)


def test_a_fax_number_is_no_mail_address() -> None:
    with pytest.raises(DeliveryError, match="no e-mail address"):
        Mail("localhost:1", "um@plan.example").deliver(PARCEL)


# ------------------------------------------------------------------ settings


def test_the_settings_say_which_channels_there_are(tmp_path: Path) -> None:
    assert channels_in(load_settings({})) == {}
    settings = load_settings(
        {
            "TRIAGE_REQUEST_FOLDER": str(tmp_path),
            "TRIAGE_REQUEST_WEBHOOK_URL": "https://plan.example/requests",
            "TRIAGE_REQUEST_WEBHOOK_SECRET": SECRET,
            "TRIAGE_REQUEST_FHIR_URL": "https://clinic.example/fhir",
            "TRIAGE_REQUEST_FHIR_TOKEN": "very secret",
            "TRIAGE_REQUEST_MAIL_SERVER": "mail.plan.example:587",
            "TRIAGE_REQUEST_MAIL_FROM": "um@plan.example",
        }
    )
    channels = channels_in(settings)
    assert list(channels) == ["folder", "webhook", "fhir", "mail"]
    assert SECRET not in repr(channels)
    assert "very secret" not in repr(channels)


@pytest.mark.parametrize(
    "environ",
    [
        {"TRIAGE_REQUEST_WEBHOOK_URL": "https://plan.example", "TRIAGE_REQUEST_WEBHOOK_SECRET": "short"},
        {"TRIAGE_REQUEST_WEBHOOK_URL": "http://plan.example", "TRIAGE_REQUEST_WEBHOOK_SECRET": SECRET},
        {"TRIAGE_REQUEST_FHIR_URL": "ftp://clinic.example"},
        {"TRIAGE_REQUEST_FHIR_URL": "https://user:word@clinic.example"},
        {"TRIAGE_REQUEST_MAIL_SERVER": "mail.plan.example"},
    ],
    ids=["short secret", "not https", "not a web address", "a user in it", "no sender"],
)
def test_a_channel_that_would_not_be_safe_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        channels_in(load_settings(environ))


@pytest.mark.parametrize("place", ["mail.plan.example:abc", "mail.plan.example:99999", "user@host", ":"])
def test_a_mail_server_that_is_none_is_told_before_anything_is_sent(place: str) -> None:
    with pytest.raises(ConfigurationError, match="TRIAGE_REQUEST_MAIL_SERVER"):
        Mail.of(
            load_settings(
                {"TRIAGE_REQUEST_MAIL_SERVER": place, "TRIAGE_REQUEST_MAIL_FROM": "um@plan.example"}
            )
        )
