"""Metrics and health: exact figures after known work, hostile labels, a ledger that went away."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from ledgers import DATABASES, KEYS, Time, open_test_ledger, received
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update
from stages import Recorded
from starlette.testclient import TestClient

from pipeline import ledger as led
from pipeline.__main__ import main
from pipeline.errors import EvaluatorError, LedgerUnavailable, UnreadableFile, UsageError
from pipeline.health import problems
from pipeline.ledger import Ledger, Tally, notices
from pipeline.ledger.notices import NewNotice
from pipeline.ledger.tables import submissions
from pipeline.monitoring.metrics import CHANNELS, exposition
from pipeline.monitoring.server import application
from pipeline.monitoring.tally import BUCKETS_S, Tallies
from pipeline.serving import place
from pipeline.settings import Settings, load_settings
from pipeline.working import Worker

AFTER = timedelta(minutes=30)
SECRET = "Quillfeather"
Values = dict[tuple[str, ...], float]


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture(params=DATABASES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: Time) -> Iterator[Ledger]:
    with open_test_ledger(request.param, tmp_path / "home", clock) as ledger:
        yield ledger


def scraped(ledger: Ledger) -> Values:
    """Every sample by its name and the values of its labels."""
    text = exposition(ledger, stuck_after=AFTER).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def work(ledger: Ledger, stages: Recorded, most: int = 9) -> Worker:
    worker = Worker(ledger, load_settings({}), "w", stages=stages.stages)
    for claim in led.claim(ledger, "w", most):
        worker.work(claim)
    for sending in led.claim_sendings(ledger, "w", most):
        worker.send(sending)
    worker.tallies.write()
    return worker


def test_the_figures_are_the_ledgers(ledger: Ledger, clock: Time) -> None:
    received(ledger, b"1", b"2", channel="folder")
    received(ledger, b"1", channel="fhir")  # the same bytes by another way
    work(ledger, Recorded())
    received(ledger, b"3", channel="folder", expedited=True)
    clock.pass_(hours=60)
    found = scraped(ledger)
    assert found["triage_up",] == 1
    assert found["triage_received_total", "folder"] == 3
    assert (found["triage_deliveries_total", "folder"], found["triage_deliveries_total", "fhir"]) == (3, 1)
    assert (found["triage_submissions", "done"], found["triage_submissions", "received"]) == (2, 1)
    assert found["triage_outcomes", "meets"] == 2
    assert (found["triage_pages_total",], found["triage_received_bytes_total",]) == (2, 3)
    assert found["triage_oldest_waiting_seconds",] == 60 * 3600
    assert (found["triage_expedited_waiting",], found["triage_sla_at_risk",]) == (1, 1)
    assert found["triage_sla_overdue",] == 0
    assert found["triage_attempts_total", "finished"] == 2
    assert found["triage_sendings", "delivered", "evaluator"] == 2
    assert found["triage_pages_read_total", "blank"] == 2
    for stage in ("read", "build", "evaluate"):
        assert found["triage_stage_seconds_count", stage] == 2
        assert found["triage_stage_seconds_bucket", "+Inf", stage] == 2
    assert found["triage_stage_seconds_count", "send"] == 0


def test_what_is_parked_is_told_by_reason(ledger: Ledger) -> None:
    received(ledger, b"1")
    work(ledger, Recorded("evaluate", EvaluatorError("No.", retryable=False)))
    found = scraped(ledger)
    assert found["triage_parked", "evaluator"] == 1
    assert found["triage_sendings", "failed", "evaluator"] == 1
    assert found["triage_stage_seconds_count", "evaluate"] == 1  # a failed one took its time too


@pytest.mark.parametrize("text", [SECRET, 'x"} 1\ntriage_up 7\n#', "n" * 31, ""])
def test_a_hostile_label_is_other(ledger: Ledger, text: str) -> None:
    received(ledger, b"1", channel=text)
    ledger.write(lambda db: db.execute(update(submissions).values(reason=text, outcome=text, state="parked")))
    found = scraped(ledger)
    assert found["triage_received_total", "other"] == found["triage_parked", "other"] == 1
    assert found["triage_outcomes", "other"] == 1
    assert found["triage_up",] == 1
    if text:
        assert text not in exposition(ledger, stuck_after=AFTER).decode()


def test_a_fax_that_is_told_of_and_not_here_is_counted(ledger: Ledger, clock: Time) -> None:
    for name in ("a", "b"):
        told = NewNotice("fax:example", name, "https://fax.example/f", clock.now, clock.now)
        notices.enter(ledger, told)
    found = scraped(ledger)
    assert (found["triage_announced", "waiting"], found["triage_announced", "parked"]) == (2, 0)
    (held,) = notices.claim_notices(ledger, "w")
    notices.not_fetched(ledger, held, "elsewhere", until=timedelta(hours=1), can_pass=False)
    found = scraped(ledger)
    assert (found["triage_announced", "waiting"], found["triage_announced", "parked"]) == (1, 1)


def test_a_channel_of_one_sender_is_counted_with_its_kind(ledger: Ledger) -> None:
    received(ledger, b"1", channel="upload:clinic-a")
    received(ledger, b"2", channel="upload:Quillfeather")
    assert scraped(ledger)["triage_received_total", "upload"] == 2
    assert SECRET not in exposition(ledger, stuck_after=AFTER).decode()


def test_no_number_of_channels_makes_more_series(ledger: Ledger) -> None:
    before = len(scraped(ledger))
    for number in range(12):
        received(ledger, b"%d" % number, channel=f"c{number}")
    assert len(scraped(ledger)) == before
    assert scraped(ledger)["triage_received_total", "other"] == 12


def test_every_reason_that_parks_has_its_name(ledger: Ledger) -> None:
    for number, code in enumerate(sorted(UnreadableFile.CODES)):
        received(ledger, b"%d" % number)
        name = led.items(ledger, states=[led.State.RECEIVED])[0].id
        ledger.write(
            lambda db, name=name, code=code: db.execute(
                update(submissions).where(submissions.c.id == name).values(state="parked", reason=code)
            )
        )
    found = scraped(ledger)
    assert {found["triage_parked", code] for code in UnreadableFile.CODES} == {1}
    assert found["triage_parked", "other"] == 0


# --------------------------------------------------------------------------- what is stuck


def test_what_nobody_takes_is_stuck(ledger: Ledger, clock: Time) -> None:
    (receipt,) = received(ledger, b"1")
    assert scraped(ledger)["triage_stuck", "unclaimed"] == 0
    clock.pass_(minutes=31)
    assert scraped(ledger)["triage_stuck", "unclaimed"] == 1
    found = led.items(ledger, among=led.stuck(ledger, after=AFTER))
    assert [item.id for item in found] == [receipt.submission_id]


def test_what_a_dead_worker_held_is_stuck_only_if_nobody_takes_it(ledger: Ledger, clock: Time) -> None:
    received(ledger, b"1")
    led.claim(ledger, "dead")
    clock.pass_(minutes=10)  # its lease is over
    assert scraped(ledger)["triage_stuck", "unclaimed"] == 0
    clock.pass_(minutes=23)
    assert scraped(ledger)["triage_stuck", "unclaimed"] == 1
    work(ledger, Recorded())
    assert sum(value for name, value in scraped(ledger).items() if name[0] == "triage_stuck") == 0


def test_one_that_is_held_and_renewed_for_too_long_is_stuck(ledger: Ledger, clock: Time) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    for _ in range(31):
        clock.pass_(minutes=1)
        claim = led.renew(ledger, claim)
    found = scraped(ledger)
    assert (found["triage_stuck", "held"], found["triage_stuck", "unclaimed"]) == (1, 0)


def test_a_case_that_nobody_sends_is_stuck(ledger: Ledger, clock: Time) -> None:
    received(ledger, b"1")
    worker = Worker(ledger, load_settings({}), "w", stages=Recorded().stages)
    worker.work(led.claim(ledger, "w")[0])
    clock.pass_(minutes=31)
    found = scraped(ledger)
    assert (found["triage_stuck", "unsent"], found["triage_stuck", "unclaimed"]) == (1, 0)


# --------------------------------------------------------------------------- tallies


def test_tallies_of_several_workers_add_up(ledger: Ledger) -> None:
    for _ in range(3):
        led.add_tallies(ledger, [Tally("stage", "read", 0, 2, 0.5), Tally("pages", "read", 0, 7)])
    kept = led.measures(ledger, stuck_after=AFTER).tallies
    assert {(one.kind, one.label, one.bucket): (one.number, one.seconds) for one in kept} == {
        ("stage", "read", 0): (6, 1.5),
        ("pages", "read", 0): (21, 0.0),
    }
    led.add_tallies(ledger, [])


def test_a_histogram_counts_up_to_each_end(ledger: Ledger) -> None:
    last = len(BUCKETS_S)
    led.add_tallies(ledger, [Tally("stage", "build", 1, 2, 0.2), Tally("stage", "build", last, 1, 400.0)])
    found = scraped(ledger)
    ends = {
        end: found["triage_stage_seconds_bucket", end, "build"] for end in ("0.05", "0.1", "300.0", "+Inf")
    }
    assert ends == {"0.05": 0, "0.1": 2, "300.0": 2, "+Inf": 3}
    assert found["triage_stage_seconds_sum", "build"] == pytest.approx(400.2)


@pytest.mark.parametrize("error", [LedgerUnavailable("away"), KeyError("a bug")], ids=["away", "bug"])
def test_what_could_not_be_written_is_written_later(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tallies = Tallies(ledger, every_s=0)
    with pytest.raises(KeyError), tallies.timed("read"):
        raise KeyError

    def away(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(led, "add_tallies", away)
        tallies.write_if_due()
    assert scraped(ledger)["triage_stage_seconds_count", "read"] == 0
    tallies.write_if_due()
    tallies.write()  # once only
    assert scraped(ledger)["triage_stage_seconds_count", "read"] == 1


# --------------------------------------------------------------------------- over HTTP


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TRIAGE_HOME": str(tmp_path / "home"), "TRIAGE_MIN_FREE_MB": "1"})


def test_health(ledger: Ledger, settings: Settings) -> None:
    with TestClient(application(ledger, settings)) as client:
        assert client.get("/health/live").json() == {"live": True}
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "problems": []})
        assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=")
        assert client.get("/").status_code == 404
        assert client.post("/metrics").status_code == 405


def test_what_is_in_the_way_is_named(tmp_path: Path, settings: Settings) -> None:
    with open_test_ledger("sqlite", tmp_path / "home", min_free_mb=str(2**40)) as ledger:
        assert problems(ledger) == ["disk"]
        with TestClient(application(ledger, settings)) as client:
            assert client.get("/health/ready").status_code == 503

    class Away:
        """A database that does not answer."""

        def read(self, work: object) -> None:
            raise LedgerUnavailable("away")

    with open_test_ledger("sqlite", tmp_path / "other") as ledger:
        away = replace(ledger, database=Away())
        assert problems(away) == ["ledger"]
        assert exposition(away, stuck_after=AFTER).splitlines()[-1] == b"triage_up 0.0"


def test_where_to_listen() -> None:
    assert place("127.0.0.1:9464") == ("127.0.0.1", 9464)
    assert place("[::1]:80") == ("::1", 80)
    assert place("0") == ("127.0.0.1", 0)
    for wrong in ("host", "host:", "host:99999", "host:-1", "host:٣"):
        with pytest.raises(UsageError, match="HOST:PORT"):
            place(wrong)


def test_the_command_prints_them_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"TRIAGE_HOME": str(tmp_path / "home"), "TRIAGE_KEYS": KEYS}
    assert main(["metrics"], environ) == 0
    out = capsys.readouterr().out
    assert re.search(r"^triage_up 1\.0$", out, re.MULTILINE)
    assert all(f'channel="{channel}"' in out for channel in CHANNELS)
    assert main(["metrics", "--listen", "nowhere"], environ) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped(tmp_path: Path, number: signal.Signals) -> None:
    environ = {**os.environ, "TRIAGE_HOME": str(tmp_path / "home"), "TRIAGE_KEYS": KEYS}
    environ["TRIAGE_MIN_FREE_MB"] = "1"
    command = [sys.executable, "-m", "pipeline", "metrics", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stderr is not None
            address = server.stdout.readline().decode().split()[3].rstrip(";")
            assert "triage_up 1.0" in httpx.get(address, timeout=30).text
            ready = httpx.get(address.replace("/metrics", "/health/ready"), timeout=30)
            assert ready.json() == {"ready": True, "problems": []}
            server.send_signal(number)
            assert server.wait(30) == 0
            assert server.stderr.read() == b""
        finally:
            server.kill()
