"""Second"""

import sqlalchemy as sa
from alembic import op

revision = "p2"
down_revision = "p1"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("create table second (id int)")


def downgrade():
    raise NotImplementedError("there is no way back")
