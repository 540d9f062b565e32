"""Ledgers for tests: on SQLite, and on PostgreSQL where TRIAGE_TEST_POSTGRES names a server.

    TRIAGE_TEST_POSTGRES=postgresql://postgres@127.0.0.1/postgres make test

The role must be allowed to create databases: each test that needs one gets a new one, dropped afterwards.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, make_url, text

from pipeline.ledger import Arrival, Incoming, Ledger, Outgoing, PageMark, Receipt, open_ledger, receive
from pipeline.ledger.database import connect
from pipeline.ledger.schema import upgrade
from pipeline.settings import Settings, load_settings

SERVER = "TRIAGE_TEST_POSTGRES"
WITHOUT = f"set {SERVER}=postgresql://USER@HOST/DATABASE, a role that may create databases, to run these"
KEYS = "test=ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM="  # drawn by nobody, and yet not one that repeats
DATABASES = ["sqlite", "postgresql"] if os.environ.get(SERVER) else ["sqlite"]


@contextmanager
def postgres(made: str = "") -> Iterator[str]:
    """The address of a new database, gone afterwards; `made` is how, in SQL."""
    name = f"triage_test_{secrets.token_hex(6)}"
    server = os.environ[SERVER]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" {made}')
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def ledger_settings(kind: str, home: Path, **more: str) -> Iterator[Settings]:
    """Settings of an empty ledger, ready for use; `more` are settings by their names."""
    environ = {f"TRIAGE_{name.upper()}": value for name, value in more.items()}
    environ = {"TRIAGE_HOME": str(home), "TRIAGE_KEYS": KEYS, "TRIAGE_MIN_FREE_MB": "1"} | environ
    if kind == "sqlite":
        yield load_settings(environ)
        return
    with postgres() as url:
        database = connect(url)
        upgrade(database)
        database.close()
        yield load_settings(environ | {"TRIAGE_LEDGER_URL": url})


def without_guard(ledger: Ledger) -> None:
    """Takes away what the database does to keep the audit trail as it is: so may who owns the database."""

    def work(db: Connection) -> None:
        if ledger.database.is_sqlite:
            for what in ("update", "delete"):
                db.execute(text(f"DROP TRIGGER IF EXISTS audit_no_{what}"))
        else:
            db.execute(text("DROP TRIGGER IF EXISTS audit_no_change ON audit"))

    ledger.write(work)


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 7, 13, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


@contextmanager
def open_test_ledger(kind: str, home: Path, time: Time | None = None, **more: str) -> Iterator[Ledger]:
    """An empty ledger."""
    with ledger_settings(kind, home, **more) as settings, open_ledger(settings, clock=time) as ledger:
        yield ledger


# --------------------------------------------------------------------------- what is put into it

PAGES = [PageMark(0, 1, "read", f"{7:016x}-{9:016x}")]
EVALUATOR = Outgoing("evaluator", "key")


def arrival(content: bytes, name: str = "Quillfeather, Ambrosius.pdf", **more: Any) -> Arrival:
    return Arrival([Incoming(name, content)], **{"channel": "test", **more})


def received(ledger: Ledger, *contents: bytes, **more: Any) -> list[Receipt]:
    return receive(ledger, [arrival(content, **more) for content in contents])


def case(submission_id: str, status: str = "complete", outcome: str = "") -> dict[str, Any]:
    """As much of a case as the ledger looks at."""
    problems = [{"file": None, "page": None, "code": "encrypted", "message": "It is encrypted."}]
    return {
        "case_id": submission_id,
        "status": status,
        "problems": problems if status == "parked" else [],
        "policy": {"id": "cryosurgical-ablation", "version": "2023-02-01"},
        "evaluation": {"outcome": outcome, "missing": []} if outcome else None,
    }
