//! What ties a table to others: partitions, inheritance, and the type that it is of.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{Action, HazardKind, Step};
use super::{columns, constraints};

pub(super) fn is_partition(table: &Object) -> bool {
    table.text("partition_bound").is_some()
}

/// Whether a new table is made without its parents and inherits from them afterwards: it keeps a
/// check unchecked that INHERITS would make a valid one.
pub(super) fn is_linked_later(cx: &Context, table: &Object) -> bool {
    let apart = |constraint: &Object| {
        constraints::is_unchecked_heir(cx, constraint)
            && constraints::handed_down(cx, constraint).is_none()
    };
    !is_partition(table) && cx.to.parts(&table.id, Kind::Constraint).any(apart)
}

/// Whether a table is made by itself and gets its parents afterwards.
pub(super) fn is_linked_apart(cx: &Context, table: &Object) -> bool {
    is_partition(table) || is_linked_later(cx, table)
}

/// The parents of a table as pairs of SQL name and id.
pub(super) fn parents(table: &Object) -> Vec<(String, Id)> {
    let pairs = table.list("_parents").chunks_exact(2);
    pairs
        .map(|p| {
            let id = Id::new(Kind::Table, &p[0], &p[1], "");
            (id.path(), id)
        })
        .collect()
}

/// Stands for a table's being a partition: what can only be done after it was attached needs this.
pub(super) fn attached(table: &Id) -> Id {
    table.beside(Kind::Table, "\u{1}attached")
}

/// Whether it becomes a partition in this plan, of its parent or once more.
pub(super) fn is_attached_anew(cx: &Context, table: &Id) -> bool {
    let Some(to) = cx.to.get(table).filter(|table| is_partition(table)) else {
        return false;
    };
    let kept = |from: &Object, parent: &Id| {
        parents(from).iter().any(|(_, id)| id == parent) && keeps_link(cx, from, to, parent)
    };
    cx.created(table)
        || cx
            .from
            .get(table)
            .is_none_or(|from| parents(to).iter().any(|(_, parent)| !kept(from, parent)))
}

/// Stands for every partition of a table, of any depth, being attached.
pub(super) fn partitions_attached(cx: &Context, table: &Id) -> Vec<Id> {
    let mut result = Vec::new();
    let mut todo = vec![table.clone()];
    while let Some(table) = todo.pop() {
        if !cx.to.children.contains(&table) {
            continue;
        }
        let children = cx.wanted_dependents(&table);
        for child in children.filter(|o| o.id.kind() == Kind::Table && is_partition(o)) {
            result.push(attached(&child.id));
            todo.push(child.id.clone());
        }
    }
    result
}

/// Stands for the ends of those partitions of a table that are dropped, of any depth: a foreign key
/// to the table would hold on to each.
pub(super) fn partitions_gone(cx: &Context, table: &Id) -> Vec<Id> {
    let mut result = Vec::new();
    let mut todo = vec![table.clone()];
    while let Some(table) = todo.pop() {
        if !cx.from.children.contains(&table) || !cx.stays(&table) {
            continue;
        }
        let children = cx.dependents(&table).map(|(child, _)| child);
        for child in children.filter(|o| o.id.kind() == Kind::Table && is_partition(o)) {
            if cx.destroyed(&child.id) {
                result.push(gone(&child.id));
            }
            todo.push(child.id.clone());
        }
    }
    result
}

fn is_index(id: &Id) -> bool {
    id.kind() == Kind::Index
}

pub(super) fn attach(cx: &Context, table: &Object) -> Step {
    let parents = parents(table);
    let Some((parent, parent_id)) = parents.first() else {
        return Step::detail(&table.id, String::new());
    };
    let sql = format!(
        "ALTER TABLE ONLY {parent} ATTACH PARTITION {} {}",
        table.id.path(),
        table.get("partition_bound")
    );
    let mut step = Step::detail(&table.id, sql).needing([parent_id.clone()]);
    step.makes.push(attached(&table.id));
    // What stands on the partition before is taken over as it is; otherwise it would be made
    // under a name that nobody chose.
    let constraints = cx.to.parts(&table.id, Kind::Constraint);
    let own = constraints.filter(|o| constraints::key_from_parent(cx, o).is_none());
    let columns = cx.to.parts(&table.id, Kind::Column);
    step.needs.extend(columns.chain(own).map(|o| o.id.clone()));
    step.needs
        .extend(cx.to.parts(parent_id, Kind::Column).map(|o| o.id.clone()));
    let indexes = cx.wanted_dependents(&table.id);
    let parts = indexes.filter(|o| is_index(&o.id) && o.text("parent").is_some());
    step.needs.extend(parts.map(|o| o.id.clone()));
    // Columns that the parent has not.
    step.needs.extend(columns::going(cx, &table.id));
    // Partitions whose rows it may take over.
    let old = cx.dependents(parent_id).map(|(o, _)| &o.id);
    for id in old.filter(|id| id.kind() == Kind::Table) {
        if cx.destroyed(id) {
            step.needs.push(gone(id));
        } else if leaves(cx, id, parent_id) {
            step.needs.push(unlinked(id));
        }
    }
    if cx.stays(&table.id) {
        let message = format!("fails where a row of {} is outside of its bounds", table.id);
        step = step.hazard(HazardKind::DependsOnRows, message);
    }
    step
}

/// Stands for a table's being gone.
pub(super) fn gone(table: &Id) -> Id {
    table.beside(Kind::Table, "\u{1}gone")
}

/// Stands for a table's having let go of its parents.
fn unlinked(table: &Id) -> Id {
    table.beside(Kind::Table, "\u{1}unlinked")
}

