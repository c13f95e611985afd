//! Tables: plain, partitioned and foreign ones. Columns and constraints are objects of their own,
//! made together with their table where nothing stands against it.

use super::super::expand::Context;
use super::super::model::{Id, Kind, Object, Schema};
use super::super::plan::{Action, HazardKind, Step};
use super::super::text;
use super::{Alter, Changed, Loss, Rules, carry, columns, constraints, row_types};

pub(in super::super) struct Tables;

impl Rules for Tables {
    fn target(&self, table: &Object) -> String {
        if table.get("form") == "foreign" {
            format!("FOREIGN TABLE {}", table.id.path())
        } else {
            format!("TABLE {}", table.id.path())
        }
    }

    fn grant_target(&self, table: &Object) -> String {
        format!("TABLE {}", table.id.path())
    }

    fn create(&self, cx: &Context, table: &Object) -> Vec<Step> {
        let partition = is_partition(table);
        let typed = table.text("of_type").is_some();
        let apart = is_linked_apart(cx, table);
        let mut parts: Vec<(u32, String)> = Vec::new();
        for column in cx.to.parts(&table.id, Kind::Column) {
            let position = column.get("_position").parse().unwrap_or(0);
            if typed {
                let attributes = columns::attributes(cx, column);
                if !attributes.is_empty() {
                    let name = text::ident(column.id.part());
                    parts.push((position, format!("{name} WITH OPTIONS{attributes}")));
                }
            } else if columns::is_named(cx, table, column) {
                parts.push((position, columns::clause(cx, column)));
            }
        }
        // A NULL position sorts constraints after all columns; a column number is 16 bits.
        for constraint in cx.to.parts(&table.id, Kind::Constraint) {
            let inherited = constraint.flag("_inherited") && !apart;
            if constraints::is_inline(cx, constraint) && !inherited {
                parts.push((u32::MAX, constraints::clause(constraint)));
            }
        }
        parts.sort_by_key(|(position, _)| *position);
        let body: Vec<String> = parts
            .into_iter()
            .map(|(_, part)| format!("    {part}"))
            .collect();
        let body = if body.is_empty() {
            if typed {
                String::new()
            } else {
                " ()".to_owned()
            }
        } else {
            format!(" (\n{}\n)", body.join(",\n"))
        };
        let mut sql = format!("CREATE {}", create_word(table));
        sql.push_str(&table.id.path());
        if let Some(of) = table.text("of_type") {
            sql.push_str(&format!(" OF {of}"));
        }
        sql.push_str(&body);
        if !apart && !table.list("inherits").is_empty() {
            sql.push_str(&format!(
                " INHERITS ({})",
                table.list("inherits").join(", ")
            ));
        }
        sql.push_str(&storage_clauses(table));
        let columns = cx.to.parts(&table.id, Kind::Column);
        let settled = columns.flat_map(|column| row_types::settled(cx, column));
        let mut step = Step::create(&table.id, sql).needing(settled);
        if !apart {
            // A computed column may need one that it inherits.
            for (_, parent) in parents(table) {
                let columns = cx.to.parts(&parent, Kind::Column);
                step.needs.extend(columns.map(|o| o.id.clone()));
            }
        }
        let mut steps = vec![step];
        if partition {
            steps.push(attach(cx, table));
        } else if apart {
            let parents = parents(table).into_iter();
            steps.extend(parents.map(|(_, parent)| inherit(cx, table, &parent)));
        }
        steps
    }

    fn finish(&self, cx: &Context, table: &Object) -> Vec<Step> {
        let mut steps = Vec::new();
        if carry::is_carried(cx, &table.id) {
            steps.extend(carry::fill(cx, &table.id));
        }
        security(None, table, &mut steps);
        if let Some(identity) = table.text("replica_identity") {
            steps.push(Step::detail(
                &table.id,
                format!(
                    "ALTER TABLE {} REPLICA IDENTITY {identity}",
                    table.id.path()
                ),
            ));
        }
        steps
    }

