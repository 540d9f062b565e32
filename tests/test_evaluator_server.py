"""`triage serve-evaluator` and `triage check-evaluator`: a real server in a process of its own, spoken to
on loopback, with and without TLS; and servers that break the contract, which the kit must notice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from decisions import case_of, decisions

from pipeline.__main__ import main
from pipeline.case_json import evaluation_from_json, evaluation_to_json, from_json
from pipeline.errors import ConfigurationError, EvaluatorError, ExitCode, TriageError
from pipeline.evaluation import evaluate, ruleset_for
from pipeline.evaluator_check import CANARY, check_evaluator
from pipeline.evaluator_client import idempotency_key, request_body
from pipeline.settings import Settings, load_settings

EMBEDDED = load_settings({})
CASE = case_of("tumor_site=kidney; behavior=benign")
TOKEN = "a-token-made-up-for-this-test"
START_S = 20.0


@dataclass
class Served:
    """A running server: its address, how long it took to be ready, and its log."""

    url: str
    ready_s: float
    log: Path
    process: subprocess.Popen[str]


@contextmanager
def served(folder: Path, *options: str, token: str = "") -> Iterator[Served]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TRIAGE_")}
    log = folder / "server.log"
    command = [sys.executable, "-m", "pipeline", "serve-evaluator", "--port", "0", "--log-level", "DEBUG"]
    started = time.monotonic()
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**environ, **({"TRIAGE_EVALUATOR_TOKEN": token} if token else {})},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "answers at" in line, log.read_text()
            url = line.split("answers at ")[1].split(";")[0]
            yield Served(url, time.monotonic() - started, log, process)
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("server"), token=TOKEN) as running:
        yield running


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=10) as client:
        yield client


def posted(
    client: httpx.Client, body: bytes, key: str | None = None, case_id: str = "case-1"
) -> httpx.Response:
    key = idempotency_key(case_id, body) if key is None else key
    return client.post("/evaluate", content=body, headers={"Idempotency-Key": key} if key else {})


def http_settings(server: Served, **others: Any) -> Settings:
    return replace(
        EMBEDDED, **{"evaluator_url": server.url, "evaluator_token": TOKEN, "evaluator_retries": 0, **others}
    )


# ---------------------------------------------------------------------- what it answers


def test_it_answers_as_the_embedded_evaluator_does(server: Served) -> None:
    rows = list(decisions())[::8]
    assert len(rows) > 20
    for row in rows:
        assert evaluate(row.case, http_settings(server)) == evaluate(row.case, EMBEDDED)


def test_it_is_ready_in_a_moment(server: Served) -> None:
    assert server.ready_s < 5  # a second on an idle machine


def test_health_names_the_rules(client: httpx.Client) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert "cryosurgical-ablation@2023-02-01" in answer.json()["rulesets"]


def test_the_same_key_gets_the_same_answer(client: httpx.Client) -> None:
    body = request_body(CASE)
    first, second = posted(client, body), posted(client, body)
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert evaluation_from_json(first.content).outcome == "meets"


def test_an_answer_on_a_connection_that_is_kept_does_not_wait(client: httpx.Client) -> None:
    body = request_body(CASE)
    times = []
    for _ in range(9):
        started = time.perf_counter()
        posted(client, body)
        times.append(time.perf_counter() - started)
    assert sorted(times)[4] < 0.03  # 2 ms; with Nagle's algorithm 42


def spoilt(**changes: Any) -> bytes:
    return json.dumps({**json.loads(request_body(CASE)), **changes}).encode()


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff\xff", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"[]", 422, "not a JSON object"),
        (spoilt(schema_version="7"), 422, "schema_version"),
        (spoilt(status=CANARY), 422, "status"),
        (spoilt(findings={CANARY: {"status": CANARY}}), 422, "findings.…"),
        (spoilt(findings={"tumor_site": {"value": CANARY, "status": "not_found"}}), 422, "tumor_site"),
        (spoilt(policy={"id": CANARY, "version": "1"}), 422, "policy"),
    ],
    ids=range(10),
)
def test_what_it_cannot_take_is_refused_without_a_quote(
    body: bytes, status: int, told: str, client: httpx.Client
) -> None:
    answer = posted(client, body)
    assert answer.status_code == status
    assert told in answer.json()["message"]
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("key", "status"),
    [("", 400), ("case-1", 409), ("case-2:" + idempotency_key("", request_body(CASE))[1:], 409)],
)
def test_the_key_must_be_of_this_case_and_this_body(key: str, status: int, client: httpx.Client) -> None:
    assert posted(client, request_body(CASE), key).status_code == status
    other = request_body(replace(CASE, status="partial"))
    assert posted(client, other, idempotency_key("case-1", request_body(CASE))).status_code == 409


@pytest.mark.parametrize("given", ["", "Bearer wrong", TOKEN, f"Basic {TOKEN}"])
def test_without_the_token_nothing_is_evaluated(given: str, server: Served) -> None:
    headers = {"Authorization": given} if given else {}
    with httpx.Client(base_url=server.url, headers=headers) as stranger:
        assert posted(stranger, request_body(CASE)).status_code == 401


def test_a_wrong_token_parks_the_case_with_the_reason(server: Served) -> None:
    with pytest.raises(EvaluatorError, match="status 401") as caught:
        evaluate(CASE, http_settings(server, evaluator_token="wrong"))
    assert not caught.value.retryable


def test_the_log_tells_of_requests_and_nothing_of_cases(client: httpx.Client, server: Served) -> None:
    posted(client, request_body(replace(CASE, case_id=CANARY)), case_id=CANARY)
    posted(client, spoilt(status=CANARY))
    client.get(f"/{CANARY}")
    log = server.log.read_text()
    assert "POST /evaluate: 200 in " in log
    assert "POST /evaluate: 422 in " in log
    for secret in (CANARY, TOKEN, "kidney"):
        assert secret not in log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly_when_told_to(number: signal.Signals, tmp_path: Path) -> None:
    with served(tmp_path, "--log-level", "WARNING") as running:
        running.process.send_signal(number)
        assert running.process.wait(10) == 0
        assert running.log.read_text() == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "evaluator.example"])
def test_other_machines_need_a_token(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve-evaluator", "--host", host, "--port", "0"], {}) == ExitCode.USAGE
    assert "TRIAGE_EVALUATOR_TOKEN" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(server: Served, capsys: pytest.CaptureFixture[str]) -> None:
    port = server.url.rpartition(":")[2]
    assert main(["serve-evaluator", "--port", port], {}) == ExitCode.USAGE
    assert f"Port {port}" in capsys.readouterr().err


# ---------------------------------------------------------------------- certificates


@dataclass
class Authority:
    """A certificate authority of this test alone."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.path = self.folder / f"{self.name}.pem"
        self.path.write_bytes(_pem(self._signed(self.name, self._key, authority=True)))

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 and its key, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(_pem(self._signed(name, key, authority=False)))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, key_file

    def _signed(self, name: str, key: ec.EllipticCurvePrivateKey, *, authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        own = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def test_mutual_tls(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    certificate, key = ours.issue("server")
    own, own_key = ours.issue("client")
    foreign, foreign_key = theirs.issue("foreign")
    options = ["--tls-cert", str(certificate), "--tls-key", str(key), "--client-ca", str(ours.path)]
    with served(tmp_path, *options, token=TOKEN) as running:
        assert running.url.startswith("https://127.0.0.1:")
        right = http_settings(
            running,
            evaluator_ca=str(ours.path),
            evaluator_client_cert=str(own),
            evaluator_client_key=str(own_key),
        )
        assert evaluate(CASE, right) == evaluate(CASE, EMBEDDED)
        together = tmp_path / "together.pem"
        together.write_bytes(own.read_bytes() + own_key.read_bytes())
        in_one = replace(right, evaluator_client_cert=str(together), evaluator_client_key="")
        assert evaluate(CASE, in_one) == evaluate(CASE, EMBEDDED)
        for wrong in (
            replace(right, evaluator_client_cert="", evaluator_client_key=""),
            replace(right, evaluator_client_cert=str(foreign), evaluator_client_key=str(foreign_key)),
            replace(right, evaluator_ca=str(theirs.path)),
            replace(right, evaluator_ca=""),
        ):
            with pytest.raises(EvaluatorError, match="could not be reached"):
                evaluate(CASE, wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"evaluator_ca": "no-such.pem"},
        {"evaluator_client_cert": "no-such.pem"},
        {"evaluator_client_key": "key-alone.pem"},
        {"evaluator_ca": __file__},
    ],
    ids=lambda wrong: "".join(wrong),
)
def test_certificates_that_cannot_be_used_are_told(wrong: dict[str, str]) -> None:
    settings = replace(EMBEDDED, evaluator_url="https://127.0.0.1:9", **wrong)
    with pytest.raises(ConfigurationError, match="TRIAGE_EVALUATOR_C"):
        evaluate(CASE, settings)


