"""First"""

import sqlalchemy as sa
from alembic import op

revision = "p1"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.execute("create table first (id int)")


def downgrade():
    op.execute("drop table first")
