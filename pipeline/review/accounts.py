"""Users and their passwords. This module is the home of argon2.

A password is kept as argon2id with the library's defaults (RFC 9106, low memory). After five wrong ones
in a row the account waits, longer each time; a wrong name takes as long as a wrong password.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, insert, select, update

from pipeline import audit
from pipeline.errors import UsageError
from pipeline.ledger.opening import Ledger
from pipeline.review.roles import Role
from pipeline.review.tables import sessions, users

LEAST_PASSWORD: Final = 12
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,79}")
_LONGEST_SENDER: Final = 32
_FREE_FAILURES: Final = 5
_FIRST_WAIT: Final = timedelta(seconds=30)
_LONGEST_WAIT: Final = timedelta(hours=1)
_COMMON: Final = frozenset({"password", "changeme", "letmein", "welcome", "clinical", "triage", "123456"})


@dataclass(frozen=True, slots=True)
class User:
    """Someone who may log in."""

    name: str
    role: Role
    disabled: bool = False


def add(ledger: Ledger, name: str, role: Role, password: str | None, *, actor: str) -> None:
    """A new user; one without a password logs in nowhere, and works by tokens alone. Raises UsageError for a
    name that is taken or no name, or a weak password."""
    if not _NAME.fullmatch(name):
        raise UsageError("A user's name is lower case letters, digits and . _ @ -, at most 80.")
    if role is Role.SENDER and len(name) > _LONGEST_SENDER:
        raise UsageError(f"The name of a sender is at most {_LONGEST_SENDER} long: its channels bear it.")
    hashed = None if password is None else _hashed(password, name)

    def work(db: Connection) -> None:
        if db.execute(select(users.c.name).where(users.c.name == name)).first():
            raise UsageError(f"There is a user {name} already.")
        db.execute(
            insert(users).values(name=name, role=role, password=hashed, created_at=ledger.now(db), failures=0)
        )
        audit.record(ledger, db, actor, "user_added", data={"user": name, "role": role})

    ledger.write(work, durable=True)


def set_password(ledger: Ledger, name: str, password: str, *, actor: str) -> None:
    """Another password; the user's open sessions end. Raises UsageError."""
    hashed = _hashed(password, name)

    def work(db: Connection) -> None:
        _must_be(db, name)
        values = {"password": hashed, "failures": 0, "locked_until": None}
        db.execute(update(users).where(users.c.name == name).values(**values))
        db.execute(delete(sessions).where(sessions.c.user_name == name))
        audit.record(ledger, db, actor, "password_set", data={"user": name})

    ledger.write(work, durable=True)


def disable(ledger: Ledger, name: str, *, actor: str) -> None:
    """The user can no longer log in; open sessions end at once. Raises UsageError."""

    def work(db: Connection) -> None:
        _must_be(db, name)
        db.execute(update(users).where(users.c.name == name).values(disabled_at=ledger.now(db)))
        db.execute(delete(sessions).where(sessions.c.user_name == name))
        audit.record(ledger, db, actor, "user_disabled", data={"user": name})

    ledger.write(work, durable=True)


def enable(ledger: Ledger, name: str, *, actor: str) -> None:
    """The user may log in again; sessions that ended stay ended. Raises UsageError."""

    def work(db: Connection) -> None:
        _must_be(db, name)
        db.execute(update(users).where(users.c.name == name).values(disabled_at=None))
        audit.record(ledger, db, actor, "user_enabled", data={"user": name})

    ledger.write(work, durable=True)


def listed(ledger: Ledger) -> Sequence[User]:
    """All users by name."""
    rows = ledger.read(lambda db: db.execute(select(users).order_by(users.c.name)).all())
    return [User(row.name, Role(row.role), row.disabled_at is not None) for row in rows]


def user(ledger: Ledger, name: str) -> User | None:
    """The user of that name, also one that is disabled."""
    if not _NAME.fullmatch(name):
        return None
    row = ledger.read(lambda db: db.execute(select(users).where(users.c.name == name)).first())
    return User(row.name, Role(row.role), row.disabled_at is not None) if row else None


