"""Uploads over HTTP: the real application under uvicorn, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from intakes import PDF, Intake, open_intake, token_for
from ledgers import DATABASES, KEYS
from mail_servers import certificate
from starlette.requests import Request

from pipeline import ledger as led
from pipeline.__main__ import main
from pipeline.errors import ExitCode, LedgerUnavailable, StorageFull
from pipeline.health import problems
from pipeline.intake_server import spool
from pipeline.intake_server.names import sent_name
from pipeline.intake_server.refusals import Refused
from pipeline.intake_server.spool import whole
from pipeline.ledger import State
from pipeline.review.desk import desk
from pipeline.review.roles import Role


@pytest.fixture(scope="module", params=DATABASES)
def intake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    home = tmp_path_factory.mktemp("intake")
    with open_intake(home, request.param, max_file_mb="1", intake_max_mb="2", intake_max_files="3") as opened:
        yield opened


def unlike(text: str) -> bytes:
    """A file that no other test sends."""
    return PDF + text.encode()


def files(*contents: bytes, name: str = "a.pdf") -> list[tuple[str, Any]]:
    return [("file", (name, content, "application/pdf")) for content in contents]


# --------------------------------------------------------------------------- taking in


def test_several_files_are_one_submission(intake: Intake) -> None:
    contents = [unlike("several 1"), unlike("several 2")]
    answer = intake.client().post("/v1/submissions", files=files(*contents))
    told = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == told["links"]["self"] == f"/v1/submissions/{told['id']}"
    assert (told["state"], told["expedited"], told["again"]) == ("received", False, False)
    assert [one["sha256"] for one in told["files"]] == [hashlib.sha256(c).hexdigest() for c in contents]
    item = led.item(intake.ledger, told["id"])
    assert (item.channel, item.file_count, item.state) == ("upload:portal", 2, State.RECEIVED)
    assert datetime.fromisoformat(told["due_at"]) - item.received_at == timedelta(days=7)
    assert led.names(intake.ledger, told["id"]) == ["a.pdf", "a (2).pdf"]


def test_a_body_that_is_one_file(intake: Intake) -> None:
    answer = intake.client().post(
        "/v1/submissions?expedited=true",
        content=unlike("raw"),
        headers={"Content-Type": "application/pdf; charset=binary"},
    )
    assert (answer.status_code, answer.json()["expedited"]) == (201, True)
    item = led.item(intake.ledger, answer.json()["id"])
    assert item.due_at - item.received_at == timedelta(hours=72)
    assert led.names(intake.ledger, item.id) == ["upload.pdf"]


def test_the_same_bytes_again_are_the_same_submission(intake: Intake) -> None:
    contents = [unlike("same 1"), unlike("same 2")]
    first = intake.client().post("/v1/submissions", files=files(*contents))
    again = intake.client().post("/v1/submissions", files=files(*reversed(contents), name="b.pdf"))
    other = intake.client().post("/v1/submissions", files=files(contents[0]))
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 201)
    assert again.json() == first.json() | {"again": True}
    assert other.json()["id"] != first.json()["id"]


def test_an_idempotency_key_makes_a_repeat_one_delivery(intake: Intake) -> None:
    def send(content: bytes, sender: str = "portal") -> httpx.Response:
        headers = {"Idempotency-Key": "order 4711"}
        return intake.client(sender).post("/v1/submissions", files=files(content), headers=headers)

    first, again = send(unlike("keyed")), send(unlike("keyed"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert len(led.history(intake.ledger, first.json()["id"]).deliveries) == 1
    other = send(unlike("keyed, but another"))
    assert (other.status_code, other.json()["code"]) == (409, "key_used")
    assert send(unlike("keyed by the clinic"), "clinic").status_code == 201  # whose keys are its own


def test_sent_many_times_at_once_it_is_one(intake: Intake) -> None:
    """A sender that lost patience: one of them is new, the others are told so, and one delivery stands."""
    client, content = intake.client(), unlike("at once")

    def send(_: int) -> httpx.Response:
        return client.post("/v1/submissions", files=files(content), headers={"Idempotency-Key": "at once"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    (name,) = {answer.json()["id"] for answer in answers}
    assert len(led.history(intake.ledger, name).deliveries) == 1


def test_a_word_for_haste_is_heard_when_it_comes_later(intake: Intake) -> None:
    """The shorter clock holds, whether a form or the address says it; a later one does not take it back."""
    content = unlike("haste")
    standard = intake.client().post("/v1/submissions", files=files(content)).json()
    hurried = intake.client().post("/v1/submissions", files=files(content), data={"expedited": "true"}).json()
    later = intake.client().post("/v1/submissions?expedited=false", files=files(content)).json()
    assert [one["expedited"] for one in (standard, hurried, later)] == [False, True, True]
    assert hurried["due_at"] < standard["due_at"]


def test_the_clock_runs_from_when_the_sender_got_it(intake: Intake) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30)
    answer = intake.client().post(
        "/v1/submissions", files=files(unlike("earlier")), data={"received_at": at.isoformat()}
    )
    told = answer.json()
    assert datetime.fromisoformat(told["received_at"]) == at
    assert datetime.fromisoformat(told["due_at"]) == at + timedelta(days=7)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"received_at": "2026-01-01T10:00:00"}, "unknown_field"),  # without its zone
        ({"received_at": "2099-01-01T10:00:00Z"}, "received_at"),
        ({"received_at": "1999-01-01T10:00:00Z"}, "received_at"),
        ({"expedited": "Quillfeather"}, "unknown_field"),
        ({"patient": "Quillfeather"}, "unknown_field"),
        ({"expedited": "x" * 300}, "unknown_field"),
    ],
)
def test_what_the_form_says_must_make_sense(intake: Intake, given: dict[str, str], code: str) -> None:
    answer = intake.client().post("/v1/submissions", files=files(unlike("said")), data=given)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert "Quillfeather" not in answer.text


def test_what_the_address_says_must_make_sense(intake: Intake) -> None:
    answer = intake.client().post("/v1/submissions?expedited=Quillfeather", files=files(unlike("said")))
    assert answer.status_code == 422
    assert "query.expedited" in answer.json()["detail"]
    assert "Quillfeather" not in answer.text


# --------------------------------------------------------------------------- looking


def test_a_sender_sees_what_it_sent_and_nothing_else(intake: Intake) -> None:
    content = unlike("own")
    told = intake.client("portal").post("/v1/submissions", files=files(content, name="Quillfeather.pdf"))
    link = told.json()["links"]["self"]
    seen = intake.client("portal").get(link)
    assert seen.json() == told.json()
    assert "Quillfeather" not in seen.text
    assert intake.client("clinic").get(link).status_code == 404
    assert intake.client("clinic").post("/v1/submissions", files=files(content)).status_code == 200
    assert intake.client("clinic").get(link).status_code == 200  # it has sent it too, now


@pytest.mark.parametrize("name", ["0" * 16, "..", "x" * 500, "%00", "3f0c9a4be1d2775G"])
def test_there_is_nothing_of_that_name(intake: Intake, name: str) -> None:
    assert intake.client().get(f"/v1/submissions/{name}").status_code in (404, 422)


# --------------------------------------------------------------------------- who may


def test_nobody_is_let_in_without_a_sender_s_token(intake: Intake) -> None:
    reviewer = token_for(intake.ledger, "nora", Role.REVIEWER)
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {intake.tokens['portal']}"}, 401),
        ({"Cookie": f"triage_session={intake.tokens['portal']}"}, 401),
        ({"Authorization": f"Bearer {reviewer}"}, 403),
    ):
        with httpx.Client(base_url=intake.url, headers=headers) as client:
            answer = client.post("/v1/submissions", files=files(unlike("nobody")))
            assert answer.status_code == status, headers
            assert client.get(f"/v1/submissions/{'0' * 16}").status_code == status


def test_a_sender_s_token_opens_nothing_at_the_desk(intake: Intake) -> None:
    told = intake.client().post("/v1/submissions", files=files(unlike("desk"))).json()
    client = TestClient(desk(intake.ledger, intake.settings))
    client.headers["Authorization"] = f"Bearer {intake.tokens['portal']}"
    for path in ("/api/v1/cases", f"/api/v1/cases/{told['id']}", "/", f"/cases/{told['id']}", "/audit"):
        assert client.get(path).status_code in (401, 403), path


def test_wrong_tokens_and_too_many_requests_are_slowed(tmp_path: Path) -> None:
    with open_intake(tmp_path, intake_requests_a_minute="3") as intake:
        path = f"/v1/submissions/{'0' * 16}"
        asked = [intake.client().get(path) for _ in range(4)]
        assert [answer.status_code for answer in asked] == [404, 404, 404, 429]
        assert 1 <= int(asked[-1].headers["Retry-After"]) <= 20
        assert intake.client("clinic").get(path).status_code == 404  # others are not slowed
        wrong = {"Authorization": "Bearer wrong"}
        with httpx.Client(base_url=intake.url, headers=wrong) as client:
            assert [client.get(path).status_code for _ in range(31)] == [401] * 30 + [429]


def test_a_token_ends_with_its_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`triage user` makes, and ends, what a sender needs; nobody is asked for a password."""
    environ = {"TRIAGE_HOME": str(tmp_path), "TRIAGE_KEYS": KEYS}
    assert main(["user", "add", "web", "--role", "sender"], environ) == ExitCode.DONE
    assert main(["user", "token", "web"], environ) == ExitCode.DONE
    token = capsys.readouterr().out.split()[-1]
    with open_intake(tmp_path) as intake:
        intake.tokens["web"] = token
        assert intake.client("web").get(f"/v1/submissions/{'0' * 16}").status_code == 404
        assert main(["user", "disable", "web"], environ) == ExitCode.DONE
        assert main(["user", "enable", "web"], environ) == ExitCode.DONE  # its tokens have ended all the same
        assert intake.client("web").get(f"/v1/submissions/{'0' * 16}").status_code == 401
        capsys.readouterr()
        assert main(["user", "token", "web"], environ) == ExitCode.DONE
        intake.tokens["web"] = capsys.readouterr().out.split()[-1]
        intake.clients.pop("web").close()
        assert intake.client("web").get(f"/v1/submissions/{'0' * 16}").status_code == 404


