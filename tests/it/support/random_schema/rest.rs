//! Everything else: schemas, sequences, foreign data, text search, operators, publications …

use super::{Model, Thing, What, ident, literal, names, relations};

pub(super) fn schema_name(model: &Model, thing: &Thing) -> String {
    match thing.seed == model.things[0].seed {
        true => "public".into(),
        // A schema `pg_x` is not for users.
        false => thing.name().replace("pg_x", "px"),
    }
}

pub(super) fn schema(model: &Model, thing: &Thing) -> Vec<String> {
    let name = ident(&schema_name(model, thing));
    let target = format!("schema {name}");
    let mut statements = vec![format!("create schema if not exists {name}")];
    statements.extend(model.details(thing, &target, Some((&target, &["usage", "create", "all"]))));
    statements
}

pub(super) fn extension(model: &Model, thing: &Thing) -> Vec<String> {
    let name = thing.pick(
        "extension",
        &["citext", "hstore", "fuzzystrmatch", "unaccent"],
    );
    let mut statements = vec![format!(
        "create extension {name} schema {}",
        ident(&model.schema_of(thing))
    )];
    statements.extend(model.comment(thing, &format!("extension {name}")));
    statements
}

const OPTIONS: &[&str] = &[
    "",
    "",
    " options (a 'b')",
    " options (a 'it''s', b '2')",
    " options (\"Odd x\" 'c')",
];

pub(super) fn wrapper(model: &Model, thing: &Thing) -> Vec<String> {
    let name = ident(&thing.name());
    let target = format!("foreign data wrapper {name}");
    let mut statements = vec![format!("create {target}{}", thing.pick("options", OPTIONS))];
    statements.extend(model.comment(thing, &target));
    statements.extend(model.grants(thing, &target, &["usage"]));
    statements
}

pub(super) fn server(model: &Model, thing: &Thing) -> Vec<String> {
    let Some(wrapper) = thing.choose("wrapper", model.of(&[What::Wrapper])) else {
        return Vec::new();
    };
    let name = ident(&thing.name());
    let version = thing.pick("version", &["", " version '1'", " type 'x' version '2'"]);
    let mut statements = vec![format!(
        "create server {name}{} foreign data wrapper {}{}",
        version,
        ident(&wrapper.name()),
        thing.pick("options", OPTIONS)
    )];
    if thing.chance("mapping", 2) {
        let user = thing.pick("user", &["public", "r_app", "postgres"]);
        statements.push(format!(
            "create user mapping for {user} server {name}{}",
            thing.pick("mapping options", OPTIONS)
        ));
    }
    statements.extend(model.comment(thing, &format!("server {name}")));
    statements.extend(model.grants(thing, &format!("foreign server {name}"), &["usage"]));
    statements
}

pub(super) fn sequence(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let unlogged = if thing.chance("unlogged", 8) {
        "unlogged "
    } else {
        ""
    };
    let of = thing.pick("as", &["", "", " as integer", " as smallint"]);
    let options = thing.pick(
        "options",
        &[
            "",
            "",
            " increment 5",
            " increment -1",
            " minvalue -10 start 3",
            " maxvalue 500 cycle",
            " cache 20",
            " start 40",
        ],
    );
    let mut statements = vec![format!("create {unlogged}sequence {path}{of}{options}")];
    statements.extend(model.details(
        thing,
        &format!("sequence {path}"),
        Some((&format!("sequence {path}"), &["usage", "select", "all"])),
    ));
    statements
}

/// The column that a sequence belongs to; both have one owner and one schema.
pub(super) fn owned_sequence(model: &Model, thing: &Thing) -> Vec<String> {
    let schema = model.schema_of(thing);
    let tables = model
        .of(&[What::Table])
        .filter(|t| model.schema_of(t) == schema);
    let Some(table) = thing
        .choose("owner table", tables)
        .filter(|_| thing.chance("owned", 2))
    else {
        return Vec::new();
    };
    let columns = model.columns(table);
    if columns.is_empty() {
        return Vec::new();
    }
    let column = &thing.pick("owner column", &columns).name;
    vec![format!(
        "alter sequence {} owned by {}.{column}",
        model.path(thing),
        model.path(table)
    )]
}

pub(super) fn operator(model: &Model, thing: &Thing) -> Vec<String> {
    let schema = ident(&model.schema_of(thing));
    let symbol = thing.pick("symbol", &["###", "<=>", "=", "@+@", "<"]);
    let helper = thing.choose("helper", model.of(&[What::Helper]));
    let (statement, signature) = match (thing.below("operator", 4), helper) {
        (0, Some(helper)) => {
            let of = match helper.pick("of", &[0, 1]) {
                0 => "integer",
                _ => "text",
            };
            (format!("function = {}, rightarg = {of}", model.path(helper)), format!("none, {of}"))
        }
        (1, _) => ("function = int4eq, leftarg = integer, rightarg = integer, commutator = operator(pg_catalog.=), restrict = eqsel, hashes, merges".into(), "integer, integer".into()),
        (2, _) => ("function = texteq, leftarg = text, rightarg = text, restrict = eqsel".into(), "text, text".into()),
        _ => ("function = int4pl, leftarg = integer, rightarg = integer".into(), "integer, integer".into()),
    };
    let mut statements = vec![format!("create operator {schema}.{symbol} ({statement})")];
    statements.extend(model.details(
        thing,
        &format!("operator {schema}.{symbol} ({signature})"),
        None,
    ));
    statements
}

