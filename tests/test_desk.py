"""The reviewer's desk: who may see and do what, corrections, the audit trail, hostile requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desks import LETTER, PASSWORD, USERS, TestDesk, open_desk
from fastapi.testclient import TestClient
from httpx import Response
from ledgers import DATABASES, without_guard
from sqlalchemy import delete, select, update

from pipeline import audit
from pipeline.__main__ import main
from pipeline.case_json import from_json, to_json
from pipeline.catalog import Catalog
from pipeline.errors import ConfigurationError, ExitCode, UsageError
from pipeline.information_request import draft_of
from pipeline.ledger import load_case, open_ledger, standing_case
from pipeline.review import accounts, sessions, tables
from pipeline.review.casefile import open_case
from pipeline.review.guard import COOKIE
from pipeline.review.roles import Permission, Role, behind_glass, granted
from pipeline.serving import check_place

NOTHING = "0" * 16


@pytest.fixture(scope="module", params=DATABASES)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    """A desk for tests that change no case."""
    with open_desk(tmp_path_factory.mktemp("desk"), LETTER, kind=request.param) as desk:
        yield desk


@pytest.fixture(params=DATABASES)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestDesk]:
    """A desk of the test's own."""
    with open_desk(tmp_path, LETTER, kind=request.param) as desk:
        yield desk