    fn drop(&self, cx: &Context, table: &Object) -> Vec<Step> {
        let mut step = Step::drop(&table.id, format!("DROP {}", self.target(table)));
        step.makes.push(gone(&table.id));
        // What it computes may need what it inherits.
        for (_, parent) in parents(table) {
            let columns = cx.from.parts(&parent, Kind::Column);
            step.releases.extend(columns.map(|o| o.id.clone()));
        }
        if carry::is_carried(cx, &table.id) {
            let losses = carry::losses(cx, &table.id).into_iter();
            let step = losses.fold(step, |step, loss| step.hazard(HazardKind::DataLoss, loss));
            let kept = carry::keep(cx, &table.id).into_iter();
            return kept.chain([step]).collect();
        }
        // The rows of a partitioned table are in its partitions, which may stay.
        let mut dependents = cx.dependents(&table.id);
        let empty = match table.get("form") {
            "foreign" => true,
            "partitioned" => {
                !dependents.any(|(o, _)| o.id.kind() == Kind::Table && cx.destroyed(&o.id))
            }
            _ => false,
        };
        match empty {
            true => vec![step],
            false => vec![step.hazard(
                HazardKind::DataLoss,
                format!("{} goes away with all its rows", table.id),
            )],
        }
    }

    fn alter(&self, cx: &Context, from: &Object, to: &Object, changed: &Changed) -> Alter {
        if changed.any(&["form", "partition_key", "server"]) || is_reordered(cx, &to.id) {
            return Alter::Rebuild;
        }
        let path = to.id.path();
        let table = format!("ALTER {}", self.target(to));
        let mut steps = Vec::new();
        links(cx, from, to, &mut steps);
        type_links(cx, from, to, &mut steps);
        let mut push = |sql: String| {
            steps.push(Step::alter(&to.id, sql));
        };
        if changed.has("tablespace") {
            let space = to.text("tablespace").unwrap_or("pg_default");
            push(format!("{table} SET TABLESPACE {}", text::ident(space)));
        }
        if changed.has("access_method") && to.get("form") == "plain" {
            let method = to.text("access_method").unwrap_or("heap");
            push(format!("{table} SET ACCESS METHOD {}", text::ident(method)));
        }
        let mut parameters = Vec::new();
        for (name, prefix) in [("options", ""), ("toast_options", "toast.")] {
            let list = |o: &Object| -> Vec<String> {
                o.list(name)
                    .iter()
                    .map(|p| format!("{prefix}{p}"))
                    .collect()
            };
            let (set, reset) = text::parameter_changes(&list(from), &list(to));
            if !set.is_empty() {
                let sql = format!("{table} SET ({})", text::parameters(&set));
                // A toast table comes with the first column that may need one; before, nothing is kept.
                let columns = cx.to.parts(&to.id, Kind::Column).map(|column| &column.id);
                let new = columns.filter(|id| !prefix.is_empty() && cx.created(id));
                parameters.push(Step::alter(&to.id, sql).needing(new.cloned()));
            }
            if !reset.is_empty() {
                let sql = format!("{table} RESET ({})", reset.join(", "));
                parameters.push(Step::alter(&to.id, sql));
            }
        }
        let options =
            text::foreign_option_changes(from.list("foreign_options"), to.list("foreign_options"));
        if !options.is_empty() {
            push(format!("{table} OPTIONS ({options})"));
        }
        steps.extend(parameters);
        if changed.has("unlogged") {
            let how = if to.flag("unlogged") {
                "UNLOGGED"
            } else {
                "LOGGED"
            };
            let step = Step::alter(&to.id, format!("{table} SET {how}")).rewriting(&to.id);
            steps.push(step);
        }
        security(Some(from), to, &mut steps);
        if changed.has("replica_identity") {
            let identity = to.text("replica_identity").unwrap_or("DEFAULT");
            steps.push(Step::alter(
                &to.id,
                format!("ALTER TABLE {path} REPLICA IDENTITY {identity}"),
            ));
        }
        Alter::Steps(steps)
    }

    fn loss(&self, _: &Context, table: &Object, lost: &Id) -> Loss {
        match lost.kind() {
            Kind::Server => Loss::Rebuild,
            // A partition key cannot do without its functions and operators.
            Kind::Function | Kind::Operator | Kind::OperatorClass
                if table.text("partition_key").is_some() =>
            {
                Loss::Rebuild
            }
            _ => Loss::Alter,
        }
    }
}

