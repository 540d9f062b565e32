"""What the desk answers where it cannot do as asked; no answer quotes what was sent."""

import logging

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from pipeline.errors import TriageError
from pipeline.review.asking import LoginNeeded
from pipeline.review.guard import HEADERS, session_of
from pipeline.review.problems import problem
from pipeline.review.rendering import Desk

_log = logging.getLogger(__name__)


def _for_program(request: Request) -> bool:
    """Whether the answer is read by a program, the desk's own script among them."""
    asked = request.headers.get("accept", "")
    return request.url.path.startswith("/api/") or asked.startswith("application/json")


def add_failures(app: FastAPI, shared: Desk) -> None:
    """What is answered where a request cannot be."""

    @app.exception_handler(LoginNeeded)
    def login_needed(request: Request, _: Exception) -> Response:
        if _for_program(request):
            return problem(401, "Log in first.")
        if request.method != "GET":
            return shared.page("message.html.jinja", None, status=401, message="Log in first.", case_id="")
        return RedirectResponse("/login", 303)

    @app.exception_handler(StarletteHTTPException)
    def refused(request: Request, error: StarletteHTTPException) -> Response:
        if _for_program(request):
            if error.status_code == 304:
                return Response(None, 304, error.headers)
            return problem(error.status_code, str(error.detail), headers=error.headers)
        session = session_of(request, shared.ledger)
        correcting = request.method == "POST" and error.status_code in (403, 409, 422)
        case_id = request.path_params.get("id", "") if correcting else ""
        said = {"message": str(error.detail), "case_id": case_id}
        return shared.page("message.html.jinja", session, status=error.status_code, **said)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> Response:
        if any(one["loc"] == ("path", "id") for one in error.errors()):
            return refused(request, HTTPException(404, "There is no such submission."))
        # The library's own answer quotes what was sent; so does the place of a key that nobody knows.
        places = [
            ".".join(map(str, one["loc"][:-1] if one["type"] == "extra_forbidden" else one["loc"]))
            for one in error.errors()
        ]
        said = f"Not as the interface has it: {', '.join(places)}."
        if _for_program(request):
            return problem(422, said, places=places)
        return refused(request, HTTPException(422, said))

    @app.exception_handler(TriageError)
    def failed(request: Request, error: TriageError) -> Response:
        _log.error("%s: %s", type(error).__name__, error)
        if _for_program(request):
            return problem(503, str(error))
        # Who asks is not looked up: what failed may be the ledger.
        return shared.page("message.html.jinja", None, status=503, message=str(error), case_id="")

    @app.exception_handler(Exception)
    def broken(request: Request, _: Exception) -> Response:
        said = "Something went wrong in the desk; what you did last may not be kept."
        if _for_program(request):
            answer: Response = problem(500, said)
        else:
            answer = shared.page("message.html.jinja", None, status=500, message=said, case_id="")
        answer.headers.update(HEADERS)  # this answer does not pass where the others get theirs
        return answer
