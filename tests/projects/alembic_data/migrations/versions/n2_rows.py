"""many rows, in several steps"""

import sqlalchemy as sa
from alembic import op

revision = "n2"
down_revision = "n1"


def upgrade():
    connection = op.get_bind()
    for start in range(0, 50_000, 10_000):
        connection.execute(
            sa.text("insert into notes (body) select 'note ' || n from generate_series(cast(:a as int), :b) n"),
            {"a": start, "b": start + 9_999},
        )


def downgrade():
    op.execute("delete from notes")
