"""The case goes to the rules evaluator: the embedded one, or another behind HTTP by configuration.

The HTTP evaluator is sent the case without `evaluation` and `information_request`, under an
idempotency key made of the case and its content: sent again, it is the same request. What it cannot
take (4xx) or answers without sense is for a person; what may pass (5xx, a timeout, a refused
connection) is tried again with growing pauses. No message, log line or URL holds patient text.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from pipeline.case_json import evaluation_from_json, problems, to_json
from pipeline.catalog.facts import load_facts
from pipeline.catalog.policies import Policies
from pipeline.catalog.policy_packs import load_policies
from pipeline.domain import Case, Evaluation, PolicyRef
from pipeline.errors import ConfigurationError, EvaluatorError
from pipeline.masking import masked
from pipeline.rules import Ruleset
from pipeline.rules import evaluate as evaluate_embedded
from pipeline.settings import Settings

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_LONGEST_ANSWER = 1_000_000  # bytes; an evaluation has a few thousand
_KEPT_VERSIONS = 16

# httpx logs the URL of every request at INFO, and a URL may carry a key of the payer's gateway.
logging.getLogger("httpx").setLevel(logging.WARNING)


def evaluate(
    case: Case,
    settings: Settings,
    *,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Evaluation:
    """The evaluator's answer for a case, under the version of the policy that the case names.

    Raises EvaluatorError where an HTTP evaluator gives no usable answer.
    """
    if not settings.evaluator_url:
        return evaluate_embedded(case, ruleset_for(case.policy, settings))
    _check_url(settings.evaluator_url)
    with httpx.Client(
        transport=transport, timeout=settings.evaluator_timeout_s, headers=_authorization(settings)
    ) as client:
        return _ask(client, case, settings, sleep)


def ruleset_for(ref: PolicyRef | None, settings: Settings) -> Ruleset:
    """The rules of the version that `ref` names; without one, the newest of the policy in the settings."""
    policies = _policies(settings.models_dir)
    policy = policies.version(ref) if ref else policies[settings.policy]
    return _ruleset(settings.models_dir, policy.ref)


@lru_cache(maxsize=_KEPT_VERSIONS)
def _ruleset(models_dir: Path, ref: PolicyRef) -> Ruleset:
    return Ruleset(_policies(models_dir).version(ref), load_facts(models_dir))


@lru_cache(maxsize=_KEPT_VERSIONS)
def _policies(models_dir: Path) -> Policies:
    return load_policies(models_dir)


# ---------------------------------------------------------------------- HTTP


def request_body(case: Case) -> bytes:
    """What the HTTP evaluator is sent. The same case gives the same bytes, so the same key."""
    data = to_json(case)
    del data["evaluation"], data["information_request"]
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def idempotency_key(case_id: str, body: bytes) -> str:
    return f"{case_id}:{hashlib.sha256(body).hexdigest()}"


def _ask(client: httpx.Client, case: Case, settings: Settings, sleep: Callable[[float], None]) -> Evaluation:
    body = request_body(case)
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": idempotency_key(case.case_id, body),
    }
    url = f"{settings.evaluator_url.rstrip('/')}/evaluate"
    for attempt in range(settings.evaluator_retries + 1):
        if attempt:
            sleep(min(_FIRST_PAUSE_S * 2 ** (attempt - 1), _LONGEST_PAUSE_S))
        try:
            return _answer(client.post(url, content=body, headers=headers), body)
        except EvaluatorError as error:
            if not error.retryable or attempt == settings.evaluator_retries:
                raise
        except httpx.HTTPError as error:
            if attempt == settings.evaluator_retries:
                cause = type(error).__name__
                raise EvaluatorError(
                    f"The rules evaluator could not be reached ({cause}, {attempt + 1} tries).",
                    retryable=True,
                    next_step="Check TRIAGE_EVALUATOR_URL and that it runs, then run the case again.",
                ) from None
    raise AssertionError("unreachable: the last attempt returns or raises")


def _answer(response: httpx.Response, body: bytes) -> Evaluation:
    """The evaluation in the response to `body`. Raises EvaluatorError."""
    status = response.status_code
    if status >= 500:
        raise EvaluatorError(
            f"The rules evaluator failed with status {status}.",
            retryable=True,
            next_step="Run the case again when it works.",
        )
    if status != httpx.codes.OK:
        raise EvaluatorError(
            f"The rules evaluator did not take the case: status {status}{_told(response, body)}.",
            retryable=False,
            next_step="Its own log tells more; the idempotency key starts with the case id.",
        )
    if len(response.content) > _LONGEST_ANSWER:
        raise _nonsense("it is too long")
    try:
        evaluation = evaluation_from_json(response.content)
    except ValidationError as error:
        raise _nonsense(problems(error)) from None
    if contradiction := _contradiction(evaluation):
        raise _nonsense(contradiction)
    return evaluation


def _contradiction(evaluation: Evaluation) -> str:
    """How an evaluation contradicts itself: such an answer is no ground for anything."""
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


def _authorization(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings.evaluator_token}"} if settings.evaluator_token else {}


def _check_url(url: str) -> None:
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
