"""Who is logged in: a random token in a cookie, or a bearer token of a program. Kept as digests only."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from pipeline import audit
from pipeline.ledger.opening import Ledger
from pipeline.review.accounts import User
from pipeline.review.roles import Permission, Role, behind_glass, granted
from pipeline.review.tables import sessions, users

IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)
_SHOWN: Final = 16
_SEEN_EVERY: Final = timedelta(minutes=1)  # noting every click would be a write for each picture


@dataclass(frozen=True, slots=True)
class Session:
    """A person, or a program, at work. `csrf` must come back with every form and writing request."""

    id: str
    user: User
    program: bool
    csrf: str
    glass: Mapping[str, str]
    """Cases opened by breaking the glass, with the time."""

    def may(self, permission: Permission, submission_id: str | None = None) -> bool:
        """Whether this session may do it, for that case where it is about one."""
        if permission in granted(self.user.role):
            return True
        return submission_id in self.glass and permission in behind_glass(self.user.role)


def begin(
    ledger: Ledger, user: User, *, program: bool = False, lasts: timedelta = LONGEST, actor: str = ""
) -> str:
    """A new session; returns its token, which is kept nowhere. It is in the audit trail: a login of the
    user's, or a token that `actor` made for a program."""
    token = secrets.token_urlsafe(32)

    def work(db: Connection) -> None:
        now = ledger.now(db)
        db.execute(delete(sessions).where(sessions.c.ends_at < now))
        db.execute(
            insert(sessions).values(
                id=_digest(token),
                user_name=user.name,
                program=program,
                csrf=secrets.token_urlsafe(32),
                created_at=now,
                seen_at=now,
                ends_at=now + lasts,
                glass={},
            )
        )
        if program:
            data = {"user": user.name, "days": lasts.days}
            audit.record(ledger, db, actor or user.name, "token_made", data=data)
        else:
            audit.record(ledger, db, user.name, "login")

    ledger.write(work, durable=True)
    return token


def current(ledger: Ledger, token: str) -> Session | None:
    """The session of a token; None where it ended, idled too long, or its user is disabled."""
    digest = _digest(token)
    query = select(sessions, users.c.role, users.c.disabled_at).join(users).where(sessions.c.id == digest)

    def look(db: Connection) -> tuple[Any, datetime]:
        return db.execute(query).first(), ledger.now(db)

    row, now = ledger.read(look)
    if row is None or row.disabled_at is not None or row.ends_at <= now:
        return None
    if not row.program and now - row.seen_at > IDLE:
        return None
    if now - row.seen_at > _SEEN_EVERY:
        ledger.write(lambda db: db.execute(update(sessions).filter_by(id=digest).values(seen_at=now)))
    return Session(digest, User(row.user_name, Role(row.role)), row.program, row.csrf, row.glass)


def end(ledger: Ledger, session: Session) -> None:
    """Log out."""

    def work(db: Connection) -> None:
        db.execute(delete(sessions).where(sessions.c.id == session.id))
        audit.record(ledger, db, session.user.name, "logout")

    ledger.write(work)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as its user sees it; `id` is the start of its digest, which opens nothing."""

    id: str
    program: bool
    created_at: datetime
    seen_at: datetime
    ends_at: datetime


def open_sessions(ledger: Ledger, user: User) -> list[OpenSession]:
    """The user's sessions and tokens that have not ended, the newest first."""
    s = sessions.c

    def work(db: Connection) -> list[Any]:
        now = ledger.now(db)
        found = select(sessions).where(s.user_name == user.name, s.ends_at > now)
        rows = db.execute(found.order_by(s.created_at.desc())).all()
        return [row for row in rows if row.program or now - row.seen_at <= IDLE]

    return [
        OpenSession(row.id[:_SHOWN], row.program, row.created_at, row.seen_at, row.ends_at)
        for row in ledger.read(work)
    ]


def end_own(ledger: Ledger, user: User, shown: str) -> bool:
    """End the user's session of that short id; False where there is none."""
    s = sessions.c

    def work(db: Connection) -> bool:
        own = delete(sessions).where(s.user_name == user.name, func.substr(s.id, 1, _SHOWN) == shown)
        gone = db.execute(own).rowcount > 0
        if gone:
            audit.record(ledger, db, user.name, "session_ended")
        return gone

    return ledger.write(work, durable=True)


def break_glass(ledger: Ledger, session: Session, submission_id: str, reason: str) -> None:
    """Open one case for this session beyond the role. `reason` is a code; it goes into the audit trail."""

    def work(db: Connection) -> None:
        now = ledger.now(db)
        row = db.execute(select(sessions.c.glass).where(sessions.c.id == session.id).with_for_update()).one()
        glass = {**row.glass, submission_id: now.isoformat()}
        db.execute(update(sessions).where(sessions.c.id == session.id).values(glass=glass))
        audit.record(ledger, db, session.user.name, "glass_broken", submission_id, {"reason": reason})

    ledger.write(work, durable=True)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
