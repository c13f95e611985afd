//! NOT NULL of columns: a constraint with a name from 18 on.

use super::super::expand::Context;
use super::super::model::Object;
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::{Changed, alter_table, columns};

pub(super) fn not_null(cx: &Context, column: &Object) -> String {
    let name = not_null_name(cx, column)
        .map(|name| format!(" CONSTRAINT {}", text::ident(name)))
        .unwrap_or_default();
    let inherit = if column.flag("not_null_no_inherit") {
        " NO INHERIT"
    } else {
        ""
    };
    format!("{name} NOT NULL{inherit}")
}

/// The name of a NOT NULL, where it has one and is not sure to get it by itself: a child keeps its
/// parent's name, which the parent would then no longer find free.
fn not_null_name<'a>(cx: &Context, column: &'a Object) -> Option<&'a str> {
    let table = columns::table_id(&column.id);
    let related = [cx.from, cx.to].iter().any(|schema| {
        schema.children.contains(&table)
            || schema
                .get(&table)
                .is_some_and(|t| !t.list("_parents").is_empty())
    });
    let name = if related {
        "_not_null_name"
    } else {
        "not_null_name"
    };
    column.text(name).filter(|_| cx.from.version >= 180_000)
}

pub(super) fn nullability(
    cx: &Context,
    from: &Object,
    to: &Object,
    changed: &Changed,
    inherited: bool,
    steps: &mut Vec<Step>,
) {
    if !changed.any(&[
        "not_null",
        "not_null_name",
        "not_null_no_inherit",
        "not_null_not_valid",
    ]) || inherited
        || (!changed.has("not_null") && cx.from.version < 180_000)
    {
        return;
    }
    let table = columns::table_id(&to.id);
    let name = text::ident(to.id.part());
    let alter = alter_table(cx, &to.id);
    let exclusive = |sql: String| Step::alter(&to.id, sql);
    if !changed.has("not_null") && turns_invalid(from, to) {
        steps.push(exclusive(format!(
            "{alter} ALTER COLUMN {name} DROP NOT NULL"
        )));
        steps.push(exclusive(add_not_null(cx, to)));
        return;
    }
    if !changed.has("not_null") && from.flag("not_null") {
        let default = format!("{}_{}_not_null", to.id.name(), to.id.part());
        let of = |o: &Object| o.text("not_null_name").unwrap_or(&default).to_owned();
        if changed.has("not_null_name") {
            steps.push(exclusive(format!(
                "{alter} RENAME CONSTRAINT {} TO {}",
                text::ident(&of(from)),
                text::ident(&of(to))
            )));
        }
        if changed.has("not_null_not_valid") && from.flag("not_null_not_valid") {
            let sql = format!("{alter} VALIDATE CONSTRAINT {}", text::ident(&of(to)));
            steps.push(exclusive(sql));
        }
        if changed.has("not_null_no_inherit") {
            let how = if to.flag("not_null_no_inherit") {
                "NO INHERIT"
            } else {
                "INHERIT"
            };
            let sql = format!("{alter} ALTER CONSTRAINT {} {how}", text::ident(&of(to)));
            steps.push(exclusive(sql));
        }
        return;
    }
    if to.flag("not_null") && to.flag("not_null_not_valid") {
        steps.push(exclusive(add_not_null(cx, to)));
    } else if to.flag("not_null") {
        let step = exclusive(add_not_null(cx, to));
        let scan = format!("{table} is read while it is locked");
        let rows = format!("fails where {} is null", to.id);
        steps.push(
            step.hazard(HazardKind::FullScan, scan)
                .hazard(HazardKind::DependsOnRows, rows),
        );
    } else {
        steps.push(exclusive(format!(
            "{alter} ALTER COLUMN {name} DROP NOT NULL"
        )));
    }
}

/// Makes a column that stands NOT NULL.
pub(super) fn add_not_null(cx: &Context, column: &Object) -> String {
    let alter = alter_table(cx, &column.id);
    let name = text::ident(column.id.part());
    let constraint = match column.flag("not_null_not_valid") {
        true => column.text("_not_null_name"),
        false => not_null_name(cx, column),
    };
    let Some(constraint) = constraint else {
        return format!("{alter} ALTER COLUMN {name} SET NOT NULL");
    };
    let mut sql = format!(
        "{alter} ADD CONSTRAINT {} NOT NULL {name}",
        text::ident(constraint)
    );
    if column.flag("not_null_no_inherit") {
        sql.push_str(" NO INHERIT");
    }
    if column.flag("not_null_not_valid") {
        sql.push_str(" NOT VALID");
    }
    sql
}

/// What is said about the constraint that a NOT NULL is from 18 on.
pub(super) fn not_null_comment(from: Option<&Object>, to: &Object) -> Option<Step> {
    let wanted = to.text("not_null_comment");
    let name = to.text("_not_null_name")?;
    // One that was not there before, or is made anew, has none.
    let stands = |f: &&Object| f.flag("not_null") && !turns_invalid(f, to);
    if from.filter(stands).and_then(|f| f.text("not_null_comment")) == wanted {
        return None;
    }
    let text = wanted.map_or_else(|| "NULL".to_owned(), text::literal);
    let sql = format!(
        "COMMENT ON CONSTRAINT {} ON {} IS {text}",
        text::ident(name),
        super::relation_path(&to.id)
    );
    Some(Step::detail(&to.id, sql))
}

fn turns_invalid(from: &Object, to: &Object) -> bool {
    to.flag("not_null_not_valid") && !from.flag("not_null_not_valid")
}
