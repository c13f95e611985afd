//! Tables in every form, with their columns, constraints and rows.

use super::types::{Base, Type};
use super::{Model, Thing, What, ident, literal};

#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Quoted.
    pub name: String,
    pub of: Type,
    /// Postgres computes its values.
    pub computed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Partitioned,
    Partition,
    Foreign,
    Typed,
}

const TABLE_PRIVILEGES: &[&str] = &[
    "select",
    "insert, update",
    "all",
    "trigger, references",
    "truncate",
];

impl Model {
    pub(super) fn form(&self, table: &Thing) -> Form {
        match table.below("form", 12) {
            0..=2 => Form::Partitioned,
            3 | 4 if self.partition_parent(table).is_some() => Form::Partition,
            5 if table.choose("server", self.of(&[What::Server])).is_some() => Form::Foreign,
            6 if table.choose("type", self.of(&[What::Composite])).is_some() => Form::Typed,
            _ => Form::Plain,
        }
    }

    fn partition_parent<'a>(&'a self, table: &'a Thing) -> Option<&'a Thing> {
        let before = self.before(table, &[What::Table]);
        table.choose(
            "parent",
            before.filter(|t| matches!(t.below("form", 12), 0..=2)),
        )
    }

    fn parents<'a>(&'a self, table: &'a Thing) -> Vec<&'a Thing> {
        match self.form(table) {
            Form::Partition => self.partition_parent(table).into_iter().collect(),
            Form::Plain if table.chance("inherits", 5) => {
                let plain = || {
                    let before = self.before(table, &[What::Table]);
                    before.filter(|t| self.form(t) == Form::Plain)
                };
                let mut parents: Vec<&Thing> =
                    table.choose("first parent", plain()).into_iter().collect();
                if table.chance("inherits twice", 4) {
                    parents.extend(table.choose("second parent", plain()));
                }
                parents.dedup_by_key(|p| p.seed);
                parents
            }
            _ => Vec::new(),
        }
    }

    /// The columns of its primary key, where it has one that others may refer to.
    pub(super) fn key(&self, table: &Thing) -> Vec<Column> {
        let (name, sample, sql, base) = match table.below("key type", 4) {
            0 | 1 => ("id", "7", "integer", Base::Number),
            2 => ("id", "7", "bigint", Base::Number),
            _ => ("ID", "x", "text", Base::Text),
        };
        let column = |name: &str, sql: &str, base, sample: &str| Column {
            name: ident(name),
            of: Type {
                sql: sql.into(),
                base,
                sample: sample.into(),
            },
            computed: false,
        };
        match self.form(table) {
            Form::Plain if !table.chance("keyless", 4) => vec![column(name, sql, base, sample)],
            Form::Partitioned if !table.chance("keyless", 3) => {
                vec![
                    column(name, sql, base, sample),
                    column("part", "integer", Base::Number, "7"),
                ]
            }
            _ => Vec::new(),
        }
    }

    fn own_column(&self, part: &Thing) -> Column {
        Column {
            name: ident(&part.name()),
            of: self.type_of(part),
            computed: false,
        }
    }

    /// Everything that can be selected from a table.
    pub(super) fn columns(&self, table: &Thing) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        for parent in self.parents(table) {
            columns.extend(self.columns(parent));
        }
        match self.form(table) {
            Form::Partition => return columns,
            Form::Typed => {
                let Some(of) = table.choose("type", self.of(&[What::Composite])) else {
                    return columns;
                };
                columns.extend(of.parts.iter().map(|part| self.own_column(part)));
                return columns;
            }
            Form::Partitioned if table.chance("keyless", 3) => columns.push(Column {
                name: ident("part"),
                of: Type {
                    sql: "integer".into(),
                    base: Base::Number,
                    sample: "7".into(),
                },
                computed: false,
            }),
            _ => columns.extend(self.key(table)),
        }
        for part in &table.parts {
            let mut column = self.own_column(part);
            if let Some((of, _)) = generated(part, &columns) {
                column.of = of;
                column.computed = true;
            }
            column.computed |= identity(part, &column).is_some();
            columns.push(column);
        }
        columns
    }
}

