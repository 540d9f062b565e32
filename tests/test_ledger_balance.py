"""The balance, retention and change of keys."""

from __future__ import annotations

import os
import time as clock
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ledgers import DATABASES, EVALUATOR, PAGES, Time, case, open_test_ledger, received
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import DBAPIError

from pipeline import ledger as led
from pipeline.errors import ConfigurationError, UsageError
from pipeline.ledger import Ledger, State
from pipeline.ledger.tables import cases, events, files, outbox, pages, submissions
from pipeline.sealing import Keyring


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=DATABASES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, time: Time) -> Iterator[Ledger]:
    with open_test_ledger(request.param, tmp_path / "home", time) as ledger:
        yield ledger


def work(ledger: Ledger, status: str = "complete") -> str:
    (claim,) = led.claim(ledger, "w")
    name = claim.submission_id
    led.finish(ledger, claim, case(name, status), PAGES, [1], EVALUATOR)
    for sending in led.claim_sendings(ledger, "w", 9):
        led.evaluated(ledger, sending, case(name, status, "meets"), [])
    return name


def test_it_holds_in_every_state(ledger: Ledger, time: Time) -> None:
    done, partial, parked, rejected, waiting, in_hand, resent, sending = (
        received(ledger, b"%d" % number)[0].submission_id for number in range(8)
    )
    order = {led.claim(ledger, "w")[0].submission_id: None for _ in range(8)}
    time.pass_(minutes=3)  # everything comes back
    assert set(order) == {done, partial, parked, rejected, waiting, in_hand, resent, sending}
    for name, status in ((done, "complete"), (partial, "partial"), (parked, "parked")):
        (claim,) = led.claim(ledger, "w", only=name)
        led.finish(ledger, claim, case(name, status), PAGES, [1], EVALUATOR)
        for one in led.claim_sendings(ledger, "w", 9):
            led.evaluated(ledger, one, case(name, status, "meets"), [])
    led.reject(ledger, rejected, reason="junk", actor="user:x")
    (claim,) = led.claim(ledger, "w", only=resent)
    led.attach_resent(ledger, claim, done, PAGES, [1])
    (claim,) = led.claim(ledger, "w", only=sending)
    led.finish(ledger, claim, case(sending), PAGES, [1], EVALUATOR)
    (claim,) = led.claim(ledger, "w", only=in_hand)
    (claim,) = led.claim(ledger, "w", only=waiting)
    led.release(ledger, claim)

    balance = led.balance(ledger)
    assert balance.discrepancies == []
    assert (balance.holds, balance.received) == (True, 8)
    assert balance.submissions == {
        State.RECEIVED: 1,
        State.IN_FLIGHT: 2,
        State.DONE: 2,
        State.PARTIAL: 1,
        State.PARKED: 1,
        State.REJECTED: 1,
    }
    assert sum(balance.pages.values()) == 5
    assert (balance.deliveries, balance.unknown_pages) == (9, 3)


BROKEN = {
    "its receipt is not in the history, or twice": insert(events).values(
        kind="received", at=Time().now, actor="x", data={}, state="done"
    ),
    "its state is not the history's": update(submissions).values(state="parked", reason="x"),
    "its files are not those received": delete(files),
    "its pages are not all accounted for": delete(pages),
    "it waits, but cannot be claimed": update(submissions).values(state="received"),
    "it is in flight, but nobody has it": update(submissions).values(state="in_flight"),
    "it ended, but can still be claimed": update(submissions).values(claimable_at=Time().now),
    "it is done without an evaluated case": update(cases).values(evaluated_at=None),
    "it is done, but a page was not read": update(pages).values(state="unread"),
    "it is parked or rejected without a reason": update(submissions).values(state="rejected"),
    "it was sent again, but not attached": update(submissions).values(reason="resent"),
    "its cases are not numbered through": update(submissions).values(case_number=2),
    "an evaluated case was not sent once": delete(outbox),
}


@pytest.mark.parametrize("why", BROKEN)
def test_what_does_not_add_up_is_named(tmp_path: Path, why: str) -> None:
    with open_test_ledger("sqlite", tmp_path) as ledger:
        received(ledger, b"1")
        name = work(ledger)
        change: Any = BROKEN[why]
        if change.is_insert:
            change = change.values(submission_id=name)
        ledger.write(lambda db: db.execute(change))
        told = led.balance(ledger).discrepancies
        assert (name, why) in [(one.what, one.why) for one in told]


def test_a_file_that_is_gone_is_named(ledger: Ledger) -> None:
    received(ledger, b"1")
    (name,) = ledger.vault.names()
    ledger.vault.remove(name)
    assert [one.what for one in led.balance(ledger).discrepancies] == [name]


@pytest.mark.parametrize("change", ["UPDATE events SET actor = 'x'", "DELETE FROM events"])
def test_history_cannot_be_changed(ledger: Ledger, change: str) -> None:
    received(ledger, b"1")
    with pytest.raises(DBAPIError, match="append-only"):
        ledger.write(lambda db: db.execute(text(change)))
    assert led.balance(ledger).holds


# --------------------------------------------------------------------------- retention


