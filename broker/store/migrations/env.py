"""What Alembic runs: the connection is handed in by `broker.store.migrate`."""

from alembic import context

from broker.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
