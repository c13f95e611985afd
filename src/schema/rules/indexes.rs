//! Indexes that belong to no constraint.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object};
use super::super::plan::{HazardKind, Step};
use super::super::text;
use super::{Alter, Changed, Loss, Rules, links};

pub(in super::super) struct Indexes;

fn table_of(index: &Object) -> Id {
    match index.list("_table") {
        [schema, name] => Id::new(Kind::Table, schema, name, ""),
        _ => index.id.clone(),
    }
}

impl Rules for Indexes {
    fn create(&self, cx: &Context, index: &Object) -> Vec<Step> {
        let table = table_of(index);
        let sql = with_parameters(index);
        let mut step = Step::create(&index.id, sql);
        // What is there when a partition is attached may be taken for a part of the parent's.
        if index.text("parent").is_none() {
            step.needs.push(links::attached(&table));
        }
        if !cx.created(&table) {
            let message = format!("{table} cannot be written to while the index is built");
            step = step.hazard(HazardKind::IndexBuild, message);
            if index.flag("_unique") {
                let message = format!("fails where rows of {table} are the same");
                step = step.hazard(HazardKind::DependsOnRows, message);
            }
        }
        vec![step]
    }

    fn finish(&self, cx: &Context, index: &Object) -> Vec<Step> {
        let mut steps = Vec::new();
        let path = index.id.path();
        settings(cx, None, index, &path, "", &mut steps);
        if let Some(parent) = index.text("parent") {
            steps.push(attach(cx, index, &path, parent, &table_of(index)));
        }
        steps
    }

    fn goes_with(&self, cx: &Context, index: &Object, whole: &Id) -> bool {
        !matches!(whole.kind(), Kind::Index | Kind::Constraint)
            || !links::is_unlinked(cx, &table_of(index))
    }

    fn loss(&self, cx: &Context, index: &Object, lost: &Id) -> Loss {
        let parent = matches!(lost.kind(), Kind::Index | Kind::Constraint);
        if parent && !self.goes_with(cx, index, lost) {
            Loss::Alter
        } else {
            Loss::Rebuild
        }
    }

    fn holder(&self, cx: &Context, index: &Object) -> Option<Id> {
        holder(cx, index, &table_of(index))
    }

    fn drop(&self, cx: &Context, index: &Object) -> Vec<Step> {
        let mut sql = format!("DROP INDEX {}", index.id.path());
        // Indexes of partitions go with it unasked, constraints that have one do not.
        if cx
            .dependents(&index.id)
            .any(|(o, auto)| auto && o.text("parent").is_some() && o.id.kind() == Kind::Constraint)
        {
            sql.push_str(" CASCADE");
        }
        vec![Step::drop(&index.id, sql)]
    }

    fn alter(&self, cx: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        let in_place = [
            "options",
            "tablespace",
            "clustered",
            "replica_identity",
            "statistics",
            "parent",
            "invalid",
        ];
        let unlinked = links::is_unlinked(cx, &table_of(to));
        if !changed.only(&in_place)
            || (changed.has("parent") && from.text("parent").is_some() && !unlinked)
        {
            return Alter::Rebuild;
        }
        if from.flag("invalid") && !to.flag("invalid") {
            return Alter::Rebuild;
        }
        // What stands for the indexes of partitions takes no parameters afterwards.
        if changed.has("options") && to.get("_table_kind") == "p" {
            return Alter::Rebuild;
        }
        let mut steps = Vec::new();
        let path = to.id.path();
        settings(cx, Some(from), to, &path, "options", &mut steps);
        // These read their parameters when they are built.
        let built_in = ["btree", "hash", "gist", "gin", "spgist"];
        if changed.has("options") && !built_in.contains(&to.get("_method")) {
            let table = table_of(to);
            steps.push(Step::alter(&to.id, format!("REINDEX INDEX {path}")).hazard(
                HazardKind::IndexBuild,
                format!("{table} cannot be written to while the index is built"),
            ));
        }
        if let Some(parent) = to
            .text("parent")
            .filter(|_| changed.has("parent") || unlinked)
        {
            steps.push(attach(cx, to, &path, parent, &table_of(to)));
        }
        Alter::Steps(steps)
    }
}

/// The definition with its storage parameters where they belong: before the predicate.
fn with_parameters(index: &Object) -> String {
    let definition = index.get("definition");
    let head = index.text("_before_options");
    match head.and_then(|head| Some((head, definition.strip_prefix(head)?))) {
        Some((head, tail)) => {
            let with = text::parameters(index.list("options"));
            format!("{head} WITH ({with}){tail}")
        }
        None => definition.to_owned(),
    }
}

/// Makes the index of a partition, of its own or of a constraint, part of its parent's. Done
/// already where both are made with their tables, by attaching those; and then once more does no
/// harm.
pub(super) fn attach(cx: &Context, index: &Object, path: &str, parent: &str, table: &Id) -> Step {
    let sql = format!("ALTER INDEX {parent} ATTACH PARTITION {path}");
    let mut step = Step::detail(&index.id, sql).needing([links::attached(table)]);
    let mut next = parent_of(index);
    while let Some(parent) = next {
        step.needs.push(parent.clone());
        step.makes.push(complete(parent));
        next = cx.to.get(parent).and_then(parent_of);
    }
    step
}

