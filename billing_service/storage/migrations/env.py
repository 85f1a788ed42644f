"""Alembic's entry: runs the migrations on the connection that `storage.migrate` hands over."""

from alembic import context

from billing_service.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, transactional_ddl=True, transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
