"""Tables of the reviewer's desk, in the ledger's database. No text of a patient stands in clear in any.

What a correction says (from, to, why) is a sealed record of the ledger (`ledger.texts`, kind `correction`).
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, String, Table

from pipeline.audit import audit
from pipeline.ledger.tables import Utc, metadata

__all__ = ["api_answers", "assignments", "audit", "corrections", "oidc_logins", "sessions", "users"]

users = Table(
    "users",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("role", String(24), nullable=False),
    Column("password", String(200)),  # argon2id; None where another system logs the person in
    Column("created_at", Utc, nullable=False),
    Column("disabled_at", Utc),
    Column("failures", Integer, nullable=False),  # wrong passwords in a row
    Column("locked_until", Utc),
    Column("issuer", String(200)),  # whom another system logs in: that system, and its name for the person
    Column("subject", String(255)),
    Index("one_user_a_subject", "issuer", "subject", unique=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),  # SHA-256 of the token: the table opens no session
    Column("user_name", String(80), ForeignKey("users.name"), nullable=False, index=True),
    Column("program", Boolean, nullable=False),  # a token for a program: no cookie, no idle end
    Column("csrf", String(64), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
    Column("ends_at", Utc, nullable=False),
    Column("glass", JSON, nullable=False),  # cases opened by breaking the glass
)

assignments = Table(
    "assignments",
    metadata,
    Column("submission_id", String(32), ForeignKey("submissions.id"), primary_key=True),
    Column("user_name", String(80), ForeignKey("users.name"), nullable=False, index=True),
    Column("at", Utc, nullable=False),
)

corrections = Table(
    "corrections",
    metadata,
    Column("submission_id", String(32), ForeignKey("submissions.id"), primary_key=True),
    Column("number", Integer, primary_key=True),  # from 1: also the number of the sealed record
    Column("case_number", Integer, nullable=False),  # the reading that it corrects
    Column("at", Utc, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("kind", String(24), nullable=False),  # as `corrections.Kind`
    Column("subject", String(80), nullable=False),  # findings.intent, pages.0.12, outcome, 3 (undone)
)

api_answers = Table(
    "api_answers",
    metadata,
    Column("user_name", String(80), ForeignKey("users.name"), primary_key=True),
    Column("key", String(64), primary_key=True),  # SHA-256 of the Idempotency-Key
    Column("asked", String(64), nullable=False),  # SHA-256 of what was asked, and in which role
    Column("at", Utc, nullable=False),
    Column("done", Boolean, nullable=False),  # then the answer is kept, sealed (`ledger.keeping`)
)

oidc_logins = Table(
    "oidc_logins",
    metadata,
    Column("state", String(64), primary_key=True),  # SHA-256: the table finishes no login
    Column("at", Utc, nullable=False),
)
