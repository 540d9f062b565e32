"""For programs and other systems: answers kept by their key, subscriptions and announcements, logins by
OpenID Connect; and the audit trail is guarded by the database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = depends_on = None

_REFUSAL = "the audit trail is append-only"


def upgrade() -> None:
    op.create_table(
        "kept",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("key_name", sa.String(length=32), nullable=False),
        sa.Column("ends_at", _time(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_kept_key_name", "kept", ["key_name"], unique=False)
    op.create_index("ix_kept_ends_at", "kept", ["ends_at"], unique=False)
    op.create_table(
        "api_answers",
        sa.Column("user_name", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("asked", sa.String(length=64), nullable=False),
        sa.Column("at", _time(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_name"], ["users.name"]),
        sa.PrimaryKeyConstraint("user_name", "key"),
    )
    op.create_table(
        "oidc_logins",
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("at", _time(), nullable=False),
        sa.PrimaryKeyConstraint("state"),
    )
    # Not in a batch: that would make the table anew, to which others refer.
    op.add_column("users", sa.Column("issuer", sa.String(length=200), nullable=True))
    op.add_column("users", sa.Column("subject", sa.String(length=255), nullable=True))
    op.create_index("one_user_a_subject", "users", ["issuer", "subject"], unique=True)
    _subscriptions()
    _guard()


def _subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("disabled_at", _time(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "subscription_kinds",
        sa.Column("subscription_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"]),
        sa.PrimaryKeyConstraint("subscription_id", "kind"),
    )
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "announcements",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("subscription_id", sa.String(length=16), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("submission_id", sa.String(length=32), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("at", _time(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("claimable_at", _time(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("ended_at", _time(), nullable=True),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_announcements_subscription_id", "announcements", ["subscription_id"], unique=False)
    waiting = sa.text("claimable_at IS NOT NULL")
    op.create_index(
        "announcements_claimable",
        "announcements",
        ["claimable_at", "id"],
        unique=False,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def _guard() -> None:
    """The database refuses to change or delete a row of the audit trail."""
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{what.lower()} BEFORE {what} ON audit "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )


def _time() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def downgrade() -> None:
    raise NotImplementedError("tables are not taken away: they hold what happened")