def test_old_submissions_are_erased_with_proof(ledger: Ledger, time: Time) -> None:
    received(ledger, b"11")
    name = work(ledger)
    time.pass_(days=29)
    received(ledger, b"2")
    young = work(ledger)
    time.pass_(days=2)
    assert led.erase_old(ledger, timedelta(days=30), actor="retention") == [name]
    assert led.erase_old(ledger, timedelta(days=30), actor="retention") == []
    with pytest.raises(UsageError, match="erased"), led.opened(ledger, name):
        pass
    assert led.load_case(ledger, name) is None
    assert led.load_case(ledger, young) is not None
    event = led.history(ledger, name).events[-1]
    digest = "4fc82b26aecb47d2868c4efbe3581732a3e7cbcc6c2efb32062c08170a05eeb8"  # sha256 of "11"
    assert (event.kind, event.at, event.data["files"]) == (
        "erased",
        time.now,
        [{"sha256": digest, "bytes": 2}],
    )
    assert ledger.vault.names() == {row["sha256"] for row in led.history(ledger, young).files}
    assert led.balance(ledger).holds
    with pytest.raises(UsageError, match="erased"):
        led.replay(ledger, name, actor="user:x")


def test_a_file_that_another_submission_has_is_kept(ledger: Ledger, time: Time) -> None:
    shared, own = led.Incoming("a", b"shared"), led.Incoming("b", b"own")
    led.receive(ledger, [led.Arrival([shared, own], channel="test")])
    old = work(ledger)
    time.pass_(days=31)
    led.receive(ledger, [led.Arrival([shared], channel="test")])
    assert led.erase_old(ledger, timedelta(days=30), actor="retention") == [old]
    assert len(ledger.vault.names()) == 1
    assert work(ledger) != old
    assert led.balance(ledger).holds


def test_what_waits_for_a_person_or_is_unsent_is_not_erased(ledger: Ledger, time: Time) -> None:
    received(ledger, b"1")
    work(ledger, "parked")
    received(ledger, b"2")
    (claim,) = led.claim(ledger, "w")
    led.finish(ledger, claim, case(claim.submission_id), PAGES, [1], EVALUATOR)
    (sending,) = led.claim_sendings(ledger, "w")
    output = led.Outgoing("folder", "key")
    led.evaluated(ledger, sending, case(claim.submission_id, outcome="meets"), [output])
    time.pass_(days=99)
    assert led.erase_old(ledger, timedelta(days=30), actor="retention") == []


def test_erased_bytes_that_come_again_are_worked_again(ledger: Ledger, time: Time) -> None:
    received(ledger, b"1")
    name = work(ledger)
    time.pass_(days=31)
    led.erase_old(ledger, timedelta(days=30), actor="retention")
    (receipt,) = received(ledger, b"1")
    assert (receipt.submission_id, receipt.new) == (name, True)
    assert work(ledger) == name
    assert led.item(ledger, name).case_number == 2
    assert led.balance(ledger).holds


def test_what_comes_again_after_erasure_has_nothing_of_its_former_life(ledger: Ledger, time: Time) -> None:
    received(ledger, b"1")
    name = work(ledger)
    time.pass_(days=31)
    led.erase_old(ledger, timedelta(days=30), actor="retention")
    before = time.now - timedelta(hours=1)
    received(ledger, b"1", expedited=True, received_at=before)
    item = led.item(ledger, name)
    assert (item.expedited, item.received_at, item.outcome, item.reason) == (True, before, None, None)
    assert item.due_at == before + timedelta(hours=72)


def test_files_that_nothing_refers_to_go_after_a_day(ledger: Ledger) -> None:
    import io

    (kept, fresh) = ledger.vault.keep([io.BytesIO(b"orphan"), io.BytesIO(b"fresh")])
    received(ledger, b"1")
    old = clock.time() - 2 * 24 * 3600
    for sha256 in ledger.vault.names() - {fresh.sha256}:
        os.utime(ledger.vault.folder / sha256, (old, old))
    assert led.sweep(ledger) == [kept.sha256]
    assert len(ledger.vault.names()) == 2
    assert led.balance(ledger).holds


# --------------------------------------------------------------------------- keys


def test_everything_is_sealed_anew_with_the_current_key(ledger: Ledger, time: Time) -> None:
    received(ledger, b"1")
    name = work(ledger)
    old = next(iter(ledger.keys._keys.items()))
    new = Keyring({"new": bytes(range(32)), old[0]: old[1]})
    only_new = Keyring({"new": bytes(range(32))})

    def under(keys: Keyring) -> Ledger:
        vault = type(ledger.vault)(ledger.vault.folder, ledger.vault._work_folder, keys)
        return replace(ledger, keys=keys, vault=vault)

    with pytest.raises(ConfigurationError, match="'test' is needed"):
        led.load_case(under(only_new), name)
    assert led.rekey(under(new), actor="user:x") == (2, 1)
    assert led.rekey(under(new), actor="user:x") == (0, 0)
    assert led.load_case(under(only_new), name) == case(name, outcome="meets")
    with led.opened(under(only_new), name) as submission:
        assert submission.files[0].path.read_bytes() == b"1"
