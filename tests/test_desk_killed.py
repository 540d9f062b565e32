"""The desk is killed while people edit: an edit is whole or it is not there."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from desks import LETTER, PASSWORD, TestDesk, open_desk
from ledgers import DATABASES

from pipeline import audit
from pipeline.case_json import to_json
from pipeline.ledger import item, standing_case
from pipeline.review.casefile import open_case
from pipeline.review.corrections import corrected

_WITHIN_S = 90
_KILLS = 3


@pytest.mark.parametrize("kind", DATABASES)
def test_an_edit_is_whole_or_absent_after_a_kill(tmp_path: Path, kind: str) -> None:
    """Edits come as fast as they are answered; the server gets SIGKILL among them, and is started again."""
    with open_desk(tmp_path, LETTER, kind=kind) as desk:
        told = 0
        for turn in range(_KILLS):
            told += _edited_until_killed(desk, tmp_path / f"desk{turn}.log", after_s=0.3 + 0.35 * turn)
            file = open_case(desk.ledger, desk.submission_id)  # raises where a part of an edit is missing
            assert file is not None
            assert len(file.corrections) >= told  # what was answered is there
            assert corrected(file.read, file.corrections).case.findings == file.case.findings
            assert standing_case(desk.ledger, desk.submission_id) == to_json(file.case)
            assert item(desk.ledger, desk.submission_id).outcome == file.case.evaluation.outcome  # type: ignore[union-attr]
            rows = [row for row in audit.entries(desk.ledger, most=5000) if row.action == "corrected"]
            assert [row.data["number"] for row in reversed(rows)] == [one.number for one in file.corrections]
            assert audit.verify(desk.ledger).whole
        assert told > _KILLS  # it was killed among edits, not before them


def _edited_until_killed(desk: TestDesk, log: Path, *, after_s: float) -> int:
    """How many edits were answered before the kill."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    settings = {
        "TRIAGE_HOME": str(desk.settings.home),
        "TRIAGE_KEY_FILE": desk.settings.key_file,
        "TRIAGE_KEYS": desk.settings.keys,
        "TRIAGE_LEDGER_URL": desk.settings.ledger_url,
        "TRIAGE_MIN_FREE_MB": "1",
    }
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "desk", "--port", str(port)],
            env={**os.environ, **{name: value for name, value in settings.items() if value}},
            stdout=out,
            stderr=out,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=_WITHIN_S) as client:
            csrf = _logged_in(client, server)
            killer = threading.Timer(after_s, server.send_signal, [signal.SIGKILL])
            version = _version(client, desk)
            killer.start()
            answered = 0
            with suppress(httpx.TransportError):
                while True:
                    version = _edit(client, desk, csrf, version)
                    answered += 1
            killer.join()
            return answered
    finally:
        server.kill()
        server.wait()


def _logged_in(client: httpx.Client, server: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + _WITHIN_S
    while True:
        with suppress(httpx.TransportError):
            client.get("/health/live")
            break
        assert server.poll() is None, "the desk ended"
        assert time.monotonic() < until
        time.sleep(0.1)
    assert client.post("/login", data={"name": "nora", "password": PASSWORD}).status_code == 303
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/").text)
    assert found
    return found[1]


def _version(client: httpx.Client, desk: TestDesk) -> str:
    found = re.search(r'name="version" value="([^"]+)"', client.get(f"/cases/{desk.submission_id}").text)
    assert found
    return found[1]


def _edit(client: httpx.Client, desk: TestDesk, csrf: str, version: str) -> str:
    """One edit; returns the version after it."""
    form = {"csrf": csrf, "version": version, "kind": "accept", "subject": "findings.intent"}
    answer = client.post(f"/cases/{desk.submission_id}/corrections", data=form)
    assert answer.status_code == 303, answer.text
    case, _, count = version.partition(".")
    return f"{case}.{int(count) + 1}"
