"""What a worker does with a submission, and with what goes wrong."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ledgers import DATABASES, KEYS, Time, open_test_ledger, received
from stages import Recorded

from pipeline import ledger as led
from pipeline.case_json import from_json
from pipeline.cases import OnPage
from pipeline.domain import Box, Page, Reading, Submission, Word
from pipeline.errors import ConfigurationError, EvaluatorError, LedgerUnavailable, UnreadableFile
from pipeline.ledger import Ledger, State
from pipeline.page_marks import is_same_packet
from pipeline.settings import load_settings
from pipeline.working import Stages, Worker

SECRET = "Quillfeather"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=DATABASES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, time: Time) -> Iterator[Ledger]:
    with open_test_ledger(request.param, tmp_path / "home", time) as ledger:
        yield ledger


def worker_with(ledger: Ledger, stages: Recorded | Stages, **settings: str) -> Worker:
    environ = {f"TRIAGE_{name.upper()}": value for name, value in settings.items()}
    given = stages.stages if isinstance(stages, Recorded) else stages
    return Worker(ledger, load_settings({"TRIAGE_KEYS": KEYS, **environ}), "w", stages=given)


AT_ONCE = [False]


@pytest.fixture(params=[False, True], ids=["step by step", "in one go"], autouse=True)
def at_once(request: pytest.FixtureRequest) -> None:
    """A worker may send what comes of its work at once, or leave it to whoever looks next: alike."""
    AT_ONCE[0] = request.param


def work_all(worker: Worker) -> None:
    """Whatever can be done now."""
    for claim in led.claim(worker.ledger, worker.name, 9):
        (worker.work_and_send if AT_ONCE[0] else worker.work)(claim)
    while sendings := led.claim_sendings(worker.ledger, worker.name, 9):
        for sending in sendings:
            worker.send(sending)


def test_from_receipt_to_the_folder_of_cases(ledger: Ledger, tmp_path: Path) -> None:
    (receipt,) = received(ledger, b"1")
    work_all(worker_with(ledger, Recorded(), output_dir=str(tmp_path / "out")))
    assert led.item(ledger, receipt.submission_id).state == State.DONE
    written = json.loads((tmp_path / "out" / receipt.submission_id / "case.json").read_bytes())
    assert written == led.load_case(ledger, receipt.submission_id)
    assert written["evaluation"]["outcome"] == "meets"


def test_an_output_that_fails_is_tried_again_and_the_case_stays_done(
    ledger: Ledger, tmp_path: Path, time: Time
) -> None:
    (receipt,) = received(ledger, b"1")
    (tmp_path / "out").write_text("in the way")
    worker = worker_with(ledger, Recorded(), output_dir=str(tmp_path / "out"))
    work_all(worker)
    item = led.item(ledger, receipt.submission_id)
    assert (item.state, led.figures(ledger).unsent) == (State.DONE, 1)
    (tmp_path / "out").unlink()
    time.pass_(minutes=1)
    work_all(worker)
    assert (tmp_path / "out" / receipt.submission_id / "case.json").is_file()
    assert led.figures(ledger).unsent == 0


def test_intake_goes_on_while_workers_lag_and_each_holds_one(ledger: Ledger) -> None:
    reading, go_on = threading.Semaphore(0), threading.Event()
    stages = Recorded()

    def read(submission: Submission, after_page: OnPage) -> Reading:
        reading.release()
        assert go_on.wait(60)
        return stages.read(submission, after_page)

    def work_on(name: str) -> None:
        worker = Worker(ledger, load_settings({"TRIAGE_KEYS": KEYS}), name, stages=slow)
        while claims := led.claim(ledger, name):
            worker.work_and_send(claims[0])

    slow = Stages(read, stages.build, stages.evaluate)
    received(ledger, *(b"%d" % number for number in range(10)))
    workers = [threading.Thread(target=work_on, args=[name]) for name in ("a", "b")]
    for one in workers:
        one.start()
    try:
        assert all(reading.acquire(timeout=60) for _ in workers)
        for number in range(10, 20):
            assert received(ledger, b"%d" % number)[0].new
        states = led.figures(ledger).states
        assert (states[State.IN_FLIGHT], states[State.RECEIVED]) == (2, 18)
    finally:
        go_on.set()
        for one in workers:
            one.join()
    assert led.figures(ledger).states[State.DONE] == 20


def test_a_reading_is_not_made_twice(ledger: Ledger, time: Time) -> None:
    received(ledger, b"1")
    stages = Recorded("build", KeyError(SECRET))
    worker = worker_with(ledger, stages)
    work_all(worker)
    stages.recover()
    time.pass_(minutes=1)
    work_all(worker)
    assert [stage for stage, _ in stages.calls] == ["read", "build", "build", "evaluate"]


def test_a_bug_is_tried_again_then_parked_without_its_words(
    ledger: Ledger, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="pipeline")
    (receipt,) = received(ledger, b"1")
    worker = worker_with(ledger, Recorded("build", KeyError(SECRET)))
    for _ in range(5):
        assert led.item(ledger, receipt.submission_id).state == State.RECEIVED
        work_all(worker)
        time.pass_(minutes=11)
    item = led.item(ledger, receipt.submission_id)
    assert (item.state, item.reason) == (State.PARKED, "internal_error")
    case = from_json(led.load_case(ledger, receipt.submission_id))
    assert [file.name for file in case.files] == ["Quillfeather, Ambrosius.pdf"]
    assert SECRET not in case.problems[0].message
    assert all(SECRET not in record.getMessage() for record in caplog.records)


def test_what_an_operator_can_mend_is_parked_at_once(ledger: Ledger) -> None:
    (receipt,) = received(ledger, b"1")
    error = UnreadableFile("encrypted", "It is encrypted.", next_step="Ask for another.")
    work_all(worker_with(ledger, Recorded("read", error)))
    case = from_json(led.load_case(ledger, receipt.submission_id))
    assert case.problems[0].message == "It is encrypted. Ask for another."
    assert led.item(ledger, receipt.submission_id).state == State.PARKED


@pytest.mark.parametrize("error", [ConfigurationError("No OCR."), LedgerUnavailable("Gone.")])
def test_what_concerns_all_is_raised_and_the_submission_given_back(ledger: Ledger, error: Exception) -> None:
    (receipt,) = received(ledger, b"1")
    with pytest.raises(type(error)):
        work_all(worker_with(ledger, Recorded("read", error)))
    item = led.item(ledger, receipt.submission_id)
    assert (item.state, item.attempts) == (State.RECEIVED, 0)


def test_an_evaluator_that_is_back_gets_the_same_case(ledger: Ledger, time: Time) -> None:
    (receipt,) = received(ledger, b"1")
    stages = Recorded("evaluate", EvaluatorError("It is down.", retryable=True))
    worker = worker_with(ledger, stages)
    for _ in range(8):
        work_all(worker)
        time.pass_(minutes=11)
    item = led.item(ledger, receipt.submission_id)
    assert (item.state, item.reason) == (State.PARKED, "evaluator")
    case = from_json(led.load_case(ledger, receipt.submission_id))
    assert case.problems[-1].message == "It is down. It was asked 8 times."
    stages.recover()
    led.replay(ledger, receipt.submission_id, actor="user:x")
    work_all(worker)
    case = from_json(led.load_case(ledger, receipt.submission_id))
    assert (case.status, case.problems) == ("complete", ())
    assert case.evaluation is not None


def test_a_refusal_of_the_evaluator_parks_at_once(ledger: Ledger) -> None:
    (receipt,) = received(ledger, b"1")
    work_all(worker_with(ledger, Recorded("evaluate", EvaluatorError("It refused.", retryable=False))))
    case = from_json(led.load_case(ledger, receipt.submission_id))
    assert (case.status, case.problems[-1].message) == ("parked", "It refused.")


def test_the_lease_is_kept_while_a_stage_takes_its_time(tmp_path: Path) -> None:
    with open_test_ledger("sqlite", tmp_path / "home") as opened:
        ledger = replace(opened, limits=replace(opened.limits, lease=timedelta(seconds=0.6)))
        received(ledger, b"1")
        others = []

        class Slow(Recorded):
            def read(self, submission: Submission, after_page: object) -> Reading:
                from time import sleep

                for _ in range(15):
                    sleep(0.1)
                    others.extend(led.claim(ledger, "other"))
                return super().read(submission, lambda done, of: None)

        work_all(worker_with(ledger, Slow()))
        assert others == []
        assert led.figures(ledger).states[State.DONE] == 1


def test_a_worker_whose_lease_was_lost_stops_at_the_next_page(ledger: Ledger, time: Time) -> None:
    received(ledger, b"1")

    class Late(Recorded):
        def read(self, submission: Submission, after_page: object) -> Reading:
            time.pass_(minutes=3)
            led.claim(ledger, "other")
            return super().read(submission, lambda done, of: None)

    stages = Late()
    work_all(worker_with(ledger, stages))
    assert [stage for stage, _ in stages.calls] == ["read"]
    assert led.figures(ledger).states[State.IN_FLIGHT] == 1


# --------------------------------------------------------------------------- sent again

NOTE = """Wexlington Clinic history and physical examination Tobias Oldershaw born 02/03/1950 presents with
a 2.1 cm enhancing mass of the lower pole of the left kidney stage T1a N0 M0 creatinine 1.4 percutaneous
cryoablation under computed tomography guidance is planned for 03/14/2026"""
WORDS = NOTE.split()


def page(words: list[str], number: int = 1, *, banner: str = "", confidence: float = 0.95) -> Page:
    text, made = "", list[Word]()
    head = banner.split()
    for place, word in enumerate([*head, *words], -len(head)):
        box = Box(10.0 + 50 * (place % 10), 20.0 * (place // 10), 50.0 + 50 * (place % 10), 12.0)
        made.append(Word(word, box, len(text), len(text) + len(word), confidence))
        text += f"{word} "
    ends = (0, len(banner)) if banner else None
    return Page("a.pdf", number, "ocr", 0, 612.0, 792.0, text, tuple(made), banner=ends)


def reading(*pages: Page) -> Reading:
    return Reading(pages, (), {"a.pdf": len(pages)})


BLANK = Page("a.pdf", 2, "ocr", 0, 612.0, 792.0, "", (), blank=True)
OTHER_VALUE = ["2.9" if word == "2.1" else word for word in WORDS]
MORE = [*WORDS, "Postscript:", "metastases", "were", "found"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (reading(page(WORDS)), reading(page(WORDS)), True),
        (reading(page(WORDS), BLANK), reading(page(WORDS), BLANK), True),
        (reading(page(WORDS)), reading(page(OTHER_VALUE)), False),
        (reading(page(WORDS)), reading(page(OTHER_VALUE, confidence=0.6)), False),
        (reading(page(WORDS)), reading(page(MORE)), False),
        (reading(page(MORE)), reading(page(WORDS)), False),
        (reading(page(WORDS)), reading(page(WORDS), BLANK), False),
        (reading(page(WORDS), BLANK), reading(page(WORDS), page(["Signed"], 2)), False),
        (reading(page(WORDS), page(["Yes"], 2)), reading(page(WORDS), page(["Yes"], 2)), False),
        (reading(), reading(), False),
    ],
    ids=[
        "same",
        "blank",
        "value",
        "dim value",
        "more",
        "less",
        "longer",
        "written on",
        "few words",
        "nothing",
    ],
)
def test_what_is_the_same_packet(one: Reading, other: Reading, same: bool) -> None:
    assert is_same_packet(one, other) is same


def send_twice(ledger: Ledger, first: Reading, second: Reading) -> Worker:
    """Two packets of different bytes, the readings of which are these."""
    readings = iter([first, second])
    recorded = Recorded()

    def read(submission: Submission, after_page: object) -> Reading:
        name = submission.files[0].name
        found = next(readings)
        pages = tuple(replace(page, file=name) for page in found.pages)
        return Reading(pages, (), {name: len(pages)})

    worker = worker_with(ledger, replace(recorded.stages, read=read))
    for content in (b"1", b"2"):
        received(ledger, content)
        work_all(worker)
    return worker


def test_a_packet_sent_again_with_another_banner_is_attached_and_not_worked(ledger: Ledger) -> None:
    again = page(WORDS, banner="2026-07-13 09:12 FROM: 5550118 PAGE 001/001")
    send_twice(ledger, reading(page(WORDS), BLANK), reading(again, BLANK))
    first, second = sorted(led.items(ledger), key=lambda item: item.duplicate_of or "")
    assert (second.state, second.reason, second.duplicate_of) == (State.DONE, "resent", first.id)
    assert (first.case_number, second.case_number) == (1, None)
    assert led.history(ledger, first.id).deliveries[-1]["resent_as"] == second.id


def test_a_packet_that_differs_in_a_value_is_worked(ledger: Ledger) -> None:
    send_twice(ledger, reading(page(WORDS)), reading(page(OTHER_VALUE)))
    assert [item.case_number for item in led.items(ledger)] == [1, 1]


def test_a_packet_sent_again_is_worked_where_a_person_says_so(ledger: Ledger) -> None:
    worker = send_twice(ledger, reading(page(WORDS)), reading(page(WORDS)))
    (resent,) = [item for item in led.items(ledger) if item.duplicate_of]
    led.replay(ledger, resent.id, actor="user:x")
    worker._stages = Recorded().stages
    work_all(worker)
    item = led.item(ledger, resent.id)
    assert (item.state, item.case_number, item.duplicate_of) == (State.DONE, 1, None)


def test_a_packet_like_an_old_one_is_worked(ledger: Ledger, time: Time) -> None:
    first, again = reading(page(WORDS)), reading(page(WORDS))
    received(ledger, b"0")
    work_all(worker_with(ledger, Recorded()))
    time.pass_(days=31)
    send_twice(ledger, first, again)
    assert sum(item.duplicate_of is not None for item in led.items(ledger)) == 1
