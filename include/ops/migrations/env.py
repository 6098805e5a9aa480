"""Alembic's entry: runs the revisions on the connection that include.ops.migrate hands over."""

from alembic import context

from include.ops.db import SCHEMA

context.configure(connection=context.config.attributes["connection"], version_table_schema=SCHEMA)
context.run_migrations()
