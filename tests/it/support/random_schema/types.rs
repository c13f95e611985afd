//! Types: those of Postgres, and enums, composites, ranges and domains over them.

use super::{Model, Thing, What, ident, literal, names};

/// What can be done with values of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Number,
    Text,
    Bool,
    Json,
    Array,
    Range,
    Vector,
    Search,
    Ordered,
    Other,
}

#[derive(Debug, Clone)]
pub(super) struct Type {
    pub sql: String,
    pub base: Base,
    /// A value, as a literal without its type.
    pub sample: String,
}

const BUILT_IN: &[(&str, Base, &str)] = &[
    ("smallint", Base::Number, "7"),
    ("integer", Base::Number, "7"),
    ("integer", Base::Number, "42"),
    ("bigint", Base::Number, "7"),
    ("bigint", Base::Number, "42"),
    ("numeric", Base::Number, "7.5"),
    ("numeric(10,2)", Base::Number, "7.5"),
    ("numeric(12,3)", Base::Number, "7.5"),
    ("real", Base::Number, "7"),
    ("double precision", Base::Number, "7"),
    ("text", Base::Text, "x"),
    ("text", Base::Text, "7"),
    ("varchar", Base::Text, "x"),
    ("varchar(20)", Base::Text, "7"),
    ("varchar(40)", Base::Text, "x"),
    ("char(5)", Base::Text, "x"),
    ("boolean", Base::Bool, "t"),
    ("date", Base::Ordered, "2024-05-06"),
    ("timestamp", Base::Ordered, "2024-05-06"),
    ("timestamp(3)", Base::Ordered, "2024-05-06"),
    ("timestamptz", Base::Ordered, "2024-05-06"),
    ("time", Base::Ordered, "12:00"),
    ("interval", Base::Ordered, "1 day"),
    ("interval day to second(2)", Base::Ordered, "1 day"),
    (
        "uuid",
        Base::Ordered,
        "00000000-0000-0000-0000-000000000001",
    ),
    ("bytea", Base::Ordered, "x"),
    ("inet", Base::Ordered, "127.0.0.1"),
    ("json", Base::Other, "{}"),
    ("jsonb", Base::Json, "{}"),
    ("int4range", Base::Range, "empty"),
    ("tstzrange", Base::Range, "empty"),
    ("int4multirange", Base::Other, "{}"),
    ("point", Base::Other, "1,2"),
    ("tsvector", Base::Search, "x"),
    ("bit(4)", Base::Other, "1010"),
    ("bit varying(8)", Base::Other, "1010"),
    ("\"char\"", Base::Other, "x"),
    ("name", Base::Other, "x"),
    ("oid", Base::Other, "7"),
    ("integer[]", Base::Array, "{7}"),
    ("text[]", Base::Array, "{x}"),
    ("varchar(5)[]", Base::Array, "{x}"),
    ("numeric(6,1)[]", Base::Array, "{7}"),
    ("ext.vector(3)", Base::Vector, "[1,2,3]"),
    ("ext.vector(3)", Base::Vector, "[1,0,0]"),
];

const TYPES: &[What] = &[What::Enum, What::Composite, What::Range, What::Domain];

impl Model {
    /// The type of a column, an attribute, an argument: two in five are of the model's own.
    pub(super) fn type_of(&self, thing: &Thing) -> Type {
        self.type_among(thing, self.of(TYPES))
    }

    fn type_among<'a>(&self, thing: &Thing, own: impl Iterator<Item = &'a Thing>) -> Type {
        let chosen = match thing.below("own type", 5) {
            0 | 1 => thing.choose("which type", own),
            _ => None,
        };
        let Some(chosen) = chosen else {
            let (sql, base, sample) = *thing.pick("type", BUILT_IN);
            return Type {
                sql: sql.into(),
                base,
                sample: sample.into(),
            };
        };
        let path = self.path(chosen);
        let (base, sample) = match chosen.what {
            What::Enum => (
                Base::Ordered,
                labels(chosen).into_iter().next().unwrap_or_default(),
            ),
            What::Range => (Base::Range, "empty".into()),
            What::Domain => {
                let over = self.domain_over(chosen);
                (over.base, over.sample)
            }
            _ => (Base::Other, "(,)".into()),
        };
        match thing.chance("array of it", 5) && base != Base::Array {
            true => Type {
                sql: format!("{path}[]"),
                base: Base::Array,
                sample: "{}".into(),
            },
            false => Type {
                sql: path,
                base,
                sample,
            },
        }
    }

    fn domain_over(&self, domain: &Thing) -> Type {
        self.type_among(domain, self.before(domain, TYPES))
    }

    /// `COLLATE …` for a text now and then.
    pub(super) fn collate(&self, thing: &Thing, of: &Type) -> String {
        if of.base != Base::Text || !thing.chance("collate", 6) {
            return String::new();
        }
        let own = thing.choose("collation", self.of(&[What::Collation]));
        match own.filter(|_| thing.chance("own collation", 2)) {
            Some(own) => format!(" collate {}", self.path(own)),
            None => format!(
                " collate {}",
                thing.pick(
                    "built-in collation",
                    &["\"C\"", "\"POSIX\"", "\"de-x-icu\""]
                )
            ),
        }
    }
}

