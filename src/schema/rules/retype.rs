//! A column's new type: how its values become values of it, and what that costs.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::{alter_table, table_of};

/// Defaults that Postgres converts by itself when numbers or texts change among themselves.
pub(super) fn default_survives(from: &Object, to: &Object) -> bool {
    const NUMBERS: &[&str] = &[
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "real",
        "double precision",
    ];
    const TEXTS: &[&str] = &["text", "character varying"];
    let (from, to) = (from.get("_base"), to.get("_base"));
    from == to && !from.contains('.')
        || [NUMBERS, TEXTS]
            .iter()
            .any(|group| group.contains(&from) && group.contains(&to))
}

/// The statement that gives a column its new type. `same_name`: the type has kept its name and is
/// another one.
pub(super) fn step(cx: &Context, from: &Object, to: &Object, same_name: bool) -> Step {
    let name = text::ident(to.id.part());
    let mut sql = format!(
        "{} ALTER COLUMN {name} TYPE {}",
        alter_table(cx, &to.id),
        to.get("type")
    );
    if let Some(collation) = to.text("collation") {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    let foreign = table_of(cx, &to.id).is_some_and(|t| t.get("form") == "foreign");
    let using = if foreign {
        None
    } else {
        using(cx, from, to, same_name)
    };
    if let Some(using) = &using {
        sql.push_str(&format!(" USING {using}"));
    }
    let table = to.id.beside(Kind::Table, "");
    let mut step = Step::alter(&to.id, sql);
    if !foreign && !only_widens(from, to) {
        step = step.rewriting(&table);
        if using.is_some() || narrows(from, to) {
            let message = format!(
                "fails where a value of {} is not one of type {}",
                to.id,
                to.get("type")
            );
            step = step.hazard(HazardKind::DependsOnRows, message);
        }
    }
    step
}

/// New columns that a table must have before it is written anew: if for a moment it had none that
/// may need a toast table, that would go, with its options.
pub(super) fn kept_toast(cx: &Context, table: &Id) -> Vec<Id> {
    let old = cx.from.get(table);
    if old.is_none_or(|old| old.list("toast_options").is_empty()) {
        return Vec::new();
    }
    let is_own = |id: &Id| id.kind() == Kind::Column && id.beside(Kind::Table, "") == *table;
    let stands_alone = |column: &&Object| {
        cx.created(&column.id) && !column.needs.iter().any(|need| is_own(&need.id))
    };
    let columns = cx.to.parts(table, Kind::Column).filter(stands_alone);
    columns.map(|column| column.id.clone()).collect()
}

/// How old values become new ones, where Postgres does not know it by itself.
pub(super) fn using(cx: &Context, from: &Object, to: &Object, same_name: bool) -> Option<String> {
    let name = text::ident(to.id.part());
    let wanted = to.get("type");
    let (old, new) = (from.get("_base"), to.get("_base"));
    if same_name && old == new {
        // The type has the same name and is another one: through its text.
        let array = if wanted.ends_with("[]") { "[]" } else { "" };
        return Some(format!("{name}::text{array}::{wanted}"));
    }
    if old == new {
        return None;
    }
    let is_text = |t: &str| matches!(t, "text" | "character varying" | "character" | "name");
    // What is known of a name is about the type that it has now.
    let is_made = to.needs.iter().any(|need| cx.created(&need.id));
    let cast = |from: &str, to: &str| {
        let known = cx.from.casts.get(&(from.to_owned(), to.to_owned()));
        known.copied().filter(|_| !is_made)
    };
    let element = |t: &str| t.strip_suffix("[]").unwrap_or(t).to_owned();
    let both_arrays = old.ends_with("[]") == new.ends_with("[]");
    match cast(&element(old), &element(new)) {
        Some('i' | 'a') if both_arrays => None,
        Some(_) if both_arrays => Some(format!("{name}::{wanted}")),
        _ if is_text(new) && !old.ends_with("[]") => None,
        _ if is_text(old) || (both_arrays && is_text(&element(old))) => {
            Some(format!("{name}::{wanted}"))
        }
        _ if both_arrays && old.ends_with("[]") => Some(format!("{name}::text[]::{wanted}")),
        _ => Some(format!("{name}::text::{wanted}")),
    }
}

/// Changes of type that touch no row: a longer varchar, varchar to text.
fn only_widens(from: &Object, to: &Object) -> bool {
    if from.text("collation") != to.text("collation") && from.text("type") == to.text("type") {
        return true;
    }
    let length = |t: &Object| {
        let text = t.get("type").strip_prefix("character varying")?;
        match text {
            "" => Some(u32::MAX),
            _ => text.trim_matches(['(', ')']).parse().ok(),
        }
    };
    match (length(from), length(to)) {
        (Some(old), Some(new)) => new >= old,
        (Some(_), None) => to.get("type") == "text",
        (None, Some(u32::MAX)) => from.get("type") == "text",
        _ => false,
    }
}

/// The same type with other limits, or a smaller number.
fn narrows(from: &Object, to: &Object) -> bool {
    let size = |t: &str| {
        ["smallint", "integer", "bigint", "numeric"]
            .iter()
            .position(|n| *n == t)
    };
    match (size(from.get("_base")), size(to.get("_base"))) {
        (Some(old), Some(new)) if old != new => new < old,
        _ => from.get("_base") == to.get("_base") || to.get("_base") == "character varying",
    }
}
