"""Ben adds labels"""

import sqlalchemy as sa
from alembic import op

revision = "right"
down_revision = "trunk"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("create table labels (id int)")


def downgrade():
    op.execute("drop table labels")
