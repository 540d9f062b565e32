"""Asking the evaluator: the embedded one, and one behind HTTP that is down, slow or talks nonsense."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from decisions import case_of, evidence

from pipeline.case_json import evaluation_to_json, from_json
from pipeline.circuit import Circuit
from pipeline.domain import Case, CaseDocument, Field, Patient, Status
from pipeline.errors import ConfigurationError, EvaluatorError, UsageError
from pipeline.evaluation import evaluate, ruleset_for
from pipeline.masking import masked
from pipeline.rules import evaluate as evaluate_embedded
from pipeline.settings import Settings, load_settings

EMBEDDED = load_settings({})
SECRETS = ("Quillfeather", "Zebulon", "ZQX-0099-77", "mulberry", "tuberosity", "nodule")
CASE = replace(
    case_of("tumor_site=kidney; behavior=benign"),
    patient=Patient(
        name=Field("Quillfeather, Zebulon", Status.FOUND, 1.0, evidence=(evidence(),)),
        member_id=Field("ZQX-0099-77", Status.FOUND, 1.0, evidence=(evidence(),)),
    ),
    documents=(
        CaseDocument(
            "d1", "a.pdf", "letter", None, "t", 1, 1, 1.0, text="A mulberry nodule at the tuberosity"
        ),
    ),
)
RIGHT = evaluation_to_json(evaluate_embedded(CASE, ruleset_for(CASE.policy, EMBEDDED)))


@pytest.fixture
def http(tmp_path: Path) -> Settings:
    return replace(
        EMBEDDED, evaluator_url="https://rules.example/payer", evaluator_token="s3cret", evaluator_retries=3
    )


class Server:
    """Answers one response (or raises one error) after another; keeps what it was sent."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(self, settings: Settings, case: Case = CASE) -> Any:
        transport = httpx.MockTransport(self)
        return evaluate(case, settings, transport=transport, sleep=self.pauses.append, circuit=Circuit(0, 0))


def test_the_embedded_evaluator_is_the_default() -> None:
    evaluation = evaluate(CASE, EMBEDDED)
    assert (evaluation.outcome, evaluation.criterion) == ("meets", "I.C")
    assert evaluation.evaluator.name == "embedded"
    assert evaluation.evaluator.ruleset == "cryosurgical-ablation@2023-02-01"


def test_a_case_without_a_policy_is_judged_by_that_of_the_settings() -> None:
    assert evaluate(replace(CASE, policy=None), EMBEDDED) == evaluate(CASE, EMBEDDED)


def test_a_version_that_is_not_kept_is_named() -> None:
    assert CASE.policy is not None
    with pytest.raises(UsageError, match="1999-01-01"):
        evaluate(replace(CASE, policy=replace(CASE.policy, version="1999-01-01")), EMBEDDED)


def test_what_the_http_evaluator_is_sent(http: Settings) -> None:
    server = Server(httpx.Response(200, json=RIGHT))
    case = replace(CASE, evaluation=evaluate(CASE, EMBEDDED))
    assert evaluation_to_json(server.ask(http, case)) == RIGHT
    (request,) = server.requests
    body = request.read()
    sent = json.loads(body)
    assert (request.method, str(request.url)) == ("POST", "https://rules.example/payer/evaluate")
    assert request.headers["Idempotency-Key"] == f"case-1:{hashlib.sha256(body).hexdigest()}"
    assert request.headers["Authorization"] == "Bearer s3cret"
    assert request.headers["Content-Type"] == "application/json"
    assert "evaluation" not in sent
    assert "information_request" not in sent
    assert from_json(sent) == CASE


def test_without_a_token_no_authorization_is_sent(http: Settings) -> None:
    server = Server(httpx.Response(200, json=RIGHT))
    server.ask(replace(http, evaluator_token=""))
    assert "Authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(500),
        httpx.Response(503, text="overloaded"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut off"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_what_may_pass_is_tried_again_as_the_same_request(
    failure: httpx.Response | Exception, http: Settings
) -> None:
    server = Server(failure, failure, httpx.Response(200, json=RIGHT))
    assert server.ask(http).outcome == "meets"
    assert server.pauses == [0.5, 1.0]
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1


@pytest.mark.parametrize(
    "failure", [httpx.Response(502), httpx.ConnectError("refused")], ids=["status", "refused"]
)
def test_after_the_last_try_the_case_can_be_replayed(
    failure: httpx.Response | Exception, http: Settings
) -> None:
    server = Server(failure)
    with pytest.raises(EvaluatorError) as caught:
        server.ask(http)
    assert caught.value.retryable
    assert len(server.requests) == 4
    assert server.pauses == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 301, 204])
