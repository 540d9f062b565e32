"""The databases of the ledger: versions of the tables, broken connections, settings of a connection."""

from __future__ import annotations

import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from ledgers import DATABASES, ledger_settings, open_test_ledger, postgres, received
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from pipeline import ledger as led
from pipeline.errors import ConfigurationError, LedgerUnavailable, StorageFull
from pipeline.ledger import Ledger, open_ledger, schema
from pipeline.ledger.changes import note
from pipeline.ledger.database import connect, unanswered
from pipeline.ledger.tables import blobs, events, metadata

on_postgresql = pytest.mark.skipif("postgresql" not in DATABASES, reason="PostgreSQL: see test_ledger.py")


def test_the_revisions_are_one_line() -> None:
    scripts = ScriptDirectory(str(schema._MIGRATIONS))
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)
    assert scripts.get_heads() == [schema.newest()]


@on_postgresql
def test_a_database_that_was_made_without_a_locale() -> None:
    """As initdb makes them in a container that has none: psycopg gave bytes for texts."""
    with postgres("TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'") as url:
        database = connect(url)
        schema.upgrade(database)
        assert schema.current(database) == schema.newest()
        with database.engine.connect() as connection:
            assert connection.execute(text("SELECT 'Müller'")).scalar() == "Müller"
        database.close()


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_the_revisions_make_the_tables_that_the_code_knows(kind: str, tmp_path: Path) -> None:
    with open_test_ledger(kind, tmp_path) as ledger, ledger.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        known = {"ix", *metadata.tables}
        told = [
            change
            for change in compare_metadata(context, metadata)
            if getattr(change[1], "name", "ix") in known
        ]
        # What SQLite cannot show of an index by an expression is made by the revision all the same.
        assert [change for change in told if change[0] != "remove_index"] == []


@on_postgresql
def test_postgresql_is_not_upgraded_unasked(tmp_path: Path) -> None:
    with postgres() as url:
        database = connect(url)
        with pytest.raises(ConfigurationError, match="triage ledger upgrade"):
            schema.make_ready(database)
        assert schema.current(database) == ""
        database.close()


def test_an_upgrade_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ledger_settings("sqlite", tmp_path) as settings:
        import alembic.op

        def fail(*arguments: object, **more: object) -> None:
            raise RuntimeError("no")

        monkeypatch.setattr(alembic.op, "create_index", fail)
        with pytest.raises(RuntimeError):
            open_ledger(settings)
        monkeypatch.undo()
        with open_ledger(settings) as ledger:
            assert schema.current(ledger.database) == schema.newest()


@pytest.mark.parametrize("url", ["", "x", "mysql://h/d", "sqlite://", "sqlite:///:memory:", "postgres"])
def test_an_address_that_cannot_be(url: str) -> None:
    with pytest.raises(ConfigurationError, match="TRIAGE_LEDGER_URL"):
        connect(url)


def test_no_address_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    database = connect("postgresql://triage:hunter2@127.0.0.1:9/none")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(LedgerUnavailable) as caught:
        schema.current(database)
    assert "hunter2" not in str(caught.value)


def test_a_ledger_is_its_owners(tmp_path: Path) -> None:
    with open_test_ledger("sqlite", tmp_path / "home") as ledger:
        received(ledger, b"1")
        files = [path for path in (tmp_path / "home").iterdir() if path.name.startswith("ledger.db")]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert len(files) == 3


def test_a_locked_ledger_is_waited_for(tmp_path: Path) -> None:
    from threading import Timer

    with open_test_ledger("sqlite", tmp_path) as ledger:
        other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        Timer(0.5, lambda: other.execute("COMMIT")).start()
        assert received(ledger, b"1")[0].new
        other.close()


def fill(ledger: led.Ledger) -> None:
    for number in range(1000):
        received(ledger, b"%d" % number)


def test_a_full_disk_of_the_ledger_is_told_and_nothing_is_received(tmp_path: Path) -> None:
    with open_test_ledger("sqlite", tmp_path) as ledger:

        def limit(pages: int) -> None:
            with ledger.database.engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

        limit(1)  # SQLite takes it for: no more than there are
        with pytest.raises(StorageFull):
            fill(ledger)
        known = len(led.items(ledger, most=2000))
        limit(1_000_000)
        assert received(ledger, b"another")[0].new
        assert (len(led.items(ledger, most=2000)), led.balance(ledger).holds) == (known + 1, True)