# --------------------------------------------------------------------------- hostile, half, too large


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("C:\\fax\\a.pdf", "C:_fax_a.pdf"),
        ("a\x00b.pdf", "a\ufffdb.pdf"),
        ("invoice\u202efdp.exe", "invoice\ufffdfdp.exe"),
        ("x" * 300 + ".pdf", "x" * 156 + ".pdf"),
        ("Jürgen \U0001f600.pdf", "Jürgen \U0001f600.pdf"),
        ("\ud83d.pdf", "?.pdf"),
        ("", ""),
    ],
)
def test_names_from_outside(given: str, kept: str) -> None:
    assert sent_name(given) == kept


@pytest.mark.parametrize(
    ("disposition", "kept"),
    [
        (b'name="file"; filename="../../../etc/cron.d/x"', ".._.._.._etc_cron.d_x"),
        (b'name="file"; filename="a\x00b.pdf"', "a\ufffdb.pdf"),
        (b'name="file"; filename="' + "r\u202efdp.exe".encode() + b'"', "r\ufffdfdp.exe"),
        (b'name="file"; filename="' + b"x" * 3000 + b'.pdf"', "x" * 156 + ".pdf"),
        (b'name="file"; filename="\xff\xfe.pdf"', "\ufffd\ufffd.pdf"),
        (b"name=\"file\"; filename*=UTF-8''J%C3%BCrgen.pdf", "Jürgen.pdf"),
        (b'name="file"; filename=""', "file"),
    ],
)
def test_a_hostile_name_of_a_part(intake: Intake, disposition: bytes, kept: str) -> None:
    content = unlike(f"hostile {disposition!r}")
    body = b"--B\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n" + content + b"\r\n--B--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    answer = intake.client().post("/v1/submissions", content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    assert led.names(intake.ledger, answer.json()["id"]) == [kept]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/pdf", 422, "empty"),
        (b"--B--\r\n", "multipart/form-data; boundary=B", 422, "empty"),
        (b"", "multipart/form-data; boundary=B", 400, "cut_off"),
        (b"rubbish", "multipart/form-data; boundary=B", 400, "malformed"),
        (b"--B--\r\n", "multipart/form-data", 400, "malformed"),
        (b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf',
         "multipart/form-data; boundary=B", 400, "cut_off"),
        (b'--B\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + b"x" * 500 + b"\r\n--B--\r\n",
         "multipart/form-data; boundary=B", 422, "unknown_field"),
        (b"--B\r\n\r\nno header\r\n--B--\r\n", "multipart/form-data; boundary=B", 422, "unknown_field"),
        (b"{}", "application/json", 415, "unknown_kind"),
        (b"x" * (2**20 + 1), "application/pdf", 413, "too_large"),
    ],
)  # fmt: skip
def test_what_is_not_taken(intake: Intake, body: bytes, kind: str, status: int, code: str) -> None:
    before = led.balance(intake.ledger).received
    answer = intake.client().post("/v1/submissions", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert led.balance(intake.ledger).received == before
    assert not list((intake.settings.home / "opened").iterdir())


def test_too_many_files_and_too_many_bytes_in_all(intake: Intake) -> None:
    small = [unlike(f"many {n}") for n in range(4)]
    answer = intake.client().post("/v1/submissions", files=files(*small))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_files")
    large = [bytes([n]) * 900_000 for n in range(3)]
    answer = intake.client().post("/v1/submissions", files=files(*large))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_length_that_is_said_is_believed_before_it_comes(intake: Intake) -> None:
    """The refusal comes without the bytes: nobody has to send a gigabyte to be told."""
    with socket.create_connection(("127.0.0.1", intake.port), timeout=20) as connection:
        connection.sendall(_head(intake, length=10**12))
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_an_upload_that_is_broken_off_leaves_nothing(intake: Intake) -> None:
    before = led.balance(intake.ledger).received
    content = unlike("broken off") + b"x" * 200_000
    with socket.create_connection(("127.0.0.1", intake.port), timeout=20) as connection:
        connection.sendall(_head(intake, length=len(content)) + content[:100_000])
        _until(lambda: any((intake.settings.home / "opened").rglob("0")))
    _until(lambda: not list((intake.settings.home / "opened").iterdir()))
    assert led.balance(intake.ledger).received == before
    headers = {"Content-Type": "application/pdf"}
    assert intake.client().post("/v1/submissions", content=content, headers=headers).status_code == 201


def _head(intake: Intake, length: int) -> bytes:
    lines = [
        "POST /v1/submissions HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {intake.tokens['portal']}",
        "Content-Type: application/pdf",
        f"Content-Length: {length}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _until(holds: Any) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_sender_that_falls_silent_is_let_go() -> None:
    async def silent() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    request = Request({"type": "http", "method": "POST", "headers": []}, silent)
    with pytest.raises(Refused) as refused:
        asyncio.run(whole(request, 10, idle_s=0.05))
    assert (refused.value.status, refused.value.code) == (408, "too_slow")


def trickling(pieces: int) -> Request:
    """A byte now and then, for half a second or longer."""
    left = iter(range(pieces, 0, -1))

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": next(left) > 1}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


def test_a_sender_of_a_byte_now_and_then_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_GRACE_S", 0.1)
    monkeypatch.setattr(spool, "_LEAST_RATE", 1000)
    with pytest.raises(Refused) as refused:
        asyncio.run(whole(trickling(1000), 100, idle_s=10))
    assert (refused.value.status, refused.value.code) == (408, "too_slow")


def test_where_more_may_come_it_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_GRACE_S", 0.1)
    monkeypatch.setattr(spool, "_LEAST_RATE", 1000)
    assert asyncio.run(whole(trickling(25), 10**5, idle_s=10)) == b"x" * 25
    with pytest.raises(Refused):
        asyncio.run(whole(trickling(25), 100, idle_s=10))


def test_a_gibibyte_comes_over_a_slow_line() -> None:
    at_2_mbit_s = 2**30 / 250_000
    assert at_2_mbit_s < spool._longest_s(2**30) < 3 * 3600


def test_a_zip_is_taken_and_parked_with_its_reason(tmp_path: Path) -> None:
    """Nothing is judged at the door: what a file is shows when it is read, and the sender can ask."""
    from pipeline.working import Worker

    with open_intake(tmp_path, workers="1") as intake:
        told = intake.client().post("/v1/submissions", files=files(b"PK\x03\x04 a zip", name="a.zip")).json()
        with closing(Worker(intake.ledger, intake.settings, "test")) as worker:
            (claim,) = led.claim(intake.ledger, "test")
            worker.work(claim)
        seen = intake.client().get(told["links"]["self"]).json()
        assert (seen["state"], seen["reason"]) == ("parked", "unsupported_type")


# --------------------------------------------------------------------------- when it cannot be kept


def test_a_full_disk_is_said_and_nothing_is_taken(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake.ledger.vault, "check_room", _full)
    answer = intake.client().post("/v1/submissions", files=files(unlike("full")))
    assert (answer.status_code, answer.json()["code"]) == (507, "full")
    assert answer.headers["Retry-After"] == "300"
    assert problems(intake.ledger) == ["disk"]
    monkeypatch.undo()
    assert intake.client().post("/v1/submissions", files=files(unlike("full"))).status_code == 201


def test_a_disk_that_fills_while_it_comes_is_said(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipeline.intake_server.spool._Writer.write", full)
    answer = intake.client().post("/v1/submissions", files=files(unlike("fills")))
    assert (answer.status_code, answer.json()["code"]) == (507, "full")
    monkeypatch.undo()
    assert not list((intake.settings.home / "opened").iterdir())


def test_a_ledger_that_does_not_answer_is_said(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    client = intake.client()

    def away(*_: object, **__: object) -> None:
        raise LedgerUnavailable("The ledger's database does not answer.")

    monkeypatch.setattr(type(intake.ledger.database), "_run", away)
    answer = client.post("/v1/submissions", files=files(unlike("away")))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert problems(intake.ledger) == ["ledger"]
    assert client.get("/health/live").json() == {"live": True}
    monkeypatch.undo()
    assert problems(intake.ledger) == []


def test_watchers_are_told_whether_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_intake(tmp_path) as intake:
        client = intake.client(None)
        assert client.get("/health/ready").json() == {"ready": True, "problems": []}
        monkeypatch.setattr(intake.ledger.vault, "check_room", _full)
        assert client.get("/health/ready").status_code == 200  # an answer is good for a while
        time.sleep(2.1)
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "problems": ["disk"]})


def _full(*_: object) -> None:
    raise StorageFull("The disk is full.")


def test_a_bug_says_nothing(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object) -> None:
        raise RuntimeError("Quillfeather")

    monkeypatch.setattr("pipeline.intake_server.uploads.hand_in", bug)
    answer = intake.client().post("/v1/submissions", files=files(unlike("bug")))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "Quillfeather" not in answer.text


def test_the_balance_holds_after_all_that(intake: Intake) -> None:
    assert led.balance(intake.ledger).holds


# --------------------------------------------------------------------------- the command


def test_killed_between_receipt_and_answer_the_repeat_is_the_same(tmp_path: Path) -> None:
    """The server of `triage intake` is killed when the ledger has it and the sender has no answer yet."""
    environ = {"TRIAGE_HOME": str(tmp_path), "TRIAGE_KEYS": KEYS, "TRIAGE_MIN_FREE_MB": "1"}
    with open_intake(tmp_path) as intake:
        token = intake.tokens["portal"]
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "once"}
    with (
        _command(environ, "--pause-before-answer") as (process, url),
        httpx.Client(base_url=url, headers=headers, timeout=60) as client,
    ):
        killer = _killed_once_received(tmp_path / "ledger.db", process)
        with pytest.raises(httpx.TransportError):
            client.post("/v1/submissions", files=files(unlike("killed")))
        killer()
    with _command(environ) as (process, url), httpx.Client(base_url=url, headers=headers) as client:
        again = client.post("/v1/submissions", files=files(unlike("killed")))
        assert (again.status_code, again.json()["again"]) == (200, True)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        assert ledger.execute("SELECT count(*) FROM deliveries").fetchone() == (1,)


def _killed_once_received(path: Path, process: subprocess.Popen[str]) -> Any:
    import threading

    def watch() -> None:
        connection = sqlite3.connect(path)
        _until(lambda: connection.execute("SELECT count(*) FROM submissions").fetchone() == (1,))
        connection.close()
        process.kill()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread.join


class _command:
    """`triage intake` in a process of its own; with an option, tests/slow_answer.py in front of it."""

    def __init__(self, environ: dict[str, str], *slow: str) -> None:
        self._environ = {**{k: v for k, v in os.environ.items() if not k.startswith("TRIAGE_")}, **environ}
        module = ["-m", "tests.slow_answer"] if slow else ["-m", "pipeline"]
        self._arguments = [sys.executable, *module, "intake", "--port", "0"]

    def __enter__(self) -> tuple[subprocess.Popen[str], str]:
        self._process = subprocess.Popen(
            self._arguments,
            env=self._environ,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return self._process, line.split(" at ")[1].split(";")[0]

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def test_it_is_served_over_tls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cert, key = certificate(tmp_path)
    environ = {"TRIAGE_HOME": str(tmp_path / "home"), "TRIAGE_KEYS": KEYS}
    environ |= {"TRIAGE_INTAKE_TLS_CERT": str(cert), "TRIAGE_INTAKE_TLS_KEY": str(key)}
    main(["doctor"], environ)
    assert re.search(
        r"(OK|CHECK) +intake certificate: (good for|runs out in) \d+ days", capsys.readouterr().out
    )
    with _command(environ) as (_, url):
        context = ssl.create_default_context(cafile=str(cert))
        port = url.rpartition(":")[2]
        assert url.startswith("https://")
        told = httpx.get(f"https://localhost:{port}/health/live", verify=context)
        assert told.json() == {"live": True}
    cert.write_text("no certificate")
    assert main(["doctor"], environ) == ExitCode.CONFIGURATION
    assert "The certificates cannot be used" in capsys.readouterr().out
    assert main(["intake", "--port", "0"], environ) == ExitCode.CONFIGURATION


@pytest.mark.parametrize("given", ["127.0.0.1:port", "127.0.0.1:70000", "localhost", ""])
def test_what_is_no_place(given: str, tmp_path: Path) -> None:
    assert main(["serve", "--intake", given], {"TRIAGE_HOME": str(tmp_path)}) == ExitCode.USAGE


def test_plain_http_is_refused_where_others_reach_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"TRIAGE_HOME": str(tmp_path), "TRIAGE_KEYS": KEYS}
    for command in (["intake", "--host", "0.0.0.0"], ["serve", "--intake", "0.0.0.0:8370"]):
        assert main(command, environ) == ExitCode.CONFIGURATION
        assert "do not go over plain HTTP" in capsys.readouterr().err


def test_the_document_of_the_interface_names_every_answer(intake: Intake) -> None:
    document = intake.client(None).get("/v1/openapi.json").json()
    submit = document["paths"]["/v1/submissions"]["post"]
    assert {"200", "201", "401", "409", "413", "507"} <= submit["responses"].keys()
    assert "multipart/form-data" in submit["requestBody"]["content"]
    assert submit["security"] == [{"HTTPBearer": []}]
    assert "security" not in document["paths"]["/health/live"]["get"]