def test_a_refusal_is_not_tried_again(status: int, http: Settings) -> None:
    server = Server(httpx.Response(status))
    with pytest.raises(EvaluatorError, match=str(status)) as caught:
        server.ask(http)
    assert not caught.value.retryable
    assert len(server.requests) == 1


def edited(**changes: Any) -> dict[str, Any]:
    return {**RIGHT, **changes}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="meets"),
        httpx.Response(200, content=b""),
        httpx.Response(200, json={}),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"outcome": "meets"}),
        httpx.Response(200, json=edited(outcome="approved")),
        httpx.Response(200, json=edited(outcome=None)),
        httpx.Response(200, json=edited(criterion=None)),
        httpx.Response(200, json=edited(criterion="I.A")),
        httpx.Response(200, json=edited(missing=[{"code": "treatment_plan", "message": "m"}])),
        httpx.Response(200, json=edited(criteria=[{"id": "I.C", "result": "yes"}])),
        httpx.Response(200, content=b" " * 1_000_001),
    ],
    ids=range(12),
)
def test_nonsense_is_an_error_and_no_guess(answer: httpx.Response, http: Settings) -> None:
    server = Server(answer)
    with pytest.raises(EvaluatorError, match="not an evaluation") as caught:
        server.ask(http)
    assert not caught.value.retryable
    assert len(server.requests) == 1


def test_the_smallest_answer_that_the_contract_allows(http: Settings) -> None:
    small = {
        "evaluator": {"name": "payer", "version": "9", "ruleset": "r"},
        "outcome": "needs_information",
        "criterion": None,
    }
    assert Server(httpx.Response(200, json=small)).ask(http).outcome == "needs_information"


@pytest.mark.parametrize(
    "answer",
    [
        lambda body: httpx.Response(422, json={"message": body}),
        lambda body: httpx.Response(400, text=body),
        lambda body: httpx.Response(400, json={"detail": "no policy for Quillfeather's tuberositys"}),
        lambda body: httpx.Response(500, text=body),
        lambda body: httpx.Response(200, text=body),
        lambda body: httpx.Response(200, json={"outcome": body, body: body}),
    ],
    ids=range(6),
)
def test_no_words_of_the_case_reach_the_log_or_the_message(
    answer: Callable[[str], httpx.Response], http: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "pipeline")  # another test may have made it quieter

    def echo(request: httpx.Request) -> httpx.Response:
        return answer(request.read().decode())

    with pytest.raises(EvaluatorError) as caught:
        evaluate(
            CASE, http, transport=httpx.MockTransport(echo), sleep=lambda pause: None, circuit=Circuit(0, 0)
        )
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__} {caplog.text}".casefold()
    for secret in SECRETS:
        assert secret.casefold() not in shown


def test_a_refusal_s_own_words_are_told(http: Settings) -> None:
    server = Server(httpx.Response(422, json={"message": "policy version 2022-01-01 is not supported"}))
    with pytest.raises(EvaluatorError, match="policy version 2022-01-01 is not supported"):
        server.ask(http)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("the status field is unknown", "the status field is unknown"),
        ("member Quillfeather is unknown", "member … is unknown"),
        ("Zebulon's record", "… record"),
        ("id zqx-0099-77", "id …"),
        ("quillfeatherzebulon", "…"),
        ("version 2022-01-01", "version 2022-01-01"),
        ("born 02/17/1954", "born …"),
        ("born 02-17", "born …"),
        ("Eve-like", "…"),
    ],
)
def test_masked(message: str, shown: str) -> None:
    case = {
        "name": "Quillfeather, Zebulon",
        "member_id": "ZQX-0099-77",
        "status": "complete",
        "dob": "02-17-1954 Eve",
    }
    assert masked(message, case) == shown


@pytest.mark.parametrize(
    "url",
    ["rules.example", "ftp://rules.example", "https://user:key@rules.example", "https://rules.example?key=1"],
)
def test_an_address_that_cannot_be_is_told(url: str, http: Settings) -> None:
    with pytest.raises(ConfigurationError, match="TRIAGE_EVALUATOR_URL") as caught:
        Server(httpx.Response(200)).ask(replace(http, evaluator_url=url))
    assert "key" not in str(caught.value).replace("the key as", "")
