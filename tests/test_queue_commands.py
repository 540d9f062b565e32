"""The queue's commands as an operator types them: what they print, their exit codes, what they leave out."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from threading import Thread

import pytest
from ledgers import DATABASES, KEYS, ledger_settings, received
from stages import Recorded

from pipeline import ledger as led
from pipeline import surroundings
from pipeline.__main__ import main
from pipeline.doctor import examine
from pipeline.errors import EvaluatorError
from pipeline.ledger import open_ledger
from pipeline.ledger.tables import files
from pipeline.settings import load_settings
from pipeline.surroundings import Check, Found
from pipeline.working import Worker

SECRET = "Quillfeather"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"TRIAGE_HOME": str(tmp_path / "home"), "TRIAGE_KEYS": KEYS, "TRIAGE_MIN_FREE_MB": "1"}


@pytest.fixture
def triage(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command; its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments, environ)
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


Run = Callable[..., tuple[int, str, str]]


def put(environ: dict[str, str], *contents: bytes, failing: str = "", **more: bool) -> list[str]:
    """Receive and work submissions; the evaluator may be away. Their ids."""
    with open_ledger(load_settings(environ)) as ledger:
        ids = [receipt.submission_id for receipt in received(ledger, *contents, **more)]
        error = EvaluatorError("It is down.", retryable=False)
        worker = Worker(ledger, load_settings(environ), "w", stages=Recorded(failing, error).stages)
        for claim in led.claim(ledger, "w", 9):
            worker.work(claim)
            for sending in led.claim_sendings(ledger, "w", 9):
                worker.send(sending)
    return ids


def test_an_empty_queue(triage: Run) -> None:
    code, out, _ = triage("queue", "list")
    assert (code, out.splitlines()[-1]) == (0, "nothing was received yet.")
    assert triage("ledger", "balance")[0] == 0


def test_the_list_shows_time_left_and_no_names(triage: Run, environ: dict[str, str]) -> None:
    (done,) = put(environ, b"1")
    with open_ledger(load_settings(environ)) as ledger:
        (waiting,) = received(ledger, b"2", expedited=True)
    code, out, _ = triage("queue", "list")
    first, second = out.splitlines()[1:3]
    assert code == 0
    assert first.split()[:6] == [waiting.submission_id, "received", "2", "d", "23", "h"]
    assert second.split()[:3] == [done, "done", "-"]
    assert "E" in first
    assert SECRET not in out
    listed = json.loads(triage("queue", "list", "--json", "--state", "done")[1])
    assert [item["id"] for item in listed] == [done]


def test_only_show_tells_the_senders_names(triage: Run, environ: dict[str, str]) -> None:
    (name,) = put(environ, b"1")
    code, out, _ = triage("queue", "show", name)
    assert code == 0
    assert SECRET in out
    for kind in ("received", "claimed", "finished", "evaluated", "case 1 to evaluator: delivered"):
        assert kind in out
    code, out, _ = triage("queue", "show", name, "--json")
    assert SECRET not in out
    assert json.loads(out)["item"]["id"] == name


@pytest.mark.parametrize("command", ["show", "replay", "expedite"])
def test_an_id_that_is_not_there(triage: Run, command: str) -> None:
    code, _, err = triage("queue", command, "0000")
    assert (code, "no submission 0000" in err) == (2, True)


def test_all_that_is_parked_for_a_reason_is_replayed(triage: Run, environ: dict[str, str]) -> None:
    ids = put(environ, b"1", b"2", failing="evaluate")
    code, out, _ = triage("queue", "replay", "--reason", "evaluator")
    assert (code, sorted(out.splitlines())) == (0, sorted(f"{name}: sent again" for name in ids))
    code, out, _ = triage("queue", "replay", "--reason", "evaluator")
    assert (code, out) == (0, "Nothing is parked for that reason.\n")
    code, _, err = triage("queue", "replay", ids[0])
    assert (code, "nothing to replay" in err) == (2, True)
    assert triage("queue", "replay")[0] == 2


def test_rejecting_needs_a_reason_that_is_a_code(triage: Run, environ: dict[str, str]) -> None:
    (name,) = put(environ, b"1", failing="evaluate")
    assert triage("queue", "reject", name, "--reason", "sent to us by mistake")[0] == 2
    assert triage("queue", "reject", name, "--reason", "not_ours") == (0, f"{name}: rejected\n", "")
    assert triage("queue", "reject", name, name, "--reason", "not_ours")[0] == 1


def test_a_person_expedites(triage: Run, environ: dict[str, str]) -> None:
    (name,) = put(environ, b"1")
    assert triage("queue", "expedite", name)[1] == f"{name}: expedited\n"
    assert json.loads(triage("queue", "list", "--json")[1])[0]["expedited"] is True
    assert triage("queue", "expedite", name, "--undo")[1] == f"{name}: standard\n"


def test_export_gives_back_what_was_sent(triage: Run, environ: dict[str, str], tmp_path: Path) -> None:
    (name,) = put(environ, b"%PDF-1.7")
    assert triage("queue", "export", name, "--output-dir", str(tmp_path / "out"))[0] == 0
    folder = tmp_path / "out" / name
    assert (folder / "1.pdf").read_bytes() == b"%PDF-1.7"
    assert json.loads((folder / "names.json").read_bytes()) == ["Quillfeather, Ambrosius.pdf"]
    assert json.loads((folder / "case-1.json").read_bytes())["evaluation"]["outcome"] == "meets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_balance_that_does_not_hold(triage: Run, environ: dict[str, str]) -> None:
    (name,) = put(environ, b"1")
    code, out, _ = triage("ledger", "balance")
    assert (code, out.splitlines()[-1]) == (0, "It adds up.")
    with open_ledger(load_settings(environ)) as ledger:
        ledger.write(lambda db: db.execute(files.delete()))
    code, out, _ = triage("ledger", "balance")
    assert code == 1
    assert f"{name}: its files are not those received" in out
    assert json.loads(triage("ledger", "balance", "--json")[1])["holds"] is False


def test_upgrade_and_keys(triage: Run, environ: dict[str, str]) -> None:
    assert "upgraded from nothing" in triage("ledger", "upgrade")[1]
    assert "up to date" in triage("ledger", "upgrade")[1]
    put(environ, b"1")
    environ["TRIAGE_KEYS"] = f"{triage('ledger', 'new-key', 'k2')[1].strip()},{KEYS}"
    assert triage("ledger", "rekey")[1] == "3 records and 1 files are sealed anew with k2.\n"


def test_erasing_needs_to_know_how_old(triage: Run, environ: dict[str, str]) -> None:
    assert triage("ledger", "erase")[0] == 2
    put(environ, b"1")
    assert triage("ledger", "erase", "--days", "1")[1].startswith("0 submissions erased")


def test_a_key_that_is_missing_is_told_without_a_key(triage: Run, environ: dict[str, str]) -> None:
    put(environ, b"1")
    environ["TRIAGE_KEYS"] = f"other={'B' * 43}="
    code, _, err = triage("queue", "show", *put_ids(triage))
    assert code == 3
    assert "'test' is needed" in err
    assert "BBBB" not in err


def put_ids(triage: Run) -> list[str]:
    return [item["id"] for item in json.loads(triage("queue", "list", "--json")[1])]


# --------------------------------------------------------------------------- doctor


def found(environ: dict[str, str]) -> dict[str, Found]:
    """But for the versions, which are the machine's affair."""
    checks = examine(load_settings(environ))
    return {check.what: check.found for check in checks if check.what != "versions"}


