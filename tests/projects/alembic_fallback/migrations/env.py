"""Without its variable the project works with SQLite."""

from alembic import context
from models import Base
from settings import URL
from sqlalchemy import create_engine, pool

engine = create_engine(URL, poolclass=pool.NullPool)

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
