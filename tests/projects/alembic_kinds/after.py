"""The models after: in each table, what its name says."""

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


table("table_added", text())
table("schema_added", text(), schema="apart")
table("column_added", text())
table("column_removed")
table("type_changed", sa.Column("a", sa.Text))
table("length_changed", sa.Column("a", sa.String(20)))
table("precision_changed", sa.Column("a", sa.Numeric(12, 4)))
table("timezone_changed", sa.Column("a", sa.DateTime(timezone=True)))
table("array_changed", sa.Column("a", pg.ARRAY(sa.BigInteger)))
table("nullable_changed", text(nullable=False))
table("default_added", text(server_default="x"))
table("default_changed", text(server_default="y"))
table("default_removed", text())
table("column_comment", text(comment="what it is for"))
table("table_comment", comment="what it is for")
table("collation_changed", sa.Column("a", sa.Text(collation="C")))
table("generated_changed", number(), sa.Column("g", sa.Integer, sa.Computed("n + 2", persisted=True)))
table("identity_added", sa.Column("n", sa.Integer, sa.Identity()))
table("identity_changed", sa.Column("n", sa.Integer, sa.Identity(start=1, increment=5)))
table("index_added", text(), sa.Index("index_added_a", "a"))
table("index_removed", text())
table("index_columns", text(), text("b"), sa.Index("index_columns_a", "a", "b"))
table("index_unique", text(), sa.Index("index_unique_a", "a", unique=True))
table("index_method", text(), sa.Index("index_method_a", "a", postgresql_using="hash"))
table(
    "index_opclass",
    text(),
    sa.Index("index_opclass_a", "a", postgresql_ops={"a": "text_pattern_ops"}),
)
table(
    "index_predicate",
    text(),
    sa.Index("index_predicate_a", "a", postgresql_where=sa.text("a is not null")),
)
table("index_include", text(), text("b"), sa.Index("index_include_a", "a", postgresql_include=["b"]))
table("index_expression", text(), sa.Index("index_expression_a", sa.text("upper(a)")))
table("index_order", text(), sa.Index("index_order_a", sa.text("a DESC")))
table("index_options", text(), sa.Index("index_options_a", "a", postgresql_with={"fillfactor": 50}))


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


vectors("hnsw_parameters", "hnsw", {"m": 24, "ef_construction": 64})
vectors("ivfflat_parameters", "ivfflat", {"lists": 20})
table("unique_added", text(unique=True))
table("unique_removed", text())
table("unique_columns", text(), text("b"), sa.UniqueConstraint("a", "b", name="unique_columns_a"))
table(
    "unique_deferrable",
    text(),
    sa.UniqueConstraint("a", name="unique_deferrable_a", deferrable=True),
)
table(
    "unique_nulls",
    text(),
    sa.UniqueConstraint("a", name="unique_nulls_a", postgresql_nulls_not_distinct=True),
)
table("parent", number(unique=True))
for name, key in (
    ("fk_added", {}),
    ("fk_removed", None),
    ("fk_action", {"ondelete": "CASCADE"}),
    ("fk_deferrable", {"deferrable": True}),
):
    keys = []
    if key is not None:
        keys.append(sa.ForeignKeyConstraint(["n"], ["parent.id"], name=name + "_n", **key))
    table(name, number(), *keys)
table("fk_unnamed", sa.Column("n", sa.Integer, sa.ForeignKey("parent.id")))
table("check_added", number(), sa.CheckConstraint("n > 0", name="check_added_n"))
table("check_removed", number())
table("check_changed", number(), sa.CheckConstraint("n > 1", name="check_changed_n"))
table(
    "exclude_added",
    sa.Column("r", pg.INT4RANGE),
    pg.ExcludeConstraint(("r", "&&"), name="exclude_added_r"),
)
table("exclude_removed", sa.Column("r", pg.INT4RANGE))
sa.Table(
    "primary_key_changed",
    metadata,
    sa.Column("a", sa.Integer, primary_key=True),
    sa.Column("b", sa.Integer, primary_key=True),
)
sa.Table("primary_key_added", metadata, sa.Column("a", sa.Integer, primary_key=True, autoincrement=False))
table(
    "constraint_comment",
    number(),
    sa.CheckConstraint("n > 1", name="constraint_comment_n", comment="why"),
)
table("enum_value_added", sa.Column("e", sa.Enum("a", "b", "c", name="enum_grows")))
table("enum_value_removed", sa.Column("e", sa.Enum("a", "b", name="enum_shrinks")))
table("enum_reordered", sa.Column("e", sa.Enum("b", "a", "c", name="enum_order")))
table("enum_type_removed")
table("enum_type_added", sa.Column("e", sa.Enum("a", "b", name="enum_comes")))
table("extension_added", sa.Column("a", pg.CITEXT))
table("partitioned", postgresql_partition_by="HASH (id)")
table("unlogged", prefixes=["UNLOGGED"])
table("storage_parameters", postgresql_with={"fillfactor": 50})
sa.Sequence("sequence_added", metadata=metadata)
sa.Sequence("sequence_changed", metadata=metadata, increment=10)
