//! Functions, expressions that use them, and triggers.

use super::tables::{Column, Form};
use super::types::{Base, Type};
use super::{Model, Thing, What, ident, literal};

const EXECUTE: &[&str] = &["execute", "all"];

impl Model {
    /// A function from integer to integer, or from text to text.
    fn helper_of(&self, thing: &Thing, base: Base) -> Option<String> {
        let helpers = self.of(&[What::Helper]).filter(|h| helper_base(h) == base);
        thing.choose("helper", helpers).map(|h| self.path(h))
    }

    pub(super) fn default_for(&self, thing: &Thing, of: &Type) -> String {
        let sample = format!("{}::{}", literal(&of.sample), of.sql);
        let how = thing.below("default kind", 6);
        match of.base {
            Base::Number if how == 0 => {
                let sequence = thing.choose("sequence", self.of(&[What::Sequence]));
                sequence.map_or(sample, |s| {
                    format!("nextval({}::regclass)", literal(&self.path(s)))
                })
            }
            Base::Number if how == 1 => self
                .helper_of(thing, Base::Number)
                .map_or(sample, |f| format!("{f}(1)")),
            Base::Text if how == 1 => self
                .helper_of(thing, Base::Text)
                .map_or(sample, |f| format!("{f}('x'::text)")),
            Base::Ordered if how < 3 && of.sql == "timestamptz" => "now()".into(),
            Base::Ordered if how < 3 && of.sql == "uuid" => "gen_random_uuid()".into(),
            Base::Text if how == 2 => "current_user".into(),
            _ => sample,
        }
    }

    /// Something about one value that is true or false.
    pub(super) fn predicate_on(&self, thing: &Thing, value: &str, of: &Type) -> String {
        let n = thing.below("limit", 3);
        let how = thing.below("predicate", 4);
        let sample = format!("{}::{}", literal(&of.sample), of.sql);
        match of.base {
            Base::Number if how == 0 => match self.helper_of(thing, Base::Number) {
                Some(helper) => format!("{helper}({value}::integer) > {n}"),
                None => format!("{value} <> {n}"),
            },
            Base::Number => format!(
                "{value} {} {n}",
                thing.pick("comparison", &[">", ">=", "<>"])
            ),
            Base::Text if how == 0 => match self.helper_of(thing, Base::Text) {
                Some(helper) => format!("{helper}({value}::text) <> ''::text"),
                None => format!("{value} <> ''"),
            },
            Base::Text if how == 1 => format!("length({value}::text) > {n}"),
            Base::Text => format!(
                "{value}::text <> {}::text",
                literal(&super::names::name(thing.value("word")))
            ),
            Base::Bool => format!(
                "{value} is {}",
                thing.pick("truth", &["true", "not true", "not null"])
            ),
            Base::Ordered if how < 3 => format!(
                "{value} {} {sample}",
                thing.pick("comparison", &[">=", "=", "<="])
            ),
            Base::Json => format!(
                "jsonb_typeof({value}::jsonb) = '{}'::text",
                thing.pick("json", &["object", "array"])
            ),
            Base::Array => format!("cardinality({value}) >= {n}"),
            Base::Range => format!("not isempty({value})"),
            _ => format!("{value} is not null"),
        }
    }

    /// Something about a row that is true or false.
    pub(super) fn predicate(&self, thing: &Thing, columns: &[Column]) -> String {
        if columns.is_empty() {
            return "true".into();
        }
        let column = thing.pick("about", columns);
        let first = self.predicate_on(thing, &column.name, &column.of);
        let second = thing.pick("and about", columns);
        match thing.below("and", 6) {
            0 => format!("{first} and {} is not null", second.name),
            1 => format!("{first} or {} is null", second.name),
            _ => first,
        }
    }
}

fn helper_base(thing: &Thing) -> Base {
    *thing.pick("of", &[Base::Number, Base::Text])
}

