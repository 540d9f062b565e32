"""What the ledger promises, on both of its databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ledgers import DATABASES, EVALUATOR, PAGES, WITHOUT, Time, arrival, case, open_test_ledger, received

from pipeline import ledger as led
from pipeline.domain import Box, Page, Problem, Reading, Word
from pipeline.errors import LeaseLost, UsageError
from pipeline.ledger import Arrival, Incoming, Ledger, Outgoing, State
from pipeline.ledger.reading_json import reading_from_json, reading_to_json


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=DATABASES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, time: Time) -> Iterator[Ledger]:
    with open_test_ledger(request.param, tmp_path / "home", time) as ledger:
        yield ledger


def test_on_postgresql() -> None:
    if "postgresql" not in DATABASES:
        pytest.skip(f"the ledger's tests on PostgreSQL: {WITHOUT}")


def state(ledger: Ledger, submission_id: str) -> State:
    return led.item(ledger, submission_id).state


def kinds(ledger: Ledger, submission_id: str) -> list[str]:
    return [event.kind for event in led.history(ledger, submission_id).events]


def work(ledger: Ledger, status: str = "complete", outcome: str = "meets") -> str:
    """The next submission from claim to evaluation."""
    (claim,) = led.claim(ledger, "w")
    name = claim.submission_id
    led.finish(ledger, claim, case(name, status), PAGES, [1], EVALUATOR)
    for sending in led.claim_sendings(ledger, "w", 9):
        led.evaluated(ledger, sending, case(name, status, outcome), [])
    return name


# --------------------------------------------------------------------------- receiving


def test_what_is_received_can_be_opened(ledger: Ledger) -> None:
    files = [Incoming("b.pdf", b"%PDF-1"), Incoming("b.pdf", b"II*\x00 2"), Incoming("c\udcff", b"3")]
    (receipt,) = led.receive(ledger, [Arrival(files, channel="test")])
    assert receipt.new
    with led.opened(ledger, receipt.submission_id) as submission:
        assert [file.path.read_bytes() for file in submission.files] == [b"%PDF-1", b"II*\x00 2", b"3"]
        assert [file.name for file in submission.files] == ["b.pdf", "b (2).pdf", "c\ufffd"]
        paths = [file.path for file in submission.files]
    assert not any(path.exists() for path in paths)
    assert [row["media_type"] for row in led.history(ledger, receipt.submission_id).files] == [
        "application/pdf",
        "image/tiff",
        "application/octet-stream",
    ]


def test_files_and_streams_are_taken_as_bytes_are(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF")
    ids = set()
    with path.open("rb") as stream:
        for content in (path, stream, b"%PDF"):
            (receipt,) = led.receive(ledger, [Arrival([Incoming("a", content)], channel="test")])
            ids.add(receipt.submission_id)
    assert len(ids) == 1


def test_the_same_bytes_are_the_same_submission(ledger: Ledger) -> None:
    (first,) = received(ledger, b"1")
    (again,) = received(ledger, b"1", name="other.pdf")
    assert (first.new, again.new) == (True, False)
    assert first.submission_id == again.submission_id
    assert len(led.history(ledger, first.submission_id).deliveries) == 2
    work(ledger)
    received(ledger, b"1")
    assert state(ledger, first.submission_id) == State.DONE
    assert led.claim(ledger, "w") == []


def test_a_delivery_told_twice_is_one(ledger: Ledger) -> None:
    one, two = (received(ledger, b"1", reference="fax-7")[0] for _ in range(2))
    assert (one.repeated, two.repeated) == (False, True)
    assert len(led.history(ledger, one.submission_id).deliveries) == 1


def test_a_reference_used_for_other_files_hides_none(ledger: Ledger) -> None:
    received(ledger, b"1", reference="fax-7")
    (other,) = received(ledger, b"2", reference="fax-7")
    assert other.new
    assert "reference_dropped" in kinds(ledger, other.submission_id)


def test_the_same_packet_twice_in_one_call(ledger: Ledger) -> None:
    first, second = received(ledger, b"1", b"1")
    assert (first.new, second.new) == (True, False)


def test_an_arrival_without_files_is_refused_with_all(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="no files"):
        led.receive(ledger, [arrival(b"1"), Arrival([], channel="test")])
    assert led.items(ledger) == []


# --------------------------------------------------------------------------- claims


def test_expedited_first_then_by_due_date(ledger: Ledger, time: Time) -> None:
    (late,) = received(ledger, b"late")
    time.pass_(hours=-5)
    (early,) = received(ledger, b"early")
    time.pass_(hours=10)
    (urgent,) = received(ledger, b"urgent", expedited=True)
    claims = led.claim(ledger, "w", 2) + led.claim(ledger, "w", 2)
    assert [claim.submission_id for claim in claims] == [
        receipt.submission_id for receipt in (urgent, early, late)
    ]


def test_what_is_held_is_not_claimed_until_its_lease_ends(ledger: Ledger, time: Time) -> None:
    received(ledger, b"1")
    (first,) = led.claim(ledger, "a")
    assert led.claim(ledger, "b") == []
    time.pass_(seconds=119)
    first = led.renew(ledger, first)
    time.pass_(seconds=119)
    assert led.claim(ledger, "b") == []
    time.pass_(seconds=2)
    (second,) = led.claim(ledger, "b")
    assert (second.token, second.attempt) == (2, 2)
    for refused in (
        lambda: led.finish(ledger, first, case(first.submission_id), PAGES, [1], EVALUATOR),
        lambda: led.renew(ledger, first),
        lambda: led.release(ledger, first),
        lambda: led.retry(ledger, first, "failed"),
        lambda: led.attach_resent(ledger, first, first.submission_id, PAGES, [1]),
        lambda: led.save_reading(ledger, first, Reading((), (), {})),
    ):
        with pytest.raises(LeaseLost):
            refused()
    assert led.finish(ledger, second, case(first.submission_id), PAGES, [1], EVALUATOR) == 1
    rows = led.history(ledger, first.submission_id)
    assert [row["result"] for row in rows.attempts] == ["lost", "finished"]
    assert len(rows.cases) == len(rows.outbox) == 1


def test_a_submission_that_kills_its_workers_is_parked(ledger: Ledger, time: Time) -> None:
    (receipt,) = received(ledger, b"1")
    for _ in range(5):
        assert len(led.claim(ledger, "w")) == 1
        time.pass_(minutes=3)
    assert led.claim(ledger, "w") == []
    item = led.item(ledger, receipt.submission_id)
    assert (item.state, item.reason) == (State.PARKED, "worker_lost")
    assert led.replay(ledger, item.id, actor="user:x") == "worked again"
    assert len(led.claim(ledger, "w")) == 1


def test_a_worker_that_stops_gives_back_at_once_and_uncounted(ledger: Ledger) -> None:
    received(ledger, b"1")
    for _ in range(9):
        (claim,) = led.claim(ledger, "w")
        assert claim.attempt == 1
        led.release(ledger, claim)


def test_failed_work_comes_back_after_growing_pauses_then_is_parked(ledger: Ledger, time: Time) -> None:
    (receipt,) = received(ledger, b"1")
    pauses = []
    for attempt in range(1, 6):
        waited = 0
        while not (claims := led.claim(ledger, "w")):
            time.pass_(seconds=1)
            waited += 1
        pauses.append(waited)
        assert led.retry(ledger, claims[0], "internal_error") is (attempt < 5)
    assert pauses == [0, 2, 4, 8, 16]
    item = led.item(ledger, receipt.submission_id)
    assert (item.state, item.reason, item.claimable_at) == (State.PARKED, "failed_repeatedly", None)


def test_a_reading_is_kept_for_the_next_worker(ledger: Ledger, time: Time) -> None:
    (receipt,) = received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    reading = Reading((), (Problem("a.pdf", 3, "timed_out", "Page 3 took too long."),), {"a.pdf": 3})
    led.save_reading(ledger, claim, reading)
    led.release(ledger, claim)
    assert led.load_reading(ledger, receipt.submission_id, claim.round) == reading
    assert led.load_reading(ledger, receipt.submission_id, claim.round + 1) is None


def test_a_kept_reading_tells_which_digits_are_confirmed() -> None:
    words = tuple(Word("410", Box(0, 0, 9, 9), 0, 3, 0.9, confirmed) for confirmed in (True, False))
    reading = Reading((Page("a.pdf", 1, "ocr", 0, 612, 792, "410", words),), (), {"a.pdf": 1})
    kept = json.loads(json.dumps(reading_to_json(reading)))
    assert reading_from_json(kept) == reading
    del kept["pages"][0]["unconfirmed"]  # kept by an earlier version
    assert [word.confirmed for word in reading_from_json(kept).pages[0].words] == [True, True]


# --------------------------------------------------------------------------- finishing


def test_finish_asked_again_changes_nothing(ledger: Ledger) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    assert led.finish(ledger, claim, case(claim.submission_id), PAGES, [1], EVALUATOR) == 1
    before = led.history(ledger, claim.submission_id)
    assert led.finish(ledger, claim, case(claim.submission_id), PAGES, [1], EVALUATOR) == 1
    assert led.history(ledger, claim.submission_id) == before


@pytest.mark.parametrize(("status", "ended"), [("complete", State.DONE), ("partial", State.PARTIAL)])
def test_a_case_waits_for_its_evaluation(ledger: Ledger, status: str, ended: State) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    name = claim.submission_id
    led.finish(ledger, claim, case(name, status), PAGES, [1], EVALUATOR)
    assert state(ledger, name) == State.IN_FLIGHT
    assert led.claim(ledger, "w") == []
    (sending,) = led.claim_sendings(ledger, "w", 9)
    output = Outgoing("folder", "key")
    for _ in range(2):
        led.evaluated(ledger, sending, case(name, status, "meets"), [output])
    assert (state(ledger, name), led.item(ledger, name).outcome) == (ended, "meets")
    assert led.load_case(ledger, name) == case(name, status, "meets")
    (sending,) = led.claim_sendings(ledger, "w", 9)
    assert sending.target == "folder"
    for _ in range(2):
        led.delivered(ledger, sending)
    assert led.claim_sendings(ledger, "w", 9) == []
    assert kinds(ledger, name) == ["received", "claimed", "finished", "evaluated", "delivered"]


def test_a_parked_case_ends_with_its_reason_and_is_not_evaluated(ledger: Ledger) -> None:
    (receipt,) = received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    led.finish(ledger, claim, case(claim.submission_id, "parked"), [], [0], EVALUATOR)
    item = led.item(ledger, receipt.submission_id)
    assert (item.state, item.reason) == (State.PARKED, "encrypted")
    assert led.claim_sendings(ledger, "w", 9) == []


def test_without_an_answer_of_the_evaluator_the_case_is_parked_and_can_be_sent_again(
    ledger: Ledger, time: Time
) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    name = claim.submission_id
    led.finish(ledger, claim, case(name), PAGES, [1], EVALUATOR)
    for attempt in range(1, 9):
        (sending,) = led.claim_sendings(ledger, "w", 9)
        assert led.claim_sendings(ledger, "other", 9) == []
        goes_on = led.undelivered(ledger, sending, "evaluator", can_pass=True, parked=case(name, "parked"))
        assert goes_on is (attempt < 8)
        time.pass_(minutes=11)
    item = led.item(ledger, name)
    assert (item.state, item.reason) == (State.PARKED, "evaluator")
    assert led.load_case(ledger, name) == case(name, "parked")
    assert led.replay(ledger, name, actor="user:x") == "sent again"
    (again,) = led.claim_sendings(ledger, "w", 9)
    assert (again.key, again.id) == (sending.key, sending.id)
    led.evaluated(ledger, again, case(name, outcome="meets"), [])
    assert state(ledger, name) == State.DONE
    assert [row["number"] for row in led.history(ledger, name).cases] == [1]


def test_what_waiting_cannot_help_is_parked_at_once(ledger: Ledger) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    led.finish(ledger, claim, case(claim.submission_id), PAGES, [1], EVALUATOR)
    (sending,) = led.claim_sendings(ledger, "w")
    assert led.undelivered(ledger, sending, "evaluator", can_pass=False) is False
    assert state(ledger, claim.submission_id) == State.PARKED


def test_a_sending_whose_lease_ended_belongs_to_the_next(ledger: Ledger, time: Time) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    name = claim.submission_id
    led.finish(ledger, claim, case(name), PAGES, [1], EVALUATOR)
    (first,) = led.claim_sendings(ledger, "a")
    time.pass_(minutes=3)
    (second,) = led.claim_sendings(ledger, "b")
    with pytest.raises(LeaseLost):
        led.evaluated(ledger, first, case(name, outcome="meets"), [])
    with pytest.raises(LeaseLost):
        led.undelivered(ledger, first, "evaluator", can_pass=True)
    led.evaluated(ledger, second, case(name, outcome="meets"), [])
    assert kinds(ledger, name).count("evaluated") == 1


def test_who_finishes_holds_what_is_to_be_sent(ledger: Ledger, time: Time) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    name = claim.submission_id
    (sending,) = led.finish_to_send(ledger, claim, case(name), PAGES, [1], EVALUATOR)
    assert led.finish_to_send(ledger, claim, case(name), PAGES, [1], EVALUATOR) == [sending]
    assert (sending.target, sending.worker, led.claim_sendings(ledger, "other", 9)) == ("evaluator", "w", [])
    output = [Outgoing("folder", "key")]
    onward = led.evaluated_to_send(ledger, sending, case(name, outcome="meets"), output)
    assert led.evaluated_to_send(ledger, sending, case(name, outcome="meets"), output) == onward
    assert ([one.target for one in onward], led.claim_sendings(ledger, "other", 9)) == (["folder"], [])
    led.delivered(ledger, onward[0])
    assert kinds(ledger, name) == ["received", "claimed", "finished", "evaluated", "delivered"]
    assert led.figures(ledger).unsent == 0


def test_what_a_vanished_worker_held_to_send_belongs_to_the_next(ledger: Ledger, time: Time) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    name = claim.submission_id
    (held,) = led.finish_to_send(ledger, claim, case(name), PAGES, [1], EVALUATOR)
    time.pass_(seconds=119)
    assert led.claim_sendings(ledger, "other", 9) == []
    time.pass_(seconds=2)
    (sending,) = led.claim_sendings(ledger, "other", 9)
    assert (sending.id, sending.attempt) == (held.id, 2)
    with pytest.raises(LeaseLost):
        led.evaluated_to_send(ledger, held, case(name, outcome="meets"), [])
    led.evaluated(ledger, sending, case(name, outcome="meets"), [])
    assert state(ledger, name) == State.DONE


def test_a_parked_case_leaves_nothing_to_send(ledger: Ledger) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    name = claim.submission_id
    assert led.finish_to_send(ledger, claim, case(name, "parked"), [], [0], EVALUATOR) == []
    assert state(ledger, name) == State.PARKED


def test_what_was_sent_again_is_attached(ledger: Ledger) -> None:
    (first,) = received(ledger, b"1")
    work(ledger)
    (second,) = received(ledger, b"2")
    (claim,) = led.claim(ledger, "w")
    led.attach_resent(ledger, claim, first.submission_id, PAGES, [1])
    item = led.item(ledger, second.submission_id)
    assert (item.state, item.reason, item.duplicate_of) == (State.DONE, "resent", first.submission_id)
    deliveries = led.history(ledger, first.submission_id).deliveries
    assert [row["resent_as"] for row in deliveries] == [None, second.submission_id]


# --------------------------------------------------------------------------- decisions


def test_a_replay_makes_another_numbered_case(ledger: Ledger) -> None:
    received(ledger, b"1")
    name = work(ledger)
    assert led.replay(ledger, name, actor="user:x") == "worked again"
    assert work(ledger, outcome="investigational") == name
    rows = led.history(ledger, name).cases
    assert [(row["number"], row["outcome"]) for row in rows] == [(1, "meets"), (2, "investigational")]
    first, second = (led.load_case(ledger, name, number) for number in (1, 2))
    assert first is not None
    assert second is not None
    assert first["evaluation"] != second["evaluation"]
    assert led.load_case(ledger, name) == second


def test_whoever_works_a_rejected_submission_cannot_finish_it(ledger: Ledger) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    led.reject(ledger, claim.submission_id, reason="not_ours", actor="user:x")
    with pytest.raises(LeaseLost):
        led.finish(ledger, claim, case(claim.submission_id), PAGES, [1], EVALUATOR)
    assert led.claim(ledger, "w") == []
    assert led.item(ledger, claim.submission_id).reason == "not_ours"


def test_what_waits_for_its_evaluation_can_be_rejected(ledger: Ledger) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    led.finish(ledger, claim, case(claim.submission_id), PAGES, [1], EVALUATOR)
    (sending,) = led.claim_sendings(ledger, "w")
    led.reject(ledger, claim.submission_id, reason="not_ours", actor="user:x")
    with pytest.raises(LeaseLost):
        led.evaluated(ledger, sending, case(claim.submission_id, outcome="meets"), [])
    assert state(ledger, claim.submission_id) == State.REJECTED


@pytest.mark.parametrize("reason", ["", "Quillfeather, Ambrosius", "a" * 41, "grün"])
def test_a_reason_is_a_code(ledger: Ledger, reason: str) -> None:
    (receipt,) = received(ledger, b"1")
    with pytest.raises(UsageError, match="a code"):
        led.reject(ledger, receipt.submission_id, reason=reason, actor="user:x")


def test_the_clock_counts_from_receipt(ledger: Ledger, time: Time) -> None:
    standard, urgent = received(ledger, b"1")[0], received(ledger, b"2", expedited=True)[0]
    items = [led.item(ledger, one.submission_id) for one in (standard, urgent)]
    assert [item.due_at - item.received_at for item in items] == [timedelta(days=7), timedelta(hours=72)]
    time.pass_(hours=1)
    led.expedite(ledger, standard.submission_id, expedited=True, actor="user:x")
    item = led.item(ledger, standard.submission_id)
    assert (item.expedited, item.due_at - item.received_at) == (True, timedelta(hours=72))
    time.pass_(hours=55)
    assert (led.figures(ledger).at_risk, led.figures(ledger).overdue) == (2, 0)
    time.pass_(hours=20)
    assert (led.figures(ledger).overdue, led.figures(ledger).oldest_waiting_s) == (2, 76 * 3600)


def test_time_that_a_submission_waits_for_others(ledger: Ledger, time: Time) -> None:
    (receipt,) = received(ledger, b"1")
    led.pend(ledger, receipt.submission_id, cause="request_sent", actor="user:x")
    time.pass_(hours=3)
    assert led.figures(ledger).pended == 1
    led.resume(ledger, receipt.submission_id, cause="reply", actor="user:x")
    assert led.history(ledger, receipt.submission_id).events[-1].data == {"waited_s": 3 * 3600}
    assert led.item(ledger, receipt.submission_id).pended_at is None


@pytest.mark.parametrize("ask", [led.item, led.history])
def test_what_is_not_there(ledger: Ledger, ask: object) -> None:
    assert callable(ask)
    with pytest.raises(UsageError, match="no submission"):
        ask(ledger, "none")
    with pytest.raises(UsageError, match="no submission"):
        led.replay(ledger, "none", actor="user:x")


def test_pages_of_the_queue_follow_one_another(ledger: Ledger, time: Time) -> None:
    for number in range(7):
        received(ledger, b"%d" % number, expedited=number % 3 == 0)
        time.pass_(minutes=number % 2)
    whole = [item.id for item in led.items(ledger)]
    paged: list[str] = []
    while page := led.items(ledger, most=2, after=paged[-1] if paged else None):
        paged += [item.id for item in page]
    assert paged == whole
    assert len(whole) == 7
    claimed = {claim.submission_id for claim in led.claim(ledger, "w", 2)}
    assert {item.id for item in led.items(ledger, states=[State.IN_FLIGHT])} == claimed


def test_claims_do_not_change(ledger: Ledger) -> None:
    received(ledger, b"1")
    (claim,) = led.claim(ledger, "w")
    with pytest.raises(LeaseLost):
        led.renew(ledger, replace(claim, token=claim.token + 1))
