"""The client of a rules evaluator behind HTTP; the only importer of httpx but for `evaluation`.

The evaluator is sent the case without `evaluation` and `information_request`, under an idempotency
key made of the case and its content: sent again, it is the same request. What it cannot take (4xx)
or answers without sense is for a person; what may pass (5xx, a timeout, a refused connection) is
tried again with growing pauses, until the circuit opens. No message, log line or URL holds patient text.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import ssl
import time
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from pipeline.case_json import evaluation_from_json, problems, to_json
from pipeline.circuit import Circuit
from pipeline.domain import Case, Evaluation
from pipeline.errors import ConfigurationError, EvaluatorError
from pipeline.masking import masked
from pipeline.settings import Settings

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_LONGEST_ANSWER = 1_000_000  # bytes; an evaluation has a few thousand

# httpx logs the URL of every request at INFO, and a URL may carry a key of the payer's gateway.
logging.getLogger("httpx").setLevel(logging.WARNING)


# ---------------------------------------------------------------------- connection


def connect(settings: Settings, *, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """A client with the settings' timeout, token and certificates. Raises ConfigurationError.

    Redirects are not followed: a case goes to the address that was configured and to no other.
    """
    token = settings.evaluator_token
    return httpx.Client(
        transport=transport,
        timeout=settings.evaluator_timeout_s,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        verify=_tls(settings.evaluator_ca, settings.evaluator_client_cert, settings.evaluator_client_key),
    )


@lru_cache(maxsize=4)
def _tls(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """Whom to believe and how to show who we are; read once, which takes some 20 ms."""
    if key and not certificate:
        raise ConfigurationError(
            "TRIAGE_EVALUATOR_CLIENT_KEY is set without a certificate.",
            next_step="Name the certificate's file as TRIAGE_EVALUATOR_CLIENT_CERT.",
        )
    try:
        context = ssl.create_default_context(cafile=ca) if ca else httpx.create_ssl_context()
        if certificate:
            context.load_cert_chain(certificate, key or None, password="")
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"The evaluator's certificates cannot be used ({type(error).__name__}).",
            next_step="TRIAGE_EVALUATOR_CA, _CLIENT_CERT and _CLIENT_KEY must name readable PEM files.",
        ) from error
    return context


def check_url(url: str) -> None:
    """Raises ConfigurationError for an address that cannot be, or that holds a secret."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigurationError(
            "TRIAGE_EVALUATOR_URL is not a web address.", next_step="Give it as https://host[:port][/path]."
        )
    if parts.username or parts.query or parts.fragment:
        raise ConfigurationError(
            "TRIAGE_EVALUATOR_URL holds a user, query or fragment.",
            next_step="Give the address alone and the key as TRIAGE_EVALUATOR_TOKEN.",
        )


def answers(settings: Settings) -> bool:
    """Whether something answers at the evaluator's address, whatever it says."""
    with connect(settings) as client:
        try:
            client.get(settings.evaluator_url)
        except httpx.HTTPError:
            return False
    return True


# ---------------------------------------------------------------------- asking


def request_body(case: Case) -> bytes:
    """What the HTTP evaluator is sent. The same case gives the same bytes, so the same key."""
    data = to_json(case)
    del data["evaluation"], data["information_request"]
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def idempotency_key(case_id: str, body: bytes) -> str:
    return f"{case_id}:{hashlib.sha256(body).hexdigest()}"


def ask(
    client: httpx.Client,
    case: Case,
    settings: Settings,
    *,
    sleep: Callable[[float], None],
    circuit: Circuit,
) -> Evaluation:
    """The evaluation that the evaluator answers. Raises EvaluatorError, also where it is left alone."""
    body = request_body(case)
    key = idempotency_key(case.case_id, body)
    attempt = 0
    while True:
        if wait_s := circuit.wait_s():
            raise _left_alone(wait_s)
        try:
            evaluation = _evaluation(_post(client, settings, body, key), body)
        except EvaluatorError as error:
            if not error.retryable:
                circuit.succeeded()  # it answers
                raise
            circuit.failed()
            if attempt == settings.evaluator_retries:
                error.tries = attempt + 1
                raise
        except BaseException:
            circuit.failed()  # an interrupt while the one request was out that may try
            raise
        else:
            circuit.succeeded()
            return evaluation
        sleep(min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S))
        attempt += 1


def _left_alone(wait_s: float) -> EvaluatorError:
    return EvaluatorError(
        "The rules evaluator was not asked: it failed several times in a row and is left alone "
        f"for another {math.ceil(wait_s)} s.",
        retryable=True,
        next_step="Run the case again when it works: `triage evaluate case.json`.",
    )


def _post(client: httpx.Client, settings: Settings, body: bytes, key: str) -> httpx.Response:
    """The response, read to its end. Raises EvaluatorError where there is none within the time."""
    deadline = time.monotonic() + settings.evaluator_timeout_s
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    url = f"{settings.evaluator_url.rstrip('/')}/evaluate"
    content = bytearray()
    try:
        with client.stream("POST", url, content=body, headers=headers) as response:
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _LONGEST_ANSWER:
                    raise _nonsense("it is too long")
                # httpx's timeout starts anew with every byte: a trickle would never end.
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer took too long")
    except httpx.HTTPError as error:
        raise EvaluatorError(
            f"The rules evaluator could not be reached ({type(error).__name__}).",
            retryable=True,
            next_step="Check TRIAGE_EVALUATOR_URL and that it runs, then `triage evaluate case.json`.",
        ) from None
    return httpx.Response(response.status_code, content=bytes(content))


def _evaluation(response: httpx.Response, body: bytes) -> Evaluation:
    """The evaluation in the response to `body`. Raises EvaluatorError."""
    status = response.status_code
    if status >= 500:
        raise EvaluatorError(
            f"The rules evaluator failed with status {status}.",
            retryable=True,
            next_step="Run the case again when it works: `triage evaluate case.json`.",
        )
    if status != httpx.codes.OK:
        raise EvaluatorError(
            f"The rules evaluator did not take the case: status {status}{_told(response, body)}.",
            retryable=False,
            next_step="Its own log tells more; the idempotency key starts with the case id.",
        )
    try:
        evaluation = evaluation_from_json(response.content)
    except ValidationError as error:
        raise _nonsense(problems(error)) from None
    if why := contradiction(evaluation):
        raise _nonsense(why)
    return evaluation


def contradiction(evaluation: Evaluation) -> str:
    """How an evaluation contradicts itself, if it does: such an answer is no ground for anything."""
    results = {result.id: result.result for result in evaluation.criteria}
    if evaluation.outcome == "meets":
        if evaluation.criterion is None:
            return "outcome is meets, criterion is null"
        if results.get(evaluation.criterion, "met") != "met":
            return "outcome is meets, the criterion's result is not met"
        if evaluation.missing:
            return "outcome is meets, and yet something is missing"
    return ""


def _told(response: httpx.Response, body: bytes) -> str:
    """The message of a refusal, masked: it may repeat what it was sent. Empty if there is none."""
    try:
        answer = response.json()
    except ValueError:
        return ""
    names = ("message", "detail", "error", "title")
    messages = [answer[name] for name in names if isinstance(answer, dict) and name in answer]
    told = next((message for message in messages if isinstance(message, str)), "")
    return f", {masked(told, json.loads(body))}".rstrip(" .,") if told else ""


def _nonsense(why: str) -> EvaluatorError:
    return EvaluatorError(
        f"The rules evaluator's answer is not an evaluation: {why}.",
        retryable=False,
        next_step="Check it with `triage check-evaluator`.",
    )
