"""Alembic's entry: it runs inside the transaction that `medviewer.archive.sessions` has open."""

from __future__ import annotations

from alembic import context

from medviewer.archive.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters few things in place
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
