"""The reviewer's desk as a web application: `desk(ledger, settings)`.

Pages are rendered here and work without script; script adds marking words on a page, zoom and keys. The
same operations stand under `/api/v1` for programs (`api`).
"""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Body, Depends, FastAPI, Form, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.staticfiles import StaticFiles

from pipeline.catalog.fields import load_fields
from pipeline.domain import Box
from pipeline.errors import TriageError, UsageError
from pipeline.ledger import Ledger, State, history
from pipeline.report.titles import titles_for
from pipeline.review import accounts, audit, sessions, worklist
from pipeline.review.api import api
from pipeline.review.casefile import (
    CaseErased,
    CaseFile,
    Change,
    Mark,
    VersionChanged,
    correct,
    open_case,
    words_in,
)
from pipeline.review.casepage import case_page
from pipeline.review.corrections import Kind
from pipeline.review.guard import COOKIE, HEADERS, Allowance, allowed, headers, own_form, session_of
from pipeline.review.pictures import WIDTHS, Pictures
from pipeline.review.roles import Permission, behind_glass
from pipeline.review.sessions import Session
from pipeline.settings import Settings
from pipeline.wording import OUTCOMES, label_of, labels_of, lead, plain, reason

_log = logging.getLogger(__name__)
_HERE: Final = Path(__file__).parent
Id = Annotated[str, PathParameter(pattern=r"^[0-9a-f]{16,32}$")]
_REFERENCE: Final = re.compile(r"[0-9a-f]{16,32}")
# What text of a packet must not bring along: controls, and marks that change the direction of what follows.
_NOT_SHOWN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_GLASS_REASONS: Final = ("emergency_cover", "complaint", "legal_request", "technical_fault", "quality_audit")
_LOGINS_A_MINUTE, _REQUESTS_A_MINUTE = 20, 1200


_NO_MARKS: Final = "The marks on the page were not understood."


class _Area(BaseModel):
    file: int = Field(ge=0, le=10_000)
    page: int = Field(ge=1, le=100_000)
    area: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]


_AREAS: Final = TypeAdapter(Annotated[list[_Area], Field(max_length=20)])


