"""Passages"""

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import Vector

revision = "v1"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "passages",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("embedding", Vector(3)),
    )
    op.create_index(
        "passages_embedding_idx",
        "passages",
        ["embedding"],
        postgresql_using="hnsw",
        postgresql_with={"m": 16, "ef_construction": 64},
        postgresql_ops={"embedding": "vector_cosine_ops"},
    )


def downgrade():
    op.drop_table("passages")
