//! Rows of a table that can only be made anew: a plain one that becomes partitioned, or the other
//! way. They wait in a table beside it.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{Action, HazardKind, LockMode, Step};
use super::super::text;
use super::{links, retype, tables};

/// Whether the table is made anew and its rows are carried over.
pub(super) fn is_carried(cx: &Context, table: &Id) -> bool {
    let (Some(from), Some(to)) = (cx.from.get(table), cx.to.get(table)) else {
        return false;
    };
    let has_rows = |table: &Object| table.get("form") != "foreign";
    cx.destroyed(table)
        && (from.get("form") != to.get("form") || tables::is_reordered(cx, table))
        && has_rows(from)
        && has_rows(to)
        && !columns(cx, table).is_empty()
}

/// Stands for nobody else's being able to write to it until the plan is through.
fn locked(table: &Id) -> Id {
    table.beside(Kind::Table, "\u{1}locked")
}

/// Stands for the rows' waiting beside the table.
fn kept(table: &Id) -> Id {
    table.beside(Kind::Table, "\u{1}kept")
}

/// Stands for the rows' being back.
pub(super) fn filled(table: &Id) -> Id {
    table.beside(Kind::Table, "\u{1}filled")
}

/// A name that nothing has.
fn beside(cx: &Context, table: &Id) -> String {
    text::qualified(table.schema(), &cx.free_name(table))
}

/// The columns that are on both sides and are not computed.
fn columns<'a>(cx: &Context<'a>, table: &Id) -> Vec<(&'a Object, &'a Object)> {
    let wanted = cx.to.parts(table, Kind::Column);
    let stored = wanted.filter(|column| column.text("expression").is_none());
    stored
        .filter_map(|column| Some((cx.from.get(&column.id)?, column)))
        .collect()
}

/// Whether its type goes before the rows are back: they wait as text.
fn is_text(cx: &Context, column: &Object) -> bool {
    let mut needs = column.needs.iter().map(|need| &need.id);
    needs.any(|id| !matches!(id.kind(), Kind::Table | Kind::Column) && cx.destroyed(id))
}

fn array(column: &Object) -> &'static str {
    match column.get("type").ends_with("[]") {
        true => "[]",
        false => "",
    }
}

/// Puts the rows beside, before the table goes. What others write in between would be lost.
pub(super) fn keep(cx: &Context, table: &Id) -> [Step; 2] {
    let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", table.path());
    let mut lock = Step::alter(table, lock)
        .releasing([table.clone()])
        .locking(LockMode::AccessExclusive, table);
    lock.action = Action::Drop;
    lock.makes.push(locked(table));
    let list: Vec<String> = columns(cx, table)
        .into_iter()
        .map(|(from, _)| {
            let name = text::ident(from.id.part());
            match is_text(cx, from) {
                true => format!("{name}::text{} AS {name}", array(from)),
                false => name,
            }
        })
        .collect();
    let only = match cx.from.get(table).map(|t| t.get("form")) {
        Some("partitioned") => "",
        _ => "ONLY ",
    };
    let sql = format!(
        "CREATE TABLE {} AS SELECT {} FROM {only}{}",
        beside(cx, table),
        list.join(", "),
        table.path()
    );
    let mut step = Step::alter(table, sql)
        .needing([locked(table)])
        .needing(links::unlinked_children(cx, table))
        .releasing([table.clone()]);
    step.action = Action::Drop;
    step.makes.push(kept(table));
    [lock, step]
}

/// What does not come back.
pub(super) fn losses(cx: &Context, table: &Id) -> Vec<String> {
    let gone = cx
        .from
        .parts(table, Kind::Column)
        .filter(|column| column.text("expression").is_none() && !cx.to.contains(&column.id));
    gone.map(|column| format!("every value of {} goes away", column.id))
        .collect()
}

/// Brings the rows back once the table stands and all its partitions are attached.
pub(super) fn fill(cx: &Context, table: &Id) -> Vec<Step> {
    let columns = columns(cx, table);
    let names: Vec<String> = columns
        .iter()
        .map(|(_, to)| text::ident(to.id.part()))
        .collect();
    let values: Vec<String> = columns
        .iter()
        .map(|(from, to)| {
            let name = text::ident(to.id.part());
            match is_text(cx, from) {
                // A list of texts becomes something else only as one text.
                true if array(from) != array(to) => format!("{name}::text::{}", to.get("type")),
                true => format!("{name}::{}", to.get("type")),
                false => retype::using(cx, from, to, false).unwrap_or(name),
            }
        })
        .collect();
    let sql = format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}",
        table.path(),
        names.join(", "),
        values.join(", "),
        beside(cx, table)
    );
    let insert = Step::detail(table, sql)
        .needing([kept(table)])
        .needing(links::partitions_attached(cx, table))
        .rewriting(table)
        .hazard(
            HazardKind::DependsOnRows,
            format!("fails where a row has no place in the new {table}"),
        );
    let mut steps = vec![insert];
    for (_, column) in columns
        .iter()
        .filter(|(_, to)| to.text("identity").is_some())
    {
        let name = column.id.part();
        steps.push(Step::detail(
            table,
            format!(
                "SELECT pg_catalog.setval({}, pg_catalog.max({})) FROM {} HAVING pg_catalog.count(*) > 0",
                text::literal(column.get("_sequence")),
                text::ident(name),
                table.path()
            ),
        ));
    }
    let mut end = Step::detail(table, format!("DROP TABLE {}", beside(cx, table)));
    end.makes.push(filled(table));
    steps.push(end);
    steps
}
