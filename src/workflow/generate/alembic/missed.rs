//! What autogenerate did not see: how a database with the new revision differs from one that the
//! models made. What only migrations make (views, functions, triggers, grants …) is not called
//! missing, nor is what env.py keeps Alembic from looking at.

use std::collections::BTreeSet;

use crate::schema::{self, Change, Id, Kind, Property, Schema, What};

/// What models cannot say of a table or a column: where only the database has it, a migration made
/// it.
const MIGRATIONS_ONLY: &[&str] = &[
    "row_security",
    "force_row_security",
    "replica_identity",
    "owner",
    "acl",
    "sequence_acl",
    "clustered",
    "statistics",
    "storage",
    "compression",
];

/// What the models want and `present` has not. `once` is what models made at other times: what they
/// do not want any more; the rest that only `present` has was made by migrations.
pub fn missed(present: &Schema, models: &Schema, once: &BTreeSet<String>) -> Vec<Change> {
    let changes = schema::diff(present, models).into_iter();
    changes
        .filter_map(|mut change| {
            if let What::Altered { properties } = &mut change.what {
                properties.retain(counts);
                if properties.is_empty() {
                    return None;
                }
            }
            let is_missed = match (&change.what, change.kind) {
                // Autogenerate sees these, unless env.py keeps them from it.
                (What::Created { .. }, Kind::Table | Kind::Column) => false,
                (What::Created { .. }, _) => {
                    is_about_both(&change.object, present, models)
                        && !has_another_name(&change.object, present, models)
                }
                // Autogenerate sees tables and columns here, too.
                (What::Dropped, Kind::Table | Kind::Column) => false,
                (What::Dropped, _) => {
                    once.contains(&change.object.to_string())
                        && is_about_both(&change.object, present, models)
                }
                (What::Altered { .. }, Kind::Default) => {
                    !is_serial(&change.object, present, models)
                }
                (What::Altered { .. }, _) => true,
            };
            is_missed.then_some(change)
        })
        .collect()
}

fn counts(property: &Property) -> bool {
    property.to.is_some() || !MIGRATIONS_ONLY.contains(&property.name.as_str())
}

/// The table that something hangs on, where it does.
fn table_of(object: &Id, schema: &Schema) -> Option<Id> {
    match object.kind() {
        Kind::Constraint | Kind::Default | Kind::Column => Some(object.beside(Kind::Table, "")),
        Kind::Index => {
            let names = schema.get(object)?.list("_table");
            let [namespace, table] = names else {
                return None;
            };
            Some(Id::new(Kind::Table, namespace, table, ""))
        }
        _ => None,
    }
}

/// What hangs on a table counts where both sides have the table.
fn is_about_both(object: &Id, present: &Schema, models: &Schema) -> bool {
    let table = table_of(object, models).or_else(|| table_of(object, present));
    let Some(table) = table else {
        return true;
    };
    let column =
        (object.kind() == Kind::Default).then(|| object.beside(Kind::Column, object.part()));
    let stands = |id: &Id| present.contains(id) && models.contains(id);
    stands(&table) && column.is_none_or(|column| stands(&column))
}

/// Whether the database has the same under a name that the models do not know: that of a table
/// before it was renamed, say. Autogenerate does not mind, either.
fn has_another_name(object: &Id, present: &Schema, models: &Schema) -> bool {
    let Some(wanted) = models.get(object) else {
        return false;
    };
    let telling = match object.kind() {
        Kind::Constraint => ["form", "definition"].as_slice(),
        Kind::Sequence => ["owned_by"].as_slice(),
        _ => return false,
    };
    if telling.iter().any(|name| wanted.value(name).is_none()) {
        return false;
    }
    let mut others = present.objects().filter(|o| {
        let table = |id: &Id| (id.schema().to_owned(), id.name().to_owned());
        o.id.kind() == object.kind()
            && !models.contains(&o.id)
            && (object.kind() == Kind::Sequence || table(&o.id) == table(object))
    });
    others.any(|o| {
        telling
            .iter()
            .all(|name| o.value(name) == wanted.value(name))
    })
}

/// Whether a default is the next value of the column's own sequence on both sides.
fn is_serial(object: &Id, present: &Schema, models: &Schema) -> bool {
    let column = object.beside(Kind::Column, object.part()).path();
    [present, models].iter().all(|schema| {
        let default = schema.get(object).map(|o| o.get("definition"));
        let mut sequences = schema.objects().filter(|o| o.id.kind() == Kind::Sequence);
        default.is_some_and(|default| default.starts_with("nextval("))
            && sequences.any(|o| o.text("owned_by") == Some(&column))
    })
}

/// What models made here, besides tables and columns, as it is remembered.
pub fn made(models: &Schema) -> BTreeSet<String> {
    let kinds = [
        Kind::Enum,
        Kind::Sequence,
        Kind::Default,
        Kind::Constraint,
        Kind::Index,
    ];
    let made = models.objects().filter(|o| kinds.contains(&o.id.kind()));
    made.map(|o| o.id.to_string()).collect()
}

/// A change as a line that is the same every time: defaults that models compute when they are
/// imported (the time, a random id) are not.
pub fn line(change: &Change) -> String {
    let text = change.to_string();
    let parts = text.split('\'').enumerate();
    let parts = parts.map(|(at, part)| {
        let digits = part.chars().filter(char::is_ascii_digit).count();
        match at % 2 == 1 && digits >= 8 {
            true => "…",
            false => part,
        }
    });
    parts.collect::<Vec<_>>().join("'")
}

/// `present` with these changes.
pub fn completed(present: &Schema, models: &Schema, changes: &[Change]) -> Schema {
    let whole: BTreeSet<Id> = changes.iter().map(|c| c.object.clone()).collect();
    let mut result = present.taking(models, &whole);
    for change in changes {
        if let What::Altered { properties } = &change.what
            && let Some(before) = present.get(&change.object)
        {
            let mut object = before.clone();
            for property in properties {
                object = object.with(&property.name, property.to.clone());
            }
            result.put(object);
        }
    }
    result
}