def checked(ledger: Ledger, name: str, password: str) -> User | None:
    """The user if name and password belong together and the account is open; else None, and why is not said.

    Every try is in the audit trail; of a name that is no user's, only that there was one.
    """
    name = name if _NAME.fullmatch(name) else ""  # what is no name is nobody's
    row = ledger.read(lambda db: db.execute(select(users).where(users.c.name == name)).first())
    kept = row.password if row is not None else None
    # Who has no password (OpenID Connect, senders) logs in with none, and is told as late as anybody.
    right = _matches(kept or _nobody(), password) and kept is not None

    def work(db: Connection) -> User | None:
        now = ledger.now(db)
        if row is None:
            audit.record(ledger, db, "nobody", "login_refused", data={"why": "no_user"})
            return None
        # Tries that come at once are counted one after another.
        fresh = db.execute(select(users).where(users.c.name == name).with_for_update()).one()
        locked = fresh.locked_until is not None and fresh.locked_until > now
        if right and row.password == fresh.password and not locked and fresh.disabled_at is None:
            db.execute(update(users).where(users.c.name == name).values(failures=0, locked_until=None))
            return User(fresh.name, Role(fresh.role))
        why = "disabled" if fresh.disabled_at else "locked" if locked else "password"
        if why == "password":
            failures = fresh.failures + 1
            wait = min(_FIRST_WAIT * 2 ** max(0, min(failures - _FREE_FAILURES, 20)), _LONGEST_WAIT)
            until = now + wait if failures >= _FREE_FAILURES else None
            values = {"failures": failures, "locked_until": until}
            db.execute(update(users).where(users.c.name == name).values(**values))
        audit.record(ledger, db, name, "login_refused", data={"why": why})
        return None

    return ledger.write(work)


def provided(ledger: Ledger, issuer: str, subject: str, name: str, role: Role) -> User | str:
    """The user whom another system logs in, made at the first login, with the role that it gives them now; a
    code where they are not let in: a local user's name is nobody else's."""
    name = name.strip().lower()

    def work(db: Connection) -> User | str:
        mine = (users.c.issuer == issuer, users.c.subject == subject)
        row = db.execute(select(users).where(*mine).with_for_update()).first()
        if row is None:
            if not _NAME.fullmatch(name):
                return "name"
            if db.execute(select(users.c.name).where(users.c.name == name)).first():
                return "name_taken"
            values = {"name": name, "role": role, "created_at": ledger.now(db), "failures": 0}
            db.execute(insert(users).values(issuer=issuer, subject=subject, **values))
            audit.record(ledger, db, "oidc", "user_added", data={"user": name, "role": role})
            return User(name, role)
        if row.disabled_at is not None:
            return "disabled"
        if row.role != role:
            db.execute(update(users).where(*mine).values(role=role))
            audit.record(ledger, db, "oidc", "role_changed", data={"user": row.name, "role": role})
        return User(row.name, role)

    return ledger.write(work, durable=True)


def is_provided(ledger: Ledger, name: str) -> bool:
    """Whether another system logs the user in."""
    issuer = select(users.c.issuer).where(users.c.name == name)
    return ledger.read(lambda db: db.execute(issuer).scalar()) is not None


def _must_be(db: Connection, name: str) -> None:
    if not db.execute(select(users.c.name).where(users.c.name == name)).first():
        raise UsageError(f"There is no user {name}.", next_step="`triage user list` lists them.")


def _hashed(password: str, name: str) -> str:
    lowered = password.casefold()
    if len(password) < LEAST_PASSWORD or len(set(lowered)) < 5 or name in lowered:
        raise UsageError(
            f"The password is too weak: at least {LEAST_PASSWORD} characters, of several kinds, "
            "and not with the name in it."
        )
    if any(lowered.strip("0123456789!.-_ ") == word for word in _COMMON):
        raise UsageError("The password is one of those that are tried first.")
    return _hasher().hash(password)


def _matches(hashed: str, password: str) -> bool:
    try:
        return _hasher().verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody() -> str:
    """A hash of what nobody knows; checking it takes as long as checking one that is."""
    return _hasher().hash(secrets.token_urlsafe(32))
