"""What every request passes: headers, limits, the session, the forms' token."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import HTTPException, Request
from starlette.responses import Response

from pipeline import audit
from pipeline.errors import ConfigurationError
from pipeline.ledger import Ledger
from pipeline.review.problems import problem
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session, current
from pipeline.sealing import Keyring
from pipeline.settings import Settings

COOKIE: Final = "triage_session"
_POLICY: Final = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_LARGEST_BODY: Final = 1 << 20
_LEAST_SECRET: Final = 16
_DEFAULTS: Final = ("changeme", "change-me", "secret", "password", "default", "example", "test", "0123456789")


async def headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Every answer's security headers; a body that is too large is not read."""
    length = request.headers.get("content-length", "0")
    if not re.fullmatch("[0-9]{1,9}", length) or int(length) > _LARGEST_BODY:
        return problem(413, "The request is too large.", headers=HEADERS)
    if "transfer-encoding" in request.headers:
        return problem(411, "The request does not say how long it is.", headers=HEADERS)
    writes = request.method not in ("GET", "HEAD")
    if writes and request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # Cookies do not come along from elsewhere; this is for the login, which has none yet.
        return problem(403, "The request comes from another site.", headers=HEADERS)
    answer = await call_next(request)
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    if request.url.scheme == "https":
        answer.headers["Strict-Transport-Security"] = "max-age=31536000"
    return answer


def session_of(request: Request, ledger: Ledger) -> Session | None:
    """Who asks, by cookie or bearer token; None for nobody."""
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    token = bearer if kind.lower() == "bearer" else request.cookies.get(COOKIE, "")
    session = current(ledger, token) if token else None
    # A token made for a program is no cookie, and a cookie is no bearer token: no page can use the one
    # that it can make a browser send.
    return session if session and session.program == (kind.lower() == "bearer") else None


def allowed(
    ledger: Ledger, session: Session, permission: Permission, submission_id: str | None = None
) -> None:
    """Raises 403 where the session may not; the refusal is in the audit trail."""
    if not session.may(permission, submission_id):
        audit.write(ledger, session.user.name, "refused", submission_id, permission=permission)
        raise HTTPException(403, "Your role does not cover this.")


def own_form(session: Session, token: str) -> None:
    """Raises 403 where a writing request does not carry the session's own token."""
    if not session.program and not hmac.compare_digest(session.csrf.encode(), token.encode()):
        raise HTTPException(403, "The form is not of this session. Load the page again.")


def check_secrets(settings: Settings, keys: Keyring) -> None:
    """Raises ConfigurationError for a secret that is short, or one that everybody tries first."""
    for name in ("oidc_client_secret", "request_webhook_secret", "evaluator_token"):
        secret: str = getattr(settings, name)
        if secret and (
            len(secret) < _LEAST_SECRET or len(set(secret)) < 5 or secret.casefold().startswith(_DEFAULTS)
        ):
            raise ConfigurationError(
                f"TRIAGE_{name.upper()} is short, or one that is tried first.",
                next_step=f"Draw at least {_LEAST_SECRET} characters at random.",
            )
    if weak := keys.weak():
        raise ConfigurationError(
            f"The key {weak[0]!r} is no random one.", next_step="`triage ledger new-key NAME` makes one."
        )
