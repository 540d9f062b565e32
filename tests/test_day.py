"""The account of the simulated day (`make day`) sees what a ledger says wrongly."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.ledger import Figures, State
from tests.day_account import DELIVERY_ATTEMPTS, Account, Stand, differences, id_of
from tests.day_worker import BAD

NOW = datetime(2026, 7, 13, 9, 0, tzinfo=UTC)
DONE, LOCKED, REFUSED, NEW, LATE = (
    b"%PDF done",
    BAD + b"locked",
    b"%PDF refused",
    b"%PDF new",
    b"%PDF late",
)
NOTHING: dict[str, Any] = dict.fromkeys((field.name for field in fields(Figures)), 0)
TRUE = Figures(
    **NOTHING
    | {
        "states": {State.RECEIVED: 1, State.IN_FLIGHT: 1, State.DONE: 1, State.PARKED: 2, State.PARTIAL: 0},
        "expedited_waiting": 1,
        "oldest_waiting_s": 60 * 3600.0,
        "at_risk": 1,
    }
)


def stand() -> Stand:
    """One of each: ended, locked, given up by the evaluator, just come, and come days ago and urgent."""
    account = Account()
    for content in (DONE, LOCKED, REFUSED, NEW):
        account.take(content, False, NOW - timedelta(hours=1), NOW - timedelta(hours=1))
    account.take(LATE, True, NOW - timedelta(hours=60), NOW - timedelta(hours=60))
    told = [("answered", id_of(DONE)), ("unreadable", id_of(LOCKED))]
    told += [("refused", id_of(REFUSED))] * DELIVERY_ATTEMPTS
    told += [("refused", id_of(NEW))] * (DELIVERY_ATTEMPTS - 1)
    return account.stand(told, {id_of(DONE)})


def test_what_is_true_is_accounted_for() -> None:
    assert list(differences(stand(), TRUE, NOW)) == []


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"states": {**TRUE.states, State.DONE: 2}}, "done"),
        ({"states": {**TRUE.states, State.PARKED: 1}}, "parked"),
        ({"states": {**TRUE.states, State.RECEIVED: 2}}, "open"),
        ({"expedited_waiting": 0}, "expedited waiting"),
        ({"oldest_waiting_s": 60 * 3600 - 1.0}, "oldest, s"),
        ({"oldest_waiting_s": 0.0}, "oldest, s"),
        ({"at_risk": 0}, "at risk"),
        ({"overdue": 1}, "overdue"),
    ],
)
def test_what_is_not_is_named(said: dict[str, Any], what: str) -> None:
    (line,) = differences(stand(), replace(TRUE, **said), NOW)
    assert line.startswith(f"{what}: the ledger says")


def test_a_case_between_evaluation_and_output_may_be_either() -> None:
    account = Account()
    account.take(NEW, False, NOW - timedelta(hours=1), NOW - timedelta(minutes=50))
    unclear = account.stand([("answered", id_of(NEW))], set())
    ended = replace(
        TRUE,
        states={**dict.fromkeys(State, 0), State.DONE: 1},
        expedited_waiting=0,
        oldest_waiting_s=0.0,
        at_risk=0,
    )
    still = replace(ended, states={**dict.fromkeys(State, 0), State.IN_FLIGHT: 1}, oldest_waiting_s=3300.0)
    assert list(differences(unclear, ended, NOW)) == list(differences(unclear, still, NOW)) == []
    assert list(differences(unclear, replace(still, oldest_waiting_s=3700.0), NOW))
