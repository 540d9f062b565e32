"""The desk for programs: one answer to one request, versions, pages, problems; and the Python client."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from desks import LETTER, TestDesk, open_desk, served
from fastapi.testclient import TestClient
from httpx import Client as HttpClient
from httpx import ConnectError, MockTransport, Request, Response
from ledgers import DATABASES
from sqlalchemy import func, select, update

from pipeline import audit
from pipeline.desk_client import Answer, DeskClient, Refused
from pipeline.ledger import item, rekey
from pipeline.ledger.keeping import kept
from pipeline.ledger.opening import Ledger
from pipeline.review import accounts, sessions, tables
from pipeline.review.casefile import open_case
from pipeline.review.desk import desk
from pipeline.sealing import Keyring

ACCEPT = {"kind": "accept", "subject": "findings.intent"}
POOR = LETTER.replace("cT2a N0 M0", "stage to be determined").replace("curative intent", "discussed")


@pytest.fixture(params=DATABASES)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestDesk]:
    with open_desk(tmp_path, LETTER, kind=request.param) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDesk]:
    """A desk for tests that change no case."""
    with open_desk(tmp_path_factory.mktemp("desk"), LETTER) as made:
        yield made


def token(made: TestDesk, name: str = "nora") -> str:
    user = accounts.user(made.ledger, name)
    assert user is not None
    return sessions.begin(made.ledger, user, program=True)


def bearer(made: TestDesk, name: str = "nora", **more: str) -> dict[str, str]:
    given = {key.replace("_", "-"): value for key, value in more.items()}
    return {"Authorization": f"Bearer {token(made, name)}", **given}


def correct(client: TestClient, made: TestDesk, show: dict[str, str], **body: Any) -> Response:
    return client.post(f"/api/v1/cases/{made.submission_id}/corrections", json=ACCEPT | body, headers=show)


def corrections(made: TestDesk) -> int:
    file = open_case(made.ledger, made.submission_id)
    assert file is not None
    return len(file.corrections)


# --------------------------------------------------------------------------- once


def test_a_repeated_request_is_done_once_and_answered_alike(own: TestDesk) -> None:
    client, show = own.client(), bearer(own, If_Match='"1.0"', Idempotency_Key="abc")
    first, second = correct(client, own, show), correct(client, own, show)
    assert (first.status_code, second.status_code) == (201, 201)
    assert (first.json(), first.headers["etag"]) == (second.json(), second.headers["etag"])
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert corrections(own) == 1


def test_a_key_stands_for_one_request_of_one_user(own: TestDesk) -> None:
    client, show = own.client(), bearer(own, If_Match='"1.0"', Idempotency_Key="abc")
    assert correct(client, own, show).status_code == 201
    another = correct(client, own, show, subject="findings.laterality")
    assert (another.status_code, another.headers["content-type"]) == (422, "application/problem+json")
    # Another's same key is another key: and so this one comes too late.
    assert (
        correct(client, own, bearer(own, "max", If_Match='"1.0"', Idempotency_Key="abc")).status_code == 412
    )
    assert corrections(own) == 1


def test_what_was_refused_is_tried_anew(own: TestDesk) -> None:
    client, show = own.client(), bearer(own, If_Match='"9.9"', Idempotency_Key="abc")
    assert correct(client, own, show).status_code == 412
    assert correct(client, own, show | {"If-Match": '"1.0"'}).status_code == 201


def test_of_many_at_once_with_one_key_one_is_done(own: TestDesk) -> None:
    show = bearer(own, "ida", Idempotency_Key="abc")
    client = own.client()
    path = f"/api/v1/cases/{own.submission_id}/reject"
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: client.post(path, json={"reason": "sent_twice"}, headers=show), range(6))
        )
    assert {one.status_code for one in answers} <= {200, 409}
    assert any(one.status_code == 200 for one in answers)
    rows = [
        row
        for row in audit.entries(own.ledger, submission_id=own.submission_id)
        if row.action == "queue_reject"
    ]
    assert len(rows) == 1


def test_a_key_that_a_dead_process_left_is_taken_up_after_a_minute(own: TestDesk) -> None:
    client, show = own.client(), bearer(own, If_Match='"1.0"', Idempotency_Key="abc")
    assert correct(client, own, show).status_code == 201
    a = tables.api_answers

    def left(seconds: float) -> None:
        at = own.ledger.read(own.ledger.now) - timedelta(seconds=seconds)
        own.ledger.write(lambda db: db.execute(update(a).values(done=False, at=at)))

    left(1)
    waits = correct(client, own, show)
    assert (waits.status_code, waits.headers["retry-after"]) == (409, "1")
    left(61)
    assert correct(client, own, show).status_code == 412  # done again, and If-Match says that it was done


def test_a_days_answers_are_kept_sealed_and_no_longer(own: TestDesk) -> None:
    client, show = own.client(), bearer(own, If_Match='"1.0"', Idempotency_Key="abc")
    assert correct(client, own, show).status_code == 201
    count = select(func.count()).select_from(kept)
    (row,) = own.ledger.read(lambda db: db.execute(select(kept)).all())
    assert b"curative" not in row.content
    past = own.ledger.read(own.ledger.now) - timedelta(hours=25)
    own.ledger.write(lambda db: db.execute(update(kept).values(ends_at=past)))
    own.ledger.write(lambda db: db.execute(update(tables.api_answers).values(at=past)))
    other = bearer(own, If_Match='"1.1"', Idempotency_Key="def")
    assert correct(client, own, other, subject="findings.laterality").status_code == 201
    assert own.ledger.read(lambda db: db.execute(count).scalar()) == 1


def test_a_new_key_of_the_ledger_opens_kept_answers(own: TestDesk) -> None:
    client, show = own.client(), bearer(own, If_Match='"1.0"', Idempotency_Key="abc")
    first = correct(client, own, show)
    old = own.ledger.keys
    newer = replace(own.ledger, keys=Keyring({"k2": b"2" * 32, **old._keys}))
    rekey(newer, actor="user:test")
    last: Ledger = replace(own.ledger, keys=Keyring({"k2": b"2" * 32}))
    again = TestClient(desk(last, own.settings)).post(
        f"/api/v1/cases/{own.submission_id}/corrections", json=ACCEPT, headers=show
    )
    assert (again.status_code, again.json()) == (201, first.json())


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
def test_an_odd_key_is_refused(shared: TestDesk, key: str) -> None:
    show = bearer(shared, If_Match='"1.0"', Idempotency_Key=key)
    assert correct(shared.client(), shared, show).status_code == 422


# --------------------------------------------------------------------------- versions and pages


def test_what_was_seen_before_is_not_sent_again(shared: TestDesk) -> None:
    client, show = shared.client(), bearer(shared)
    path = f"/api/v1/cases/{shared.submission_id}"
    tag = client.get(path, headers=show).headers["etag"]
    again = client.get(path, headers=show | {"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path, headers=show | {"If-None-Match": '"0.9"'}).status_code == 200


def test_of_two_who_take_a_case_one_has_it(own: TestDesk) -> None:
    client = own.client()
    path = f"/api/v1/cases/{own.submission_id}/assignment"
    seen = client.get(path, headers=bearer(own)).headers["etag"]
    assert client.put(path, json={"assigned": "nora"}, headers=bearer(own)).status_code == 428

    def take(name: str) -> int:
        return client.put(path, json={"assigned": name}, headers=bearer(own, name, If_Match=seen)).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, ["nora", "max"])) == [200, 412]
    assert client.get(path, headers=bearer(own)).json()["assigned"] in ("nora", "max")


def test_the_trail_comes_in_pages_and_by_what_is_asked(shared: TestDesk) -> None:
    client, show = shared.client(), bearer(shared, "otto")
    page = client.get("/api/v1/audit?limit=2", headers=show).json()
    rest = client.get(f"/api/v1/audit?before={page['next']}&limit=500", headers=show).json()
    numbers = [one["number"] for one in page["items"] + rest["items"]]
    assert numbers == list(range(numbers[0], 0, -1))
    assert rest["next"] is None
    users = client.get("/api/v1/audit?action=user_added", headers=show).json()["items"]
    assert {one["action"] for one in users} == {"user_added"}


def test_what_a_person_decides_about_a_submission(own: TestDesk) -> None:
    client, show = own.client(), bearer(own, "ida")
    path = f"/api/v1/cases/{own.submission_id}"
    assert client.post(f"{path}/expedite", json={"expedited": True}, headers=show).json()["expedited"]
    assert client.post(f"{path}/replay", json={}, headers=show).json() == {"done": "worked again"}
    assert client.post(f"{path}/replay", json={}, headers=show).status_code == 409
    answer = client.post(f"{path}/reject", json={"reason": "Quillfeather"}, headers=show)
    assert (answer.status_code, "Quillfeather" in answer.text) == (422, False)
    answer = client.post(f"{path}/reject", json={"reason": "not_a_request"}, headers=show)
    assert answer.json()["state"] == "rejected"
    assert item(own.ledger, own.submission_id).reason == "not_a_request"
    done = [row.action for row in audit.entries(own.ledger, submission_id=own.submission_id)]
    assert done == ["queue_reject", "queue_replay", "queue_expedite"]  # as the page names them


# --------------------------------------------------------------------------- problems and limits


def test_every_refusal_has_one_shape(shared: TestDesk) -> None:
    client, show = shared.client(), bearer(shared)
    answers = [
        client.get("/api/v1/me"),
        client.get("/api/v1/audit", headers=show),
        client.get(f"/api/v1/cases/{'0' * 16}", headers=show),
        client.get("/api/v1/nothing", headers=show),
        client.put("/api/v1/me", headers=show),
        client.get("/api/v1/cases?limit=0", headers=show),
        client.get("/api/v1/cases?after=" + "0" * 16, headers=show),
        correct(client, shared, show),
        client.post("/api/v1/webhooks", content=b"x" * (2 << 20), headers=show),
    ]
    assert [one.status_code for one in answers] == [401, 403, 404, 404, 405, 422, 404, 428, 413]
    for one in answers:
        assert one.headers["content-type"] == "application/problem+json"
        told = one.json()
        assert set(told) == {"type", "title", "status", "detail", "places"}
        assert told["status"] == one.status_code
        assert "script-src 'self'" in one.headers["content-security-policy"]


def test_who_asks_too_often_is_told_when_to_go_on(shared: TestDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.review.api.asking.REQUESTS_A_MINUTE", 3)
    client, show = TestClient(desk(shared.ledger, shared.settings)), bearer(shared)
    answers = [client.get("/api/v1/me", headers=show) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert client.get("/api/v1/me", headers=bearer(shared)).status_code == 200  # another's is its own


# --------------------------------------------------------------------------- the client

_WRITES = {"post", "put", "delete", "patch"}
_NOT_ASKED = {"x_csrf_token"}  # for the desk's own pages; a program needs none
_BESIDE = {"all_cases"}


def _given(operation: dict[str, Any], document: dict[str, Any], method: str) -> set[str]:
    """The arguments that the document has for an operation."""
    names = {one["name"].replace("-", "_").lower() for one in operation.get("parameters", [])}
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
        names |= set(document["components"]["schemas"][name]["properties"])
    return (names - _NOT_ASKED) | ({"idempotency_key"} if method in _WRITES else set())


def test_the_client_has_every_operation_of_the_document(shared: TestDesk) -> None:
    app: Any = shared.client().app
    document = app.openapi()
    operations = {
        operation["operationId"]: _given(operation, document, method)
        for methods in document["paths"].values()
        for method, operation in methods.items()
    }
    methods = {
        name: set(inspect.signature(method).parameters) - {"self"}
        for name, method in inspect.getmembers(DeskClient, inspect.isfunction)
        if not name.startswith("_") and name not in _BESIDE
    }
    assert methods == operations


def test_a_program_works_through_the_client(tmp_path: Path) -> None:
    with (
        open_desk(tmp_path, POOR, LETTER) as made,
        served(replace(made, settings=replace(made.settings, request_folder=str(tmp_path / "out")))) as url,
        DeskClient(url, token(made)) as client,
    ):
        assert client.get_me()["name"] == "nora"
        ids = [one["id"] for one in client.all_cases(state=["done"])]
        assert made.submission_id in ids
        seen = client.get_case(made.submission_id)
        assert client.get_case(made.submission_id, if_none_match=seen.etag).content is None
        asked = client.preview_request(made.submission_id)
        assert asked["items"]
        assert client.preview_request(made.submission_id, form="pdf").content.startswith(b"%PDF")
        filled = client.export_case(made.submission_id, "questionnaire-response")
        assert (filled["resourceType"], filled.etag) == ("QuestionnaireResponse", seen.etag)
        assert client.export_case(made.submission_id, "mcode")["resourceType"] == "Bundle"
        assert client.export_case(made.submission_id, "pdf").content.startswith(b"%PDF")
        assert client.export_case(made.submission_id, "csv").content.count(b"\n") > 5
        sent = client.send_request(made.submission_id, to="(614) 555-0101")
        assert sent["state"] == "open"
        assert client.send_request(made.submission_id, to="(614) 555-0101")["reference"] == sent["reference"]
        assert [one["reference"] for one in client.list_requests()["items"]] == [sent["reference"]]
        assert client.get_letter(sent["reference"])["reference"] == sent["reference"]
        assert client.get_request(sent["reference"])["sendings"]["folder"]["state"] == "waiting"
        with pytest.raises(Refused, match="422"):
            client.close_request(sent["reference"], reason="withdrawn")
        assert client.close_request(sent["reference"], reason="sent_in_error")["state"] == "closed"
        subject = "findings.tumor_site"
        made_ = client.correct_case(
            made.submission_id, if_match=seen.etag, kind="accept", subject=subject, idempotency_key="k"
        )
        assert made_["subject"] == subject
        undone = client.undo_correction(made.submission_id, 1, if_match=made_.etag, why="by mistake")
        assert [one["undone"] for one in client.list_corrections(made.submission_id).content] == [True, False]
        with pytest.raises(Refused) as refusal:
            client.undo_correction(made.submission_id, 1, if_match=undone.etag)
        assert refusal.value.status == 422
        took = client.get_assignment(made.submission_id)
        taken = client.put_assignment(made.submission_id, assigned="nora", if_match=took.etag)
        assert taken["assigned"] == "nora"
        for asked_for in ({"mine": True}, {"assigned": "nora"}, {"reference": made.submission_id[:6]}):
            (line,) = client.list_cases(**asked_for)["items"]  # type: ignore[arg-type]
            assert line["id"] == made.submission_id
        assert made.submission_id not in [one["id"] for one in client.list_cases(assigned="-")["items"]]
        assert client.list_cases(reference=sent["reference"])["items"][0]["request"] == "closed"
        assert client.get_history(made.submission_id).content[0]["kind"] == "received"
        with DeskClient(url, token(made, "ida")) as clerk:
            assert clerk.expedite_case(made.submission_id, expedited=True)["expedited"]
        (own,) = client.list_sessions().content
        trail = [row.action for row in audit.entries(made.ledger, submission_id=made.submission_id)]
        for action in (
            "case_exported",
            "request_previewed",
            "request_sent",
            "request_exported",
            "request_closed",
        ):
            assert action in trail
        client.end_session(own["id"])
        with pytest.raises(Refused) as ended:
            client.get_me()
        assert ended.value.status == 401


def test_a_page_of_requests_goes_on_where_the_last_one_was_closed(tmp_path: Path) -> None:
    packets = [POOR, POOR.replace("Alma", "Berta"), POOR.replace("Alma", "Carla")]
    with open_desk(tmp_path, *packets) as made:
        settings = replace(made.settings, request_folder=str(tmp_path / "out"))
        client, show = replace(made, settings=settings).client(), bearer(made)
        for one in client.get("/api/v1/cases", headers=show).json()["items"]:
            sent = client.post(f"/api/v1/cases/{one['id']}/requests", json={"to": "555"}, headers=show)
            assert sent.status_code == 201, sent.text
        every = [one["reference"] for one in client.get("/api/v1/requests", headers=show).json()["items"]]
        first = client.get("/api/v1/requests?limit=1", headers=show).json()
        assert first["next"] == every[0]
        closing = client.post(
            f"/api/v1/requests/{every[0]}/close", json={"reason": "sent_in_error"}, headers=show
        )
        assert closing.status_code == 200
        rest = client.get(f"/api/v1/requests?after={every[0]}", headers=show).json()
        assert [one["reference"] for one in rest["items"]] == every[1:]
        assert client.get("/api/v1/requests?after=0000-0000-00", headers=show).status_code == 404
        told = [client.get(f"/api/v1/requests/{one}", headers=show).json()["reference"] for one in every]
        assert told == every


def test_the_client_sends_again_under_the_same_key() -> None:
    keys, waits = [], []

    def answer(request: Request) -> Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            raise ConnectError("gone", request=request)
        if len(keys) == 2:
            return Response(429, headers={"Retry-After": "7"}, json={"detail": "later"})
        if len(keys) == 3:
            return Response(409, headers={"Retry-After": "2"}, json={"detail": "still being done"})
        return Response(200, json={"id": "x"})

    http = HttpClient(transport=MockTransport(answer))
    with DeskClient("http://127.0.0.1", "t", http=http, sleep=waits.append) as client:
        assert client.expedite_case("a" * 16, expedited=True) == Answer({"id": "x"})
    assert (len(keys), len(set(keys)), waits) == (4, 1, [1.0, 7.0, 2.0])


def test_the_client_does_not_repeat_what_cannot_be() -> None:
    asked: list[Request] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        return Response(409, json={"detail": "It waits already."})

    http = HttpClient(transport=MockTransport(answer))
    with DeskClient("http://127.0.0.1", "t", http=http) as client, pytest.raises(Refused, match="409"):
        client.replay_case("a" * 16)
    assert len(asked) == 1


def test_the_document_names_what_programs_need(shared: TestDesk) -> None:
    document = json.loads(shared.client().get("/api/v1/openapi.json").text)
    assert document["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            refused = operation["responses"]["422"]["content"]
            assert list(refused) == ["application/problem+json"]