pub(super) fn helper(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let (of, value) = match helper_base(thing) {
        Base::Number => ("integer", "$1 + 1"),
        _ => ("text", "$1 || 'y'"),
    };
    let language = *thing.pick("language", &["sql", "plpgsql", "atomic"]);
    let argument = match thing.below("argument", 3) {
        0 => "\"Odd arg\" ",
        // Postgres 17 prints an argument without a name as "" there, where another has one.
        1 if language != "atomic" => "",
        _ => "x ",
    };
    let more = thing.pick(
        "more arguments",
        &[
            "",
            "",
            "",
            ", z integer default 7",
            ", variadic r text[] default '{}'",
        ],
    );
    let attributes = attributes(thing);
    let body = match language {
        "sql" => format!("language sql immutable{attributes} as $body$ select {value} $body$"),
        "plpgsql" => format!(
            "language plpgsql immutable{attributes} as $body$ begin return {value}; end $body$"
        ),
        _ => format!("language sql immutable{attributes} return {value}"),
    };
    let mut statements = vec![format!(
        "create function {path}({argument}{of}{more}) returns {of} {body}"
    )];
    let rest = more.split(' ').nth(match more.starts_with(", variadic") {
        true => 3,
        false => 2,
    });
    let signature = match rest.filter(|_| !more.is_empty()) {
        Some(second) => format!("{path}({of}, {second})"),
        None => format!("{path}({of})"),
    };
    let target = format!("function {signature}");
    statements.extend(model.details(thing, &target, Some((&target, EXECUTE))));
    statements
}

fn attributes(thing: &Thing) -> String {
    let mut sql = String::new();
    sql.push_str(thing.word("strict", &["", "", " strict"]));
    sql.push_str(thing.word("parallel", &["", "", " parallel safe"]));
    sql.push_str(thing.word("security", &["", "", "", " security definer"]));
    sql.push_str(thing.word("cost", &["", "", "", " cost 7"]));
    sql.push_str(thing.word(
        "set",
        &[
            "",
            "",
            "",
            "",
            " set work_mem = '8MB'",
            " set search_path = public, ext",
        ],
    ));
    sql
}

pub(super) fn aggregate(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let of = thing.pick("of", &["int4", "numeric"]);
    let (name, argument) = match *of {
        "int4" => ("int4pl", "integer"),
        _ => ("numeric_add", "numeric"),
    };
    let start = thing.pick("start", &["", ", initcond = '0'", ", initcond = '5'"]);
    let target = format!("aggregate {path}({argument})");
    let mut statements = vec![format!(
        "create aggregate {path}({argument}) (sfunc = {name}, stype = {argument}{start})"
    )];
    let grant = format!("function {path}({argument})");
    statements.extend(model.details(thing, &target, Some((&grant, EXECUTE))));
    statements
}

/// A function or a procedure over types of the model and rows of its tables.
pub(super) fn routine(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let of = model.type_of(thing);
    let table = thing.choose("table", model.of(&[What::Table]));
    let sample = format!("{}::{}", literal(&of.sample), of.sql);
    let attributes = attributes(thing);
    let procedure = thing.chance("procedure", 5);
    let default = match thing.chance("argument default", 4) {
        true => format!(" default {sample}"),
        false => String::new(),
    };
    let argument = *thing.pick("argument", &["x", "\"Odd arg\"", "a1"]);
    let volatile = thing.pick("volatile", &["", " stable", " immutable"]);
    let arguments = format!("{argument} {}{default}", of.sql);
    let sql = match (procedure, thing.below("returns", 6), table) {
        (true, ..) => {
            format!("create procedure {path}({arguments}) language sql as $p$ select 1 $p$")
        }
        (_, 0, Some(table)) => {
            let table = model.path(table);
            format!(
                "create function {path}({arguments}) returns setof {table} language sql{volatile}{attributes} as $$ select * from {table} $$"
            )
        }
        (_, 1, Some(table)) => {
            let table = model.path(table);
            format!(
                "create function {path}({arguments}) returns bigint language sql{attributes} begin atomic select count(*) from {table}; end"
            )
        }
        (_, 2, Some(table)) => {
            let table = model.path(table);
            format!(
                "create function {path}({arguments}, r {table}) returns void language plpgsql{attributes} as $$ begin perform r; end $$"
            )
        }
        (_, 3, _) => format!(
            "create function {path}({arguments}, out o1 integer, out \"O 2\" {}) language sql{volatile} as $f$ select 1, {sample} $f$",
            of.sql
        ),
        (_, 4, _) => format!(
            "create function {path}({arguments}) returns table (a integer, b {}) language sql{volatile}{attributes} rows 50 as $f$ select 1, {sample} $f$",
            of.sql
        ),
        _ => format!(
            "create function {path}({arguments}) returns {} language sql{volatile}{attributes} as $f$ select {sample} $f$",
            of.sql
        ),
    };
    let target = match procedure {
        true => format!("procedure {path}"),
        false => format!("function {path}"),
    };
    let mut statements = vec![sql];
    statements.extend(model.details(thing, &target, Some((&target, EXECUTE))));
    statements
}

