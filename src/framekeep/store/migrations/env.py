"""Alembic's entry: migrate over the connection that `upgrade` was given."""

from alembic import context

from framekeep.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=False
)
context.run_migrations()