fn keeps_link(cx: &Context, from: &Object, to: &Object, parent: &Id) -> bool {
    let (old, new) = (parents(from), parents(to));
    let Some(at) = new.iter().position(|(_, id)| id == parent) else {
        return false;
    };
    // A parent that is new comes last: those that shall stand behind it come once more.
    let kept = |pair: &&(String, Id)| new.contains(pair) && !cx.destroyed(&pair.1);
    let old: Vec<&(String, Id)> = old.iter().filter(kept).collect();
    from.text("partition_bound") == to.text("partition_bound")
        && old.len() > at
        && old.iter().copied().take(at + 1).eq(&new[..=at])
}

/// Whether the table stands on both sides and lets go of any parent on the way.
pub(super) fn is_unlinked(cx: &Context, table: &Id) -> bool {
    let old = cx.from.get(table).map(parents).unwrap_or_default();
    old.iter().any(|(_, parent)| leaves(cx, table, parent))
}

/// Whether the table stands on both sides and lets go of this parent on the way.
pub(super) fn leaves(cx: &Context, table: &Id, parent: &Id) -> bool {
    let (Some(from), Some(to)) = (cx.from.get(table), cx.to.get(table)) else {
        return false;
    };
    cx.stays(table)
        && parents(from).iter().any(|(_, id)| id == parent)
        && !keeps_link(cx, from, to, parent)
}

/// What must be done before a table gets something that its children would get with it: those
/// that leave it have left.
pub(super) fn unlinked_children(cx: &Context, table: &Id) -> Vec<Id> {
    if !cx.from.children.contains(table) {
        return Vec::new();
    }
    let children = cx.dependents(table).map(|(child, _)| &child.id);
    children
        .filter(|id| id.kind() == Kind::Table && leaves(cx, id, table))
        .map(unlinked)
        .collect()
}

/// Lets go of parents and takes others.
pub(super) fn links(cx: &Context, from: &Object, to: &Object, steps: &mut Vec<Step>) {
    let (old, new) = (parents(from), parents(to));
    let path = to.id.path();
    for (parent, id) in &old {
        if keeps_link(cx, from, to, id) {
            continue;
        }
        let sql = if is_partition(from) {
            format!("ALTER TABLE {parent} DETACH PARTITION {path}")
        } else {
            format!("ALTER TABLE {path} NO INHERIT {parent}")
        };
        // First of all: until then what happens to the parent's parts happens to the child's.
        let mut step = Step::detail(&to.id, sql).releasing([id.clone()]);
        step.action = Action::Drop;
        step.makes.push(unlinked(&to.id));
        for table in [&to.id, id] {
            for kind in [Kind::Column, Kind::Constraint] {
                step.releases
                    .extend(cx.from.parts(table, kind).map(|o| o.id.clone()));
            }
            if is_partition(from) {
                step.releases.extend(
                    cx.dependents(table)
                        .map(|(o, _)| o.id.clone())
                        .filter(is_index),
                );
            }
        }
        steps.push(step);
    }
    for (_, id) in &new {
        if old.iter().any(|(_, o)| o == id) && keeps_link(cx, from, to, id) {
            continue;
        }
        if is_partition(to) {
            steps.push(attach(cx, to));
        } else {
            steps.push(inherit(cx, to, id));
        }
    }
}

/// Makes a table that stands inherit from a parent that has what it shall have.
pub(super) fn inherit(cx: &Context, table: &Object, parent: &Id) -> Step {
    let (path, of) = (table.id.path(), parent.path());
    let mut step = Step::detail(&table.id, format!("ALTER TABLE {path} INHERIT {of}"))
        .needing([parent.clone()])
        .needing(columns::going(cx, parent));
    for kind in [Kind::Column, Kind::Constraint] {
        for whole in [&table.id, parent] {
            step.needs
                .extend(cx.to.parts(whole, kind).map(|o| o.id.clone()));
        }
    }
    step.makes.push(attached(&table.id));
    step
}

/// The composite type of a typed table.
pub(super) fn type_of(table: &Object) -> Option<Id> {
    match table.list("_of_type") {
        [schema, name] => Some(Id::new(Kind::Composite, schema, name, "")),
        _ => None,
    }
}

/// Whether a typed table lets go of its type on the way, if only to take the one made anew.
pub(super) fn leaves_type(cx: &Context, table: &Id) -> bool {
    let (Some(from), Some(to)) = (cx.from.get(table), cx.to.get(table)) else {
        return false;
    };
    cx.stays(table) && type_of(from).is_some_and(|of| cx.destroyed(&of) || type_of(to) != Some(of))
}

/// Lets go of a type first of all, and takes one when the columns are as it has them.
pub(super) fn type_links(cx: &Context, from: &Object, to: &Object, steps: &mut Vec<Step>) {
    let alter = format!("ALTER TABLE {}", to.id.path());
    let leaves = leaves_type(cx, &to.id);
    if let Some(of) = type_of(from).filter(|_| leaves) {
        let columns = cx.from.parts(&to.id, Kind::Column).map(|o| o.id.clone());
        let mut step = Step::detail(&to.id, format!("{alter} NOT OF"))
            .releasing(columns)
            .releasing([cx.old(&of), of]);
        step.action = Action::Drop;
        steps.push(step);
    }
    if let Some(of) = type_of(to).filter(|of| leaves || type_of(from).as_ref() != Some(of)) {
        let columns = cx.to.parts(&to.id, Kind::Column).map(|o| o.id.clone());
        let sql = format!("{alter} OF {}", of.path());
        let step = Step::detail(&to.id, sql)
            .needing(columns)
            .needing(columns::going(cx, &to.id))
            .needing(cx.to.parts(&of, Kind::Attribute).map(|o| o.id.clone()))
            .needing([of]);
        steps.push(step);
    }
}