NOW = datetime(2026, 7, 13, 9, 0, tzinfo=UTC)


def note_some(db: Connection, number: int) -> None:
    for _ in range(number):
        note(db, None, "tried", at=NOW, actor="test")


@pytest.mark.parametrize("kind", DATABASES)
def test_statements_that_nobody_waits_for_are_one_transaction(kind: str, tmp_path: Path) -> None:
    with open_test_ledger(kind, tmp_path) as ledger:

        def work(db: Connection) -> None:
            with unanswered(db):
                note_some(db, 3)
                db.execute(insert(blobs), {"sha256": "a", "bytes": 1, "kept_at": NOW})
            note_some(db, 1)

        ledger.write(work)
        with pytest.raises(IntegrityError) as wrong:
            ledger.write(work)
        assert wrong.value.hide_parameters
        assert ledger.read(lambda db: db.execute(select(func.count()).select_from(events)).scalar()) == 4


@on_postgresql
def test_a_connection_that_is_cut_under_statements_that_nobody_waits_for(tmp_path: Path) -> None:
    with open_test_ledger("postgresql", tmp_path) as ledger:
        tries = []

        def work(db: Connection) -> None:
            tries.append(db.exec_driver_sql("SELECT pg_backend_pid()").scalar())
            with unanswered(db):
                note_some(db, 3)
                if len(tries) == 1:
                    _cut(ledger, tries[0])
            note_some(db, 1)

        ledger.write(work)
        assert len(set(tries)) == 2
        assert ledger.read(lambda db: db.execute(select(func.count()).select_from(events)).scalar()) == 4


def _cut(ledger: Ledger, pid: object) -> None:
    url = ledger.database.engine.url.set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(False), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])


@on_postgresql
@pytest.mark.parametrize("ask_again_s", [0.0, 5.0])
def test_the_time_is_the_servers_and_does_not_go_back(
    ask_again_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.ledger.database._ASK_AGAIN_S", ask_again_s)
    with open_test_ledger("postgresql", tmp_path) as ledger:
        monkeypatch.setattr("pipeline.ledger.database.datetime", None)  # the machine's own is not asked
        times = ledger.read(lambda db: [ledger.now(db) for _ in range(50)])
        told = ledger.read(lambda db: db.execute(text("SELECT clock_timestamp()")).scalar_one())
        assert times == sorted(times)
        assert timedelta() < told.astimezone(UTC) - times[0] < timedelta(seconds=20)


@on_postgresql
def test_a_connection_that_is_cut_is_made_again(tmp_path: Path) -> None:
    with open_test_ledger("postgresql", tmp_path) as ledger:
        url = ledger.database.engine.url
        for number in range(3):
            with psycopg.connect(
                url.set(drivername="postgresql").render_as_string(False), autocommit=True
            ) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND application_name = 'triage'"
                )
            assert received(ledger, b"%d" % number)[0].new
        assert led.balance(ledger).received == 3


@on_postgresql
def test_postgresql_needs_keys_that_all_machines_have(tmp_path: Path) -> None:
    with ledger_settings("postgresql", tmp_path) as settings:
        from dataclasses import replace

        with pytest.raises(ConfigurationError, match="TRIAGE_KEY_FILE"):
            open_ledger(replace(settings, keys=""))


@pytest.mark.parametrize("kind", DATABASES)
def test_a_reading_is_of_one_state_whatever_is_written_meanwhile(kind: str, tmp_path: Path) -> None:
    def count(db: Connection) -> int:
        return db.execute(select(func.count()).select_from(events)).scalar_one()

    with open_test_ledger(kind, tmp_path) as ledger:

        def read(db: Connection) -> tuple[int, int]:
            before = count(db)
            ledger.write(lambda other: note_some(other, 2))
            return before, count(db)

        before, after = ledger.read(read)
        assert before == after
        assert ledger.glance(count) == before + 2
