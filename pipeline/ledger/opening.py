"""The ledger as a whole: its database, the vault and the keys, opened by the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from sqlalchemy import Connection

from pipeline.catalog.clock import Clock, load_clock
from pipeline.errors import ConfigurationError
from pipeline.ledger import schema
from pipeline.ledger.database import Database, connect
from pipeline.sealing import Keyring, keyring
from pipeline.settings import Settings
from pipeline.vault import Vault

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often; see the settings of the same names. Pauses after failures double."""

    lease: timedelta = timedelta(seconds=120)
    max_attempts: int = 5
    delivery_attempts: int = 8
    resent: timedelta = timedelta(days=30)
    first_pause: timedelta = timedelta(seconds=2)


@dataclass(frozen=True)
class Ledger:
    """What the operations of this package work on. Safe for use by several threads, not across a fork.

    `clock` tells the time in tests; else the database does on PostgreSQL, so that the machines agree.
    """

    database: Database
    vault: Vault
    keys: Keyring
    deadlines: Clock
    limits: Limits = Limits()
    clock: Callable[[], datetime] | None = None

    def now(self, db: Connection) -> datetime:
        """The time, UTC."""
        return self.clock() if self.clock is not None else self.database.now(db)

    def write(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """See `Database.write`."""
        return self.database.write(work, durable=durable)

    def read(self, work: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        return self.database.read(work)

    def glance(self, work: Callable[[Connection], T]) -> T:
        """See `Database.glance`."""
        return self.database.glance(work)

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def ledger_url(settings: Settings) -> str:
    """The address of the ledger's database; it may hold a password."""
    return settings.ledger_url or f"sqlite:///{settings.home / 'ledger.db'}"


def open_ledger(settings: Settings, *, clock: Callable[[], datetime] | None = None) -> Ledger:
    """The ledger of the settings, its tables those of this program. Use as a context manager, or close it.

    Raises ConfigurationError where the tables must be upgraded first, or a key is not there, and
    LedgerUnavailable where the database does not answer.
    """
    database = connect(ledger_url(settings))
    try:
        return _opened(database, settings, clock)
    except BaseException:
        database.close()
        raise


def _opened(database: Database, settings: Settings, clock: Callable[[], datetime] | None) -> Ledger:
    if not database.is_sqlite and not (settings.keys or settings.key_file):
        raise ConfigurationError(
            "A ledger on PostgreSQL needs keys that all its machines have.",
            next_step="Make one with `triage ledger new-key k1` and set TRIAGE_KEY_FILE.",
        )
    schema.make_ready(database)
    keys = keyring(settings)
    folder = Path(settings.vault_dir) if settings.vault_dir else settings.home / "vault"
    return Ledger(
        database=database,
        vault=Vault(folder, settings.home / "opened", keys, reserve=settings.min_free_mb * 2**20),
        keys=keys,
        deadlines=load_clock(settings.models_dir),
        limits=Limits(
            lease=timedelta(seconds=settings.lease_s),
            max_attempts=settings.max_attempts,
            delivery_attempts=settings.delivery_attempts,
            resent=timedelta(days=settings.resent_days),
        ),
        clock=clock,
    )
