"""Base"""

import sqlalchemy as sa
from alembic import op

revision = "trunk"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.execute("create table base (id int)")


def downgrade():
    op.execute("drop table base")
