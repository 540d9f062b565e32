"""What Alembic runs: the revisions, in the transaction of whoever asks for them (`schema.upgrade`)."""

from __future__ import annotations

from alembic import context

from pipeline.ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
