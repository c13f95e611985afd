//! Names and literals in SQL that people will read: quoted only where they must be.

pub use crate::postgres::quote_literal as literal;

/// Key words that cannot stand as a name everywhere (reserved ones, type and function names, and
/// names of columns), of all supported versions. A word too many costs two quotation marks.
const WORDS: &str = " all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean \
both case cast char character check coalesce collate collation column concurrently constraint create cross current_catalog \
current_date current_role current_schema current_time current_timestamp current_user dec decimal default deferrable desc \
distinct do else end except exists extract false fetch float for foreign freeze from full grant greatest group grouping having ilike in \
initially inner inout int integer intersect interval into is isnull join json json_array json_arrayagg json_exists json_object \
json_objectagg json_query json_scalar json_serialize json_table json_value lateral leading least left like limit localtime \
localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on only or order out outer \
overlaps overlay placing position precision primary real references returning right row select session_user setof similar \
smallint some substring symmetric system_user table tablesample then time timestamp to trailing treat trim true union unique \
user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest \
xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable ";

/// An identifier, quoted where SQL would read it differently otherwise.
pub fn ident(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !WORDS.contains(&format!(" {name} "));
    if plain {
        name.to_owned()
    } else {
        crate::postgres::quote_ident(name)
    }
}

/// `schema.name`, or the name alone where there is no schema.
pub fn qualified(schema: &str, name: &str) -> String {
    if schema.is_empty() {
        ident(name)
    } else {
        format!("{}.{}", ident(schema), ident(name))
    }
}

/// A name with something after it, cut where Postgres would: at 63 bytes.
pub fn with_suffix(name: &str, suffix: &str) -> String {
    let mut end = name.len().min(63 - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

/// A role in GRANT and the like; the empty name is everybody.
pub fn role(name: &str) -> String {
    if name.is_empty() {
        "PUBLIC".into()
    } else {
        ident(name)
    }
}

/// Storage parameters or options as the catalog keeps them (`name=value`), split.
pub fn options(list: &[String]) -> impl Iterator<Item = (&str, &str)> {
    list.iter()
        .map(|option| option.split_once('=').unwrap_or((option, "")))
}

/// `fillfactor=70, autovacuum_enabled=false` for WITH (…) and SET (…). Quoted where a bare word
/// would not do; names may have a prefix (`toast.autovacuum_enabled`).
pub fn parameters(list: &[String]) -> String {
    let each: Vec<String> = options(list)
        .map(|(name, value)| format!("{}={}", parameter_name(name), parameter_value(value)))
        .collect();
    each.join(", ")
}

fn parameter_value(value: &str) -> String {
    let number = value.parse::<f64>().is_ok() && !value.contains(char::is_alphabetic);
    let word = !value.is_empty()
        && value.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        && ident(value) == value;
    if number || word || matches!(value, "true" | "false" | "on") {
        value.to_owned()
    } else {
        literal(value)
    }
}

fn parameter_name(name: &str) -> String {
    match name.split_once('.') {
        Some((prefix, rest)) => format!("{}.{}", ident(prefix), ident(rest)),
        None => ident(name),
    }
}

/// The parameters to set and the names to reset, to come from one list to another.
pub fn parameter_changes(from: &[String], to: &[String]) -> (Vec<String>, Vec<String>) {
    let set = to.iter().filter(|o| !from.contains(o)).cloned().collect();
    let reset = options(from)
        .filter(|(name, _)| !options(to).any(|(n, _)| n == *name))
        .map(|(name, _)| parameter_name(name))
        .collect();
    (set, reset)
}

/// `host 'x', port '1'` for OPTIONS (…) of foreign data.
pub fn foreign_options(list: &[String]) -> String {
    let each: Vec<String> = options(list)
        .map(|(name, value)| format!("{} {}", ident(name), literal(value)))
        .collect();
    each.join(", ")
}

/// ` OPTIONS (…)`, or nothing.
pub fn with_foreign_options(list: &[String]) -> String {
    if list.is_empty() {
        String::new()
    } else {
        format!(" OPTIONS ({})", foreign_options(list))
    }
}

/// `ADD a '1', SET b '2', DROP c`: what OPTIONS (…) takes to come from one list to another.
pub fn foreign_option_changes(from: &[String], to: &[String]) -> String {
    let find = |list: &[String], name: &str| {
        options(list)
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v.to_owned())
    };
    let mut each = Vec::new();
    for (name, _) in options(from) {
        if find(to, name).is_none() {
            each.push(format!("DROP {}", ident(name)));
        }
    }
    for (name, value) in options(to) {
        match find(from, name) {
            None => each.push(format!("ADD {} {}", ident(name), literal(value))),
            Some(old) if old != value => {
                each.push(format!("SET {} {}", ident(name), literal(value)));
            }
            Some(_) => {}
        }
    }
    each.join(", ")
}

/// A sentence about a definition: one line, cut after 100 characters.
pub fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 100 {
        line = line.chars().take(99).collect::<String>() + "…";
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_only_where_they_must_be() {
        for (name, quoted) in [
            ("tags", "tags"),
            ("select", "\"select\""),
            ("user", "\"user\""),
            ("a b", "\"a b\""),
            ("Order", "\"Order\""),
            ("1a", "\"1a\""),
            ("ä", "\"ä\""),
            ("a\"b", "\"a\"\"b\""),
            ("name", "name"),
        ] {
            assert_eq!(ident(name), quoted);
        }
    }

    #[test]
    fn parameters_are_set_and_reset() {
        let list = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (set, reset) = parameter_changes(
            &list(&["fillfactor=70", "a=1"]),
            &list(&["fillfactor=80", "toast.b=x y"]),
        );
        assert_eq!(parameters(&set), "fillfactor=80, toast.b='x y'");
        assert_eq!(reset, ["a"]);
    }

    #[test]
    fn foreign_options_are_added_set_and_dropped() {
        let list = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            foreign_option_changes(&list(&["a=1", "b=2"]), &list(&["b=3", "c=4"])),
            "DROP a, SET b '3', ADD c '4'"
        );
    }
}
