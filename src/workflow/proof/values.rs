//! Values for made-up rows: for one type and one number always the same, so that a foreign key
//! finds its row, and different for different numbers, so that a key holds.

use std::collections::HashMap;

use crate::postgres::quote_literal;
use crate::schema::{Kind, Object, Schema};

/// Enums and domains of a schema, by the name that columns call their type.
pub struct Types<'a>(HashMap<String, &'a Object>);

impl<'a> Types<'a> {
    pub fn of(schema: &'a Schema) -> Self {
        let named = |o: &&Object| matches!(o.id.kind(), Kind::Enum | Kind::Domain);
        Types(
            schema
                .objects()
                .filter(named)
                .map(|o| (o.id.path(), o))
                .collect(),
        )
    }

    /// An expression of type `name`, as `format_type` writes it; none for types that nothing is
    /// known of.
    pub fn value(&self, name: &str, number: usize) -> Option<String> {
        if let Some(element) = name.strip_suffix("[]") {
            let element = self.value(element, number)?;
            return Some(format!("array[{element}]::{name}"));
        }
        if let Some(own) = self.0.get(name) {
            return match own.id.kind() {
                Kind::Enum => {
                    let labels = own.list("labels");
                    let label = labels.get(number % labels.len().max(1))?;
                    Some(format!("{}::{name}", quote_literal(label)))
                }
                _ => Some(format!(
                    "({})::{name}",
                    self.value(own.get("type"), number)?
                )),
            };
        }
        let text = built_in(name, number)?;
        Some(format!("{}::{name}", quote_literal(&text)))
    }
}

/// The text of a value that Postgres reads.
fn built_in(name: &str, n: usize) -> Option<String> {
    let (base, modifiers) = match name.split_once('(') {
        Some((base, rest)) => (base, rest.split(')').next().unwrap_or_default()),
        None => (name, ""),
    };
    let modifiers: Vec<i32> = modifiers
        .split(',')
        .filter_map(|m| m.parse().ok())
        .collect();
    let first = usize::try_from(*modifiers.first().unwrap_or(&1)).unwrap_or(1);
    // An extension's type, wherever it was put.
    let base = base.rsplit('.').next().unwrap_or(base).trim();
    Some(match base {
        "smallint" | "integer" | "bigint" | "real" | "double precision" | "oid" | "money"
        | "text" | "character varying" | "character" | "name" | "citext" | "xid8" => n.to_string(),
        "\"char\"" => char::from(b'a' + (n % 26) as u8).to_string(),
        "numeric" => match modifiers[..] {
            // All digits behind the point.
            [precision, scale] if scale >= precision => {
                format!("0.{n:0>width$}", width = scale as usize)
            }
            _ => n.to_string(),
        },
        "boolean" => (n % 2 == 1).to_string(),
        "uuid" => format!("00000000-0000-4000-8000-{n:012}"),
        "date" => format!("2001-01-{:02}", n % 28 + 1),
        "timestamp" | "timestamp without time zone" | "timestamp with time zone" => {
            format!("2001-01-{:02} 03:04:05+00", n % 28 + 1)
        }
        "time" | "time without time zone" | "time with time zone" => {
            format!("03:04:{:02}+00", n % 60)
        }
        "interval" => format!("{n} hours"),
        "json" | "jsonb" => format!("{{\"n\": {n}}}"),
        "bytea" => format!("\\x{n:02x}"),
        "inet" => format!("10.0.0.{}", n % 250),
        "cidr" => format!("10.0.{}.0/24", n % 250),
        "macaddr" => format!("08:00:2b:01:02:{n:02x}"),
        "macaddr8" => format!("08:00:2b:01:02:03:04:{n:02x}"),
        "xml" => format!("<n>{n}</n>"),
        "tsvector" | "tsquery" | "ltree" | "lquery" => format!("n{n}"),
        "bit" => format!("{:0>first$}", n % 2),
        "bit varying" => (n % 2).to_string(),
        "point" => format!("({n},0)"),
        "line" => format!("{{1,{n},0}}"),
        "lseg" | "path" => format!("[(0,0),({n},1)]"),
        "box" => format!("(1,{n}),(0,0)"),
        "polygon" => format!("((0,0),(0,1),({n},0))"),
        "circle" => format!("<(0,0),{n}>"),
        "int4range" | "int8range" | "numrange" => format!("[{n},{})", n + 1),
        "int4multirange" | "int8multirange" | "nummultirange" => format!("{{[{n},{})}}", n + 1),
        "daterange" | "tsrange" | "tstzrange" => format!("[2001-01-{:02},2001-02-01)", n % 28 + 1),
        "pg_lsn" => format!("0/{n}"),
        "hstore" => format!("n=>{n}"),
        "vector" | "halfvec" => format!("[{}]", vec![n.to_string(); first].join(",")),
        "sparsevec" => format!("{{1:{n}}}/{first}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_types_and_differ() {
        assert_eq!(built_in("numeric(2,2)", 1).unwrap(), "0.01");
        assert_eq!(built_in("numeric(10,2)", 7).unwrap(), "7");
        assert_eq!(built_in("public.vector(3)", 2).unwrap(), "[2,2,2]");
        assert_eq!(built_in("bit(3)", 1).unwrap(), "001");
        assert_eq!(
            built_in("timestamp(3) without time zone", 1).unwrap(),
            "2001-01-02 03:04:05+00"
        );
        assert_eq!(built_in("public.unheard_of", 1), None);
        assert_ne!(built_in("uuid", 1), built_in("uuid", 2));
    }
}
