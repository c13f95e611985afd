"""invoices"""

import sqlalchemy as sa
from alembic import op

revision = "b1"
down_revision = None
branch_labels = ("billing",)
depends_on = "n1"


def upgrade():
    op.create_table("invoices", sa.Column("id", sa.Integer, primary_key=True))
    # There only because of depends_on.
    op.execute("insert into notes (body) values ('billing begins')")


def downgrade():
    op.drop_table("invoices")