/// The type and the expression of a generated column, over one of the columns before it.
fn generated(part: &Thing, before: &[Column]) -> Option<(Type, String)> {
    let before: Vec<&Column> = before.iter().filter(|c| !c.computed).collect();
    if before.is_empty() || !part.chance("generated", 8) {
        return None;
    }
    let of = part.pick("generated from", &before);
    let (sql, base, sample, expression) = match of.of.base {
        Base::Number => (
            "numeric",
            Base::Number,
            "7",
            format!("{} * {}", of.name, part.pick("factor", &[2, 3])),
        ),
        Base::Text => (
            "text",
            Base::Text,
            "x",
            format!("{}({})", part.pick("case", &["lower", "upper"]), of.name),
        ),
        _ => (
            "boolean",
            Base::Bool,
            "t",
            format!("{} is not null", of.name),
        ),
    };
    let of = Type {
        sql: sql.into(),
        base,
        sample: sample.into(),
    };
    Some((of, expression))
}

fn identity(part: &Thing, column: &Column) -> Option<String> {
    let whole = ["smallint", "integer", "bigint"].contains(&column.of.sql.as_str());
    (whole && part.chance("identity", 5)).then(|| {
        let how = part.pick("identity kind", &["always", "by default"]);
        let options = part.pick(
            "identity options",
            &[
                "",
                " (start 10)",
                " (increment 5 cache 3)",
                " (minvalue -5 start -5 cycle)",
            ],
        );
        format!("{how} as identity{options}")
    })
}

fn partition_by(table: &Thing) -> String {
    let key = table.pick("partition key", &["part", "part", "part", "(part + 1)"]);
    format!(" partition by {} ({key})", partition_method(table))
}

fn partition_method(table: &Thing) -> &'static str {
    table.word("partition method", &["range", "range", "list", "hash"])
}

fn bound(table: &Thing, parent: &Thing) -> String {
    let n = table.below("bound", 6);
    match partition_method(parent) {
        _ if n == 5 => "default".into(),
        "range" => format!("for values from ({}) to ({})", n * 10, n * 10 + 10),
        "list" => format!("for values in ({n}, {})", n + 10),
        _ => format!("for values with (modulus 5, remainder {n})"),
    }
}

pub(super) fn table(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let form = model.form(thing);
    let parents: Vec<String> = model
        .parents(thing)
        .into_iter()
        .map(|p| model.path(p))
        .collect();
    let mut statements = Vec::new();
    match form {
        Form::Partition => statements.extend(partition(model, thing, &path)),
        Form::Typed => {
            if let Some(of) = thing.choose("type", model.of(&[What::Composite])) {
                statements.push(format!("create table {path} of {}", model.path(of)));
            }
        }
        Form::Foreign => {
            if let Some(server) = thing.choose("server", model.of(&[What::Server])) {
                let options = thing.pick(
                    "table options",
                    &[
                        "",
                        " options (a 'b')",
                        " options (a 'c', \"Odd x\" 'it''s')",
                    ],
                );
                statements.push(format!(
                    "create foreign table {path} () server {}{options}",
                    ident(&server.name())
                ));
            }
        }
        Form::Partitioned => {
            statements.push(format!(
                "create table {path} (part integer){}",
                partition_by(thing)
            ));
        }
        Form::Plain => {
            let unlogged = if thing.chance("unlogged", 8) {
                "unlogged "
            } else {
                ""
            };
            let inherits = match parents.is_empty() {
                true => String::new(),
                false => format!(" inherits ({})", parents.join(", ")),
            };
            let options = thing.pick(
                "options",
                &[
                    "",
                    "",
                    "",
                    "",
                    " with (fillfactor = 70)",
                    " with (autovacuum_enabled = off, toast.autovacuum_enabled = off)",
                ],
            );
            statements.push(format!(
                "create {unlogged}table {path} (){inherits}{options}"
            ));
        }
    }
    if !matches!(form, Form::Partition | Form::Typed) {
        for column in model.key(thing).iter().filter(|c| c.name != "\"part\"") {
            statements.push(format!(
                "alter table {path} add column {} {}",
                column.name, column.of.sql
            ));
        }
        let columns = model.columns(thing);
        let first = columns.len() - thing.parts.len();
        for (i, part) in thing.parts.iter().enumerate() {
            statements.extend(add_column(
                model,
                &path,
                part,
                &columns[first + i],
                &columns[..first + i],
            ));
        }
    }
    let key: Vec<String> = model.key(thing).into_iter().map(|c| c.name).collect();
    if !key.is_empty() {
        let include = thing.pick(
            "key options",
            &["", "", "", " with (fillfactor = 80)", " deferrable"],
        );
        statements.push(format!(
            "alter table {path} add primary key ({}){include}",
            key.join(", ")
        ));
    }
    match thing.below("row security", 12) {
        0 => statements.push(format!("alter table {path} enable row level security")),
        1 => statements.push(format!(
            "alter table {path} enable row level security, force row level security"
        )),
        _ => {}
    }
    match thing.below("replica identity", 14) {
        0 => statements.push(format!("alter table {path} replica identity full")),
        1 => statements.push(format!("alter table {path} replica identity nothing")),
        _ => {}
    }
    let target = match form {
        Form::Foreign => format!("foreign table {path}"),
        _ => format!("table {path}"),
    };
    statements.extend(model.details(thing, &target, Some((&path, TABLE_PRIVILEGES))));
    statements
}

