//! Constraints of tables.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::{
    Alter, Changed, Loss, Rules, alter_only, alter_table, carry, indexes, inherited, links,
};

pub(in super::super) struct Constraints;

fn has_index(constraint: &Object) -> bool {
    !matches!(constraint.get("form"), "check" | "foreign key")
}

/// Whether it is made with its table. NOT VALID would be forgotten there.
pub(super) fn is_inline(cx: &Context, constraint: &Object) -> bool {
    let table = constraint.id.beside(Kind::Table, "");
    let ready = !constraint.flag("not_valid") && constraint.text("tablespace").is_none();
    cx.created(&table)
        && !cx.is_apart(&constraint.id)
        && ready
        && !has_twin(cx, constraint)
        && key_from_parent(cx, constraint).is_none()
}

/// Whether another one has an index of the same columns: in one statement with that, CREATE TABLE
/// makes of the two a single constraint.
fn has_twin(cx: &Context, constraint: &Object) -> bool {
    let twin = |other: &&Object| {
        let first = other.get("form") == "primary key" || other.id < constraint.id;
        has_index(other) && first && other.list("_columns") == constraint.list("_columns")
    };
    constraint.get("form") != "primary key"
        && has_index(constraint)
        && cx
            .to
            .parts(&constraint.id.beside(Kind::Table, ""), Kind::Constraint)
            .any(|other| twin(&other))
}

/// Whether a new child has it unchecked, as its parent does: INHERITS would make it a valid one.
pub(super) fn is_unchecked_heir(cx: &Context, constraint: &Object) -> bool {
    let inherited = constraint.flag("_inherited") && constraint.flag("not_valid");
    inherited && cx.created(&constraint.id.beside(Kind::Table, ""))
}

/// The new constraint of the parent that hands itself down to a new child, where all that the child
/// has it from are made after the child.
pub(super) fn handed_down(cx: &Context, constraint: &Object) -> Option<Id> {
    let is_parent = |id: &Id| id.kind() == Kind::Constraint && id.part() == constraint.id.part();
    let needs = constraint.needs.iter().map(|need| &need.id);
    let mut parents = needs.filter(|id| is_parent(id)).peekable();
    let first = parents.peek().map(|id| (*id).clone());
    let all = is_unchecked_heir(cx, constraint)
        && !constraint.flag("_local")
        && parents.all(|id| cx.created(id) && cx.to.get(id).is_some_and(|o| o.flag("not_valid")));
    first.filter(|_| all)
}

/// The new children that have this constraint by its own statement, of any depth.
fn heirs(cx: &Context, constraint: &Id) -> Vec<Id> {
    let children = cx.wanted_dependents(constraint);
    let children = children.filter(|o| {
        let table = cx.to.get(&o.id.beside(Kind::Table, ""));
        o.id.kind() == Kind::Constraint
            && table.is_some_and(|table| !links::is_linked_apart(cx, table))
            && handed_down(cx, o).is_some()
    });
    let children: Vec<Id> = children.map(|o| o.id.clone()).collect();
    let tables = children.iter().map(|id| id.beside(Kind::Table, ""));
    tables
        .chain(children.iter().flat_map(|id| heirs(cx, id)))
        .collect()
}

/// Whether a check that goes stays with all children of its table, as their own.
fn is_left_to_children(cx: &Context, check: &Id) -> bool {
    let table = check.beside(Kind::Table, "");
    let plain = cx
        .from
        .get(&table)
        .is_some_and(|t| t.get("form") == "plain");
    if !plain || !cx.stays(&table) || cx.to.contains(check) {
        return false;
    }
    let is_heir = |id: &Id| id.kind() == Kind::Constraint && id.part() == check.part();
    let heirs = cx.dependents(check).map(|(heir, _)| heir);
    let mut heirs = heirs.filter(|heir| is_heir(&heir.id)).peekable();
    let keeps = |heir: &Object| {
        let wanted = cx.to.get(&heir.id).filter(|new| !new.needs_id(check));
        let same = wanted.is_some_and(|new| new.get("definition") == heir.get("definition"));
        same && cx.stays(&heir.id.beside(Kind::Table, ""))
    };
    heirs.peek().is_some() && heirs.all(keeps)
}

/// What gives a partition a foreign key of its parent's, under the parent's name: being attached,
/// or, where the parent gets it later, the parent's own statement.
pub(super) fn key_from_parent(cx: &Context, constraint: &Object) -> Option<Id> {
    let table = constraint.id.beside(Kind::Table, "");
    if constraint.get("form") != "foreign key" || !constraint.flag("_inherited") {
        return None;
    }
    let mut needs = constraint.needs.iter().filter(|need| need.auto);
    let parent = needs.find(|need| {
        need.id.kind() == Kind::Constraint && need.id.part() == constraint.id.part()
    })?;
    if !links::is_attached_anew(cx, &table) {
        return None;
    }
    match cx.to.get(&parent.id) {
        Some(key) if cx.created(&key.id) && !is_inline(cx, key) => {
            Some(key_from_parent(cx, key).unwrap_or_else(|| key.id.clone()))
        }
        _ => Some(links::attached(&table)),
    }
}