def csrf_of(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/").text)
    assert found
    return found[1]


def stage_words(desk: TestDesk) -> dict[str, Any]:
    """The area of the words `cT2a N0 M0` as a person would draw it around them."""
    file = open_case(desk.ledger, desk.submission_id)
    assert file is not None
    (box,) = file.case.findings["t"].evidence[0].boxes
    return {"file": 0, "page": 1, "area": [box.x0 - 1, box.top - 1, box.x1 + 1, box.bottom + 1]}


def correct(client: TestClient, desk: TestDesk, **form: str) -> Response:
    file = open_case(desk.ledger, desk.submission_id)
    assert file is not None
    data = {"csrf": csrf_of(client), "version": file.version, **form}
    return client.post(f"/cases/{desk.submission_id}/corrections", data=data)


def change_stage(client: TestClient, desk: TestDesk, **form: str) -> Response:
    """A lung cancer of stage I becomes one of stage IIIA."""
    mark = str([stage_words(desk)]).replace("'", '"')
    given = {"kind": "change", "subject": "findings.stage_group", "after": "IIIA", "why": "per the MD"}
    return correct(client, desk, marks=mark, **{**given, **form})


# --------------------------------------------------------------------------- who may what

ROUTES = [
    ("GET", "/", Permission.WORKLIST),
    ("GET", "/cases/{id}", Permission.PAGES),
    ("GET", "/cases/{id}/pages/0/1.png", Permission.PAGES),
    ("POST", "/cases/{id}/words", Permission.CORRECT),
    ("POST", "/cases/{id}/corrections", Permission.CORRECT),
    ("POST", "/cases/{id}/assignment", Permission.CORRECT),
    ("GET", "/cases/{id}/history", Permission.WORKLIST),
    ("POST", "/cases/{id}/queue", Permission.QUEUE),
    ("GET", "/cases/{id}/documents/0/1", Permission.CORRECT),
    ("POST", "/cases/{id}/documents", Permission.CORRECT),
    ("GET", "/cases/{id}/request", Permission.REQUEST),
    ("GET", "/cases/{id}/request.pdf", Permission.REQUEST),
    ("POST", "/cases/{id}/request", Permission.REQUEST),
    ("GET", "/cases/{id}/requests/AAAA-AAAA-AA", Permission.REQUEST),
    ("POST", "/cases/{id}/requests/AAAA-AAAA-AA/close", Permission.REQUEST),
    ("GET", "/audit", Permission.AUDIT),
    ("GET", "/users", Permission.USERS),
    ("GET", "/api/v1/cases", Permission.WORKLIST),
    ("GET", "/api/v1/cases/{id}", Permission.ANSWERS),
    ("GET", "/api/v1/cases/{id}/corrections", Permission.ANSWERS),
    ("POST", "/api/v1/cases/{id}/corrections", Permission.CORRECT),
    ("GET", "/api/v1/audit", Permission.AUDIT),
]
NONE_HERE = ("request.pdf", "AAAA-AAAA-AA")  # the letter's case lacks nothing, so nothing was asked
OPEN = {
    "/login",
    "/logout",
    "/api/v1/openapi.json",
    "/static",
    "/cases/{id}/glass",
}


def test_the_table_of_routes_is_whole(shared: TestDesk) -> None:
    app: Any = shared.client().app
    # What programs and probes are answered stands in tests/test_desk_access.py: no path of theirs is here.
    paths = {route.path for route in app.routes if hasattr(route, "path")}
    named = {"0/1": "{position}/{number}", "AAAA-AAAA-AA": "{reference}"}
    listed = {path for _, path, _ in ROUTES}
    for example, name in named.items():
        listed = {path.replace(example, name) for path in listed}
    pages = {path for path in listed | OPEN if not re.match("/api/v1/(cases|audit)", path)}
    assert paths == pages


def ask(client: TestClient, desk: TestDesk, method: str, path: str) -> Response:
    body = {"kind": "accept", "subject": "findings.tumor_site"}
    form = {"csrf": "x", "version": "1.0", "do": "replay", "reason": "sent_twice", **body}
    given: dict[str, Any] = {}
    if method == "POST":
        given = {"json": body} if path.startswith("/api/") or path.endswith("words") else {"data": form}
    return client.request(method, path.format(id=desk.submission_id), **given)


@pytest.mark.parametrize(("method", "path", "permission"), ROUTES, ids=lambda value: str(value))
def test_no_route_answers_without_a_session(
    shared: TestDesk, method: str, path: str, permission: Permission
) -> None:
    for token in ("", "x" * 43):
        client = shared.client()
        client.cookies.set(COOKIE, token)
        answer = ask(client, shared, method, path)
        assert answer.status_code == 401 or answer.headers.get("location") == "/login"
        assert "Testperson" not in answer.text


@pytest.mark.parametrize(("method", "path", "permission"), ROUTES, ids=lambda value: str(value))
def test_no_route_answers_the_wrong_role(
    shared: TestDesk, method: str, path: str, permission: Permission
) -> None:
    for name, role in USERS.items():
        answer = ask(shared.client(name), shared, method, path)
        if permission in granted(role):
            there = 404 if path.endswith(NONE_HERE) else 200
            assert answer.status_code == there or method == "POST"
        else:
            assert answer.status_code == 403, (name, answer.status_code)
            assert "Testperson" not in answer.text


def test_intake_sees_pages_and_no_answers(shared: TestDesk) -> None:
    html = shared.client("ida").get(f"/cases/{shared.submission_id}").text
    assert "page 1" in html
    assert "curative" not in html
    assert "curative" in shared.client("nora").get(f"/cases/{shared.submission_id}").text


@pytest.mark.parametrize("id", [NOTHING, "x", "..%2f..%2fetc", "' or 1=1 --"])
def test_other_ids_lead_nowhere(shared: TestDesk, id: str) -> None:
    client = shared.client("nora")
    for path in (f"/cases/{id}", f"/cases/{id}/pages/0/1.png", f"/api/v1/cases/{id}"):
        assert client.get(path).status_code in (401, 404, 422)
    for place in ("1/1", "-1/1", "0/2", "0/0", "0/99999999999999999999"):
        answer = client.get(f"/cases/{shared.submission_id}/pages/{place}.png")
        assert answer.status_code in (404, 422)


def test_breaking_the_glass_opens_one_case_and_is_on_the_record(own: TestDesk) -> None:
    client = own.client("otto")
    path = f"/cases/{own.submission_id}"
    assert "curative" not in client.get(path).text
    form = {"csrf": csrf_of(client), "reason": "complaint"}
    assert client.post(f"{path}/glass", data={**form, "reason": "curiosity"}).status_code == 403
    assert client.post(f"{path}/glass", data=form).status_code == 303
    assert "curative" in client.get(path).text
    assert client.post(f"{path}/corrections", data={**form, "version": "1.0"}).status_code == 422
    assert correct(client, own, kind="accept", subject="findings.intent").status_code == 403
    actions = [(row.actor, row.action) for row in audit.entries(own.ledger)]
    assert ("otto", "glass_broken") in actions
    assert ("otto", "case_viewed") in actions
    assert "curative" not in own.client("otto").get(path).text  # another session starts without
    assert own.client("ida").post(f"{path}/glass", data=form).status_code == 403


def test_each_role_sees_the_least() -> None:
    clinical = {Permission.PAGES, Permission.ANSWERS}
    assert not granted(Role.ADMIN) & clinical
    assert not granted(Role.AUDITOR) & clinical
    assert Permission.ANSWERS not in granted(Role.INTAKE)
    for role in Role:
        assert behind_glass(role) <= clinical


# --------------------------------------------------------------------------- logging in


def test_a_wrong_password_says_nothing_and_is_on_the_record(own: TestDesk) -> None:
    client = own.client()
    answers = {
        client.post("/login", data={"name": name, "password": "wrong"}).text for name in ("nora", "nobody")
    }
    assert len(answers) == 1
    told = [(row.actor, row.action, row.data["why"]) for row in audit.entries(own.ledger, most=2)]
    assert told == [("nobody", "login_refused", "no_user"), ("nora", "login_refused", "password")]


@pytest.mark.parametrize("password", ["", "None", "a password that nobody has", PASSWORD])
def test_who_has_no_password_logs_in_with_none(own: TestDesk, password: str) -> None:
    """Senders, and people who come through the organization's own provider."""
    accounts.add(own.ledger, "portal", Role.SENDER, None, actor="operator:test")
    accounts.provided(own.ledger, "https://login.plan.example", "1", "dora", Role.MEDICAL_DIRECTOR)
    for name in ("portal", "dora"):
        assert accounts.checked(own.ledger, name, password) is None
        assert own.client().post("/login", data={"name": name, "password": password}).status_code != 303


def test_after_five_wrong_ones_the_right_password_waits_too(own: TestDesk) -> None:
    for _ in range(5):
        assert accounts.checked(own.ledger, "nora", "wrong") is None
    assert accounts.checked(own.ledger, "nora", PASSWORD) is None
    own.ledger.write(lambda db: db.execute(update(tables.users).values(locked_until=None)))
    assert accounts.checked(own.ledger, "nora", PASSWORD) is not None


@pytest.mark.parametrize("password", ["short-1A", "aaaaaaaaaaaaaa", "nora-12345678", "password1234567"])
def test_a_weak_password_is_refused(shared: TestDesk, password: str) -> None:
    with pytest.raises(UsageError) as refusal:
        accounts.set_password(shared.ledger, "nora", password, actor="operator:test")
    assert password not in str(refusal.value)


def test_a_closed_account_can_be_opened_again(own: TestDesk) -> None:
    """With its password, but without the sessions that it had."""
    client = own.client("nora")
    for act in (accounts.disable, accounts.enable):
        act(own.ledger, "nora", actor="operator:test")
    assert client.get("/").status_code == 303
    assert own.client("nora").get("/").status_code == 200
    rows = [(row.action, row.data) for row in audit.entries(own.ledger, actor="operator:test", most=2)]
    assert rows == [("user_enabled", {"user": "nora"}), ("user_disabled", {"user": "nora"})]
    with pytest.raises(UsageError, match="no user"):
        accounts.enable(own.ledger, "nobody", actor="operator:test")


def test_a_disabled_user_is_out_at_once(own: TestDesk) -> None:
    client = own.client("nora")
    assert client.get("/").status_code == 200
    accounts.disable(own.ledger, "nora", actor="operator:test")
    assert client.get("/").headers["location"] == "/login"
    assert accounts.checked(own.ledger, "nora", PASSWORD) is None


def test_logging_out_ends_the_session(own: TestDesk) -> None:
    client = own.client("nora")
    token = client.cookies[COOKIE]
    assert client.post("/logout", data={"csrf": "another"}).status_code == 403
    assert client.post("/logout", data={"csrf": csrf_of(client)}).status_code == 303
    client.cookies.set(COOKIE, token)
    assert client.get("/").headers["location"] == "/login"


def test_no_token_or_password_is_kept_in_clear(own: TestDesk) -> None:
    client = own.client("nora")
    rows = own.ledger.read(
        lambda db: [*db.execute(select(tables.users)).all(), *db.execute(select(tables.sessions)).all()]
    )
    kept = " ".join(map(str, rows))
    assert client.cookies[COOKIE] not in kept
    assert PASSWORD not in kept
    assert "$argon2id$" in kept


def test_a_cookie_is_no_bearer_token_and_the_other_way_round(own: TestDesk) -> None:
    user = accounts.user(own.ledger, "nora")
    assert user is not None
    token = sessions.begin(own.ledger, user, program=True)
    client = own.client()
    assert client.get("/api/v1/cases", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    client.cookies.set(COOKIE, token)
    assert client.get("/api/v1/cases").status_code == 401
    cookie = own.client("nora").cookies[COOKIE]
    bearer = {"Authorization": f"Bearer {cookie}"}
    assert own.client().get("/api/v1/cases", headers=bearer).status_code == 401


def test_plain_http_stays_on_this_machine() -> None:
    check_place("127.0.0.1", tls=False)
    check_place("0.0.0.0", tls=True)
    with pytest.raises(ConfigurationError):
        check_place("0.0.0.0", tls=False)
    assert main(["desk", "--host", "0.0.0.0"], {}) == ExitCode.CONFIGURATION


# --------------------------------------------------------------------------- corrections


def test_a_correction_changes_the_outcome_and_can_be_undone(own: TestDesk) -> None:
    client = own.client("nora")
    before = open_case(own.ledger, own.submission_id)
    assert before is not None
    assert before.case.evaluation is not None
    assert before.case.evaluation.outcome == "meets"

    assert change_stage(client, own).status_code == 303
    file = open_case(own.ledger, own.submission_id)
    assert file is not None
    assert file.case.evaluation is not None
    stage = file.case.findings["stage_group"]
    assert (stage.value, stage.confidence) == ("IIIA", 1.0)
    (shown,) = stage.evidence
    assert (
        shown.quote
        == next(one.text for one in file.case.documents if one.id == shown.document)[shown.start : shown.end]
    )
    assert "cT2a" in shown.quote
    assert shown.extractor == "person:nora"
    assert file.case.evaluation.outcome == "needs_information"  # stage IIIA beside T2a N0 M0
    assert file.read == before.case

    assert correct(client, own, kind="undo", subject="1").status_code == 303
    undone = open_case(own.ledger, own.submission_id)
    assert undone is not None
    assert undone.case == before.case
    assert correct(client, own, kind="undo", subject="1").status_code == 422


def test_what_was_read_stays_as_an_alternative(own: TestDesk) -> None:
    client = own.client("nora")
    assert (
        correct(client, own, kind="reject", subject="findings.intent", why="boilerplate").status_code == 303
    )
    file = open_case(own.ledger, own.submission_id)
    assert file is not None
    intent = file.case.findings["intent"]
    assert intent.value is None
    assert [(one.value, one.reason) for one in intent.alternatives] == [("curative", "overridden")]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (
            {"kind": "change", "subject": "findings.intent", "after": "palliative", "why": "x"},
            "Mark the words",
        ),
        ({"kind": "change", "subject": "findings.intent", "after": "palliative"}, "needs its reason"),
        ({"kind": "reject", "subject": "findings.laterality"}, "needs its reason"),
        ({"kind": "accept", "subject": "findings.airway_obstruction"}, "no value to accept"),
        ({"kind": "accept", "subject": "findings.colour"}, "no findings.colour"),
        ({"kind": "accept", "subject": "patient.__class__"}, "no patient.__class__"),
        ({"kind": "destroy", "subject": "findings.intent"}, "no such correction"),
        ({"kind": "change", "subject": "findings.intent", "marks": "[{]"}, "not understood"),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused(
    shared: TestDesk, form: dict[str, str], told: str
) -> None:
    answer = correct(shared.client("nora"), shared, **form)
    assert answer.status_code == 422
    assert told in answer.text


def test_a_value_must_be_one_that_the_field_can_have(shared: TestDesk) -> None:
    client = shared.client("nora")
    answer = change_stage(client, shared, subject="findings.intent", after="experimental")
    assert (answer.status_code, "curative, palliative" in answer.text) == (422, True)


def test_the_second_of_two_reviewers_is_told_and_nothing_is_lost(own: TestDesk) -> None:
    nora, max_ = own.client("nora"), own.client("max")
    seen = open_case(own.ledger, own.submission_id)
    assert seen is not None
    assert correct(nora, own, kind="accept", subject="findings.intent").status_code == 303
    late = {
        "csrf": csrf_of(max_),
        "version": seen.version,
        "kind": "accept",
        "subject": "findings.laterality",
    }
    assert max_.post(f"/cases/{own.submission_id}/corrections", data=late).status_code == 409
    file = open_case(own.ledger, own.submission_id)
    assert file is not None
    assert [(one.actor, one.subject) for one in file.corrections] == [("nora", "findings.intent")]


def test_a_form_of_another_page_is_refused(shared: TestDesk) -> None:
    client = shared.client("nora")
    answer = correct(client, shared, csrf="stolen", kind="accept", subject="findings.intent")
    assert answer.status_code == 403


# --------------------------------------------------------------------------- programs


def bearer(desk: TestDesk, name: str = "nora") -> dict[str, str]:
    user = accounts.user(desk.ledger, name)
    assert user is not None
    return {"Authorization": f"Bearer {sessions.begin(desk.ledger, user, program=True)}"}


def test_a_program_corrects_with_the_etag_it_saw(own: TestDesk) -> None:
    client, show = own.client(), bearer(own)
    path = f"/api/v1/cases/{own.submission_id}"
    got = client.get(path, headers=show)
    assert got.json()["findings"]["intent"]["value"] == "curative"
    body = {"kind": "accept", "subject": "findings.intent"}
    assert client.post(f"{path}/corrections", json=body, headers=show).status_code == 428
    named = show | {"If-Match": got.headers["etag"]}
    made = client.post(f"{path}/corrections", json=body, headers=named)
    assert (made.status_code, made.json()["actor"]) == (201, "nora")
    assert client.post(f"{path}/corrections", json=body, headers=named).status_code == 412
    assert [one["number"] for one in client.get(f"{path}/corrections", headers=show).json()] == [1]


def test_what_is_refused_is_not_quoted(shared: TestDesk) -> None:
    for body in ({"kind": "Quillfeather", "subject": 7}, {"kind": "accept", "Quillfeather": "x"}):
        answer = shared.client().post(
            f"/api/v1/cases/{shared.submission_id}/corrections", json=body, headers=bearer(shared)
        )
        assert answer.status_code == 422
        assert "Quillfeather" not in answer.text
        assert "body" in " ".join(answer.json()["places"])


# --------------------------------------------------------------------------- what a packet may say


def test_text_of_a_packet_is_text(shared: TestDesk) -> None:
    client = shared.client("nora")
    answer = client.get(f"/cases/{shared.submission_id}")
    assert "<script>alert" not in answer.text
    assert "<b>Alma</b>" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert " style=" not in answer.text
    assert not re.search(r"<[^>]+ on\w+=", answer.text)


def test_a_large_body_is_not_read(shared: TestDesk) -> None:
    answer = shared.client("nora").post("/login", content=b"x" * (2 << 20))
    assert answer.status_code == 413


# --------------------------------------------------------------------------- the audit trail


def test_the_trail_is_whole_and_tampering_is_found(own: TestDesk) -> None:
    client = own.client("nora")
    client.get(f"/cases/{own.submission_id}")
    correct(client, own, kind="accept", subject="findings.intent")
    verdict = audit.verify(own.ledger)
    assert verdict.whole
    assert verdict.rows >= len(USERS) + 3
    assert audit.verify(own.ledger, head=verdict.head).whole

    without_guard(own.ledger)
    a = tables.audit
    original = own.ledger.read(lambda db: db.execute(select(a).where(a.c.number == 6)).one())
    for column, value in (("actor", "max"), ("action", "login"), ("data", {"case": 2}), ("chain", "test:0")):
        if getattr(original, column) == value:
            continue
        own.ledger.write(lambda db, v={column: value}: db.execute(update(a).filter_by(number=6).values(**v)))  # type: ignore[misc]
        assert audit.verify(own.ledger).broken == 6
        back = {column: getattr(original, column)}
        own.ledger.write(lambda db, v=back: db.execute(update(a).filter_by(number=6).values(**v)))  # type: ignore[misc]
    assert audit.verify(own.ledger).whole


def test_rows_that_are_taken_out_are_missed(own: TestDesk) -> None:
    own.client("nora")
    head = audit.verify(own.ledger)
    a = tables.audit
    without_guard(own.ledger)
    own.ledger.write(lambda db: db.execute(delete(a).where(a.c.number == head.rows)))
    assert audit.verify(own.ledger).whole  # nothing in the rest shows it
    assert not audit.verify(own.ledger, head=head.head).whole
    own.ledger.write(lambda db: db.execute(delete(a).where(a.c.number == 2)))
    assert audit.verify(own.ledger).broken == 2


def test_the_trail_holds_no_text_of_a_patient(own: TestDesk) -> None:
    client = own.client("nora")
    client.get(f"/cases/{own.submission_id}")
    change_stage(client, own, why="Alma Testperson said so")
    trail = " ".join(map(str, audit.entries(own.ledger)))
    assert "findings.stage_group" in trail
    assert not re.search("Testperson|Alma|IIIA|cT2a", trail)


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    environ = {"TRIAGE_HOME": str(tmp_path)}
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main(["user", "add", "nora", "--role", "reviewer"], environ) == ExitCode.DONE
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main(["user", "add", "nora", "--role", "reviewer"], environ) == ExitCode.USAGE
    assert main(["user", "token", "nora"], environ) == ExitCode.DONE
    capsys.readouterr()
    assert main(["audit", "verify"], environ) == ExitCode.DONE
    told = capsys.readouterr().out
    assert told.startswith("2 rows, all whole. Head: ")
    assert main(["user", "disable", "nora"], environ) == ExitCode.DONE
    assert main(["audit", "verify", "--head", told.split()[-1]], environ) == ExitCode.DONE
    assert main(["audit", "verify", "--head", "HEAD"], environ) == ExitCode.USAGE
    from pipeline.settings import load_settings

    with open_ledger(load_settings(environ)) as ledger:
        without_guard(ledger)
        ledger.write(lambda db: db.execute(update(tables.audit).values(actor="nobody")))
    capsys.readouterr()
    assert main(["audit", "verify"], environ) == ExitCode.PARKED
    assert "broken at row 1" in capsys.readouterr().out


def test_what_is_asked_for_follows_the_corrections(own: TestDesk) -> None:
    """A letter must not ask for what a nurse has settled, nor an export leave it out."""
    client = own.client("nora")
    change_stage(client, own)
    standing = standing_case(own.ledger, own.submission_id)
    file = open_case(own.ledger, own.submission_id)
    assert file is not None
    assert standing == to_json(file.case)
    assert load_case(own.ledger, own.submission_id) == to_json(file.read) | {"information_request": None}
    draft = draft_of(from_json(standing), Catalog(own.settings.models_dir))
    assert draft is not None
    assert "stage_group" in [item.code for item in draft.items]
