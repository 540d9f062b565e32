"""The version of the ledger's tables: upgraded, or refused where it does not fit this program.

A revision is a file `migrations/versions/NNNN_what.py` whose `revision` is its number; they form one line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from pipeline.errors import ConfigurationError
from pipeline.ledger.database import Database

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x7A1A6E  # PostgreSQL's advisory lock: one upgrade at a time


def newest() -> str:
    """The revision that this program works with."""
    return max(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def current(database: Database) -> str:
    """The database's revision, empty for a new one."""
    return database.read(_current)


def make_ready(database: Database) -> None:
    """Leave the database with this program's tables: SQLite is upgraded, PostgreSQL must be already.

    Raises ConfigurationError with the command that mends it.
    """
    revision = current(database)
    if revision == newest():
        return
    _refuse_newer(revision)
    if not database.is_sqlite:
        raise ConfigurationError(
            "The ledger's tables are not those of this version.",
            next_step="Stop the workers, make a copy, then run `triage ledger upgrade`.",
        )
    upgrade(database)


def upgrade(database: Database) -> str:
    """Bring the tables to this program's revision, whole or not at all; returns what they were before."""

    def work(connection: Connection) -> str:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = _current(connection)
        _refuse_newer(before)
        if before != newest():
            _migrate(connection)
        return before

    return database.write(work, durable=True)


def _migrate(connection: Connection) -> None:
    # Imported here: it takes a fifth of a second, which every other start can do without.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _current(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def _refuse_newer(revision: str) -> None:
    if revision > newest():
        raise ConfigurationError(
            f"The ledger is of a newer version ({revision}) than this program knows ({newest()}).",
            next_step="Install the version of clinical-triage that wrote it, or a later one.",
        )