/// A partition, made as one, or made by itself and attached, or (now and then) not attached.
fn partition(model: &Model, thing: &Thing, path: &str) -> Vec<String> {
    let Some(parent) = model.partition_parent(thing) else {
        return Vec::new();
    };
    let of = model.path(parent);
    let bound = bound(thing, parent);
    let nested = match thing.chance("nested", 4) {
        true => partition_by(thing),
        false => String::new(),
    };
    let mut statements = Vec::new();
    match thing.below("attachment", 6) {
        0 => statements.push(format!("create table {path} (like {of}){nested}")),
        1 | 2 => {
            statements.push(format!(
                "create table {path} (like {of} including defaults including constraints){nested}"
            ));
            statements.push(format!("alter table {of} attach partition {path} {bound}"));
        }
        _ => statements.push(format!(
            "create table {path} partition of {of} {bound}{nested}"
        )),
    }
    for column in model.columns(parent) {
        if thing.chance("own default", 6) {
            let sample = literal(&column.of.sample);
            statements.push(format!(
                "alter table {path} alter column {} set default {sample}::{}",
                column.name, column.of.sql
            ));
        }
    }
    statements
}

fn add_column(
    model: &Model,
    table: &str,
    part: &Thing,
    column: &Column,
    before: &[Column],
) -> Vec<String> {
    let name = &column.name;
    let mut clause = format!(
        "{name} {}{}",
        column.of.sql,
        model.collate(part, &column.of)
    );
    let mut after = Vec::new();
    let alter = format!("alter table {table} alter column {name}");
    if let Some((_, expression)) = generated(part, before) {
        clause.push_str(&format!(" generated always as ({expression}) stored"));
    } else if let Some(identity) = identity(part, column) {
        clause.push_str(&format!(" not null generated {identity}"));
    } else if part.chance("default", 3) {
        after.push(format!(
            "{alter} set default {}",
            model.default_for(part, &column.of)
        ));
    }
    if part.chance("not null", 4) {
        after.push(format!("{alter} set not null"));
    }
    match part.below("storage", 24) {
        0 => after.push(format!("{alter} set storage external")),
        1 => after.push(format!("{alter} set storage plain")),
        2 => after.push(format!("{alter} set compression lz4")),
        3 => after.push(format!("{alter} set statistics 500")),
        4 => after.push(format!("{alter} set (n_distinct = 5)")),
        _ => {}
    }
    if part.chance("grant", 10) {
        let privilege = part.pick("privilege", &["select", "update", "references"]);
        after.push(format!("grant {privilege} ({name}) on {table} to r_app"));
    }
    after.extend(model.comment(part, &format!("column {table}.{name}")));
    let mut statements = vec![format!("alter table {table} add column {clause}")];
    statements.extend(after);
    statements
}

