"""The audit trail: the database refuses to change it; who takes that away and changes it is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ledgers import DATABASES, open_test_ledger, without_guard
from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from pipeline import audit
from pipeline.audit import audit as table
from pipeline.errors import UsageError
from pipeline.ledger import Ledger

ROWS = 7


@pytest.fixture(params=DATABASES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    with open_test_ledger(request.param, tmp_path) as opened:
        for number in range(1, ROWS + 1):
            audit.write(opened, "nora", "case_viewed", f"{number:016x}", case=1)
        yield opened


def one(db: Connection, number: int) -> Any:
    return db.execute(select(table).where(table.c.number == number)).one()


@pytest.mark.parametrize("what", ["UPDATE audit SET actor = 'max'", "DELETE FROM audit WHERE number = 7"])
def test_the_database_refuses_to_change_a_row(ledger: Ledger, what: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        ledger.write(lambda db: db.execute(text(what)))
    assert audit.verify(ledger) == audit.Verdict(ROWS, None, audit.verify(ledger).head)


def test_the_database_refuses_to_empty_it(ledger: Ledger) -> None:
    empties = "DELETE FROM audit" if ledger.database.is_sqlite else "TRUNCATE audit"
    with pytest.raises(DBAPIError, match="append-only"):
        ledger.write(lambda db: db.execute(text(empties)))
    audit.write(ledger, "nora", "login")  # and goes on
    assert audit.verify(ledger).rows == ROWS + 1


def change(**values: Any) -> Callable[[Connection, int], None]:
    return lambda db, number: (
        db.execute(update(table).where(table.c.number == number).values(**values)) and None
    )


def take_out(db: Connection, number: int) -> None:
    db.execute(delete(table).where(table.c.number == number))


def take_out_and_close_up(db: Connection, number: int) -> None:
    take_out(db, number)
    for later in range(number + 1, ROWS + 1):
        db.execute(update(table).where(table.c.number == later).values(number=later - 1))


def put_in(db: Connection, number: int) -> None:
    """A row of one's own, as like the others as who has no key can make it."""
    row = one(db, number)
    for later in range(ROWS, number - 1, -1):
        db.execute(update(table).where(table.c.number == later).values(number=later + 1))
    db.execute(insert(table).values({**row._mapping, "chain": row.chain[:-4] + "0000"}))


def swap(db: Connection, number: int) -> None:
    """What two rows say changes places; each keeps its number and its link."""
    first, second = one(db, number), one(db, number + 1)
    for row, says in ((first, second), (second, first)):
        said = {name: getattr(says, name) for name in ("at", "actor", "action", "submission_id", "data")}
        db.execute(update(table).where(table.c.number == row.number).values(**said))


def swap_whole(db: Connection, number: int) -> None:
    """Two rows change places, their links with them."""
    for before, after in ((number, 99), (number + 1, number), (99, number + 1)):
        db.execute(update(table).where(table.c.number == before).values(number=after))


@pytest.mark.parametrize("number", [1, ROWS - 1])
@pytest.mark.parametrize(
    "tamper",
    [
        change(actor="max"),
        change(action="login"),
        change(submission_id="f" * 16),
        change(submission_id=None),
        change(data={"case": 2}),
        change(data={"case": 1, "more": 1}),
        change(chain="test:" + "0" * 64),
        change(number=99),
        take_out,
        take_out_and_close_up,
        put_in,
        swap,
        swap_whole,
    ],
    ids=lambda one: getattr(one, "__name__", "change").strip("<>"),
)
def test_tampering_with_one_row_is_found(ledger: Ledger, tamper: Any, number: int) -> None:
    without_guard(ledger)
    ledger.write(lambda db: tamper(db, number))
    verdict = audit.verify(ledger)
    assert (verdict.whole, verdict.broken) == (False, number)
    assert verdict.rows == number - 1


def test_another_time_is_found(ledger: Ledger) -> None:
    without_guard(ledger)
    at = ledger.read(lambda db: one(db, 4)).at + timedelta(microseconds=1)
    ledger.write(lambda db: change(at=at)(db, 4))
    assert audit.verify(ledger).broken == 4


@pytest.mark.parametrize("gone", [1, 3, ROWS])
def test_rows_cut_off_at_the_end_are_missed_by_the_head(ledger: Ledger, gone: int) -> None:
    head = audit.verify(ledger).head
    without_guard(ledger)
    ledger.write(lambda db: db.execute(delete(table).where(table.c.number > ROWS - gone)))
    assert audit.verify(ledger).whole  # nothing in the rest shows it
    verdict = audit.verify(ledger, head=head)
    assert (verdict.whole, verdict.broken) == (False, ROWS - gone + 1)
    audit.write(ledger, "nora", "login")  # what is added later does not hide it
    assert not audit.verify(ledger, head=head).whole


@pytest.mark.parametrize("head", ["HEAD", "", "k1", "k1:", "k1:9f3c...", "k1:" + "0" * 63, "k1:" + "0" * 65])
def test_a_mistyped_head_is_no_broken_trail(ledger: Ledger, head: str) -> None:
    with pytest.raises(UsageError, match="no head"):
        audit.verify(ledger, head=head)
    assert audit.verify(ledger, head="k1:" + "0" * 64).broken == ROWS + 1  # one that it could have printed


def test_the_head_of_an_empty_trail_is_one(tmp_path: Path) -> None:
    with open_test_ledger("sqlite", tmp_path) as ledger:
        head = audit.verify(ledger).head
        audit.write(ledger, "nora", "login")
        assert audit.verify(ledger, head=head) == audit.Verdict(1, None, audit.verify(ledger).head)


def test_rows_that_are_written_at_once_are_one_chain(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: audit.write(ledger, f"u{n}", "login"), range(40)))
    verdict = audit.verify(ledger)
    assert (verdict.rows, verdict.whole) == (ROWS + 40, True)