def test_a_server_with_certificates_that_cannot_be_used_does_not_start(tmp_path: Path) -> None:
    arguments = ["serve-evaluator", "--port", "0", "--tls-cert", str(tmp_path / "none.pem")]
    assert main(arguments, {}) == ExitCode.CONFIGURATION
    assert main(["serve-evaluator", "--tls-key", "key.pem"], {}) == ExitCode.USAGE


# ---------------------------------------------------------------------- the contract-test kit


def test_our_own_evaluator_keeps_the_contract(server: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-evaluator", server.url], {"TRIAGE_EVALUATOR_TOKEN": TOKEN}) == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "19 of 19 checks passed."
    assert all(line.startswith("ok     ") for line in lines[:-1])


def test_without_the_token_the_kit_fails(server: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-evaluator", server.url], {}) == ExitCode.PARKED
    assert "FAILED a case is answered with an evaluation: status 401" in capsys.readouterr().out


def test_the_kit_passes_for_each_policy(server: Served) -> None:
    environ = {"TRIAGE_EVALUATOR_TOKEN": TOKEN, "TRIAGE_POLICY": "example-bone-metastasis"}
    assert main(["check-evaluator", server.url, "--quiet"], environ) == ExitCode.DONE


def test_an_evaluator_that_cannot_be_reached_is_told_once() -> None:
    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    assert list(broken(down).values()) == [
        "it cannot be reached: is it running at this address, and are the certificates right?"
    ]


Handler = Callable[[httpx.Request], httpx.Response]


def broken(handler: Handler) -> dict[str, str]:
    """The checks that an evaluator fails, with what the kit says."""
    policy = ruleset_for(None, EMBEDDED).policy
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(transport=httpx.MockTransport(handler), headers=headers) as client:
        checks = check_evaluator(client, "http://payer.example", policy)
        return {check.title: check.broken for check in checks if check.broken}


def right(request: httpx.Request) -> httpx.Response:
    """Keeps the contract, in a few lines."""
    if request.method != "POST":
        return httpx.Response(405)
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return httpx.Response(401)
    try:
        case = from_json(json.loads(request.read()))
        evaluation = evaluate(case, EMBEDDED)
    except (ValueError, TriageError):
        return httpx.Response(422, json={"message": "no"})
    return httpx.Response(200, json=evaluation_to_json(evaluation))


def changing(change: Callable[[dict[str, Any], Mapping[str, Any]], None]) -> Handler:
    """The right evaluator with its answers changed; `change` gets the answer and the case."""

    def handler(request: httpx.Request) -> httpx.Response:
        response = right(request)
        if response.status_code != 200:
            return response
        answer = response.json()
        change(answer, json.loads(request.read()))
        return httpx.Response(200, json=answer)

    return handler


def guesses(answer: dict[str, Any], case: Mapping[str, Any]) -> None:
    for result in answer["criteria"]:
        if result["result"] == "unknown":
            result["result"] = "not_met"
    if answer["outcome"] == "needs_information":
        answer["outcome"] = "investigational"


def takes_a_side(answer: dict[str, Any], case: Mapping[str, Any]) -> None:
    if any(field["status"] == "conflicting" for field in case["findings"].values()):
        answer["outcome"] = "investigational"


def forgets_reasons(answer: dict[str, Any], case: Mapping[str, Any]) -> None:
    for result in answer["criteria"]:
        result["because"] = result["would_settle"] = []


def reads_pages(answer: dict[str, Any], case: Mapping[str, Any]) -> None:
    pages = [evidence["page"] for field in case["findings"].values() for evidence in field["evidence"]]
    answer["evaluator"]["version"] = str(max(pages, default=0))


def reads_silence(answer: dict[str, Any], case: Mapping[str, Any]) -> None:
    if "behavior" in case["findings"]:
        answer["outcome"] = "needs_information"


def counts(answer: dict[str, Any], case: Mapping[str, Any]) -> None:
    COUNT.append(1)
    answer["evaluator"]["version"] = str(len(COUNT))


COUNT: list[int] = []


def test_the_kit_has_nothing_to_say_of_one_that_keeps_the_contract() -> None:
    assert broken(right) == {}


@pytest.mark.parametrize(
    ("handler", "title"),
    [
        (changing(guesses), "where nothing is documented"),
        (changing(takes_a_side), "where the records disagree"),
        (changing(forgets_reasons), "a criterion that is unknown or met says"),
        (changing(reads_pages), "other pages and quotes change nothing"),
        (changing(reads_silence), "not found and uncertain are the same"),
        (changing(counts), "the same request again"),
        (changing(counts), "so it does when it comes several times"),
        (changing(counts), "another case with the same findings"),
        (changing(lambda answer, case: answer.update(outcome="approved")), "a case is answered"),
        (changing(lambda answer, case: answer.pop("missing")), "a case is answered"),
        (changing(lambda answer, case: answer.update(criterion=None)), "every invented case is"),
    ],
    ids=range(11),
)
def test_the_kit_notices(handler: Handler, title: str) -> None:
    found = broken(handler)
    assert any(each.startswith(title) for each in found), found


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        (lambda request: httpx.Response(500), "what is no JSON is refused"),
        (lambda request: httpx.Response(500), "what is no case is refused"),
        (lambda request: httpx.Response(500), "a policy that it does not have"),
        (
            lambda request: httpx.Response(400, content=request.read()),
            "a refusal says why and quotes nothing",
        ),
        (lambda request: httpx.Response(400), "a refusal says why and quotes nothing"),
    ],
)
def test_the_kit_notices_wrong_refusals(answer: Handler, title: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        response = right(request)
        return answer(request) if response.status_code == 422 else response

    assert any(each.startswith(title) for each in broken(handler))


def test_the_kit_notices_open_doors() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200)
        request.headers["Authorization"] = f"Bearer {TOKEN}"
        return right(request)

    titles = set(broken(handler))
    assert {"another method is refused (4xx)", "a request without the token is refused"} <= titles
