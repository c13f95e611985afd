"""Autogenerate as devdb has it done: what is found as data, what is inherited left out, and the
file mended where it would not apply, not go back, or not import.

Runs on every Python and Alembic that runner.py runs on.
"""

import ast
import builtins
import importlib
import os
import re

from alembic.autogenerate import render
from alembic.autogenerate.api import RevisionContext
from alembic.operations import ops
from alembic.script import ScriptDirectory
from sqlalchemy import ARRAY, text
from sqlalchemy import Enum as SaEnum
from sqlalchemy.types import TypeDecorator

# Names that an extension brings, where they are not the extension's own.
BRINGS = {
    "vector": ("halfvec", "sparsevec", "hnsw", "ivfflat"),
    "postgis": ("geometry", "geography", "box2d", "box3d"),
    "ltree": ("lquery", "ltxtquery"),
    "isn": ("ean13", "isbn", "isbn13", "ismn", "issn", "upc"),
    "pg_trgm": ("gin_trgm_ops", "gist_trgm_ops", "similarity", "word_similarity"),
    "uuid-ossp": ("uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"),
    "pgcrypto": ("gen_random_bytes", "crypt", "gen_salt", "digest", "hmac"),
    "unaccent": ("unaccent",),
}
EXTENSION_OF = {name: extension for extension, names in BRINGS.items() for name in names}


class Sql(ops.MigrateOperation):
    """SQL of devdb's own, with the reason for it as a comment."""

    def __init__(self, comment, statements, autocommit=False, about=None):
        self.comment = comment
        self.statements = statements
        self.autocommit = autocommit
        # Kind and object, where it is something that was found; else it serves another operation.
        self.about = about


@render.renderers.dispatch_for(Sql)
def _render_sql(autogen_context, op):
    prefix = autogen_context.opts["alembic_module_prefix"] or ""
    lines = ["# devdb: " + line for line in op.comment.splitlines()]
    if op.autocommit:
        lines.append("with %sget_context().autocommit_block():" % prefix)
    for statement in op.statements:
        # What is said above a statement is said in Python.
        while statement.startswith("-- "):
            said, _newline, statement = statement.partition("\n")
            lines.append("# " + said[3:])
        parts = [quoted(part) for part in escaped(statement).splitlines(True)]
        if len(parts) == 1:
            lines.append("%sexecute(%s)" % (prefix, parts[0]))
        else:
            lines.append("%sexecute(" % prefix)
            lines.extend("    " + part for part in parts)
            lines.append(")")
    if op.autocommit:
        lines.append("")  # ends the block
    return lines


def quoted(line):
    """A Python literal, with double quotes where that needs no more escapes."""
    if '"' in line or "\\" in line:
        return repr(line)
    return '"%s"' % repr(line)[1:-1].replace("\\'", "'")


def escaped(sql):
    """`op.execute` takes `:name` for a parameter."""
    return re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", sql)