pub(super) fn trigger_function(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let body = thing.pick("body", &["return new;", "return old;", "return null;"]);
    let attributes = attributes(thing).replace(" strict", "");
    vec![format!(
        "create function {path}() returns trigger language plpgsql{attributes} as $t$ begin {body} end $t$"
    )]
}

pub(super) fn trigger(model: &Model, thing: &Thing) -> Vec<String> {
    let relations = model.of(&[What::Table, What::Table, What::View]);
    let (Some(on), Some(function)) = (
        thing.choose("relation", relations),
        thing.choose("function", model.of(&[What::TriggerFunction])),
    ) else {
        return Vec::new();
    };
    let (path, name) = (model.path(on), ident(&thing.name()));
    let call = format!(
        "execute function {}({})",
        model.path(function),
        thing.pick("arguments", &["", "", "'it''s', 'b\\c'"])
    );
    let columns = match on.what {
        What::Table => model.columns(on),
        _ => Vec::new(),
    };
    let event = match thing.below("event", 6) {
        0 => "insert".to_owned(),
        1 => "delete".to_owned(),
        2 => "insert or update".to_owned(),
        3 | 4 if !columns.is_empty() => {
            format!("update of {}", thing.pick("column", &columns).name)
        }
        _ => "update".to_owned(),
    };
    let when = match thing.chance("when", 3) && !columns.is_empty() && !event.contains("insert") {
        true => {
            let column = thing.pick("about", &columns);
            let value = format!("old.{}", column.name);
            format!(" when ({})", model.predicate_on(thing, &value, &column.of))
        }
        false => String::new(),
    };
    let sql = match (on.what, thing.below("timing", 6)) {
        (What::View, _) => format!(
            "create trigger {name} instead of {} on {path} for each row {call}",
            thing.pick("view event", &["insert", "update", "delete"])
        ),
        (_, 0) => format!(
            "create constraint trigger {name} after {event} on {path} deferrable for each row{when} {call}"
        ),
        (_, 1) => format!(
            "create trigger {name} after update on {path} referencing old table as o new table as \"N t\" for each statement {call}"
        ),
        (_, 2) => {
            format!("create trigger {name} after {event} on {path} for each row{when} {call}")
        }
        (_, 3) => {
            format!("create trigger {name} after {event} on {path} for each statement {call}")
        }
        _ => format!("create trigger {name} before {event} on {path} for each row{when} {call}"),
    };
    let mut statements = vec![sql];
    if on.what == What::Table && model.form(on) != Form::Foreign {
        match thing.below("enabled", 8) {
            0 => statements.push(format!("alter table {path} disable trigger {name}")),
            1 => statements.push(format!("alter table {path} enable always trigger {name}")),
            _ => {}
        }
    }
    statements.extend(model.comment(thing, &format!("trigger {name} on {path}")));
    statements
}

pub(super) fn event_trigger(_: &Model, thing: &Thing) -> Vec<String> {
    let name = ident(&thing.name());
    let event = *thing.pick(
        "event",
        &["ddl_command_end", "sql_drop", "ddl_command_start"],
    );
    let tags = thing.pick(
        "tags",
        &[
            "",
            " when tag in ('CREATE TABLE')",
            " when tag in ('DROP TABLE', 'DROP VIEW')",
        ],
    );
    vec![
        "create function public.on_event() returns event_trigger language plpgsql as $$ begin end $$".into(),
        format!("create event trigger {name} on {event}{tags} execute function public.on_event()"),
        match thing.chance("disabled", 3) {
            true => format!("alter event trigger {name} disable"),
            false => format!("comment on event trigger {name} is 'x'"),
        },
    ]
}
