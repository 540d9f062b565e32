"""Logging in through the organization's provider; there only where the settings name one."""

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from pipeline.review import sessions
from pipeline.review.guard import COOKIE, session_of
from pipeline.review.oidc import BACK, LASTS, Oidc
from pipeline.review.provider import LoginRefused
from pipeline.review.rendering import Desk
from pipeline.serving import Allowance

_LOGINS_A_MINUTE = 20
_SECRET = "triage_login"
_PATH = "/login/oidc"


def add_oidc(app: FastAPI, shared: Desk, provider: Oidc) -> None:
    """The routes."""
    tries = Allowance(_LOGINS_A_MINUTE)

    def once_more(request: Request) -> None:
        if (wait := tries.wait_s(request.client.host if request.client else "")) > 0:
            raise HTTPException(429, "Too many tries; wait a minute.", {"Retry-After": str(wait)})

    @app.get(_PATH, include_in_schema=False)
    def leave(request: Request) -> Response:
        once_more(request)
        url, secret = provider.begin(shared.ledger)
        answer = RedirectResponse(url, 303)
        secure = shared.secure or request.url.scheme == "https"
        # Lax: it must come along when the provider sends the browser back.
        answer.set_cookie(
            _SECRET,
            secret,
            path=_PATH,
            max_age=int(LASTS.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=secure,
        )
        return answer

    @app.get(BACK, include_in_schema=False)
    def come_back(request: Request) -> Response:
        once_more(request)
        try:
            user = provider.finish(
                shared.ledger, request.cookies.get(_SECRET, ""), dict(request.query_params)
            )
        except LoginRefused:
            answer: Response = shared.page("login.html.jinja", None, status=401, refused=True)
            answer.delete_cookie(_SECRET, path=_PATH)
            return answer
        if (left := session_of(request, shared.ledger)) is not None and not left.program:
            sessions.end(shared.ledger, left)
        # Not a redirect: the browser came from another site, and would leave the session's cookie at home.
        answer = shared.page("onward.html.jinja", None, url="/", said="You are logged in.")
        secure = shared.secure or request.url.scheme == "https"
        answer.set_cookie(
            COOKIE, sessions.begin(shared.ledger, user), httponly=True, samesite="strict", secure=secure
        )
        answer.delete_cookie(_SECRET, path=_PATH)
        return answer
