"""Orders"""

import sqlalchemy as sa
from alembic import op

revision = "b2"
down_revision = "a1"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "customer_id",
            sa.Integer(),
            sa.ForeignKey("customers.id", name="orders_customer_id_fkey"),
            nullable=False,
        ),
    )
    op.create_index("orders_customer_id_idx", "orders", ["customer_id"])


def downgrade():
    op.drop_table("orders")