class Generation:
    """One run of `alembic revision --autogenerate`, from a request of devdb's."""

    def __init__(self, request):
        self.write = request["autogenerate"] == "write"
        self.leave_out = set(request.get("leave_out", ()))
        self.blocks = request.get("blocks", {})
        self.found = []
        self.left_out = []
        self.mended = []
        # Statements that the models take for granted as well.
        self.grounds = []
        self.files = []
        self.compare = RevisionContext.run_autogenerate
        self.generate = RevisionContext.generate_scripts
        self.template = ScriptDirectory._generate_template

    def __enter__(self):
        def run_autogenerate(context, revision, migration_context):
            scripts = list(context.generated_revisions)
            self.compare(context, revision, migration_context)
            # After env.py's own hooks had their say, and while it is connected.
            if not context.generated_revisions:
                # They take away a script without operations; devdb may have some.
                for script in scripts:
                    script.upgrade_ops_list[-1].ops[:] = []
                    script.downgrade_ops_list[-1].ops[:] = []
                    script._needs_render = True
                context.generated_revisions.extend(scripts)
            self.look(context)

        def generate_scripts(context):
            if self.write and (self.found or self.blocks):
                for script in self.generate(context):
                    if script is not None:
                        self.files.append(os.path.abspath(str(script.path)))
                        yield script

        def _generate_template(script_directory, source, path, **keywords):
            self.template(script_directory, source, path, **keywords)
            self.mend_file(str(path))

        RevisionContext.run_autogenerate = run_autogenerate
        RevisionContext.generate_scripts = generate_scripts
        ScriptDirectory._generate_template = _generate_template
        return self

    def __exit__(self, *_error):
        RevisionContext.run_autogenerate = self.compare
        RevisionContext.generate_scripts = self.generate
        ScriptDirectory._generate_template = self.template

    def look(self, context):
        autogen_context = context._last_autogen_context
        rules = Rules(autogen_context, self)
        for script in context.generated_revisions:
            # One for each database of env.py; the last is the one that was just compared.
            up, down = script.upgrade_ops_list[-1], script.downgrade_ops_list[-1]
            rules.prepend_enum_values(up)
            self.take_out(autogen_context, up, down)
            self.found.extend(listed(autogen_context, up))
            rules.mend(up, down)
            self.add_blocks(up, down)

    def take_out(self, autogen_context, up, down):
        gone = []
        for container, op in list(leaves(up)):
            if code(autogen_context, op) in self.leave_out:
                container.ops.remove(op)
                self.left_out.append(described(autogen_context, op))
                gone.append(op)
        for op in gone:
            way_back = mirrored(autogen_context, op)
            for container, other in list(leaves(down)):
                if code(autogen_context, other) == way_back:
                    container.ops.remove(other)
                    break
        for container in (up, down):
            container.ops[:] = [op for op in container.ops if getattr(op, "ops", True)]

    def add_blocks(self, up, down):
        def made(name):
            return [
                Sql(block["comment"], block["sql"], block.get("autocommit", False))
                for block in self.blocks.get(name, ())
            ]

        up.ops[:] = up.ops + made("up")
        down.ops[:] = made("down_first") + down.ops + made("down_last")

    def mend_file(self, path):
        """Types of others are written by their full name, and nobody imports them."""
        with open(path, encoding="utf-8") as file:
            source = file.read()
        missing = missing_imports(source)
        if missing:
            self.mended.append("imports " + ", ".join(missing))
            with open(path, "w", encoding="utf-8") as file:
                file.write(with_imports(source, missing))