@dataclass
class Desk:
    """What the routes share."""

    ledger: Ledger
    settings: Settings
    pictures: Pictures
    secure: bool

    @cached_property
    def templates(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=lambda value: _NOT_SHOWN.sub("\ufffd", value) if type(value) is str else value,
        )
        environment.filters |= {
            "words": label_of,
            "facts": labels_of,
            "one_line": lambda text: " ".join(text.split()),
            "left": time_left,
            "day": lambda time: time.strftime("%Y-%m-%d %H:%M"),
        }
        environment.globals |= {
            "plain": plain,
            "lead": lead,
            "reason": reason,
            "P": Permission,
            "outcomes": OUTCOMES,
            "glass_reasons": _GLASS_REASONS,
        }
        return environment

    @cached_property
    def rules(self) -> Any:
        return load_fields(self.settings.models_dir)

    def page(self, name: str, session: Session | None, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A template as an answer."""
        html = self.templates.get_template(name).render(session=session, **values)
        return HTMLResponse(html, status)

    def case(self, submission_id: str) -> CaseFile:
        """The case file. Raises 404 where there is none, 410 where it was erased."""
        try:
            file = open_case(self.ledger, submission_id)
        except UsageError:
            raise HTTPException(404, "There is no such submission.") from None
        except CaseErased as error:
            raise HTTPException(410, str(error)) from None
        if file is None:
            raise HTTPException(404, "There is no case of it, or not yet.")
        return file


def desk(ledger: Ledger, settings: Settings, *, secure: bool = False) -> FastAPI:
    """The application. `secure` says that it is served over TLS, so that cookies go nowhere else."""
    shared = Desk(ledger, settings, Pictures(ledger, settings), secure)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        yield
        shared.pictures.close()

    app = FastAPI(
        title="clinical-triage",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=lifespan,
    )
    app.add_middleware(BaseHTTPMiddleware, dispatch=headers)
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    app.include_router(api(ledger, settings), prefix="/api/v1")
    _errors(app, shared)
    _entrance(app, shared)
    _work(app, shared, _who(shared))
    _offices(app, shared, _who(shared))
    return app


def time_left(left: timedelta) -> str:
    """`2 d 5 h`, `40 min`; `late by ...` once it is over."""
    minutes = int(abs(left).total_seconds() // 60)
    days, hours = minutes // 1440, minutes % 1440 // 60
    said = f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
    return said if left >= timedelta() else f"late by {said}"


# --------------------------------------------------------------------------- who asks


class _LoginNeeded(Exception):
    pass


def _who(shared: Desk) -> Callable[[Request], Iterator[Session]]:
    spent = Allowance(_REQUESTS_A_MINUTE)

    def who(request: Request) -> Iterator[Session]:
        session = session_of(request, shared.ledger)
        if session is None:
            raise _LoginNeeded
        if not spent.spend(session.id):
            raise HTTPException(429, "Too many requests; wait a moment.")
        yield session

    return who


def _for_program(request: Request) -> bool:
    """Whether the answer is read by a program, the desk's own script among them."""
    asked = request.headers.get("accept", "")
    return request.url.path.startswith("/api/") or asked.startswith("application/json")


def _errors(app: FastAPI, shared: Desk) -> None:
    @app.exception_handler(_LoginNeeded)
    def login_needed(request: Request, _: Exception) -> Response:
        if _for_program(request):
            return Response('{"detail": "Log in first."}', 401, media_type="application/json")
        if request.method != "GET":
            return shared.page("message.html.jinja", None, status=401, message="Log in first.", case_id="")
        return RedirectResponse("/login", 303)

    @app.exception_handler(StarletteHTTPException)
    def refused(request: Request, error: StarletteHTTPException) -> Response:
        if _for_program(request):
            body = json.dumps({"detail": error.detail})
            return Response(body, error.status_code, error.headers, "application/json")
        session = session_of(request, shared.ledger)
        correcting = request.method == "POST" and error.status_code in (403, 409, 422)
        case_id = request.path_params.get("id", "") if correcting else ""
        said = {"message": str(error.detail), "case_id": case_id}
        return shared.page("message.html.jinja", session, status=error.status_code, **said)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> Response:
        if any(one["loc"] == ("path", "id") for one in error.errors()):
            return refused(request, HTTPException(404, "There is no such submission."))
        # The library's own answer quotes what was sent.
        places = [".".join(map(str, one["loc"])) for one in error.errors()]
        return refused(request, HTTPException(422, f"Not as the interface has it: {', '.join(places)}."))

    @app.exception_handler(TriageError)
    def failed(request: Request, error: TriageError) -> Response:
        _log.error("%s: %s", type(error).__name__, error)
        if _for_program(request):
            return Response(json.dumps({"detail": str(error)}), 503, media_type="application/json")
        # Who asks is not looked up: what failed may be the ledger.
        return shared.page("message.html.jinja", None, status=503, message=str(error), case_id="")

    @app.exception_handler(Exception)
    def broken(request: Request, _: Exception) -> Response:
        said = "Something went wrong in the desk; what you did last may not be kept."
        if _for_program(request):
            answer = Response(json.dumps({"detail": said}), 500, media_type="application/json")
        else:
            answer = shared.page("message.html.jinja", None, status=500, message=said, case_id="")
        answer.headers.update(HEADERS)  # this answer does not pass where the others get theirs
        return answer


# --------------------------------------------------------------------------- login and logout


def _entrance(app: FastAPI, shared: Desk) -> None:
    tries = Allowance(_LOGINS_A_MINUTE)

    @app.get("/health", include_in_schema=False)
    def health() -> dict[str, str]:
        return {"status": "up"}

    @app.get("/login", include_in_schema=False)
    def login_form(request: Request) -> Response:
        return shared.page("login.html.jinja", None, refused=False)

    @app.post("/login", include_in_schema=False)
    def login(request: Request, name: Annotated[str, Form()], password: Annotated[str, Form()]) -> Response:
        if not tries.spend(request.client.host if request.client else ""):
            raise HTTPException(429, "Too many tries; wait a minute.")
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
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer


# --------------------------------------------------------------------------- the work


def _work(app: FastAPI, shared: Desk, who: Any) -> None:
    Who = Annotated[Session, Depends(who)]
    ledger = shared.ledger

    @app.get("/", include_in_schema=False)
    def list_work(
        session: Who, state: str = "", mine: bool = False, reference: str = "", after: str = ""
    ) -> Response:
        allowed(ledger, session, Permission.WORKLIST)
        states = [State(state)] if state in tuple(State) else []
        try:
            lines = worklist.lines(
                ledger,
                states=states,
                mine=session.user.name if mine else None,
                reference=reference.strip().lower(),
                after=after if _REFERENCE.fullmatch(after) else None,
            )
        except UsageError as error:
            raise HTTPException(404, str(error)) from None
        more = lines[-1].item.id if len(lines) == worklist.PAGE else ""
        chosen = {"state": state, "mine": mine, "reference": reference}
        return shared.page(
            "worklist.html.jinja", session, lines=lines, more=more, states=list(State), chosen=chosen
        )

    @app.get("/cases/{id}", include_in_schema=False)
    def show(session: Who, id: Id, said: str = "") -> Response:
        if not session.may(Permission.PAGES, id):
            if Permission.PAGES in behind_glass(session.user.role):
                return shared.page("glass.html.jinja", session, status=403, id=id)
            allowed(ledger, session, Permission.PAGES, id)
        file = shared.case(id)
        audit.write(ledger, session.user.name, "case_viewed", id, case=file.number)
        page = case_page(file, titles_for(file.case, shared.settings), shared.rules)
        told = history(ledger, id)
        return shared.page("case.html.jinja", session, page=page, case=page.case, history=told, said=said)

    @app.get("/cases/{id}/pages/{position}/{number}.png", include_in_schema=False)
    def picture(session: Who, id: Id, position: int, number: int, size: str = "page") -> Response:
        allowed(ledger, session, Permission.PAGES, id)
        if size not in WIDTHS:
            raise HTTPException(404, "There is no such size.")
        case = shared.case(id).case
        name = case.files[position].name if 0 <= position < len(case.files) else None
        at = next((one for one in case.pages if (one.file, one.page) == (name, number)), None)
        if at is None:
            raise HTTPException(404, "There is no such page.")
        image = shared.pictures.picture(id, position, number, at.rotation, size)
        if image is None:
            raise HTTPException(404, "This page cannot be shown.")
        if size == "page":
            audit.write(ledger, session.user.name, "page_viewed", id, file=position, page=number)
        return Response(image, media_type="image/png")  # kept by no browser: others use the machine, too

    @app.post("/cases/{id}/words", include_in_schema=False)
    def words(session: Who, request: Request, id: Id, area: Annotated[Any, Body()]) -> Response:
        allowed(ledger, session, Permission.CORRECT, id)
        own_form(session, request.headers.get("x-csrf-token", ""))
        file = shared.case(id)
        (mark,) = _marks(file, [area])
        try:
            evidence = words_in(ledger, file, mark, session.user.name)
        except UsageError as error:
            raise HTTPException(422, str(error)) from None
        audit.write(
            ledger,
            session.user.name,
            "words_read",
            id,
            file=[one.name for one in file.case.files].index(mark.file),
            page=mark.page,
        )
        boxes = [list(box) for box in evidence.boxes]
        body = json.dumps({"quote": evidence.quote, "boxes": boxes})
        return Response(body, media_type="application/json")

    @app.post("/cases/{id}/corrections", include_in_schema=False)
    def correct_case(
        session: Who,
        id: Id,
        csrf: Annotated[str, Form()],
        version: Annotated[str, Form()],
        kind: Annotated[str, Form()],
        subject: Annotated[str, Form()],
        after: Annotated[str, Form()] = "",
        basis: Annotated[str, Form()] = "",
        why: Annotated[str, Form()] = "",
        marks: Annotated[str, Form()] = "[]",
        row: Annotated[str, Form()] = "",
    ) -> Response:
        allowed(ledger, session, Permission.CORRECT, id)
        own_form(session, csrf)
        file = shared.case(id)
        if kind not in tuple(Kind):
            raise HTTPException(422, "There is no such correction.")
        change = Change(
            kind=Kind(kind),
            subject=subject,
            after=_value(subject, after, shared.rules),
            basis=basis or None,
            why=why,
            marks=_marks(file, _json(marks or "[]")),
        )
        try:
            correct(ledger, shared.settings, id, change, version=version, actor=session.user.name)
        except VersionChanged as error:
            raise HTTPException(409, str(error)) from None
        except CaseErased as error:
            raise HTTPException(410, str(error)) from None
        except TriageError as error:
            raise HTTPException(422, str(error)) from None
        anchor = f"#{row}" if re.fullmatch(r"r\d{1,4}", row) else ""
        return RedirectResponse(f"/cases/{id}?said=corrected{anchor}", 303)

    @app.post("/cases/{id}/assignment", include_in_schema=False)
    def assign(
        session: Who, id: Id, csrf: Annotated[str, Form()], to: Annotated[str, Form()] = ""
    ) -> Response:
        allowed(ledger, session, Permission.CORRECT, id)
        own_form(session, csrf)
        user = accounts.user(ledger, to) if to else None
        if to and (user is None or user.disabled):
            raise HTTPException(422, "There is no such user.")
        try:
            worklist.assign(ledger, id, user, actor=session.user.name)
        except UsageError as error:
            raise HTTPException(404, str(error)) from None
        return RedirectResponse(f"/cases/{id}", 303)

    @app.post("/cases/{id}/glass", include_in_schema=False)
    def break_glass(
        session: Who, id: Id, csrf: Annotated[str, Form()], reason: Annotated[str, Form()]
    ) -> Response:
        own_form(session, csrf)
        if not behind_glass(session.user.role):
            raise HTTPException(403, "Your role does not cover this.")
        if reason not in _GLASS_REASONS:
            raise HTTPException(403, "Choose one of the reasons.")
        shared.case(id)
        sessions.break_glass(ledger, session, id, reason)
        return RedirectResponse(f"/cases/{id}", 303)


# --------------------------------------------------------------------------- audit and users


def _offices(app: FastAPI, shared: Desk, who: Any) -> None:
    Who = Annotated[Session, Depends(who)]
    ledger = shared.ledger

    @app.get("/audit", include_in_schema=False)
    def trail(
        session: Who, before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None, case: str = ""
    ) -> Response:
        allowed(ledger, session, Permission.AUDIT)
        case = case.strip().lower()
        known = not case or _REFERENCE.fullmatch(case)
        rows = audit.entries(ledger, before=before, submission_id=case or None) if known else []
        return shared.page("audit.html.jinja", session, rows=rows, case=case)

    @app.get("/users", include_in_schema=False)
    def users(session: Who) -> Response:
        allowed(ledger, session, Permission.USERS)
        return shared.page("users.html.jinja", session, users=accounts.listed(ledger))


def _value(subject: str, text: str, rules: Any) -> Any:
    """A form's text as the value of its subject."""
    group, _, name = subject.partition(".")
    flag = subject == "request.expedited" or (
        group == "findings" and name in rules and rules[name].kind == "flag"
    )
    if flag and text in ("true", "false"):
        return text == "true"
    return text.strip()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise HTTPException(422, _NO_MARKS) from None


def _marks(file: CaseFile, areas: Any) -> tuple[Mark, ...]:
    """The areas that a person drew: [{"file": position, "page": number, "area": [x0, top, x1, bottom]}]."""
    try:
        found = _AREAS.validate_python(areas)
        return tuple(Mark(file.case.files[one.file].name, one.page, Box(*one.area)) for one in found)
    except (ValidationError, IndexError):
        raise HTTPException(422, _NO_MARKS) from None
