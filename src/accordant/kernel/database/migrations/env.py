"""Runs the revisions on the connection, and inside the transaction, that whoever prepares the schema has opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
