"""The URL is put together from variables."""

from alembic import context
from models import Base
from settings import settings
from sqlalchemy import create_engine, pool

engine = create_engine(settings.url, poolclass=pool.NullPool)

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
