"""The models before: one table for each kind of change, which gives it its name."""

import sqlalchemy as sa
from pgvector.sqlalchemy import Vector
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData()


def table(name, *items, **options):
    return sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *items, **options)


def text(name="a", **options):
    return sa.Column(name, sa.Text, **options)


def number(name="n", **options):
    return sa.Column(name, sa.Integer, **options)


table("table_removed", text())
table("column_added")
table("column_removed", text())
table("type_changed", sa.Column("a", sa.String(10)))
table("length_changed", sa.Column("a", sa.String(10)))
table("precision_changed", sa.Column("a", sa.Numeric(10, 2)))
table("timezone_changed", sa.Column("a", sa.DateTime))
table("array_changed", sa.Column("a", pg.ARRAY(sa.Integer)))
table("nullable_changed", text())
table("default_added", text())
table("default_changed", text(server_default="x"))
table("default_removed", text(server_default="x"))
table("column_comment", text())
table("table_comment")
table("collation_changed", text())
table("generated_changed", number(), sa.Column("g", sa.Integer, sa.Computed("n + 1", persisted=True)))
table("identity_added", number(nullable=False))
table("identity_changed", sa.Column("n", sa.Integer, sa.Identity(start=1, increment=1)))
table("index_added", text())
table("index_removed", text(), sa.Index("index_removed_a", "a"))
table("index_columns", text(), text("b"), sa.Index("index_columns_a", "a"))
table("index_unique", text(), sa.Index("index_unique_a", "a"))
table("index_method", text(), sa.Index("index_method_a", "a"))
table("index_opclass", text(), sa.Index("index_opclass_a", "a"))
table("index_predicate", text(), sa.Index("index_predicate_a", "a"))
table("index_include", text(), text("b"), sa.Index("index_include_a", "a"))
table("index_expression", text(), sa.Index("index_expression_a", sa.text("lower(a)")))
table("index_order", text(), sa.Index("index_order_a", "a"))
table("index_options", text(), sa.Index("index_options_a", "a"))


def vectors(name, using, options):
    embedding = sa.Column("v", Vector(3))
    index = sa.Index(
        name + "_v",
        "v",
        postgresql_using=using,
        postgresql_with=options,
        postgresql_ops={"v": "vector_l2_ops"},
    )
    return table(name, embedding, index)


vectors("hnsw_parameters", "hnsw", {"m": 16, "ef_construction": 64})
vectors("ivfflat_parameters", "ivfflat", {"lists": 10})
table("unique_added", text())
table("unique_removed", text(), sa.UniqueConstraint("a", name="unique_removed_a"))
table("unique_columns", text(), text("b"), sa.UniqueConstraint("a", name="unique_columns_a"))
table("unique_deferrable", text(), sa.UniqueConstraint("a", name="unique_deferrable_a"))
table("unique_nulls", text(), sa.UniqueConstraint("a", name="unique_nulls_a"))
table("parent", number(unique=True))
for name, key in (
    ("fk_added", None),
    ("fk_removed", {}),
    ("fk_action", {}),
    ("fk_deferrable", {}),
):
    keys = []
    if key is not None:
        keys.append(sa.ForeignKeyConstraint(["n"], ["parent.id"], name=name + "_n", **key))
    table(name, number(), *keys)
table("fk_unnamed", number())
table("check_added", number())
table("check_removed", number(), sa.CheckConstraint("n > 0", name="check_removed_n"))
table("check_changed", number(), sa.CheckConstraint("n > 0", name="check_changed_n"))
table("exclude_added", sa.Column("r", pg.INT4RANGE))
table(
    "exclude_removed",
    sa.Column("r", pg.INT4RANGE),
    pg.ExcludeConstraint(("r", "&&"), name="exclude_removed_r"),
)
sa.Table(
    "primary_key_changed",
    metadata,
    sa.Column("a", sa.Integer, primary_key=True),
    sa.Column("b", sa.Integer, nullable=False),
)
sa.Table("primary_key_added", metadata, sa.Column("a", sa.Integer, nullable=False))
table("constraint_comment", number(), sa.CheckConstraint("n > 1", name="constraint_comment_n"))
table("enum_value_added", sa.Column("e", sa.Enum("a", "b", name="enum_grows")))
table("enum_value_removed", sa.Column("e", sa.Enum("a", "b", "c", name="enum_shrinks")))
table("enum_reordered", sa.Column("e", sa.Enum("a", "b", "c", name="enum_order")))
table("enum_type_removed", sa.Column("e", sa.Enum("a", "b", name="enum_goes")))
table("enum_type_added")
table("unlogged")
table("storage_parameters")
sa.Sequence("sequence_changed", metadata=metadata, increment=1)
sa.Sequence("sequence_removed", metadata=metadata)
