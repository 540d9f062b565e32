"""Logging in and out."""

from typing import Annotated, Final

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from pipeline.review import accounts, sessions
from pipeline.review.guard import COOKIE, own_form, session_of
from pipeline.review.rendering import Desk
from pipeline.serving import Allowance

_LOGINS_A_MINUTE: Final = 20


def add_entrance(app: FastAPI, shared: Desk) -> None:
    """The routes."""
    tries = Allowance(_LOGINS_A_MINUTE)

    @app.get("/login", include_in_schema=False)
    def login_form(request: Request) -> Response:
        return shared.page("login.html.jinja", None, refused=False)

    @app.post("/login", include_in_schema=False)
    def login(request: Request, name: Annotated[str, Form()], password: Annotated[str, Form()]) -> Response:
        if (wait := tries.wait_s(request.client.host if request.client else "")) > 0:
            raise HTTPException(429, "Too many tries; wait a minute.", {"Retry-After": str(wait)})
        user = accounts.checked(shared.ledger, name.strip().lower(), password)
        if user is None:
            return shared.page("login.html.jinja", None, status=401, refused=True)
        answer = RedirectResponse("/", 303)
        if (left := session_of(request, shared.ledger)) is not None and not left.program:
            sessions.end(shared.ledger, left)  # its cookie is overwritten, so nobody could end it
        token = sessions.begin(shared.ledger, user)
        # Behind a proxy that speaks TLS the desk itself does not, and the cookie is for TLS all the same.
        secure = shared.secure or request.url.scheme == "https"
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure)
        return answer

    @app.post("/logout", include_in_schema=False)
    def logout(request: Request, csrf: Annotated[str, Form()]) -> Response:
        session = session_of(request, shared.ledger)
        if session is not None:
            own_form(session, csrf)
            sessions.end(shared.ledger, session)
        answer: Response = RedirectResponse("/login", 303)
        provider = shared.provider
        is_provided = session and provider and accounts.is_provided(shared.ledger, session.user.name)
        if is_provided and provider and (url := provider.farewell()):
            # Not a redirect: a form of the desk's leads nowhere else (content security policy).
            answer = shared.page("onward.html.jinja", None, url=url, said="You are logged out here.")
        answer.delete_cookie(COOKIE)
        return answer