/// Whether the parameters of its index can stand in its clause: they come before any predicate.
fn parameters_inline(constraint: &Object) -> bool {
    has_index(constraint)
        && constraint.get("form") != "exclusion"
        && !constraint.list("index_options").is_empty()
}

/// `CONSTRAINT name CHECK (…)`
pub(super) fn clause(constraint: &Object) -> String {
    let mut sql = format!(
        "CONSTRAINT {} {}",
        text::ident(constraint.id.part()),
        constraint.get("definition")
    );
    if parameters_inline(constraint) {
        let parameters = text::parameters(constraint.list("index_options"));
        sql.push_str(&format!(" WITH ({parameters})"));
    }
    if constraint.flag("deferrable") {
        sql.push_str(" DEFERRABLE");
    }
    if constraint.flag("deferred") {
        sql.push_str(" INITIALLY DEFERRED");
    }
    if constraint.flag("not_enforced") {
        sql.push_str(" NOT ENFORCED");
    }
    if constraint.flag("not_valid") {
        sql.push_str(" NOT VALID");
    }
    sql
}

impl Rules for Constraints {
    fn target(&self, constraint: &Object) -> String {
        format!(
            "CONSTRAINT {} ON {}",
            text::ident(constraint.id.part()),
            super::relation_path(&constraint.id)
        )
    }

    fn maker(&self, cx: &Context, constraint: &Object) -> Option<Id> {
        if is_inline(cx, constraint) {
            return Some(constraint.id.beside(Kind::Table, ""));
        }
        if let Some(maker) = key_from_parent(cx, constraint) {
            return Some(maker);
        }
        let table = cx.to.get(&constraint.id.beside(Kind::Table, ""))?;
        if !links::is_linked_apart(cx, table)
            && let Some(parent) = handed_down(cx, constraint)
        {
            return Some(parent);
        }
        inherited::from_parent(cx, constraint).filter(|parent| {
            cx.created(parent) && !constraint.flag("_local") && !has_index(constraint)
        })
    }

    fn create(&self, cx: &Context, constraint: &Object) -> Vec<Step> {
        let id = &constraint.id;
        let table = id.beside(Kind::Table, "");
        // The index of a partition is made and attached by itself, under its own name.
        let alter = if has_index(constraint) {
            alter_only(cx, id)
        } else {
            alter_table(cx, id)
        };
        let mut step = Step::create(id, format!("{alter} ADD {}", clause(constraint)))
            .needing(links::unlinked_children(cx, &table))
            .needing(heirs(cx, id));
        let new_table = cx.created(&table);
        if constraint.get("form") == "foreign key" {
            let needs = constraint.needs.iter().map(|need| &need.id);
            let indexes = needs.filter(|id| matches!(id.kind(), Kind::Index | Kind::Constraint));
            step.needs.extend(indexes.map(indexes::complete));
            step.needs.extend(links::partitions_attached(cx, &table));
            if let [schema, name] = constraint.list("_references") {
                let referenced = Id::new(Kind::Table, schema, name, "");
                step.needs.push(carry::filled(&referenced));
                step.needs.extend(links::partitions_gone(cx, &referenced));
            }
        }
        if !new_table && !constraint.flag("not_valid") {
            step = step.hazard(
                HazardKind::DependsOnRows,
                format!("fails where a row of {table} breaks it"),
            );
            if has_index(constraint) {
                let message = format!("{table} is locked while the index is built");
                step = step.hazard(HazardKind::IndexBuild, message);
            } else {
                let message = format!("{table} is read while it is locked");
                step = step.hazard(HazardKind::FullScan, message);
            }
        }
        vec![step]
    }

    fn finish(&self, cx: &Context, constraint: &Object) -> Vec<Step> {
        let mut steps = Vec::new();
        if has_index(constraint) {
            let path = index_path(&constraint.id);
            let options = match parameters_inline(constraint) {
                true => "",
                false => "index_options",
            };
            indexes::settings(cx, None, constraint, &path, options, &mut steps);
            index_details(None, constraint, &path, &mut steps);
        }
        // Its parent's statement speaks of the parent only.
        let parent = inherited::from_parent(cx, constraint).filter(|parent| cx.created(parent));
        let unchecked = |id: &Id| cx.to.get(id).is_some_and(|parent| parent.flag("not_valid"));
        if parent.is_some_and(|id| unchecked(&id)) && !constraint.flag("not_valid") {
            let sql = format!(
                "{} VALIDATE CONSTRAINT {}",
                alter_table(cx, &constraint.id),
                text::ident(constraint.id.part())
            );
            steps.push(Step::detail(&constraint.id, sql));
        }
        if let Some(parent) = constraint.text("parent") {
            let table = constraint.id.beside(Kind::Table, "");
            let path = index_path(&constraint.id);
            steps.push(indexes::attach(cx, constraint, &path, parent, &table));
        }
        steps
    }

