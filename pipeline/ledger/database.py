"""The ledger's database: SQLite on one machine, PostgreSQL for many; what differs between them is here.

    connect(url) -> Database
    Database.write(work, durable=...)     work(connection) in a transaction, again if the connection broke
    Database.read(work)
    Database.now(connection)              the time by the database's clock
    unanswered(connection)                statements in the block are sent without waiting for each answer

SQLite runs with a write-ahead log. A writing transaction takes the write lock when it begins (BEGIN
IMMEDIATE), so it never has to be given up half-way; waiting for the lock is bounded. Only a `durable`
transaction is on the disk when it returns. The others are in order behind it: after a power cut the last
ones may be missing, never one before a durable one, and whatever they did is done again from there.
A process that is killed loses nothing in either case.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from pipeline.errors import ConfigurationError, LedgerUnavailable, StorageFull
from pipeline.files import make_private

_log = logging.getLogger(__name__)
T = TypeVar("T")

_TRIES: Final = 7
_FIRST_PAUSE_S: Final = 0.1
_BUSY_S: Final = 30
_ASK_AGAIN_S: Final = 5.0
_JITTER: Final = timedelta(seconds=1)
_CLOCK: Final = text("SELECT clock_timestamp()")
_SESSION: Final = {
    # Asked for by a durable transaction alone. A client that vanished gives its locks back soon.
    "synchronous_commit": "off",
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "30s",
    "tcp_keepalives_idle": "30",
    "timezone": "UTC",
}
# serialization_failure, deadlock_detected, lock_not_available, too_many_connections,
# idle_in_transaction_session_timeout
_PASSING: Final = {"40001", "40P01", "55P03", "53300", "25P03"}
_WAYS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class Database:
    """An engine and how its transactions run. Safe for use by several threads; not across a fork."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._told: tuple[float, datetime] | None = None

    def write(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """What `work` returns, its changes committed. `work` may run several times, and a try whose answer
        was lost may have been committed: it must come out right when it is repeated.

        Raises StorageFull and LedgerUnavailable.
        """
        return self._run(work, {"triage_writes": True, "triage_durable": durable})

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, from one state of the database, whatever is written meanwhile."""
        alone = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        return self._run(work, {"triage_writes": False, **alone})

    def glance(self, work: Callable[[Connection], T]) -> T:
        """`read` of a single statement, which is of one state anyhow: two journeys to the server less."""
        alone = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        return self._run(work, {"triage_writes": False, **alone})

    def now(self, connection: Connection) -> datetime:
        """The time, UTC: on PostgreSQL the server's, so that machines whose clocks differ agree. It is asked
        for every few seconds; in between this machine counts them."""
        if self.is_sqlite:
            return datetime.now(UTC)
        count = time.monotonic()
        counted = self._told and self._told[1] + timedelta(seconds=count - self._told[0])
        if self._told and counted and count - self._told[0] < _ASK_AGAIN_S:
            return counted
        answer: datetime = connection.execute(_CLOCK).scalar_one()
        told = answer.astimezone(UTC)
        if counted and timedelta() < counted - told < _JITTER:
            told = (
                counted  # the answer was longer under way than the last one: time does not go back for that
            )
        self._told = time.monotonic(), told
        return told

    def _run(self, work: Callable[[Connection], T], options: dict[str, Any]) -> T:
        for left in reversed(range(_TRIES)):
            try:
                with self.engine.connect().execution_options(**options) as connection, connection.begin():
                    if options.get("triage_durable") and not self.is_sqlite:
                        connection.exec_driver_sql("SET LOCAL synchronous_commit TO on")
                    return work(connection)
            except DBAPIError as error:
                if _is_full(error):
                    raise StorageFull(
                        "The disk of the ledger is full.", next_step="Make room, then go on: nothing is lost."
                    ) from None
                if not _may_pass(error):
                    raise
                if not left:
                    raise LedgerUnavailable(
                        f"The ledger's database does not answer ({type(error.orig).__name__}).",
                        next_step="Check TRIAGE_LEDGER_URL and the database; `triage doctor` tells more.",
                    ) from None
                _log.warning("The ledger's database: %s; tried again.", type(error.orig).__name__)
            time.sleep(_FIRST_PAUSE_S * 2 ** (_TRIES - 1 - left) * random.uniform(0.5, 1.0))
        raise AssertionError("unreachable")

    def truncate_log(self) -> None:
        """Leave nothing of what was deleted in SQLite's write-ahead log, if nobody reads it just now."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def connect(url: str, *, pool_size: int = 5) -> Database:
    """The database at `url`; nothing is asked of it yet. Raises ConfigurationError."""
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigurationError("TRIAGE_LEDGER_URL names no file.", next_step="Give sqlite:///PATH.")
        path = Path(parsed.database).absolute()
        make_private(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite would make it readable to all
        engine = create_engine(
            parsed, hide_parameters=True, connect_args={"timeout": _BUSY_S}, pool_size=pool_size
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        session = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
        arguments = {
            "options": session,
            "connect_timeout": 10,
            "application_name": "triage",
            "client_encoding": "utf8",  # a server made without a locale is SQL_ASCII, and texts came as bytes
        }
        engine = create_engine(
            parsed, hide_parameters=True, connect_args=arguments, pool_size=pool_size, max_overflow=10
        )
    return Database(engine)


@contextmanager
def unanswered(connection: Connection) -> Iterator[None]:
    """Statements in the block give nothing back (no rows, no count, no time: see `now`) and are sent one
    behind the other; what is wrong with one is raised by the end of the block at the latest. On SQLite
    there is no journey to save.

    A transaction of ten statements takes a server's answer ten times otherwise.
    """
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        yield
        return
    try:
        with driver.pipeline():
            yield
    except psycopg.Error as error:  # raised past SQLAlchemy, which translates those of its own calls
        raise DBAPIError.instance(
            None,
            None,
            error,
            psycopg.Error,
            hide_parameters=True,
            connection_invalidated=driver.closed,
            dialect=connection.dialect,
        ) from error


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        return parsed.set(drivername=_WAYS[parsed.drivername])
    except (ArgumentError, NoSuchModuleError, KeyError):
        raise ConfigurationError(
            "TRIAGE_LEDGER_URL is no address of a database.",
            next_step="Give sqlite:///PATH or postgresql://USER@HOST/NAME.",
        ) from None


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    # How many bits differ; PostgreSQL has its own (see `resent`).
    connection.create_function("bits_apart", 2, lambda a, b: (a ^ b).bit_count(), deterministic=True)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    # Cannot be changed inside a transaction.
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options.get('triage_durable') else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("triage_writes") else "BEGIN")


def _may_pass(error: DBAPIError) -> bool:
    """Whether the same may go well a moment later: another holds a lock, or the connection broke."""
    if error.connection_invalidated:
        return True
    if name := getattr(error.orig, "sqlite_errorname", ""):
        return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return isinstance(error, OperationalError)  # no connection at all
    return state.startswith(("08", "57P")) or state in _PASSING


def _is_full(error: DBAPIError) -> bool:
    """SQLITE_FULL, or PostgreSQL's disk_full."""
    return getattr(error.orig, "sqlite_errorname", "") == "SQLITE_FULL" or (
        getattr(error.orig, "sqlstate", "") == "53100"
    )
