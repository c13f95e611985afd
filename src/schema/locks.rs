//! Which lock each step takes on which table or view, and what it writes anew: what the manual
//! says about each form of statement (`AlterTableGetLockLevel` in Postgres's own source).
//!
//! Locks that block neither writers nor other changes of the schema (`ACCESS SHARE` …) are left
//! out. `tests/it/schema_locks.rs` holds all of this against `pg_locks` and `relfilenode`.

use std::collections::HashSet;

use super::expand::Context;
use super::model::{Id, Kind, Object};
use super::plan::{Action, Hazard, HazardKind, Lock, LockMode, Step};

/// Says of every step what it locks, and adds to what it rewrites the tables below. What the plan
/// itself has made is nobody else's yet, and not spoken of; nor is what it has dropped.
pub(super) fn claim(cx: &Context, steps: &mut [Step]) {
    let mut made: HashSet<Id> = HashSet::new();
    let mut gone: HashSet<Id> = HashSet::new();
    for step in &mut *steps {
        let mut locks = std::mem::take(&mut step.locks);
        locks.extend(of(cx, step, &made));
        if descends(cx, step) {
            // What is dropped from one table alone becomes its children's own.
            let deep = !step.sql.starts_with("ALTER TABLE ONLY ");
            for Lock { mode, on } in locks.clone() {
                let below = below(cx, &on, deep).into_iter();
                locks.extend(below.map(|on| Lock { mode, on }));
            }
            let rewrites = step.rewrites.clone();
            let below = |table| below(cx, table, deep);
            step.rewrites.extend(rewrites.iter().flat_map(below));
        }
        let stood = |on: &Id| cx.from.contains(on) && !made.contains(on) && !gone.contains(on);
        // What is partitioned has no rows of its own.
        step.rewrites.retain(|table| {
            stood(table) && either(cx, table).is_none_or(|t| t.get("form") != "partitioned")
        });
        step.rewrites.sort();
        step.rewrites.dedup();
        // The strongest on each.
        locks.retain(|lock| stood(&lock.on));
        locks.sort_by(|a, b| (&a.on, b.mode).cmp(&(&b.on, a.mode)));
        locks.dedup_by(|b, a| a.on == b.on);
        step.locks = locks;
        made.extend(step.makes.iter().cloned());
        gone.extend(step.destroys.iter().cloned());
    }
    tell(steps);
}

/// Says as a hazard which locks keep others from writing or reading.
pub(super) fn tell(steps: &mut [Step]) {
    for step in steps {
        step.hazards
            .retain(|hazard| hazard.kind != HazardKind::Lock);
        let blocking = |lock: &&Lock| lock.mode > LockMode::ShareUpdateExclusive;
        let locks = step.locks.iter().filter(blocking);
        let named: Vec<String> = locks
            .map(|lock| format!("{} on {}", lock.mode.name(), lock.on))
            .collect();
        if !named.is_empty() {
            step.hazards.push(Hazard {
                kind: HazardKind::Lock,
                message: named.join(", "),
                rows: None,
            });
        }
    }
}