class Rules:
    """What makes a file apply that would not."""

    def __init__(self, autogen_context, generation):
        self.context = autogen_context
        self.generation = generation
        self.connection = autogen_context.connection
        self.dialect = autogen_context.dialect
        self.is_postgres = self.dialect.name == "postgresql" and self.connection is not None
        self.users_render = autogen_context.opts.get("render_item")
        if self.is_postgres:
            autogen_context.opts["render_item"] = self.render_item

    def ask(self, sql, **values):
        return self.connection.execute(text(sql), values).fetchall()

    def render_item(self, kind, item, autogen_context):
        if self.users_render:
            rendered = self.users_render(kind, item, autogen_context)
            if rendered is not False:
                return rendered
        enum = named_enum(item, self.dialect) if kind == "type" else None
        # An array is written around its items.
        if enum is None or is_array(item, self.dialect):
            return False
        # The type is made once, by a statement of its own; a table that makes it on its way fails
        # where another has done so.
        if autogen_context.imports is not None:
            autogen_context.imports.add("from sqlalchemy.dialects import postgresql")
        parts = [repr(str(label)) for label in enum.enums]
        parts.append("name=%r" % str(enum.name))
        if enum.schema:
            parts.append("schema=%r" % str(enum.schema))
        return "postgresql.ENUM(%s, create_type=False)" % ", ".join(parts)

    def prepend_enum_values(self, up):
        """Values that the models have and the type has not: autogenerate does not look there."""
        if not self.is_postgres:
            return
        first, seen = [], set()
        for enum in model_enums(self.context, self.dialect):
            name = self.type_name(enum)
            there = self.labels(enum)
            if there is None or name in seen:
                continue
            seen.add(name)
            wanted = [str(label) for label in enum.enums]
            for at, label in enumerate(wanted):
                if label in there:
                    continue
                before = [other for other in wanted[:at] if other in there]
                after = [other for other in wanted[at:] if other in there]
                place = ""
                if before:
                    place = " AFTER " + literal(before[-1])
                elif after:
                    place = " BEFORE " + literal(after[0])
                sql = "ALTER TYPE %s ADD VALUE %s%s" % (name, literal(label), place)
                if before:
                    there.insert(there.index(before[-1]) + 1, label)
                else:
                    there.insert(there.index(after[0]) if after else 0, label)
                about = ("add_enum_value", "%s.%s" % (name, label))
                first.append(Sql("a new value can be used once it is committed", [sql], True, about))
        up.ops[:0] = first

    def mend(self, up, down):
        if not self.is_postgres:
            return
        for container, op in list(leaves(up)):
            self.name_constraint(op, down)
        first = self.schemas(up) + self.extensions(up) + self.types(up)
        # After the new values of types: those end the transaction.
        at = len([op for op in up.ops if isinstance(op, Sql)])
        up.ops[at:at] = first

    def schemas(self, up):
        made = []
        for op in [op for _container, op in leaves(up)]:
            schema = getattr(op, "schema", None)
            if not isinstance(op, ops.CreateTableOp) or not schema or schema in made:
                continue
            if not self.ask("select 1 from pg_catalog.pg_namespace where nspname = :n", n=schema):
                made.append(schema)
        self.generation.mended += ["creates the schema " + name for name in made]
        made = ["CREATE SCHEMA IF NOT EXISTS " + self.quote(name) for name in made]
        self.generation.grounds += made
        return [Sql("autogenerate takes schemas for granted", [sql]) for sql in made]

    def types(self, up):
        made, result = set(), []
        for op in [op for _container, op in leaves(up)]:
            for column_type in types_of(op):
                enum = named_enum(column_type, self.dialect)
                if enum is None or self.labels(enum) is not None:
                    continue
                name = self.type_name(enum)
                if name in made:
                    continue
                made.add(name)
                labels = ", ".join(literal(str(label)) for label in enum.enums)
                sql = "CREATE TYPE %s AS ENUM (%s)" % (name, labels)
                result.append(Sql("the type is made once, for all its columns", [sql]))
                self.generation.mended.append("creates the type " + name)
        return result

    def extensions(self, up):
        wanted = []
        for op in [op for _container, op in leaves(up)]:
            for name in self.names_needed(op):
                extension = EXTENSION_OF.get(name, name)
                if extension not in wanted and self.is_missing(name):
                    wanted.append(extension)
        offered = []
        for name in wanted:
            sql = (
                "select 1 from pg_catalog.pg_available_extensions"
                " where name = :n and installed_version is null"
            )
            if self.ask(sql, n=name):
                offered.append(name)
        self.generation.mended += ["creates the extension " + name for name in offered]
        offered = ["CREATE EXTENSION IF NOT EXISTS " + self.quote(name) for name in offered]
        self.generation.grounds += offered
        why = "what follows uses it, and no migration before has made it"
        return [Sql(why, [sql]) for sql in offered]

    def names_needed(self, op):
        """Types, access methods, operator classes and functions by name, as an operation writes
        them."""
        for column_type in types_of(op):
            if named_enum(column_type, self.dialect) is None:
                try:
                    written = column_type.compile(dialect=self.dialect)
                except Exception:
                    continue
                name = re.split(r"[(\[]", written)[0].strip().strip('"').lower()
                # Names of several words, such as `double precision`, are SQL's own.
                if re.match(r"\w+$", name):
                    yield name
        if isinstance(op, ops.CreateIndexOp):
            options = op.kw
            if options.get("postgresql_using"):
                yield str(options["postgresql_using"]).lower()
            for name in (options.get("postgresql_ops") or {}).values():
                yield str(name).lower()
        for column in columns_of(op):
            default = getattr(column.server_default, "arg", None)
            for name in re.findall(r"(\w+)\s*\(", str(default if default is not None else "")):
                if name.lower() in EXTENSION_OF:
                    yield name.lower()

    def is_missing(self, name):
        return not self.ask(
            "select 1 from pg_catalog.pg_type where typname = :n"
            " union all select 1 from pg_catalog.pg_am where amname = :n"
            " union all select 1 from pg_catalog.pg_opclass where opcname = :n"
            " union all select 1 from pg_catalog.pg_proc where proname = :n"
            # `integer` and the like: names that SQL has and the catalog has not.
            " union all select 1 where pg_catalog.to_regtype(:n) is not null",
            n=name,
        )

    def name_constraint(self, op, down):
        """A constraint without a name cannot be dropped again. Postgres would choose this one."""
        ends = {
            ops.CreateUniqueConstraintOp: "key",
            ops.CreateForeignKeyOp: "fkey",
            ops.CreateCheckConstraintOp: "check",
            ops.CreatePrimaryKeyOp: "pkey",
        }
        end = ends.get(type(op))
        if end is None or op.constraint_name is not None:
            return
        if isinstance(op, ops.CreateForeignKeyOp):
            table, columns = op.source_table, op.local_cols
        elif isinstance(op, ops.CreateCheckConstraintOp):
            table, columns = op.table_name, []
        else:
            table, columns = op.table_name, op.columns
        parts = [] if end == "pkey" else [str(getattr(c, "name", c)) for c in columns]
        schema = getattr(op, "schema", None) or getattr(op, "kw", {}).get("source_schema")
        name = self.free_name(table, "_".join(parts), end, schema)
        was = code(self.context, op)
        for _container, other in leaves(down):
            if isinstance(other, ops.DropConstraintOp) and other.constraint_name is None:
                made = getattr(other, "_reverse", None)
                if made is not None and code(self.context, made) == was:
                    other.constraint_name = name
                    break
        op.constraint_name = name
        self.generation.mended.append("names the constraint " + name)

    def free_name(self, table, columns, end, schema):
        taken = self.ask(
            "select c.conname from pg_catalog.pg_constraint c"
            " join pg_catalog.pg_class t on t.oid = c.conrelid"
            " join pg_catalog.pg_namespace n on n.oid = t.relnamespace"
            " where n.nspname = coalesce(:s, pg_catalog.current_schema()) and t.relname = :t",
            s=schema,
            t=table,
        )
        taken = [row[0] for row in taken]
        number = 0
        while True:
            name = object_name(table, columns, end + (str(number) if number else ""))
            if name not in taken:
                return name
            number += 1

    def labels(self, enum):
        """The labels of a type that stands, in order; `None` where there is no such type."""
        sql = (
            "select t.oid, e.enumlabel from pg_catalog.pg_type t"
            " left join pg_catalog.pg_enum e on e.enumtypid = t.oid"
            " join pg_catalog.pg_namespace n on n.oid = t.typnamespace"
            " where t.typname = :n and "
        )
        if enum.schema:
            rows = self.ask(
                sql + "n.nspname = :s order by e.enumsortorder", n=enum.name, s=enum.schema
            )
        else:
            rows = self.ask(
                sql + "pg_catalog.pg_type_is_visible(t.oid) order by e.enumsortorder", n=enum.name
            )
        return [row[1] for row in rows if row[1] is not None] if rows else None

    def type_name(self, enum):
        name = self.quote(enum.name)
        return "%s.%s" % (self.quote(enum.schema), name) if enum.schema else name

    def quote(self, name):
        return self.dialect.identifier_preparer.quote(name)


