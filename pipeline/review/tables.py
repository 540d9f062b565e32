"""Tables of the reviewer's desk, in the ledger's database. No text of a patient stands in clear in any.

What a correction says (from, to, why) is a sealed record of the ledger (`ledger.texts`, kind `correction`).
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Integer, String, Table, UniqueConstraint

from pipeline.ledger.tables import Utc, metadata

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
    Column("kind", String(24), nullable=False),  # accept, change, reject, retype, outcome, undo
    Column("subject", String(80), nullable=False),  # findings.intent, documents.d2, outcome
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1, without a gap
    Column("at", Utc, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("action", String(40), nullable=False),
    Column("submission_id", String(32), index=True),
    Column("data", JSON, nullable=False),  # codes, counts, ids
    Column("chain", String(140), nullable=False),  # NAME:hex, over this row and the one before
    UniqueConstraint("chain", name="one_link_a_row"),
)