pub(super) fn labels(thing: &Thing) -> Vec<String> {
    let name = |part: &Thing| match part.value("label") {
        value if value % 4 == 0 => format!("{}, (\"x\") '", names::name(value)),
        value => names::name(value),
    };
    let mut labels: Vec<String> = Vec::new();
    for label in thing.parts.iter().map(name) {
        let label: String = label
            .chars()
            .scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes < 64).then_some(c)
            })
            .collect();
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

const USAGE: &[&str] = &["usage", "all"];

pub(super) fn enumeration(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let labels: Vec<String> = labels(thing).iter().map(|l| literal(l)).collect();
    let target = format!("type {path}");
    let mut statements = vec![format!(
        "create type {path} as enum ({})",
        labels.join(", ")
    )];
    statements.extend(model.details(thing, &target, Some((&target, USAGE))));
    statements
}

pub(super) fn composite(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let target = format!("type {path}");
    let mut statements = vec![format!("create type {path} as ()")];
    for part in &thing.parts {
        let of = model.type_among(part, model.before(thing, TYPES));
        let name = ident(&part.name());
        statements.push(format!(
            "alter type {path} add attribute {name} {}{}",
            of.sql,
            model.collate(part, &of)
        ));
        statements.extend(model.comment(part, &format!("column {path}.{name}")));
    }
    statements.extend(model.details(thing, &target, Some((&target, USAGE))));
    statements
}

pub(super) fn range(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let target = format!("type {path}");
    let own = thing.choose("subtype", model.before(thing, &[What::Enum, What::Domain]));
    let subtype = match own.filter(|_| thing.chance("own subtype", 3)) {
        Some(own) => model.path(own),
        None => (*thing.pick("built-in subtype", &["text", "numeric", "date", "uuid"])).into(),
    };
    let mut options = format!("subtype = {subtype}");
    if subtype == "text" && thing.chance("collation", 2) {
        options.push_str(", collation = \"C\"");
    }
    if thing.chance("multirange", 3) {
        let name = names::name(thing.value("multirange name"));
        options.push_str(&format!(", multirange_type_name = {}", ident(&name)));
    }
    let mut statements = vec![format!("create type {path} as range ({options})")];
    statements.extend(model.details(thing, &target, Some((&target, USAGE))));
    statements
}

pub(super) fn domain(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let of = model.domain_over(thing);
    let target = format!("domain {path}");
    let mut statements = vec![format!(
        "create domain {path} as {}{}",
        of.sql,
        model.collate(thing, &of)
    )];
    if thing.chance("default", 3) {
        statements.push(format!(
            "alter domain {path} set default {}::{}",
            literal(&of.sample),
            of.sql
        ));
    }
    if thing.chance("not null", 6) {
        statements.push(format!("alter domain {path} set not null"));
    }
    for part in &thing.parts {
        let name = ident(&part.name());
        let valid = match part.chance("not valid", 4) {
            true => " not valid",
            false => "",
        };
        let check = model.predicate_on(part, "value", &of);
        statements.push(format!(
            "alter domain {path} add constraint {name} check ({check}){valid}"
        ));
        statements.extend(model.comment(part, &format!("constraint {name} on domain {path}")));
    }
    let type_target = format!("type {path}");
    statements.extend(model.details(thing, &target, Some((&type_target, USAGE))));
    statements
}

pub(super) fn collation(model: &Model, thing: &Thing) -> Vec<String> {
    let path = model.path(thing);
    let locale = thing.pick("locale", &["de", "en-US", "sv", "und-u-ks-level2"]);
    let deterministic = match thing.chance("nondeterministic", 3) {
        true => ", deterministic = false",
        false => "",
    };
    let mut statements = vec![format!(
        "create collation {path} (provider = icu, locale = '{locale}'{deterministic})"
    )];
    statements.extend(model.details(thing, &format!("collation {path}"), None));
    statements
}
