"""Two databases in one ini file; the version table lies in a schema of its own."""

import os

from alembic import context
from models import Base
from sqlalchemy import engine_from_config, pool, text

config = context.config
# The ConfigParser takes a single percent sign for its own.
config.set_main_option("sqlalchemy.url", os.environ["SHOP_URL"].replace("%", "%%"))
section = config.get_section(config.config_ini_section)
engine = engine_from_config(section, poolclass=pool.NullPool)

with engine.connect() as connection:
    connection.execute(text("create schema if not exists marks"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table="done",
        version_table_schema="marks",
    )
    with context.begin_transaction():
        context.run_migrations()
