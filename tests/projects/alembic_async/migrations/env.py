"""An async engine, as Alembic's own async template has it."""

import asyncio
import os

from alembic import context
from sqlalchemy import Column, Integer, MetaData, Table, Text, pool
from sqlalchemy.ext.asyncio import create_async_engine

metadata = MetaData()
Table("notes", metadata, Column("id", Integer, primary_key=True), Column("body", Text))


def run(connection):
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


async def main():
    engine = create_async_engine(os.environ["ASYNC_URL"], poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


asyncio.run(main())
