//! A schema as text that draws itself elsewhere: Mermaid (GitHub, GitLab, many wikis) and Graphviz.

use std::fmt::Write;

use super::data::{Column, Graph, Relation};

/// A Mermaid `erDiagram`. Names keep every character; in the types and names of columns Mermaid
/// allows few, so where one had to be replaced the true one stands in the comment behind.
pub fn mermaid(graph: &Graph) -> String {
    let mut text = String::from("erDiagram\n");
    let name = |at: usize| quoted(&graph.label(&graph.tables[at]));
    for (at, table) in graph.tables.iter().enumerate() {
        let name = name(at);
        if table.columns.is_empty() {
            line(&mut text, format_args!("    {name}"));
            continue;
        }
        line(&mut text, format_args!("    {name} {{"));
        for column in &table.columns {
            line(&mut text, format_args!("        {}", attribute(column)));
        }
        line(&mut text, format_args!("    }}"));
    }
    for link in &graph.links {
        let word = match link.relation {
            Relation::Refers => None,
            Relation::Inherits => Some("inherits"),
            Relation::Reads => Some("reads"),
        };
        if let Some(word) = word {
            let (to, from) = (name(link.to), name(link.from));
            line(&mut text, format_args!("    {to} ||..|| {from} : {word}"));
            continue;
        }
        let parent = if link.optional { "|o" } else { "||" };
        let child = if link.unique { "o|" } else { "o{" };
        line(
            &mut text,
            format_args!(
                "    {} {parent}--{child} {} : {}",
                name(link.to),
                name(link.from),
                quoted(&link.columns.join(", "))
            ),
        );
    }
    text
}

fn attribute(column: &Column) -> String {
    let data_type = short_type(&column.data_type);
    let (word_type, name) = (word(&data_type), word(&column.name));
    let mut text = format!("{word_type} {name}");
    let keys: Vec<&str> = [
        (column.primary, "PK"),
        (column.foreign, "FK"),
        (column.unique && !column.primary, "UK"),
    ]
    .iter()
    .filter_map(|(is, key)| is.then_some(*key))
    .collect();
    if !keys.is_empty() {
        text = format!("{text} {}", keys.join(", "));
    }
    let mut remarks = Vec::new();
    if name != column.name {
        remarks.push(column.name.clone());
    }
    if word_type != data_type {
        remarks.push(data_type);
    }
    if column.not_null && !column.primary {
        remarks.push("not null".into());
    }
    if !remarks.is_empty() {
        text = format!("{text} {}", quoted(&remarks.join(", ")));
    }
    text
}

/// In quotation marks, with entities for what may not stand between them. Never empty.
fn quoted(name: &str) -> String {
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '"' => text.push_str("#quot;"),
            '#' | '%' | '\\' | ';' | '<' | '>' | '&' => {
                let _ = write!(text, "#{};", u32::from(c));
            }
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    if name.is_empty() {
        text.push(' ');
    }
    text.push('"');
    text
}

/// What Mermaid reads as the type or the name of a column.
fn word(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_[]()".contains(c) || c >= '\u{c0}';
    let mut word: String = name
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_' || c >= '\u{c0}';
    // PK, FK and UK are key words there, in any case, also before a hyphen or a bracket.
    let is_key = ["pk", "fk", "uk"].iter().any(|key| {
        word.get(..2).is_some_and(|w| w.eq_ignore_ascii_case(key))
            && !word[2..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
    });
    if is_key || !word.starts_with(starts) {
        word.insert(0, '_');
    }
    word
}

/// Postgres's own short names for the types whose standard names are several words.
pub(super) fn short_type(name: &str) -> String {
    const SHORT: &[(&str, &str)] = &[
        ("timestamp with time zone", "timestamptz"),
        ("timestamp without time zone", "timestamp"),
        ("time with time zone", "timetz"),
        ("time without time zone", "time"),
        ("character varying", "varchar"),
        ("double precision", "float8"),
        ("bit varying", "varbit"),
    ];
    for (long, short) in SHORT {
        if let Some(rest) = name.strip_prefix(long) {
            return format!("{short}{rest}");
        }
    }
    // `timestamp(3) with time zone`
    for (prefix, with) in [("timestamp(", "timestamptz("), ("time(", "timetz(")] {
        if let Some((digits, rest)) = name.strip_prefix(prefix).and_then(|r| r.split_once(')')) {
            if let Some(rest) = rest.strip_prefix(" with time zone") {
                return format!("{with}{digits}){rest}");
            }
            if let Some(rest) = rest.strip_prefix(" without time zone") {
                return format!("{prefix}{digits}){rest}");
            }
        }
    }
    name.to_owned()
}

/// A Graphviz graph with a table for each node and crow's feet on the edges.
pub fn dot(graph: &Graph) -> String {
    let mut text = String::from(
        "digraph schema {\n    rankdir=RL;\n    node [shape=plain, fontname=\"Helvetica\", fontsize=11];\n    \
         edge [dir=both, fontname=\"Helvetica\", fontsize=9, color=\"#555555\"];\n",
    );
    for (at, table) in graph.tables.iter().enumerate() {
        let _ = write!(
            text,
            "    t{at} [label=<<table border=\"0\" cellborder=\"1\" cellspacing=\"0\" cellpadding=\"4\">\
             <tr><td port=\"head\" bgcolor=\"#e8ecf2\" colspan=\"2\"><b>{}</b></td></tr>",
            escaped(&graph.label(table))
        );
        for (place, column) in table.columns.iter().enumerate() {
            let name = escaped(&column.name);
            let name = match (column.primary, column.not_null) {
                (true, _) => format!("<u>{name}</u>"),
                (false, true) => name,
                (false, false) => format!("<i>{name}</i>"),
            };
            let _ = write!(
                text,
                "<tr><td port=\"c{place}\" align=\"left\">{name}</td><td align=\"left\">{}</td></tr>",
                escaped(&short_type(&column.data_type))
            );
        }
        text.push_str("</table>>];\n");
    }
    for link in &graph.links {
        let place = |name: &String| {
            let columns = &graph.tables[link.from].columns;
            columns.iter().position(|c| c.name == *name)
        };
        let port = match link.columns.first().and_then(place) {
            Some(place) => format!("c{place}"),
            None => "head".into(),
        };
        if link.relation != Relation::Refers {
            let edge = format!("t{}:head:w -> t{}:head:e", link.from, link.to);
            line(
                &mut text,
                format_args!("    {edge} [arrowtail=none, arrowhead=empty, style=dashed];"),
            );
            continue;
        }
        line(
            &mut text,
            format_args!(
                "    t{}:{port}:w -> t{}:head:e [arrowtail={}, arrowhead={}, tooltip={}];",
                link.from,
                link.to,
                if link.unique { "teeodot" } else { "crowodot" },
                if link.optional { "teeodot" } else { "teetee" },
                dot_quoted(&link.name)
            ),
        );
    }
    text.push_str("}\n");
    text
}

/// Text inside one of Graphviz's HTML labels. Never empty, which it would not read.
fn escaped(text: &str) -> String {
    let mut result = String::new();
    for c in text.chars() {
        match c {
            '&' => result.push_str("&amp;"),
            '<' => result.push_str("&lt;"),
            '>' => result.push_str("&gt;"),
            '"' => result.push_str("&quot;"),
            c if c.is_control() => result.push(' '),
            c => result.push(c),
        }
    }
    if result.is_empty() {
        result.push(' ');
    }
    result
}

/// A quoted string. A backslash begins an escape in what is shown.
fn dot_quoted(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{arguments}");
}