pub(super) fn cast(model: &Model, thing: &Thing) -> Vec<String> {
    let Some(of) = thing.choose("of", model.of(&[What::Enum, What::Composite])) else {
        return Vec::new();
    };
    let path = model.path(of);
    let (cast, how) = match thing.below("direction", 3) {
        0 => (
            format!("(text as {path})"),
            thing.word("how", &["", " as assignment", " as implicit"]),
        ),
        1 => (
            format!("(jsonb as {path})"),
            thing.word("how", &["", " as assignment", " as implicit"]),
        ),
        // Where it is implicit, operators of enums become ambiguous once Postgres prints them in
        // full: its own dump would not load.
        _ => (
            format!("({path} as text)"),
            thing.word("how", &["", " as assignment"]),
        ),
    };
    let mut statements = vec![format!("create cast {cast} with inout{how}")];
    statements.extend(model.comment(thing, &format!("cast {cast}")));
    statements
}

pub(super) fn dictionary(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let template = thing.pick(
        "template",
        &[
            "simple, stopwords = 'english'",
            "snowball, language = 'german'",
            "simple, accept = false",
        ],
    );
    let target = format!("text search dictionary {path}");
    let mut statements = vec![format!("create {target} (template = {template})")];
    statements.extend(model.details(thing, &target, None));
    statements
}

pub(super) fn configuration(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let target = format!("text search configuration {path}");
    let from = thing.pick(
        "from",
        &[
            "copy = pg_catalog.english",
            "parser = pg_catalog.\"default\"",
        ],
    );
    let mut statements = vec![format!("create {target} ({from})")];
    if let Some(dictionary) = thing.choose("dictionary", model.of(&[What::Dictionary])) {
        let verb = if from.starts_with("copy") {
            "alter"
        } else {
            "add"
        };
        statements.push(format!(
            "alter {target} {verb} mapping for word, asciiword with {}, pg_catalog.simple",
            model.path(dictionary)
        ));
    }
    if thing.chance("drop mapping", 3) {
        statements.push(format!(
            "alter {target} drop mapping if exists for email, url"
        ));
    }
    statements.extend(model.details(thing, &target, None));
    statements
}

pub(super) fn publication(model: &Model, thing: &Thing) -> Vec<String> {
    let name = ident(&thing.name());
    let publish = thing.pick(
        "publish",
        &[
            "",
            "",
            " with (publish = 'insert, delete')",
            " with (publish_via_partition_root)",
        ],
    );
    let relation = relations::any(model, thing).unwrap_or_default();
    let columns = thing
        .choose("table", model.of(&[What::Table]))
        .map(|table| (model.path(table), model.columns(table)));
    let what = match (thing.below("what", 6), columns) {
        (0, _) => " for all tables".to_owned(),
        (1, _) => format!(" for tables in schema {}", ident(&model.schema_of(thing))),
        (2, Some((path, columns))) if !columns.is_empty() => format!(
            " for table {path} ({})",
            thing.pick("column", &columns).name
        ),
        (3, Some((path, columns))) => format!(
            " for table {path} where ({})",
            model.predicate(thing, &columns)
        ),
        (4, Some((path, _))) => format!(" for table {path}, {relation}"),
        (5, Some((path, _))) => format!(" for table only {path}"),
        _ => String::new(),
    };
    let mut statements = vec![format!("create publication {name}{what}{publish}")];
    statements.extend(model.details(thing, &format!("publication {name}"), None));
    statements
}

pub(super) fn default_privileges(model: &Model, thing: &Thing) -> Vec<String> {
    let schema = match thing.chance("in schema", 2) {
        true => format!(" in schema {}", ident(&model.schema_of(thing))),
        false => String::new(),
    };
    let who = thing.pick("for", &["", " for role r_app"]);
    let (privilege, on) = thing.pick(
        "what",
        &[
            ("select", "tables"),
            ("execute", "functions"),
            ("usage", "sequences"),
            ("usage", "types"),
            ("all", "tables"),
        ],
    );
    let verb = match thing.chance("revoke", 4) {
        true => format!("revoke {privilege} on {on} from public"),
        false => format!(
            "grant {privilege} on {on} to {}",
            thing.pick("to", &["r_app", "public", "pg_monitor"])
        ),
    };
    vec![format!("alter default privileges{who}{schema} {verb}")]
}

/// One of the rarer kinds.
pub(super) fn odd(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let name = ident(&thing.name());
    match thing.below("odd", 6) {
        0 => vec![format!(
            "create access method {name} type table handler heap_tableam_handler"
        )],
        1 => vec![format!(
            "create conversion {path} for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8"
        )],
        2 => vec![
            format!("create operator family {path} using btree"),
            format!(
                "comment on operator family {path} using btree is {}",
                literal(&names::name(thing.value("comment")))
            ),
        ],
        3 => vec![format!(
            "create operator class {path} for type integer using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 btint4cmp(integer, integer)"
        )],
        4 => vec![format!(
            "create text search parser {path} (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype)"
        )],
        _ => vec![format!(
            "create text search template {path} (lexize = dsimple_lexize)"
        )],
    }
}