    fn holder(&self, cx: &Context, constraint: &Object) -> Option<Id> {
        indexes::holder(cx, constraint, &constraint.id.beside(Kind::Table, ""))
    }

    fn goes_with(&self, cx: &Context, constraint: &Object, whole: &Id) -> bool {
        let table = constraint.id.beside(Kind::Table, "");
        match whole.kind() {
            Kind::Constraint if is_left_to_children(cx, whole) => false,
            Kind::Constraint => {
                let leaves = links::leaves(cx, &table, &whole.beside(Kind::Table, ""));
                !(leaves || (cx.destroyed(&table) && !cx.is_apart(&constraint.id)))
            }
            Kind::Index if constraint.text("parent").is_some() => !links::is_unlinked(cx, &table),
            _ => true,
        }
    }

    fn loss(&self, cx: &Context, constraint: &Object, lost: &Id) -> Loss {
        let parent = matches!(lost.kind(), Kind::Index | Kind::Constraint);
        if parent && !self.goes_with(cx, constraint, lost) {
            Loss::Alter
        } else {
            Loss::Rebuild
        }
    }

    fn drop(&self, cx: &Context, constraint: &Object) -> Vec<Step> {
        let id = &constraint.id;
        let alter = match is_left_to_children(cx, id) {
            true => alter_only(cx, id),
            false => alter_table(cx, id),
        };
        let sql = format!("{alter} DROP CONSTRAINT {}", text::ident(id.part()));
        vec![Step::drop(id, sql)]
    }

    fn alter(&self, cx: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        let in_place = [
            "deferrable",
            "deferred",
            "not_valid",
            "index_options",
            "tablespace",
            "clustered",
            "replica_identity",
            "index_statistics",
            "index_comment",
            "parent",
            "not_enforced",
        ];
        let deferral = changed.any(&["deferrable", "deferred", "not_enforced"]);
        let table = to.id.beside(Kind::Table, "");
        let partitioned = cx
            .from
            .get(&table)
            .is_some_and(|t| t.get("form") == "partitioned");
        if !changed.only(&in_place)
            || (partitioned && changed.has("index_options"))
            || (deferral && to.get("form") != "foreign key")
            || (to.flag("not_valid") && !from.flag("not_valid"))
            || (changed.has("parent")
                && from.text("parent").is_some()
                && !links::is_unlinked(cx, &to.id.beside(Kind::Table, "")))
        {
            return Alter::Rebuild;
        }
        let id = &to.id;
        let name = text::ident(id.part());
        let alter = alter_table(cx, id);
        let mut steps = Vec::new();
        // The parent's own statement reaches its partitions.
        let parent = inherited::from_parent(cx, to);
        let clauses = ["deferrable", "deferred", "not_enforced"];
        let follows = parent.is_some_and(|id| inherited::same_change(cx, &id, from, to, &clauses));
        if deferral && !follows {
            let how = match (to.flag("deferrable"), to.flag("deferred")) {
                (_, true) => "DEFERRABLE INITIALLY DEFERRED",
                (true, false) => "DEFERRABLE INITIALLY IMMEDIATE",
                (false, false) => "NOT DEFERRABLE",
            };
            let enforced = match (changed.has("not_enforced"), to.flag("not_enforced")) {
                (false, _) => "",
                (true, true) => " NOT ENFORCED",
                (true, false) => " ENFORCED",
            };
            let sql = format!("{alter} ALTER CONSTRAINT {name} {how}{enforced}");
            steps.push(Step::alter(id, sql));
        }
        if changed.has("not_valid") {
            let sql = format!("{alter} VALIDATE CONSTRAINT {name}");
            steps.push(Step::alter(id, sql).hazard(
                HazardKind::DependsOnRows,
                format!("fails where a row of {table} breaks it"),
            ));
        }
        let path = index_path(id);
        indexes::settings(cx, Some(from), to, &path, "index_options", &mut steps);
        index_details(Some(from), to, &path, &mut steps);
        let unlinked = links::is_unlinked(cx, &table);
        if let Some(parent) = to
            .text("parent")
            .filter(|_| changed.has("parent") || unlinked)
        {
            steps.push(indexes::attach(cx, to, &path, parent, &table));
        }
        Alter::Steps(steps)
    }
}

fn index_path(id: &Id) -> String {
    text::qualified(id.schema(), id.part())
}

fn index_details(from: Option<&Object>, to: &Object, path: &str, steps: &mut Vec<Step>) {
    let comment = to.text("index_comment");
    if from.and_then(|f| f.text("index_comment")) != comment {
        let comment = comment.map_or_else(|| "NULL".to_owned(), text::literal);
        steps.push(Step::detail(
            &to.id,
            format!("COMMENT ON INDEX {path} IS {comment}"),
        ));
    }
}
