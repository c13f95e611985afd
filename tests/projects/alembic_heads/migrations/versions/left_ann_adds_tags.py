"""Ann adds tags"""

import sqlalchemy as sa
from alembic import op

revision = "left"
down_revision = "trunk"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("create table tags (id int)")


def downgrade():
    op.execute("drop table tags")
