"""Prints on stdout, and keeps a pool of connections for the whole process."""

import sys
from logging.config import fileConfig

import settings
from alembic import context
from sqlalchemy import MetaData, create_engine

print("Using database:", settings.URL)
print('{"event": "plan", "total": 99}')
assert sys.stdin.read() == ""

fileConfig(context.config.config_file_name)
if not hasattr(settings, "engine"):
    settings.engine = create_engine(settings.URL)

with settings.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=MetaData(),
        version_table="legacy_version",
        version_table_schema=None if "sqlite" in settings.URL else "public",
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