# operations


def leaves(container):
    """Every operation with the container that it stands in."""
    for op in list(container.ops):
        if hasattr(op, "ops"):
            for inner in leaves(op):
                yield inner
        else:
            yield container, op


def code(autogen_context, op):
    """The operation as it is written into a file: the same text, the same operation."""
    kept = autogen_context.imports
    autogen_context.imports = set()
    try:
        return render.render_op_text(autogen_context, op)
    except Exception:
        return repr(op)
    finally:
        autogen_context.imports = kept


def mirrored(autogen_context, op):
    try:
        return code(autogen_context, op.reverse())
    except Exception:
        return None


def described(autogen_context, op):
    about = getattr(op, "about", None)
    if about:
        kind, name = about
    else:
        kind = re.sub(r"Op$", "", type(op).__name__)
        kind = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()
        name = object_of(op)
    return {"kind": kind, "object": name, "code": code(autogen_context, op)}


def listed(autogen_context, container):
    """The operations in a container, each as kind, object and code."""
    return [
        described(autogen_context, op)
        for _container, op in leaves(container)
        if not isinstance(op, Sql) or op.about
    ]


def object_of(operation):
    def get(*names):
        for name in names:
            value = getattr(operation, name, None)
            if value is not None:
                return str(value)
        return None

    table = get("table_name", "source_table")
    column = getattr(operation, "column", None)
    name = get("column_name", "constraint_name", "index_name")
    if column is not None and hasattr(column, "name"):
        name = column.name
    if table is None and name is None:
        target = getattr(operation, "target", None)  # alembic_utils
        return str(getattr(target, "identity", None) or get("sqltext", "name") or "")
    parts = [part for part in (get("schema", "source_schema"), table, name) if part]
    text = ".".join(parts)
    if type(operation).__name__ == "AlterColumnOp":
        changes = [
            word
            for word, changed in (
                ("type", operation.modify_type is not None),
                ("nullable", operation.modify_nullable is not None),
                ("server_default", operation.modify_server_default is not False),
                ("comment", operation.modify_comment is not False),
                ("name", operation.modify_name is not None),
            )
            if changed
        ]
        text += " (%s)" % ", ".join(changes)
    return text