fn of(cx: &Context, step: &Step, made: &HashSet<Id>) -> Vec<Lock> {
    use LockMode::{AccessExclusive, Share, ShareRowExclusive, ShareUpdateExclusive};
    let Some(object) = object(cx, step) else {
        return Vec::new();
    };
    let on = |mode: LockMode, table: Option<Id>| table.map(|on| Lock { mode, on });
    let own = relation(cx, object);
    if step.sql.starts_with("GRANT ") || step.sql.starts_with("REVOKE ") {
        return Vec::new();
    }
    if step.sql.starts_with("COMMENT ON ") {
        // Of a part, only what is commented on is locked.
        let whole = matches!(
            step.kind(),
            Kind::Table | Kind::View | Kind::MaterializedView | Kind::Column | Kind::ViewColumn
        );
        return on(ShareUpdateExclusive, own.filter(|_| whole))
            .into_iter()
            .collect();
    }
    let mut locks = Vec::new();
    match (step.kind(), step.action) {
        (Kind::Table, Action::Create) => {
            let says = ["INHERITS (", "PARTITION OF "];
            let child = says.iter().any(|word| step.sql.contains(word));
            locks.extend(parents(object).filter(|_| child).map(|on| Lock {
                mode: ShareUpdateExclusive,
                on,
            }));
            let keys = step.makes.iter().filter_map(|id| cx.to.get(id));
            locks.extend(keys.filter_map(|key| on(ShareRowExclusive, referenced(key))));
        }
        (Kind::View | Kind::MaterializedView, Action::Create) => {}
        (Kind::Table, Action::Drop) if step.destroys.contains(&object.id) => {
            locks.extend(on(AccessExclusive, own));
            // Its foreign keys end on the other side, too; a partition leaves its table.
            let keys = step.destroys.iter().filter_map(|id| cx.from.get(id));
            locks.extend(keys.filter_map(|key| on(AccessExclusive, referenced(key))));
            if object.text("partition_bound").is_some() {
                locks
                    .extend(parents(object).filter_map(|parent| on(AccessExclusive, Some(parent))));
            }
        }
        _ if step.sql.starts_with("ALTER INDEX ") => {}
        (Kind::Index, Action::Create) if step.alone => {
            locks.extend(on(ShareUpdateExclusive, own));
        }
        (Kind::Index, Action::Drop) if step.alone => {
            locks.extend(on(ShareUpdateExclusive, own));
        }
        (Kind::Index, Action::Create) => locks.extend(on(Share, own)),
        (Kind::Index, Action::Drop) => locks.extend(on(AccessExclusive, own)),
        (Kind::Index, _) if step.sql.starts_with("REINDEX ") => locks.extend(on(Share, own)),
        (Kind::Statistics, Action::Create | Action::Drop) => {
            locks.extend(on(ShareUpdateExclusive, own));
        }
        (Kind::Statistics, _) => {}
        (Kind::Trigger, Action::Create) => {
            locks.extend(on(ShareRowExclusive, own));
        }
        (Kind::Constraint, Action::Create | Action::Drop) if referenced(object).is_some() => {
            let mode = match step.action {
                Action::Create => ShareRowExclusive,
                _ => AccessExclusive,
            };
            locks.extend(on(mode, own));
            locks.extend(on(mode, referenced(object)));
        }
        (Kind::Attribute, _) => {
            locks.extend(
                typed_tables(cx, object).filter_map(|table| on(AccessExclusive, Some(table))),
            );
        }
        (Kind::DomainConstraint, Action::Create | Action::Alter)
        | (Kind::Domain, Action::Alter) => {
            locks.extend(
                tables_with(cx, object)
                    .into_iter()
                    .filter_map(|t| on(Share, Some(t))),
            );
        }
        // Rows on their way from a table to the one that takes its place.
        (Kind::Table, _) if !step.sql.starts_with("ALTER ") => {}
        _ if own.is_some() => {
            let mode = form(step).map_or(AccessExclusive, mode);
            locks.extend(on(mode, own));
            locks.extend(link(cx, object, step, made));
        }
        _ => {}
    }
    locks
}

/// What comes after `ALTER TABLE t ALTER COLUMN c`, or after `ALTER TABLE t`.
fn form(step: &Step) -> Option<&str> {
    let sql = step.sql.strip_prefix("ALTER ")?;
    let words = ["TABLE ", "FOREIGN TABLE ", "MATERIALIZED VIEW ", "VIEW "];
    let (word, rest) = words
        .iter()
        .find_map(|w| Some((*w, sql.strip_prefix(w)?)))?;
    if word == "VIEW " {
        return None;
    }
    let rest = rest.strip_prefix("ONLY ").unwrap_or(rest);
    let table = super::text::qualified(step.object.schema(), step.object.name());
    let rest = rest.strip_prefix(table.as_str()).unwrap_or_else(|| {
        // An index is marked on its table.
        rest.find(" CLUSTER ON ").map_or(rest, |at| &rest[at..])
    });
    let rest = rest.trim_start();
    let column = format!("ALTER COLUMN {} ", super::text::ident(step.object.part()));
    Some(rest.strip_prefix(column.as_str()).unwrap_or(rest))
}

fn mode(form: &str) -> LockMode {
    let weak = [
        "SET STATISTICS ",
        "SET (",
        "RESET (",
        "CLUSTER ON ",
        "SET WITHOUT CLUSTER",
        "VALIDATE CONSTRAINT ",
    ];
    let triggers = [
        "ENABLE TRIGGER ",
        "DISABLE TRIGGER ",
        "ENABLE REPLICA TRIGGER ",
        "ENABLE ALWAYS TRIGGER ",
    ];
    let is = |list: &[&str]| list.iter().any(|word| form.starts_with(word));
    match () {
        () if is(&weak) => LockMode::ShareUpdateExclusive,
        () if is(&triggers) => LockMode::ShareRowExclusive,
        () => LockMode::AccessExclusive,
    }
}

/// The locks of becoming a child of a table, or of ceasing to be one, besides the child's own.
fn link(cx: &Context, table: &Object, step: &Step, made: &HashSet<Id>) -> Vec<Lock> {
    let says = |word: &str| step.sql.contains(word);
    let parents: Vec<Id> = [cx.from.get(&table.id), cx.to.get(&table.id)]
        .into_iter()
        .flatten()
        .flat_map(parents)
        .filter(|parent| says(&parent.path()))
        .collect();
    let lock = |mode: LockMode| {
        parents.iter().map(move |on| Lock {
            mode,
            on: on.clone(),
        })
    };
    if step.kind() != Kind::Table {
        Vec::new()
    } else if says(" ATTACH PARTITION ") {
        // Foreign keys that it takes over from its parent.
        let stand = |key: &&Object| cx.stays(&key.id) || made.contains(&key.id);
        let keys = parents
            .iter()
            .flat_map(|p| cx.to.parts(p, Kind::Constraint));
        let keys = keys.filter(stand).filter_map(referenced).map(|on| Lock {
            mode: LockMode::ShareRowExclusive,
            on,
        });
        lock(LockMode::ShareUpdateExclusive).chain(keys).collect()
    } else if says(" DETACH PARTITION ") {
        lock(LockMode::AccessExclusive).collect()
    } else if says(" INHERIT ") && !says(" NO INHERIT ") {
        lock(LockMode::ShareUpdateExclusive).collect()
    } else {
        Vec::new()
    }
}

