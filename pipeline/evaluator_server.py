"""The embedded rules evaluator behind HTTP: `POST /evaluate` and `GET /health`, as the contract has it.

An answer or a log line quotes nothing of a case. An answer is kept under its idempotency key, which
names the body's hash: the same request gets the same answer, without being evaluated again.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from pipeline.case_json import evaluation_to_json, from_json
from pipeline.domain import Case, Evaluation
from pipeline.errors import TriageError, UsageError
from pipeline.evaluation import policies_in, ruleset_for
from pipeline.evaluator_client import idempotency_key
from pipeline.rules import evaluate
from pipeline.rules.evaluator import NAME, VERSION
from pipeline.serving import Certificates, serve_application
from pipeline.settings import Settings

LARGEST_BODY = 64 * 1024 * 1024  # bytes; a case of 500 pages has some 5 MB
_KEPT_ANSWERS = 10_000

_log = logging.getLogger(__name__)


class _Refused(Exception):
    """A request that cannot be answered; `message` quotes nothing of it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def application(settings: Settings) -> FastAPI:
    """The web application. Raises CatalogError where a policy pack is wrong, before the first case comes."""
    packs = policies_in(settings.models_dir).versions.values()
    rulesets = sorted(policy.ruleset for versions in packs for policy in versions)
    ruleset_for(None, settings)
    answers = _Answers(_KEPT_ANSWERS)
    # No pages of documentation: they would load scripts from elsewhere.
    app = FastAPI(title="Rules evaluator", openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "evaluator": {"name": NAME, "version": VERSION}, "rulesets": rulesets}

    @app.post("/evaluate")
    async def evaluate_case(request: Request) -> JSONResponse:
        started = time.perf_counter()
        try:
            _authorize(request, settings.evaluator_token)
            body = await _body(request)
            status, answer = 200, _answer(request.headers.get("Idempotency-Key"), body, settings, answers)
        except _Refused as refused:
            status, answer = refused.status, {"message": refused.message}
        except Exception as error:  # a bug; its message may quote the case, the log's policy withholds it
            _log.error("An evaluation failed.", exc_info=error)
            status, answer = 500, {"message": "Internal error; the server's log says where."}
        _log.info("POST /evaluate: %d in %.1f ms.", status, (time.perf_counter() - started) * 1000)
        return JSONResponse(answer, status)

    return app


# ---------------------------------------------------------------------- one request


def _authorize(request: Request, token: str) -> None:
    given = request.headers.get("Authorization", "")
    if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise _Refused(401, "A bearer token is needed that this evaluator knows.")


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise _Refused(413, "The case is too large.")
    return bytes(body)


def _answer(key: str | None, body: bytes, settings: Settings, answers: _Answers) -> dict[str, Any]:
    case = _case(body)
    if key is None:
        raise _Refused(400, "The header Idempotency-Key is missing.")
    if key != idempotency_key(case.case_id, body):
        raise _Refused(409, "The Idempotency-Key is not made of this case's id and this body's SHA-256.")
    return answers.get(key, lambda: evaluation_to_json(_evaluation(case, settings)))


def _case(body: bytes) -> Case:
    try:
        return from_json(json.loads(body))
    except (ValueError, RecursionError):
        raise _Refused(400, "The body is not JSON.") from None
    except TriageError as error:
        raise _Refused(422, str(error)) from None


def _evaluation(case: Case, settings: Settings) -> Evaluation:
    try:
        ruleset = ruleset_for(case.policy, settings)
    except UsageError:
        raise _Refused(422, "policy: no such policy and version here; GET /health lists them.") from None
    return evaluate(case, ruleset)


class _Answers:
    """The last answers by idempotency key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def get(self, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if key not in self._kept:
            self._kept[key] = make()
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


# ---------------------------------------------------------------------- serving


def serve(
    settings: Settings,
    host: str,
    port: int,
    *,
    ready: Callable[[str], None],
    certificates: Certificates | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are answered. `ready` is told the address once it
    answers. Port 0 takes a free one.

    Raises UsageError where the address cannot be had, or is not this machine's own and no token is set.
    """
    _refuse_strangers(host, settings)
    serve_application(application(settings), host, port, ready=ready, certificates=certificates)


def _refuse_strangers(host: str, settings: Settings) -> None:
    if not settings.evaluator_token and not _is_own(host):
        raise UsageError(
            f"{host} can be reached by other machines, and no token is set.",
            next_step="Set TRIAGE_EVALUATOR_TOKEN, or serve on 127.0.0.1.",
        )


def _is_own(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
