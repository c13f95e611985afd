"""both"""

revision = "m1"
down_revision = ("n1", "b1")


def upgrade():
    pass


def downgrade():
    pass