/// Whether the statement does to the tables below what it does to the one that it names.
fn descends(cx: &Context, step: &Step) -> bool {
    let only = step.sql.starts_with("ALTER TABLE ONLY ") && step.action != Action::Drop;
    if only || step.sql.starts_with("COMMENT ") || step.sql.ends_with(" NO INHERIT") {
        return false;
    }
    match step.kind() {
        Kind::Column => step.action != Action::Detail,
        Kind::Constraint => step.action != Action::Detail,
        Kind::Index => {
            matches!(step.action, Action::Create | Action::Drop) && !step.sql.contains(" ON ONLY ")
        }
        Kind::Trigger => object(cx, step).is_some_and(|trigger| {
            relation(cx, trigger)
                .and_then(|table| either(cx, &table))
                .is_some_and(|table| table.get("form") == "partitioned")
        }),
        _ => false,
    }
}

/// The tables that inherit from it or are its partitions when the step runs; `deep`: also those below them.
fn below(cx: &Context, table: &Id, deep: bool) -> Vec<Id> {
    let mut found: Vec<Id> = Vec::new();
    let mut todo = vec![table.clone()];
    while let Some(table) = todo.pop() {
        for (child, _) in cx.dependents(&table) {
            let stays = cx
                .to
                .get(&child.id)
                .is_none_or(|to| parents(to).any(|p| p == table));
            if child.id.kind() == Kind::Table
                && parents(child).any(|p| p == table)
                && stays
                && !found.contains(&child.id)
            {
                found.push(child.id.clone());
                if deep {
                    todo.push(child.id.clone());
                }
            }
        }
    }
    found
}

fn parents(table: &Object) -> impl Iterator<Item = Id> {
    let pairs = table.list("_parents").chunks_exact(2);
    pairs.map(|pair| Id::new(Kind::Table, &pair[0], &pair[1], ""))
}

/// The table that a foreign key points to.
fn referenced(constraint: &Object) -> Option<Id> {
    match constraint.list("_references") {
        [schema, name] => Some(Id::new(Kind::Table, schema, name, "")),
        _ => None,
    }
}

/// Tables of a composite type.
fn typed_tables<'a>(cx: &'a Context, attribute: &Object) -> impl Iterator<Item = Id> + 'a {
    let of = [
        attribute.id.schema().to_owned(),
        attribute.id.name().to_owned(),
    ];
    let tables = cx.from.of_kind(Kind::Table);
    tables
        .filter(move |table| table.list("_of_type") == of)
        .map(|table| table.id.clone())
}

/// Tables that have a column of a domain.
fn tables_with(cx: &Context, part: &Object) -> Vec<Id> {
    let domain = part.id.beside(Kind::Domain, "");
    let dependents = cx.dependents(&domain);
    let columns = dependents.filter(|(object, _)| object.id.kind() == Kind::Column);
    columns
        .map(|(column, _)| column.id.beside(Kind::Table, ""))
        .collect()
}

fn either<'a>(cx: &Context<'a>, id: &Id) -> Option<&'a Object> {
    cx.to.get(id).or_else(|| cx.from.get(id))
}

/// The object of the step, as it stands when the step runs.
fn object<'a>(cx: &Context<'a>, step: &Step) -> Option<&'a Object> {
    match step.action {
        Action::Drop => cx
            .from
            .get(&step.object)
            .or_else(|| cx.to.get(&step.object)),
        _ => either(cx, &step.object),
    }
}

/// The table or view that an object is or belongs to.
fn relation(cx: &Context, object: &Object) -> Option<Id> {
    let is_relation =
        |kind: Kind| matches!(kind, Kind::Table | Kind::View | Kind::MaterializedView);
    let id = &object.id;
    match id.kind() {
        kind if is_relation(kind) => Some(id.clone()),
        Kind::Column
        | Kind::Default
        | Kind::Constraint
        | Kind::Trigger
        | Kind::Rule
        | Kind::Policy
        | Kind::ViewColumn => [Kind::Table, Kind::View, Kind::MaterializedView]
            .iter()
            .map(|kind| id.beside(*kind, ""))
            .find(|id| either(cx, id).is_some()),
        Kind::Index | Kind::Statistics => object.needs.iter().find_map(|need| {
            let kinds = [Kind::Table, Kind::MaterializedView];
            let whole = kinds.map(|kind| need.id.beside(kind, ""));
            let fits = matches!(need.id.kind(), Kind::Column | Kind::ViewColumn)
                || is_relation(need.id.kind());
            whole
                .into_iter()
                .find(|id| fits && either(cx, id).is_some())
        }),
        _ => None,
    }
}
