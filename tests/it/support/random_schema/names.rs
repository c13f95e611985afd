//! Names that people give, and names that nobody should.

const PLAIN: &[&str] = &[
    "users", "orders", "items", "tags", "a", "b", "name", "value", "kind", "state",
];

const ODD: &[&str] = &[
    "Upper Case",
    "camelCase",
    "dots.in.it",
    "\"quoted\"",
    "it's",
    "select",
    "table",
    "user",
    "order",
    "default",
    "null",
    "between",
    "ünïcödé",
    "表",
    "🐘",
    "back\\slash",
    "$1",
    "$body$",
    "-- no comment",
    "/* nor this",
    "a;b",
    "a,b",
    "(x)",
    "x)",
    "{y}",
    "[z]",
    "%s",
    "a=b",
    "a\tb",
    "a\nb",
    " lead",
    "trail ",
    "1st",
    "x__old",
    "E'x'",
    "::text",
    "pg_x",
    "int4range",
    // 62 bytes each: a digit fills them up.
    "a_long_name_a_long_name_a_long_name_a_long_name_a_long_name_ab",
    "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüä",
];

/// The name that belongs to a number: one in three is odd, and a few things share each.
pub fn name(value: u64) -> String {
    let list = if value.is_multiple_of(3) { ODD } else { PLAIN };
    let word = list[(value / 3) as usize % list.len()];
    match (value >> 40) % 8 {
        // Words that SQL has are odd only as they are.
        7 => word.to_owned(),
        digit => format!("{word}{digit}"),
    }
}

pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