def test_a_healthy_installation(environ: dict[str, str]) -> None:
    put(environ, b"1")
    assert set(found(environ).values()) == {Found.OK}


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("TRIAGE_OCR_ENGINE", "none-such", "OCR engine"),
        ("TRIAGE_POLICY", "none-such", "knowledge"),
        ("TRIAGE_MIN_FREE_MB", "999999999", "home"),
        ("TRIAGE_KEYS", "k=short", "keys"),
        ("TRIAGE_LEDGER_URL", "mysql://x/y", "ledger"),
        ("TRIAGE_EVALUATOR_URL", "http://127.0.0.1:9", "evaluator"),
    ],
)
def test_what_is_broken_is_found(environ: dict[str, str], name: str, value: str, what: str) -> None:
    assert found(environ | {name: value})[what] is Found.BROKEN


def test_doctors_exit_code(triage: Run, environ: dict[str, str]) -> None:
    environ["TRIAGE_OCR_ENGINE"] = "none-such"
    code, out, _ = triage("doctor", "--quiet")
    assert code == 3
    assert "BROKEN OCR engine: " in out
    assert "OK " not in out


def test_a_ledger_of_a_newer_version_is_refused(environ: dict[str, str], triage: Run) -> None:
    put(environ, b"1")
    with open_ledger(load_settings(environ)) as ledger:
        ledger.write(lambda db: db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    code, _, err = triage("queue", "list")
    assert (code, "newer version (9999)" in err) == (3, True)
    assert found(environ)["ledger"] is Found.BROKEN


# --------------------------------------------------------------------------- what is around


def looked(environ: dict[str, str]) -> dict[str, Check]:
    return {check.what: check for check in examine(load_settings(environ))}


def test_the_doctor_holds_versions_against_the_lock_file(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.lock"
    monkeypatch.setattr(surroundings, "_locks", lambda: (tmp_path / "none", lock))
    settings = load_settings(environ)
    lock.write_text(f"pytest=={pytest.__version__} \\\n    --hash=sha256:0\nnot-installed==1\n")
    assert surroundings.versions(settings).found is Found.OK
    # Another line of it is for another Python.
    lock.write_text(
        f"pytest=={pytest.__version__} ; python_version >= '3' \\\n    --hash=sha256:0\n"
        "pytest==0.1 ; python_version < '3' \\\n    --hash=sha256:0\n"
    )
    assert surroundings.versions(settings).found is Found.OK
    lock.write_text("pytest==0.1 \\\n    --hash=sha256:0\n")
    found = surroundings.versions(settings)
    assert found.found is Found.CHECK
    assert f"pytest {pytest.__version__} (0.1)" in found.told
    lock.unlink()
    assert "no lock file" in surroundings.versions(settings).told


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """A server that answers everything so."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (200, f'"{version("prefect")}"', Found.OK),
        (200, '"2.0.0"', Found.CHECK),
        (404, "", Found.CHECK),
        (401, "", Found.BROKEN),
    ],
)
def test_the_doctor_asks_prefect(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, status: int, body: str, found: Found
) -> None:
    with answering(status, body) as url:
        monkeypatch.setenv("PREFECT_API_URL", f"{url}/api")
        assert looked(environ)["Prefect"].found is found


def test_the_doctor_says_what_cannot_be_reached(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not {"Prefect", "traces", "clock", "sealed"} & looked(environ).keys()
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    found = looked(environ | {"TRIAGE_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert found["Prefect"].found is Found.BROKEN
    assert found["traces"].found is Found.CHECK  # work goes on without
    with answering(200, "") as url:
        assert looked(environ | {"TRIAGE_OTLP_ENDPOINT": url})["traces"].found is Found.OK


def test_the_doctor_misses_a_key_that_was_taken_away(environ: dict[str, str]) -> None:
    put(environ, b"1")
    assert looked(environ)["sealed"].found is Found.OK
    other = environ | {"TRIAGE_KEYS": KEYS.replace("test=Z", "new=B")}
    found = looked(other)["sealed"]
    assert (found.found, "sealed with test" in found.told) == (Found.BROKEN, True)


def test_the_doctor_and_the_list_name_what_is_stuck(triage: Run, environ: dict[str, str]) -> None:
    with open_ledger(load_settings(environ)) as ledger:
        (receipt,) = received(ledger, b"1")
    assert looked(environ)["queue"].found is Found.OK
    assert receipt.submission_id not in triage("queue", "list", "--stuck")[1]
    environ["TRIAGE_STUCK_S"] = "0"
    assert looked(environ)["queue"].found is Found.CHECK
    assert receipt.submission_id in triage("queue", "list", "--stuck")[1]


@pytest.mark.skipif("postgresql" not in DATABASES, reason="PostgreSQL: see test_ledger.py")
def test_the_doctor_compares_the_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ledger_settings("postgresql", tmp_path / "home") as settings:
        found = surroundings.clock(settings)
        assert found is not None
        assert found.found is Found.OK
        monkeypatch.setattr(surroundings.time, "time", lambda: 0.0)
        found = surroundings.clock(settings)
        assert found is not None
        assert found.found is Found.CHECK
