"""What became of each request that a channel was handed: acknowledged, failed with a code, or neither yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = depends_on = None


def upgrade() -> None:
    op.create_table(
        "handovers",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("reference", sa.String(length=12), nullable=False),
        sa.Column("submission_id", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("receipt", sa.String(length=300), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("handed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ask_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["reference"], ["requests.reference"]),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"]),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_handovers_reference", "handovers", ["reference"], unique=False)
    op.create_index("ix_handovers_ask_at", "handovers", ["ask_at"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("tables are not taken away: they hold what happened")
