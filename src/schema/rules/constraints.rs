//! Constraints of tables.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{HazardKind, LockMode, Step};
use super::super::text;
use super::{Alter, Changed, Loss, Rules, alter_only, alter_table, columns, indexes, tables};

pub(in super::super) struct Constraints;

fn has_index(constraint: &Object) -> bool {
    !matches!(constraint.get("form"), "check" | "foreign key")
}

/// Whether it is made with its table. NOT VALID would be forgotten there.
pub(super) fn is_inline(cx: &Context, constraint: &Object) -> bool {
    let table = constraint.id.beside(Kind::Table, "");
    let ready = !constraint.flag("not_valid") && constraint.text("tablespace").is_none();
    cx.created(&table) && !cx.is_apart(&constraint.id) && ready
}

/// `CONSTRAINT name CHECK (…)`
pub(super) fn clause(constraint: &Object) -> String {
    let mut sql = format!(
        "CONSTRAINT {} {}",
        text::ident(constraint.id.part()),
        constraint.get("definition")
    );
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
        columns::from_parent(cx, constraint).filter(|parent| {
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
            .needing(tables::unlinked_children(cx, &table));
        let new_table = cx.created(&table);
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
            indexes::settings(cx, None, constraint, &path, "index_options", &mut steps);
            index_details(None, constraint, &path, &mut steps);
        }
        if let Some(parent) = constraint.text("parent") {
            steps.push(attach(constraint, parent));
        }
        steps
    }

    fn goes_with(&self, cx: &Context, constraint: &Object, whole: &Id) -> bool {
        let table = constraint.id.beside(Kind::Table, "");
        whole.kind() != Kind::Constraint
            || !tables::leaves(cx, &table, &whole.beside(Kind::Table, ""))
    }

    fn loss(&self, cx: &Context, constraint: &Object, lost: &Id) -> Loss {
        if lost.kind() == Kind::Constraint && !self.goes_with(cx, constraint, lost) {
            Loss::Alter
        } else {
            Loss::Rebuild
        }
    }

    fn drop(&self, cx: &Context, constraint: &Object) -> Vec<Step> {
        let id = &constraint.id;
        let sql = format!(
            "{} DROP CONSTRAINT {}",
            alter_table(cx, id),
            text::ident(id.part())
        );
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
        if !changed.only(&in_place)
            || (deferral && to.get("form") != "foreign key")
            || (to.flag("not_valid") && !from.flag("not_valid"))
            || (changed.has("parent")
                && from.text("parent").is_some()
                && !tables::is_unlinked(cx, &to.id.beside(Kind::Table, "")))
        {
            return Alter::Rebuild;
        }
        let id = &to.id;
        let name = text::ident(id.part());
        let alter = alter_table(cx, id);
        let table = id.beside(Kind::Table, "");
        let mut steps = Vec::new();
        if deferral {
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
            steps.push(
                Step::alter(id, sql)

                    .hazard(
                        HazardKind::DependsOnRows,
                        format!("fails where a row of {table} breaks it"),
                    ),
            );
        }
        let path = index_path(id);
        indexes::settings(cx, Some(from), to, &path, "index_options", &mut steps);
        index_details(Some(from), to, &path, &mut steps);
        let unlinked = tables::is_unlinked(cx, &table);
        if let Some(parent) = to
            .text("parent")
            .filter(|_| changed.has("parent") || unlinked)
        {
            steps.push(attach(to, parent));
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

/// Makes the index of a partition part of its parent's. Done already where both are made with
/// their tables, by attaching those; and then once more does no harm.
fn attach(constraint: &Object, parent: &str) -> Step {
    let table = constraint.id.beside(Kind::Table, "");
    // The parent's constraint has the name of its index, and lives in the parent's schema.
    let sql = format!(
        "ALTER INDEX {parent} ATTACH PARTITION {}",
        index_path(&constraint.id)
    );
    let parents = constraint.needs.iter().map(|need| need.id.clone());
    let parents: Vec<Id> = parents.filter(|id| id.kind() == Kind::Constraint).collect();
    Step::detail(&constraint.id, sql)
        .needing(parents)
        .needing([tables::attached(&table)])
}
