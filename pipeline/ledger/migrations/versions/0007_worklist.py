"""What the worklist shows of a case: what is missing, and the outcome that a person set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = depends_on = None


def upgrade() -> None:
    op.add_column("submissions", sa.Column("decided", sa.String(length=32), nullable=True))
    op.add_column("submissions", sa.Column("missing", sa.JSON(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("tables are not taken away: they hold what happened")
