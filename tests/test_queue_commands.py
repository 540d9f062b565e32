"""The queue's commands as an operator types them: what they print, their exit codes, what they leave out."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from ledgers import KEYS, received
from stages import Recorded

from pipeline import ledger as led
from pipeline.__main__ import main
from pipeline.doctor import Found, examine
from pipeline.errors import EvaluatorError
from pipeline.ledger import open_ledger
from pipeline.ledger.tables import files
from pipeline.settings import load_settings
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
    return {check.what: check.found for check in examine(load_settings(environ))}


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
    assert out.startswith("BROKEN OCR engine: ")


def test_a_ledger_of_a_newer_version_is_refused(environ: dict[str, str], triage: Run) -> None:
    put(environ, b"1")
    with open_ledger(load_settings(environ)) as ledger:
        ledger.write(lambda db: db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    code, _, err = triage("queue", "list")
    assert (code, "newer version (9999)" in err) == (3, True)
    assert found(environ)["ledger"] is Found.BROKEN