/// The index of the parent table that it is part of, or the constraint which has that.
fn parent_of(index: &Object) -> Option<&Id> {
    index.text("parent")?;
    let mut needs = index.needs.iter().filter(|need| need.auto);
    needs
        .find(|need| matches!(need.id.kind(), Kind::Index | Kind::Constraint))
        .map(|need| &need.id)
}

/// Stands for an index's having all its parts: only then it can tell that rows are unique.
pub(super) fn complete(index: &Id) -> Id {
    index.beside(index.kind(), &format!("{}\u{1}complete", index.part()))
}

/// Once attached, it goes only with its parent's or with its table, or when the table leaves.
pub(super) fn holder(cx: &Context, index: &Object, table: &Id) -> Option<Id> {
    let free = cx.destroyed(table) || links::is_unlinked(cx, table);
    parent_of(index).filter(|_| !free).cloned()
}

/// What can be set on an index, of its own or of a constraint: parameters (the property `options`;
/// empty for none), tablespace, marks and statistics. `path` names the index.
pub(super) fn settings(
    cx: &Context,
    from: Option<&Object>,
    to: &Object,
    path: &str,
    options: &str,
    steps: &mut Vec<Step>,
) {
    let none: &[String] = &[];
    let list = |object: Option<&Object>, name: &str| object.map_or(none, |o| o.list(name)).to_vec();
    let differs = |name: &str| from.and_then(|f| f.value(name)) != to.value(name);
    let mut push = |sql: String| steps.push(Step::detail(&to.id, sql));
    let (set, reset) = text::parameter_changes(&list(from, options), to.list(options));
    if !set.is_empty() {
        push(format!(
            "ALTER INDEX {path} SET ({})",
            text::parameters(&set)
        ));
    }
    if !reset.is_empty() {
        push(format!("ALTER INDEX {path} RESET ({})", reset.join(", ")));
    }
    if differs("tablespace") {
        let space = to.text("tablespace").unwrap_or("pg_default");
        push(format!(
            "ALTER INDEX {path} SET TABLESPACE {}",
            text::ident(space)
        ));
    }
    let statistics = if to.id.kind() == Kind::Index {
        "statistics"
    } else {
        "index_statistics"
    };
    let (old, new) = (list(from, statistics), to.list(statistics));
    for (column, target) in text::options(new).filter(|(c, t)| !old.contains(&format!("{c}={t}"))) {
        push(format!(
            "ALTER INDEX {path} ALTER COLUMN {column} SET STATISTICS {target}"
        ));
    }
    for (column, _) in
        text::options(&old).filter(|(c, _)| !text::options(new).any(|(n, _)| n == *c))
    {
        push(format!(
            "ALTER INDEX {path} ALTER COLUMN {column} SET STATISTICS -1"
        ));
    }
    marks(cx, from, to, path, steps);
}

/// One index of a table can be the one to cluster by, one the replica identity.
fn marks(cx: &Context, from: Option<&Object>, to: &Object, path: &str, steps: &mut Vec<Step>) {
    let Some([schema, name]) = to.list("_table").first_chunk::<2>() else {
        return;
    };
    let table = text::qualified(schema, name);
    let index = path.rsplit_once('.').map_or(path, |(_, name)| name);
    let index = if to.id.kind() == Kind::Index {
        text::ident(to.id.name())
    } else if to.id.part().is_empty() {
        index.to_owned()
    } else {
        text::ident(to.id.part())
    };
    let differs = |name: &str| from.is_some_and(|f| f.flag(name)) != to.flag(name);
    let taken_over = |mark: &str| {
        cx.to.objects().any(|o| {
            matches!(o.id.kind(), Kind::Index | Kind::Constraint)
                && o.id != to.id
                && o.flag(mark)
                && o.list("_table") == [schema.as_str(), name.as_str()]
        })
    };
    let mut push = |sql: String| steps.push(Step::detail(&to.id, sql));
    if differs("clustered") {
        if to.flag("clustered") {
            push(format!("ALTER TABLE {table} CLUSTER ON {index}"));
        } else if !taken_over("clustered") {
            push(format!("ALTER TABLE {table} SET WITHOUT CLUSTER"));
        }
    }
    if differs("replica_identity") {
        let whole = Id::new(Kind::Table, schema, name, "");
        let said = cx
            .to
            .get(&whole)
            .is_some_and(|t| t.text("replica_identity").is_some());
        if to.flag("replica_identity") {
            push(format!(
                "ALTER TABLE {table} REPLICA IDENTITY USING INDEX {index}"
            ));
        } else if !said && !taken_over("replica_identity") {
            push(format!("ALTER TABLE {table} REPLICA IDENTITY DEFAULT"));
        }
    }
}