fn create_word(table: &Object) -> &'static str {
    match table.get("form") {
        "foreign" => "FOREIGN TABLE ",
        _ if table.flag("unlogged") => "UNLOGGED TABLE ",
        _ => "TABLE ",
    }
}

fn storage_clauses(table: &Object) -> String {
    let mut sql = String::new();
    if let Some(key) = table.text("partition_key") {
        sql.push_str(&format!(" PARTITION BY {key}"));
    }
    if let Some(server) = table.text("server") {
        sql.push_str(&format!(" SERVER {}", text::ident(server)));
        sql.push_str(&text::with_foreign_options(table.list("foreign_options")));
    }
    if let Some(method) = table.text("access_method").filter(|m| *m != "heap") {
        sql.push_str(&format!(" USING {}", text::ident(method)));
    }
    let mut options: Vec<String> = table.list("options").to_vec();
    options.extend(
        table
            .list("toast_options")
            .iter()
            .map(|o| format!("toast.{o}")),
    );
    if !options.is_empty() {
        sql.push_str(&format!(" WITH ({})", text::parameters(&options)));
    }
    if let Some(space) = table.text("tablespace") {
        sql.push_str(&format!(" TABLESPACE {}", text::ident(space)));
    }
    sql
}

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
fn parents(table: &Object) -> Vec<(String, Id)> {
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

fn attach(cx: &Context, table: &Object) -> Step {
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
fn gone(table: &Id) -> Id {
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
fn links(cx: &Context, from: &Object, to: &Object, steps: &mut Vec<Step>) {
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
fn inherit(cx: &Context, table: &Object, parent: &Id) -> Step {
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
fn type_of(table: &Object) -> Option<Id> {
    match table.list("_of_type") {
        [schema, name] => Some(Id::new(Kind::Composite, schema, name, "")),
        _ => None,
    }
}

/// Whether a table that stands shall be of a type whose attributes are in another order than its
/// columns would be: then it can only be made anew, and its rows are carried over.
pub(super) fn is_reordered(cx: &Context, table: &Id) -> bool {
    let (Some(from), Some(to)) = (cx.from.get(table), cx.to.get(table)) else {
        return false;
    };
    let Some(of) = type_of(to).filter(|of| type_of(from).as_ref() != Some(of) || cx.destroyed(of))
    else {
        return false;
    };
    let columns = |schema: &'_ Schema| {
        let columns = schema.parts(table, Kind::Column);
        let place = |o: &Object| o.get("_position").parse::<i16>().unwrap_or_default();
        let mut columns: Vec<(i16, Id)> = columns.map(|o| (place(o), o.id.clone())).collect();
        columns.sort();
        columns.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    let wanted = columns(cx.to);
    let mut kept = columns(cx.from);
    kept.retain(|id| wanted.contains(id));
    cx.to.contains(&of) && !wanted.starts_with(&kept)
}

/// Whether a typed table lets go of its type on the way, if only to take the one made anew.
pub(super) fn leaves_type(cx: &Context, table: &Id) -> bool {
    let (Some(from), Some(to)) = (cx.from.get(table), cx.to.get(table)) else {
        return false;
    };
    cx.stays(table) && type_of(from).is_some_and(|of| cx.destroyed(&of) || type_of(to) != Some(of))
}

/// Lets go of a type first of all, and takes one when the columns are as it has them.
fn type_links(cx: &Context, from: &Object, to: &Object, steps: &mut Vec<Step>) {
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

fn security(from: Option<&Object>, to: &Object, steps: &mut Vec<Step>) {
    let differs = |name: &str| from.is_some_and(|f| f.flag(name)) != to.flag(name);
    let action = if from.is_some() {
        Action::Alter
    } else {
        Action::Detail
    };
    let mut push = |what: &str| {
        let mut step = Step::detail(
            &to.id,
            format!("ALTER TABLE {} {what} ROW LEVEL SECURITY", to.id.path()),
        );
        step.action = action;
        steps.push(step);
    };
    if differs("row_security") {
        push(if to.flag("row_security") {
            "ENABLE"
        } else {
            "DISABLE"
        });
    }
    if differs("force_row_security") {
        push(if to.flag("force_row_security") {
            "FORCE"
        } else {
            "NO FORCE"
        });
    }
}
