"""What every request passes: headers, limits, the session, the forms' token."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import HTTPException, Request
from starlette.responses import Response

from pipeline.ledger import Ledger
from pipeline.review import audit
from pipeline.review.roles import Permission
from pipeline.review.sessions import Session, current
from pipeline.serving import Allowance as Allowance
from pipeline.serving import check_place as check_place

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


async def headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Every answer's security headers; a body that is too large is not read."""
    length = request.headers.get("content-length", "0")
    if not re.fullmatch("[0-9]{1,9}", length) or int(length) > _LARGEST_BODY:
        return Response("The request is too large.", 413, headers=HEADERS)
    if "transfer-encoding" in request.headers:
        return Response("The request does not say how long it is.", 411, headers=HEADERS)
    if request.method == "POST" and request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # Cookies do not come along from elsewhere; this is for the login, which has none yet.
        return Response("The request comes from another site.", 403, headers=HEADERS)
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
