"""Who gets in where: every route of the application, found by walking it, so that none can be forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from desks import LETTER, USERS, TestDesk, open_desk
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from starlette.routing import Mount

from pipeline.__main__ import main
from pipeline.errors import ConfigurationError, ExitCode
from pipeline.review import accounts, sessions
from pipeline.review.guard import COOKIE, check_secrets
from pipeline.review.roles import Permission as P
from pipeline.review.roles import granted
from pipeline.sealing import Keyring
from pipeline.wording import OUTCOMES

OTHER_LETTER = LETTER.replace("Alma", "Berta").replace("2.1 cm", "2.4 cm")
NO_REQUEST = "AAAA-AAAA-AA"
NO_HOOK = "0" * 16
# What needs no session. Of these, none shows or changes anything of a case.
OPEN = {
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/login/oidc"),
    ("GET", "/login/oidc/back"),
}
# What anybody who is logged in may do: look at, and end, their own sessions.
OWN = {
    ("GET", "/api/v1/me"),
    ("GET", "/api/v1/sessions"),
    ("DELETE", "/api/v1/sessions/{id}"),
}
API: dict[tuple[str, str], tuple[P, Any]] = {
    ("GET", "/api/v1/cases"): (P.WORKLIST, None),
    ("GET", "/api/v1/cases/{id}"): (P.ANSWERS, None),
    ("GET", "/api/v1/cases/{id}/history"): (P.WORKLIST, None),
    ("GET", "/api/v1/cases/{id}/assignment"): (P.WORKLIST, None),
    ("PUT", "/api/v1/cases/{id}/assignment"): (P.CORRECT, {"assigned": None}),
    ("GET", "/api/v1/cases/{id}/exports/{format}"): (P.ANSWERS, None),
    ("GET", "/api/v1/cases/{id}/corrections"): (P.ANSWERS, None),
    ("POST", "/api/v1/cases/{id}/corrections"): (P.CORRECT, {"kind": "accept", "subject": "findings.intent"}),
    ("POST", "/api/v1/cases/{id}/corrections/{number}/undo"): (P.CORRECT, {}),
    ("POST", "/api/v1/cases/{id}/replay"): (P.QUEUE, {"read_again": False}),
    ("POST", "/api/v1/cases/{id}/reject"): (P.QUEUE, {"reason": "test"}),
    ("POST", "/api/v1/cases/{id}/expedite"): (P.QUEUE, {"expedited": False}),
    ("GET", "/api/v1/requests"): (P.REQUEST, None),
    ("GET", "/api/v1/cases/{id}/request"): (P.REQUEST, None),
    ("POST", "/api/v1/cases/{id}/requests"): (P.REQUEST, {}),
    ("GET", "/api/v1/requests/{reference}"): (P.REQUEST, None),
    ("GET", "/api/v1/requests/{reference}/letter"): (P.REQUEST, None),
    ("POST", "/api/v1/requests/{reference}/close"): (P.REQUEST, {"reason": "test"}),
    ("GET", "/api/v1/audit"): (P.AUDIT, None),
    ("GET", "/api/v1/webhooks"): (P.USERS, None),
    ("POST", "/api/v1/webhooks"): (P.USERS, {"url": "https://a.example", "kinds": ["case.done"]}),
    ("POST", "/api/v1/webhooks/{hook}/enable"): (P.USERS, None),
    ("DELETE", "/api/v1/webhooks/{hook}"): (P.USERS, None),
}
# What any role may see of any submission: codes and times, nothing of a patient.
CODES_ALONE = {"/cases/{id}/history", "/api/v1/cases/{id}/history", "/api/v1/cases/{id}/assignment"}
# Changing these for one role would change what the next one meets.
_ENDS = {"/api/v1/cases/{id}/replay", "/api/v1/cases/{id}/reject"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    with open_desk(tmp_path_factory.mktemp("desk"), LETTER) as desk:
        yield desk


def walked(app: FastAPI) -> set[tuple[str, str]]:
    """Every method and path that the application answers, but for its own static files."""

    def routes(found: Any, prefix: str) -> Iterator[tuple[str, str]]:
        for route in found:
            if isinstance(route, Mount):
                assert route.path == "/static"
                continue
            if inner := getattr(route, "original_router", None):  # an included router
                yield from routes(inner.routes, prefix + route.include_context.prefix)
                continue
            for method in set(route.methods or ()) - {"HEAD"}:
                yield method, prefix + route.path

    return set(routes(app.routes, ""))


def ask(client: TestClient, desk: TestDesk, method: str, path: str, **more: Any) -> Response:
    """A request to a route with ids that exist, where there are any."""
    known = {
        "id": desk.submission_id,
        "position": "0",
        "number": "1",
        "reference": NO_REQUEST,
        "hook": NO_HOOK,
        "format": "csv",
    }
    if path == "/api/v1/sessions/{id}":
        known["id"] = NO_HOOK
    address = re.sub(r"{(\w+)(:\w+)?}", lambda name: known.get(name[1], "1"), path)
    _, body = API.get((method, path), (None, None))
    if body is not None:
        more["json"] = body
    elif method != "GET" and not path.startswith("/api/"):
        more["data"] = {"csrf": "x", "version": "1.0", "kind": "accept", "subject": "findings.intent"}
    elif method != "GET":
        more["content"] = b""
    return client.request(method, address, **more)


def bearer(desk: TestDesk, name: str) -> dict[str, str]:
    user = accounts.user(desk.ledger, name)
    assert user is not None
    return {"Authorization": f"Bearer {sessions.begin(desk.ledger, user, program=True)}"}


def test_every_route_of_the_interface_is_in_the_table(shared: TestDesk) -> None:
    app: Any = shared.client().app
    found = walked(app)
    described = {
        (method.upper(), path) for path, operations in app.openapi()["paths"].items() for method in operations
    }
    programs = {one for one in found if one[1].startswith("/api/v1/")} - OPEN
    assert programs == described  # nothing stands beside the document
    assert programs == set(API) | OWN


def test_no_route_answers_without_a_session(shared: TestDesk) -> None:
    client = shared.client()
    app: Any = client.app
    for method, path in sorted(walked(app) - OPEN):
        for given in ({}, {"Authorization": f"Bearer {'x' * 43}"}, {"Cookie": f"{COOKIE}={'x' * 43}"}):
            answer = ask(client, shared, method, path, headers=given)
            to_login = (answer.status_code, answer.headers.get("location")) == (303, "/login")
            assert answer.status_code == 401 or to_login, (method, path, answer.status_code)
            assert "Testperson" not in answer.text


@pytest.mark.parametrize("name", USERS)
def test_no_operation_answers_the_wrong_role(shared: TestDesk, name: str) -> None:
    client, show = shared.client(), bearer(shared, name)
    for (method, path), (permission, _) in API.items():
        if permission in granted(USERS[name]) and path in _ENDS:
            continue
        answer = ask(client, shared, method, path, headers=show)
        if permission in granted(USERS[name]):
            assert answer.status_code not in (401, 403), (method, path, answer.text)
        else:
            assert answer.status_code == 403, (method, path, answer.status_code)
            assert "Testperson" not in answer.text


@pytest.mark.parametrize("name", USERS)
def test_no_write_goes_by_a_cookie_alone(shared: TestDesk, name: str) -> None:
    """What a page of another site could make a browser send: the cookie, and never the session's token."""
    client = shared.client(name)
    app: Any = client.app
    for method, path in sorted(walked(app) - OPEN):
        if method != "GET":
            answer = ask(client, shared, method, path)
            expected = (403,) if path.startswith("/api/") else (403, 422)
            assert answer.status_code in expected, (method, path, answer.status_code)