def columns_of(op):
    if isinstance(op, ops.CreateTableOp):
        return [item for item in op.columns if hasattr(item, "server_default")]
    if isinstance(op, ops.AddColumnOp):
        return [op.column]
    return []


def types_of(op):
    found = [column.type for column in columns_of(op)]
    if isinstance(op, ops.AlterColumnOp) and op.modify_type is not None:
        found.append(op.modify_type)
    return found


# types


def plain(column_type, dialect):
    """What the dialect makes of a type, without decorators."""
    try:
        if hasattr(column_type, "_unwrapped_dialect_impl"):
            return column_type._unwrapped_dialect_impl(dialect)
        return column_type.dialect_impl(dialect)
    except Exception:
        return column_type


def is_array(column_type, dialect):
    return isinstance(plain(column_type, dialect), ARRAY)


def named_enum(column_type, dialect):
    """The enum type that a column needs in the database, be it in an array or a decorator."""
    kind = plain(column_type, dialect)
    while isinstance(kind, ARRAY):
        kind = plain(kind.item_type, dialect)
    if isinstance(kind, TypeDecorator):
        kind = plain(kind.impl, dialect)
    is_native = isinstance(kind, SaEnum) and getattr(kind, "native_enum", True)
    return kind if is_native and kind.name and kind.enums else None


def model_enums(autogen_context, dialect):
    found = autogen_context.metadata
    for metadata in found if isinstance(found, (list, tuple)) else [found]:
        for table in metadata.sorted_tables if metadata is not None else []:
            for column in table.columns:
                enum = named_enum(column.type, dialect)
                if enum is not None:
                    yield enum


def literal(value):
    return "'%s'" % value.replace("'", "''")


def object_name(first, second, end):
    """makeObjectName in Postgres' src/backend/commands/indexcmds.c: at most 63 bytes, the longer
    of the two names is cut first."""
    rest = 63 - len(end.encode()) - 1 - (1 if second else 0)
    first, second = first.encode(), second.encode()
    while len(first) + len(second) > rest:
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    parts = [first.decode(errors="ignore"), second.decode(errors="ignore"), end]
    return "_".join(part for part in parts if part)


# the file


def missing_imports(source):
    """Modules that a file names in full and does not import, as far as they can be imported."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    bound, used = set(dir(builtins)), []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound.update((a.asname or a.name).split(".")[0] for a in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.Attribute):
            used.append(dotted(node))
    modules = set()
    for path in used:
        if path and path[0] not in bound:
            module = longest_module(path)
            if module:
                modules.add(module)
    # A package comes with its module.
    return sorted(m for m in modules if not any(o.startswith(m + ".") for o in modules))


def dotted(node):
    names = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id] + names if isinstance(node, ast.Name) else None


def longest_module(path):
    found = None
    for count in range(1, len(path)):
        name = ".".join(path[:count])
        try:
            importlib.import_module(name)
        except Exception:
            break
        found = name
    return found


def with_imports(source, modules):
    """After the last import at the top of the file."""
    at = 0
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            at = getattr(node, "end_lineno", None) or node.lineno
    lines = source.splitlines(True)
    if at == 0:
        # Behind a docstring, if there is one.
        first = ast.parse(source).body[:1]
        if first and isinstance(first[0], ast.Expr):
            at = getattr(first[0], "end_lineno", None) or first[0].lineno
    lines[at:at] = ["import %s\n" % module for module in modules]
    return "".join(lines)
