"""The reviewer's desk under odd input, two people at once, and records that are gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from multiprocessing import active_children
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from desks import LETTER, PASSWORD, TestDesk, open_desk
from fastapi.testclient import TestClient
from ledgers import DATABASES
from sqlalchemy import Connection, delete, func, insert, select, update

from pipeline import audit
from pipeline.__main__ import main
from pipeline.domain import Box
from pipeline.errors import ExitCode
from pipeline.ledger import erase_old, item, replay
from pipeline.ledger.tables import records, submissions
from pipeline.review import accounts, sessions, tables, worklist
from pipeline.review.casefile import CaseErased, VersionChanged, open_case
from pipeline.review.correcting import Change, Mark, correct
from pipeline.review.correction_records import RecordMissing
from pipeline.review.corrections import Kind
from pipeline.review.guard import COOKIE
from pipeline.review.pictures import Pictures
from pipeline.review.worklist import Wanted

ACCEPT = Change(Kind.ACCEPT, "findings.intent")


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


def version_of(desk: TestDesk) -> str:
    file = open_case(desk.ledger, desk.submission_id)
    assert file is not None
    return file.version


def accept(desk: TestDesk, version: str = "1.0", actor: str = "nora") -> Any:
    return correct(desk.ledger, desk.settings, desk.submission_id, ACCEPT, version=version, actor=actor)


def kept(desk: TestDesk, kind: str) -> int:
    count = select(func.count()).select_from(records).where(records.c.kind == kind)
    return int(desk.ledger.read(lambda db: db.execute(count).scalar_one()))


def program(desk: TestDesk, name: str = "nora") -> dict[str, str]:
    user = accounts.user(desk.ledger, name)
    assert user is not None
    return {"Authorization": f"Bearer {sessions.begin(desk.ledger, user, program=True)}"}


def area_of_intent(desk: TestDesk) -> dict[str, Any]:
    file = open_case(desk.ledger, desk.submission_id)
    assert file is not None
    (box, *_) = file.case.findings["intent"].evidence[0].boxes
    return {"file": 0, "page": 1, "area": [box.x0 - 1, box.top - 1, box.x1 + 1, box.bottom + 1]}


# --------------------------------------------------------------------------- odd input


@pytest.mark.parametrize(
    "path",
    [
        "/?state=burnt&reference=%00&after=%00",
        "/?after=zzz",
        "/?assigned=%00&reason=%00&policy=%00&at_risk=perhaps&order=%00",
        "/?reference=%E2%82%AC&order=newest&after=ffffffffffffffff",
        "/cases/ffffffffffffffff/history",
        "/cases/ffffffffffffffff/request",
        "/cases/ffffffffffffffff/documents/0/1",
        "/cases/ffffffffffffffff/documents/99999999999999999999/-1",
        "/audit?case=%00",
        "/audit?before=99999999999999999999",
        "/audit?before=",
        "/cases/%00",
        "/cases/Jane%20Testperson",
        "/cases/" + "a" * 500,
        "/api/v1/cases?after=%00",
        "/api/v1/cases?limit=99999999999999999999",
        "/api/v1/audit?before=2147483648",
    ],
)
def test_odd_questions_are_answered(shared: TestDesk, path: str) -> None:
    for name in ("nora", "otto"):
        answer = shared.client(name).get(path)
        assert answer.status_code in (200, 403, 404, 422)
        is_page = answer.headers["content-type"].startswith("text/html")
        assert is_page != path.startswith("/api/")


@pytest.mark.parametrize(
    "body", ["", "[", "{}", "5", "[[[]]]", "[" * 100_000, '{"file":1e999}', "\x00", "NaN"]
)
def test_odd_marks_are_refused(shared: TestDesk, body: str) -> None:
    client = shared.client("nora")
    csrf = csrf_of(client)
    show = {"X-CSRF-Token": csrf, "Content-Type": "application/json"}
    answer = client.post(f"/cases/{shared.submission_id}/words", content=body, headers=show)
    assert answer.status_code in (400, 422)
    form = {"csrf": csrf, "version": "1.0", "kind": "change", "subject": "findings.intent", "marks": body}
    answer = client.post(f"/cases/{shared.submission_id}/corrections", data=form)
    assert answer.status_code == 422


def test_a_mark_outside_of_everything_is_refused(shared: TestDesk) -> None:
    client = shared.client("nora")
    show = {"X-CSRF-Token": csrf_of(client), "Accept": "application/json"}
    whole = {"file": 0, "page": 1, "area": [0, 0, 1, 1]}
    for odd in ({"file": -1}, {"file": 7}, {"page": 0}, {"page": 10**30}, {"area": [1, 2, 3]}, {}):
        answer = client.post(f"/cases/{shared.submission_id}/words", json={**whole, **odd}, headers=show)
        assert answer.status_code == 422
        assert answer.json()["detail"]  # the script shows it beside the form


@pytest.mark.parametrize("subject", ["²", "9" * 5000, "0", "-1", "1e3", "\x00", ""])
def test_only_a_number_can_be_undone(own: TestDesk, subject: str) -> None:
    accept(own)
    client = own.client("nora")
    form = {"csrf": csrf_of(client), "version": "1.1", "kind": "undo", "subject": subject}
    answer = client.post(f"/cases/{own.submission_id}/corrections", data=form)
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("subject", "after"),
    [
        ("patient.name", True),
        ("patient.name", " "),
        ("patient.name", None),
        ("patient.name", "x" * 301),
        ("patient.name", "Alma\x00Testperson"),
        ("patient.dob", "02/03/1950"),
        ("patient.dob", "1950-02-30"),
        ("request.expedited", "perhaps"),
        ("request.expedited", None),
        ("findings.histology", "x" * 301),
    ],
)
def test_a_value_that_no_case_can_hold_is_refused(shared: TestDesk, subject: str, after: Any) -> None:
    mark = area_of_intent(shared)
    body = {"kind": "change", "subject": subject, "after": after, "why": "x"}
    body["areas"] = [{"file": 0, "page": 1, "box": mark["area"]}]
    show = program(shared) | {"If-Match": f'"{version_of(shared)}"'}
    answer = shared.client().post(
        f"/api/v1/cases/{shared.submission_id}/corrections", json=body, headers=show
    )
    assert answer.status_code == 422
    assert version_of(shared) == "1.0"


def test_a_token_of_other_letters_is_no_token(shared: TestDesk) -> None:
    answer = shared.client("nora").post("/logout", data={"csrf": "é"})
    assert answer.status_code == 403


def test_names_with_odd_letters_are_nobody(shared: TestDesk) -> None:
    for name in ("\x00", "nora\x00", "🦡", "x" * 5000):
        assert shared.client().post("/login", data={"name": name, "password": "\x00"}).status_code == 401
    client = shared.client("nora")
    form = {"csrf": csrf_of(client), "to": "\x00"}
    assert client.post(f"/cases/{shared.submission_id}/assignment", data=form).status_code == 422


def test_what_an_address_says_is_not_in_the_trail(shared: TestDesk) -> None:
    client = shared.client("ida")
    form = {"csrf": csrf_of(client), "version": "1.0", "kind": "accept", "subject": "findings.intent"}
    assert client.post("/cases/Jane Quillfeather/corrections", data=form).status_code == 404
    assert client.post("/cases/Jane Quillfeather/glass", data=form).status_code in (404, 422)
    assert "Quillfeather" not in " ".join(map(str, audit.entries(shared.ledger)))


def test_a_body_of_unknown_length_is_not_read(shared: TestDesk) -> None:
    def parts() -> Iterator[bytes]:
        yield b"name=nora"

    assert shared.client().post("/login", content=parts()).status_code == 411


def test_another_site_logs_nobody_in(shared: TestDesk) -> None:
    form = {"name": "nora", "password": "x"}
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 401)):
        answer = shared.client().post("/login", data=form, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == status


def test_behind_tls_the_cookie_goes_nowhere_else(shared: TestDesk) -> None:
    form = {"name": "nora", "password": PASSWORD}
    for scheme, secure in (("http", False), ("https", True)):
        client = shared.client()
        client.base_url = f"{scheme}://testserver"  # type: ignore[assignment]
        answer = client.post("/login", data=form)
        cookie = answer.headers["set-cookie"].lower()
        assert ("secure" in cookie, "strict-transport-security" in answer.headers) == (secure, secure)
        assert "httponly" in cookie
        assert "samesite=strict" in cookie


def test_a_second_login_ends_the_first(own: TestDesk) -> None:
    client = own.client("nora")
    first = client.cookies[COOKIE]
    assert client.post("/login", data={"name": "max", "password": PASSWORD}).status_code == 303
    again = own.client()
    again.cookies.set(COOKIE, first)
    assert again.get("/").headers["location"] == "/login"


def test_a_fault_of_the_desk_says_nothing_of_a_patient(
    own: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("Quillfeather")

    cookie = own.client("nora").cookies[COOKIE]
    monkeypatch.setattr(worklist, "lines", broken)
    client = TestClient(own.client().app, raise_server_exceptions=False, cookies={COOKIE: cookie})
    for path in ("/", "/api/v1/cases"):
        answer = client.get(path)
        assert (answer.status_code, "Quillfeather" in answer.text) == (500, False)
        assert answer.headers["cache-control"] == "no-store"
        assert "script-src 'self'" in answer.headers["content-security-policy"]


# --------------------------------------------------------------------------- what is seen is on the record


def test_words_and_corrections_that_leave_the_desk_are_on_the_record(own: TestDesk) -> None:
    client, show = own.client(), program(own)
    json = {"Accept": "application/json"}
    words = client.post(f"/cases/{own.submission_id}/words", json=area_of_intent(own), headers=show | json)
    assert "curative" in words.json()["quote"]
    assert client.get(f"/api/v1/cases/{own.submission_id}/corrections", headers=show).json() == []
    told = [(row.actor, row.action, row.submission_id) for row in audit.entries(own.ledger, most=2)]
    assert told == [
        ("nora", "corrections_exported", own.submission_id),
        ("nora", "words_read", own.submission_id),
    ]


def test_no_browser_keeps_a_page(shared: TestDesk) -> None:
    answer = shared.client("nora").get(f"/cases/{shared.submission_id}/pages/0/1.png")
    assert answer.headers["cache-control"] == "no-store"


# --------------------------------------------------------------------------- two at once


def test_of_two_corrections_at_once_one_counts(own: TestDesk) -> None:
    both = Barrier(2)

    def one(actor: str) -> str:
        both.wait()
        try:
            accept(own, actor=actor)
        except VersionChanged:
            return "refused"
        return "made"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(one, ["nora", "max"])) == ["made", "refused"]
    assert version_of(own) == "1.1"
    assert (kept(own, "correction"), kept(own, "corrected")) == (1, 1)
    assert audit.verify(own.ledger).whole


def test_a_new_reading_takes_no_correction_of_the_old_one(own: TestDesk) -> None:
    accept(own)
    replay(own.ledger, own.submission_id, actor="user:test", read_again=True)
    client = own.client("nora")
    form = {"csrf": csrf_of(client), "version": "1.1", "kind": "accept", "subject": "findings.intent"}
    answer = client.post(f"/cases/{own.submission_id}/corrections", data=form)
    assert (answer.status_code, "being worked on" in answer.text) == (422, True)


def test_the_worklist_recommends_what_the_case_recommends(own: TestDesk) -> None:
    assert item(own.ledger, own.submission_id).outcome == "meets"
    area = area_of_intent(own)
    mark = Mark("Testperson <b>Alma</b>.pdf", area["page"], Box(*area["area"]))
    later = Change(Kind.CHANGE, "findings.stage_group", "IIIA", why="per the MD", marks=(mark,))
    file = correct(own.ledger, own.settings, own.submission_id, later, version="1.0", actor="nora")
    assert file.case.evaluation is not None
    assert file.case.evaluation.outcome != "meets"
    assert item(own.ledger, own.submission_id).outcome == file.case.evaluation.outcome
    undo = Change(Kind.UNDO, "1")
    correct(own.ledger, own.settings, own.submission_id, undo, version="1.1", actor="max")
    assert item(own.ledger, own.submission_id).outcome == "meets"
    opened = open_case(own.ledger, own.submission_id)
    assert opened is not None
    assert [one.actor for one in opened.corrections] == ["nora", "max"]


# --------------------------------------------------------------------------- what is gone


def erase(desk: TestDesk) -> None:
    desk.ledger.write(
        lambda db: db.execute(update(submissions).values(updated_at=desk.ledger.now(db) - timedelta(days=9)))
    )
    assert erase_old(desk.ledger, timedelta(days=1), actor="user:test") == [desk.submission_id]


def test_an_erased_case_is_gone_with_its_corrections(own: TestDesk) -> None:
    accept(own)
    assert (kept(own, "correction"), kept(own, "corrected")) == (1, 1)
    client, show = own.client("nora"), program(own)
    path = f"/cases/{own.submission_id}"
    assert client.get(f"{path}/pages/0/1.png").status_code == 200
    csrf = csrf_of(client)
    erase(own)
    left = own.ledger.read(lambda db: db.execute(select(func.count()).select_from(records)).scalar())
    assert left == 0
    for asked in (path, f"{path}/pages/0/1.png", f"/api/v1{path}", f"/api/v1{path}/corrections"):
        assert own.client().get(asked, headers=show).status_code == 410
    assert "were erased on" in client.get(path).text
    form = {"csrf": csrf, "version": "1.1", "kind": "accept", "subject": "findings.intent"}
    assert client.post(f"{path}/corrections", data=form).status_code == 410
    assert f'href="{path}"' not in client.get("/").text


def test_nothing_is_written_to_a_case_that_is_erased_meanwhile(
    own: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.review import standing

    def slow(*given: Any) -> Any:
        erase(own)
        return evaluate(*given)

    evaluate = standing.evaluate
    monkeypatch.setattr(standing, "evaluate", slow)
    with pytest.raises(CaseErased):
        accept(own)
    assert (kept(own, "correction"), kept(own, "corrected")) == (0, 0)


@pytest.mark.parametrize("kind", ["case", "correction", "corrected"])
def test_a_case_with_a_missing_record_is_not_shown_as_if_it_were_whole(own: TestDesk, kind: str) -> None:
    accept(own)
    own.ledger.write(lambda db: db.execute(delete(records).where(records.c.kind == kind)))
    with pytest.raises(RecordMissing):
        open_case(own.ledger, own.submission_id)
    answer = own.client("nora").get(f"/cases/{own.submission_id}")
    assert (answer.status_code, "curative" in answer.text) == (503, False)
    assert "record of this case is missing" in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_corrections_of_an_earlier_reading_are_told_of(own: TestDesk) -> None:
    accept(own)
    own.ledger.write(lambda db: db.execute(update(tables.corrections).values(case_number=7)))
    html = own.client("nora").get(f"/cases/{own.submission_id}").text
    assert "1 correction of the earlier reading does not count here" in html


# --------------------------------------------------------------------------- many


def test_a_submission_is_found_however_many_stand_before_it(own: TestDesk) -> None:
    """Ten thousand and more are due before the one that is looked for."""

    def fill(db: Connection) -> None:
        row = dict(db.execute(select(submissions)).one()._mapping)
        early = {**row, "due_at": row["due_at"] - timedelta(days=1)}
        db.execute(insert(submissions), [{**early, "id": f"{n:016x}"} for n in range(10_050)])

    own.ledger.write(fill)
    user = accounts.user(own.ledger, "nora")
    worklist.assign(own.ledger, own.submission_id, user, actor="max")
    for wanted in (Wanted(assigned="nora"), Wanted(reference=own.submission_id[:8])):
        (line,) = worklist.lines(own.ledger, wanted)
        assert line.item.id == own.submission_id
    first = worklist.lines(own.ledger, Wanted(reference="0000"))
    after = worklist.lines(own.ledger, Wanted(reference="0000"), after=first[-1].item.id)
    assert (len(first), len(after)) == (worklist.PAGE, worklist.PAGE)
    assert first[-1].item.id < after[0].item.id


# --------------------------------------------------------------------------- accounts, tokens, pictures


def test_wrong_passwords_that_come_at_once_are_all_counted(own: TestDesk) -> None:
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: accounts.checked(own.ledger, "nora", "wrong"), range(5)))
    failures = own.ledger.read(lambda db: db.execute(select(tables.users).filter_by(name="nora")).one())
    assert (failures.failures, failures.locked_until is not None) == (5, True)


def test_who_made_a_token_is_on_the_record(own: TestDesk) -> None:
    user = accounts.user(own.ledger, "nora")
    assert user is not None
    sessions.begin(own.ledger, user, program=True, lasts=timedelta(days=3), actor="operator:root")
    (row,) = audit.entries(own.ledger, most=1)
    assert (row.actor, row.data) == ("operator:root", {"user": "nora", "days": 3})
    environ = {"TRIAGE_HOME": str(own.settings.home)}
    for days in ("0", "-1", "99999999999"):
        assert main(["user", "token", "nora", "--days", days], environ) == ExitCode.USAGE


def test_a_file_that_keeps_a_process_busy_leaves_none_behind(own: TestDesk) -> None:
    others = set(active_children())
    hasty = Pictures(own.ledger, replace(own.settings, page_timeout_s=0.001))
    try:
        assert hasty.picture(own.submission_id, 0, 1, 0, "page") is None
        for process in set(active_children()) - others:
            process.join(60)  # it may still be starting
        assert set(active_children()) <= others
        hasty.settings = own.settings
        assert hasty.picture(own.submission_id, 0, 1, 0, "page")
    finally:
        hasty.close()