pub(super) fn constraint(model: &Model, thing: &Thing) -> Vec<String> {
    let Some(table) = thing.choose("table", model.of(&[What::Table])) else {
        return Vec::new();
    };
    let (path, name) = (model.path(table), ident(&thing.name()));
    let columns = model.columns(table);
    if columns.is_empty() {
        return Vec::new();
    }
    let column = thing.pick("column", &columns);
    let second = thing.pick("second column", &columns);
    let list = match thing.chance("two columns", 3) && column.name != second.name {
        true => format!("{}, {}", column.name, second.name),
        false => column.name.clone(),
    };
    let body = match thing.below("constraint", 8) {
        0 | 1 => {
            let how = thing.pick("unique", &["unique", "unique", "unique nulls not distinct"]);
            let after = thing.pick(
                "unique options",
                &[
                    "",
                    "",
                    " deferrable",
                    " deferrable initially deferred",
                    " with (fillfactor = 60)",
                ],
            );
            let include = match thing.chance("include", 5) {
                true => format!(" include ({})", second.name),
                false => String::new(),
            };
            format!("{how} ({list}){include}{after}")
        }
        2 => {
            let operator = if column.of.base == Base::Range {
                "&&"
            } else {
                "="
            };
            let filter = match thing.chance("where", 3) {
                true => format!(" where ({})", model.predicate(thing, &columns)),
                false => String::new(),
            };
            format!(
                "exclude using gist ({} with {operator}){filter}",
                column.name
            )
        }
        _ => {
            let after = thing.pick("check options", &["", "", "", " not valid", " no inherit"]);
            format!("check ({}){after}", model.predicate(thing, &columns))
        }
    };
    let mut statements = vec![format!("alter table {path} add constraint {name} {body}")];
    statements.extend(model.comment(thing, &format!("constraint {name} on {path}")));
    statements
}

/// A foreign key with columns of its own, of the types that the other side has.
pub(super) fn foreign_key(model: &Model, thing: &Thing) -> Vec<String> {
    let tables = || {
        model
            .of(&[What::Table])
            .filter(|t| matches!(model.form(t), Form::Plain | Form::Partitioned))
    };
    let Some(table) = thing.choose("table", tables()) else {
        return Vec::new();
    };
    let with_key = tables().filter(|t| !model.key(t).is_empty());
    let Some(other) = thing.choose("references", with_key) else {
        return Vec::new();
    };
    let (path, name) = (model.path(table), thing.name());
    let mut statements = Vec::new();
    let mut columns = Vec::new();
    for (i, key) in model.key(other).iter().enumerate() {
        let column = ident(&format!("{}{i}", name.chars().take(20).collect::<String>()));
        statements.push(format!(
            "alter table {path} add column {column} {}",
            key.of.sql
        ));
        columns.push(column);
    }
    let actions = [
        "",
        " on delete cascade",
        " on delete set null",
        " on update cascade on delete restrict",
        " on delete set default",
    ];
    let on = thing.pick("action", &actions);
    let after = thing.pick(
        "options",
        &[
            "",
            "",
            "",
            " deferrable",
            " deferrable initially deferred",
            " not valid",
            " match full",
        ],
    );
    let (full, after) = match *after {
        " match full" => (" match full", ""),
        after => ("", after),
    };
    let name = ident(&name);
    statements.push(format!(
        "alter table {path} add constraint {name} foreign key ({}) references {}{full}{on}{after}",
        columns.join(", "),
        model.path(other)
    ));
    statements.extend(model.comment(thing, &format!("constraint {name} on {path}")));
    statements
}

/// Two rows: one of samples, one of defaults.
pub(super) fn rows(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let columns = model.columns(thing);
    let given: Vec<&Column> = columns.iter().filter(|c| !c.computed).collect();
    if given.is_empty() || model.form(thing) == Form::Foreign {
        return Vec::new();
    }
    let names: Vec<&str> = given.iter().map(|c| c.name.as_str()).collect();
    let values: Vec<String> = given.iter().map(|c| literal(&c.of.sample)).collect();
    vec![
        format!(
            "insert into {path} ({}) values ({})",
            names.join(", "),
            values.join(", ")
        ),
        format!("insert into {path} default values"),
    ]
}
