//! Tables whose row type columns elsewhere have: Postgres gives no column of such a table a new
//! type. The rows that are kept elsewhere wait as text until it is done.

use std::collections::BTreeSet;

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::{alter_table, columns, retype};

/// Stands for a column's rows' waiting as text.
fn waiting(column: &Id) -> Id {
    column.beside(Kind::Column, &format!("{}\u{1}waiting", column.part()))
}

/// The columns elsewhere that keep rows of a table: as they are, in arrays, or inside of others.
pub(super) fn keepers(cx: &Context, table: &Id) -> BTreeSet<Id> {
    keepers_by(table, |id| {
        cx.dependents(id).map(|(dependent, _)| dependent).collect()
    })
}

/// Those that shall keep some.
fn wanted_keepers(cx: &Context, table: &Id) -> BTreeSet<Id> {
    keepers_by(table, |id| cx.wanted_dependents(id).collect())
}

fn keepers_by<'a>(table: &Id, dependents: impl Fn(&Id) -> Vec<&'a Object>) -> BTreeSet<Id> {
    let mut keepers = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut todo = vec![table.clone()];
    while let Some(of) = todo.pop() {
        for dependent in dependents(&of) {
            let id = &dependent.id;
            match id.kind() {
                Kind::Column => {
                    let whole = id.beside(Kind::Table, "");
                    if whole != of && keepers.insert(id.clone()) && seen.insert(whole.clone()) {
                        todo.push(whole);
                    }
                }
                Kind::Attribute => {
                    let whole = id.beside(Kind::Composite, "");
                    if whole != of && seen.insert(whole.clone()) {
                        todo.push(whole);
                    }
                }
                Kind::Domain | Kind::Range if seen.insert(id.clone()) => todo.push(id.clone()),
                _ => {}
            }
        }
    }
    keepers
}

/// The columns of other tables that stand, and get a new type, while this one waits.
fn awaited<'a>(cx: &'a Context, column: &'a Id) -> impl Iterator<Item = &'a Id> {
    let other = |id: &&Id| id.kind() == Kind::Column && cx.stays(id);
    cx.lost(column).filter(other)
}

/// Whether it has to let go of the rows of another table for a time.
pub(super) fn lets_go(cx: &Context, column: &Id) -> bool {
    awaited(cx, column).next().is_some()
}

/// Lets go of the rows, and takes them back once their table has got what it shall have. `same_name`
/// is for [`retype::step`].
pub(super) fn steps(cx: &Context, from: &Object, to: &Object, same_name: bool) -> Vec<Step> {
    let whole: BTreeSet<Id> = awaited(cx, &to.id)
        .map(|id| id.beside(Kind::Table, ""))
        .collect();
    let mut comes_back = whole.iter().map(|table| wanted_keepers(cx, table));
    if !comes_back.any(|keepers| keepers.contains(&to.id)) {
        let mut away = retype::step(cx, from, to, same_name);
        away.makes.push(waiting(&to.id));
        return vec![away];
    }
    let table = to.id.beside(Kind::Table, "");
    let name = text::ident(to.id.part());
    let wanted = to.get("type");
    let alter = |what: String| {
        let sql = format!(
            "{} ALTER COLUMN {name} TYPE {what}",
            alter_table(cx, &to.id)
        );
        Step::alter(&to.id, sql).rewriting(&table)
    };
    let mut away = alter(format!("text USING {name}::text"));
    away.makes.push(waiting(&to.id));
    // The text has as many fields as the row has when it is taken back.
    for table in &whole {
        let columns = cx.to.parts(table, Kind::Column);
        let is_first = |column: &&Object| settled(cx, column).is_empty();
        let new = columns.filter(|column| cx.created(&column.id) && is_first(column));
        away.needs.extend(new.map(|column| column.id.clone()));
        away.needs.extend(columns::going(cx, table));
    }
    let message = format!(
        "fails where a value of {} is not one of type {wanted}",
        to.id
    );
    let back = alter(format!("{wanted} USING {name}::{wanted}"))
        .hazard(HazardKind::DependsOnRows, message)
        .needing(awaited(cx, &to.id).cloned());
    vec![away, back]
}

/// The columns that get a new type in the tables whose rows a column shall keep.
pub(super) fn settled(cx: &Context, column: &Object) -> Vec<Id> {
    let own = column.id.beside(Kind::Table, "");
    let tables = column.needs.iter().map(|need| &need.id);
    let tables = tables.filter(|id| id.kind() == Kind::Table && **id != own && cx.stays(id));
    let columns = tables.flat_map(|table| cx.to.parts(table, Kind::Column));
    let retyped = columns.filter(|new| {
        let old = cx.from.get(&new.id).filter(|_| cx.stays(&new.id));
        old.is_some_and(|old| columns::is_retyped(cx, old, new))
    });
    retyped.map(|column| column.id.clone()).collect()
}

/// What a new column of a table that stands must wait for: those that get a new type in the tables
/// whose rows it shall keep, and then those that keep rows of its own.
pub(super) fn before_new(cx: &Context, column: &Object) -> Vec<Id> {
    let mut before = settled(cx, column);
    if !before.is_empty() {
        let keepers = keepers(cx, &column.id.beside(Kind::Table, ""));
        before.extend(keepers.into_iter().filter(|id| lets_go(cx, id)));
    }
    before
}

/// What must have happened before columns of these ids get a new type: nobody may keep their rows.
pub(super) fn free<'a>(cx: &'a Context, ids: impl Iterator<Item = &'a Id>) -> Vec<Id> {
    let tables: BTreeSet<Id> = ids.map(|id| id.beside(Kind::Table, "")).collect();
    let keepers = tables.iter().flat_map(|table| keepers(cx, table));
    let keepers: BTreeSet<Id> = keepers.collect();
    let state = |id: &Id| match cx.destroyed(id) {
        true => columns::gone(id),
        false if lets_go(cx, id) => waiting(id),
        false => id.clone(),
    };
    keepers.iter().map(state).collect()
}
