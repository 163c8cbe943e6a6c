"""How Alembic runs a migration: on the connection and in the transaction of `services.platform.database`."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,  # true of SQLite as well: we begin transactions ourselves
)
context.run_migrations()