def test_outcomes_are_for_roles_that_see_answers(shared: TestDesk) -> None:
    for name, role in USERS.items():
        (line,) = shared.client().get("/api/v1/cases", headers=bearer(shared, name)).json()["items"]
        assert (line["outcome"] == "meets") == (P.ANSWERS in granted(role))
        told = shared.client(name).get(f"/cases/{shared.submission_id}/history").text
        assert ("outcome: meets" in told) == (P.ANSWERS in granted(role)), name
        html = shared.client(name).get("/").text
        assert (OUTCOMES["meets"] in html) == (P.ANSWERS in granted(role)), name
        assert ("by recommendation" in html) == (P.ANSWERS in granted(role)), name
        ordered = shared.client(name).get("/?order=outcome")
        assert ordered.status_code == (200 if P.ANSWERS in granted(role) else 403), name


def test_an_id_of_one_case_opens_no_other(tmp_path: Path) -> None:
    with open_desk(tmp_path, LETTER, OTHER_LETTER) as desk:
        other = next(
            one["id"]
            for one in desk.client().get("/api/v1/cases", headers=bearer(desk, "nora")).json()["items"]
            if one["id"] != desk.submission_id
        )
        client = desk.client("otto")
        csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/").text)
        assert csrf
        form = {"csrf": csrf[1], "reason": "complaint"}
        assert client.post(f"/cases/{desk.submission_id}/glass", data=form).status_code == 303
        opened = [path for method, path in walked(client.app) if method == "GET" and "{id}" in path]  # type: ignore[arg-type]
        assert len(opened) >= 6
        for path in opened:
            if path in CODES_ALONE:
                continue
            ids = {"id": other, "position": "0", "number": "1", "reference": NO_REQUEST, "format": "csv"}
            answer = client.get(re.sub(r"{(\w+)(:\w+)?}", lambda name, ids=ids: ids.get(name[1], "1"), path))  # type: ignore[misc]
            assert answer.status_code in (403, 404, 405), (path, answer.status_code)
            assert "Berta" not in answer.text
        assert client.get(f"/api/v1/cases/{desk.submission_id}").status_code == 200


def test_somebody_elses_session_cannot_be_ended(shared: TestDesk) -> None:
    client = shared.client()
    nora, max_ = bearer(shared, "nora"), bearer(shared, "max")
    (own, *_) = client.get("/api/v1/sessions", headers=nora).json()
    assert client.delete(f"/api/v1/sessions/{own['id']}", headers=max_).status_code == 404
    assert client.get("/api/v1/me", headers=nora).status_code == 200
    assert client.delete(f"/api/v1/sessions/{own['id']}", headers=nora).status_code == 204
    assert client.get("/api/v1/me", headers=nora).status_code == 401


@pytest.mark.parametrize("secret", ["too-few", "changeme-changeme", "a" * 40, "password-of-the-desk"])
@pytest.mark.parametrize("name", ["oidc_client_secret", "request_webhook_secret", "evaluator_token"])
def test_a_secret_that_is_none_stops_the_desk(shared: TestDesk, name: str, secret: str) -> None:
    drawn = Keyring({"k1": bytes(range(32))})
    check_secrets(replace(shared.settings, **{name: "q7fH2-drawn-at-random"}), drawn)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError) as refusal:
        check_secrets(replace(shared.settings, **{name: secret}), drawn)  # type: ignore[arg-type]
    assert secret not in str(refusal.value)


def test_a_key_that_nobody_drew_stops_the_desk(tmp_path: Path) -> None:
    environ = {"TRIAGE_HOME": str(tmp_path), "TRIAGE_KEYS": f"test={'A' * 43}="}  # all zeros
    assert main(["desk", "--port", "0"], environ) == ExitCode.CONFIGURATION
