//! `devdb diff --html` and `devdb schema graph`: schemas and a plan as the plain data that the
//! report room shows.

use std::collections::BTreeMap;

use super::super::Context;
use super::tables::{self, All, short_names, state, whole};
use super::{Desk, Filter, Side};
use crate::error::Result;
use crate::report::{self, Graph, Group, Report, State};
use crate::schema::{
    Change, Id, Kind, LockMode, Object, Plan, Property, Rename, Schema, Step, Value, What,
};

/// The tables and foreign keys of one side.
pub async fn graph(context: &Context, side: &Side, filter: &Filter) -> Result<Graph> {
    let mut desk = Desk::new(context);
    let schema = desk.read(side).await;
    desk.close().await?;
    let schema = filter.apply(schema?);
    Ok(tables::tables(&tables::all(&schema, &schema), &[], &[]).graph)
}

/// Everything that is to be said about a difference, but for the names of the sides and the proof.
/// `from` is the schema once the renames ran.
pub(super) fn report(
    from: &Schema,
    to: &Schema,
    renames: &[Rename],
    changes: &[Change],
    plan: &Plan,
) -> Report {
    let all = tables::all(from, to);
    let tables = tables::tables(&all, renames, changes);
    let mut groups: BTreeMap<Id, Vec<&Change>> = BTreeMap::new();
    for rename in renames {
        groups.entry(whole(&rename.to, &all)).or_default();
    }
    for change in changes {
        groups
            .entry(whole(&change.object, &all))
            .or_default()
            .push(change);
    }
    let places: BTreeMap<Id, usize> = groups.keys().cloned().zip(0..).collect();
    let place = |object: &Id| {
        // A step that renames speaks of the old name.
        let renamed = renames.iter().find(|r| r.from == *object);
        let object = renamed.map_or(object, |r| &r.to);
        places.get(&whole(object, &all)).copied()
    };
    let groups = groups
        .into_iter()
        .map(|(id, changes)| Group {
            kind: id.kind().name().to_owned(),
            name: id.path(),
            table: tables.places.get(&id).copied().filter(|place| {
                let table = &tables.graph.tables[*place];
                table.name == id.name() && table.schema == id.schema()
            }),
            state: match changes.iter().find(|change| change.object == id) {
                Some(change) => state(&change.what),
                None => State::Altered,
            },
            changes: renamed(&id, renames, &all)
                .chain(shown(&id, &changes, &all))
                .collect(),
        })
        .collect();
    Report {
        groups,
        steps: plan
            .steps
            .iter()
            .map(|s| step(s, place(&s.object)))
            .collect(),
        sql: plan.to_sql(),
        unmodelled: plan.unmodelled.iter().map(ToString::to_string).collect(),
        graph: tables.graph,
        ..Report::default()
    }
}

/// The whole first, then its parts, columns in their order. What says nothing of its own is left
/// out: the columns of a new view, the default of a new column, a new table besides its columns.
fn shown(whole: &Id, changes: &[&Change], all: &All<'_>) -> Vec<report::Change> {
    let is_whole = |change: &&&Change| change.object == *whole;
    let goes = changes.iter().find(is_whole).map(|c| state(&c.what));
    let position = |c: &Change| -> u32 {
        let object = all.get(&c.object);
        object
            .and_then(|o| o.get("_position").parse().ok())
            .unwrap_or(0)
    };
    let mut ordered = changes.to_vec();
    ordered.sort_by_key(|c| (c.object != *whole, c.object.kind(), position(c)));
    let with_column = |c: &Change| {
        let column = c.object.beside(Kind::Column, c.object.part());
        changes
            .iter()
            .any(|o| o.object == column && state(&o.what) == state(&c.what))
    };
    ordered
        .into_iter()
        .filter(|c| match c.object.kind() {
            Kind::ViewColumn => goes != Some(state(&c.what)),
            Kind::Default => state(&c.what) == State::Altered || !with_column(c),
            _ => true,
        })
        .map(|c| change(c, whole, all))
        .filter(|c| c.name != whole.path() || !(c.summary.is_empty() && c.properties.is_empty()))
        .collect()
}

/// The renames of an object and of its parts.
fn renamed(whole: &Id, renames: &[Rename], all: &All<'_>) -> impl Iterator<Item = report::Change> {
    let own = renames
        .iter()
        .filter(|r| tables::whole(&r.to, all) == *whole);
    own.map(|rename| {
        let (old, new) = short_names(rename);
        report::Change {
            kind: match rename.value {
                Some(_) => "value".to_owned(),
                None => rename.to.kind().name().to_owned(),
            },
            name: match rename.to == *whole && rename.value.is_none() {
                true => whole.path(),
                false => new.clone(),
            },
            state: State::Altered,
            summary: String::new(),
            properties: vec![report::Property {
                name: "name".to_owned(),
                before: Some(old),
                after: Some(new),
            }],
        }
    })
}

fn change(change: &Change, whole: &Id, all: &All<'_>) -> report::Change {
    let id = &change.object;
    let object = all.get(id).copied();
    let (summary, properties) = match &change.what {
        What::Altered { properties } => {
            let properties = properties.iter().map(property);
            (String::new(), properties.collect())
        }
        what => object.map_or_else(Default::default, |o| described(o, what, all)),
    };
    report::Change {
        kind: id.kind().name().to_owned(),
        name: match (id.part(), id == whole) {
            (_, true) => id.path(),
            ("", _) => id.name().to_owned(),
            (part, _) => part.to_owned(),
        },
        state: state(&change.what),
        summary,
        properties,
    }
}

/// Said by the summary, or true of nearly every object.
const LEFT_OUT: &[&str] = &[
    "type",
    "not_null",
    "identity",
    "generated",
    "expression",
    "sequence_type",
    "increment",
    "minvalue",
    "maxvalue",
    "start",
    "cache",
    "owner",
    "form",
    "access_method",
    "provider",
];

/// What is created or dropped: its type or definition in a line, and what else there is to say.
fn described(object: &Object, what: &What, all: &All<'_>) -> (String, Vec<report::Property>) {
    let mut summary: Vec<String> = Vec::new();
    let mut said = "";
    if object.id.kind() == Kind::Column {
        summary.push(object.get("type").to_owned());
        summary.extend(object.flag("not_null").then(|| "not null".to_owned()));
        let identity = object.text("identity");
        summary.extend(identity.map(|how| format!("generated {} as identity", how.to_lowercase())));
        let expression = object.text("expression");
        summary.extend(expression.map(|e| format!("generated as ({e})")));
        let default = object.id.beside(Kind::Default, object.id.part());
        let default = all.get(&default).map(|d| d.get("definition"));
        summary.extend(default.map(|d| format!("default {d}")));
    } else {
        for name in ["definition", "labels", "type"] {
            let Some(value) = object.value(name).map(Value::to_string) else {
                continue;
            };
            if !value.trim().contains('\n') {
                (said, summary) = (name, vec![value]);
            }
            break;
        }
    }
    let known = |name: &str| !name.starts_with('_') && name != said && !LEFT_OUT.contains(&name);
    let properties = object.properties().filter(|(name, _)| known(name));
    let properties = properties
        .filter(|(_, value)| !matches!(value, Some(Value::List(list)) if list.is_empty()))
        .filter_map(|(name, value)| {
            let (from, to) = match what {
                What::Dropped => (value?.clone().into(), None),
                _ => (None, value?.clone().into()),
            };
            Some(property(&Property {
                name: name.to_owned(),
                from,
                to,
            }))
        })
        .collect();
    (summary.join(" "), properties)
}

fn property(property: &Property) -> report::Property {
    let values = [&property.from, &property.to];
    let is_true = |v: &Value| matches!(v, Value::Text(t) if &**t == "true");
    let is_flag = values.iter().any(|v| v.as_ref().is_some_and(is_true))
        && values.iter().all(|v| v.as_ref().is_none_or(is_true));
    let text = |value: &Option<Value>| match value {
        value if is_flag => Some(if value.is_some() { "yes" } else { "no" }.to_owned()),
        Some(Value::List(list)) if list.iter().map(String::len).sum::<usize>() > 70 => {
            Some(list.join("\n"))
        }
        value => value.as_ref().map(ToString::to_string),
    };
    report::Property {
        name: property.name.clone(),
        before: text(&property.from),
        after: text(&property.to),
    }
}

fn step(step: &Step, group: Option<usize>) -> report::Step {
    report::Step {
        sql: step.sql.clone(),
        action: match step.action {
            crate::schema::Action::Create => "create",
            crate::schema::Action::Alter => "alter",
            crate::schema::Action::Drop => "drop",
            crate::schema::Action::Detail => "detail",
        }
        .to_owned(),
        kind: step.kind().name().to_owned(),
        object: step.object.path(),
        group,
        hazards: step
            .hazards
            .iter()
            .map(|hazard| report::Hazard {
                kind: hazard.kind.name().to_owned(),
                message: hazard.text(),
            })
            .collect(),
        locks: step
            .locks
            .iter()
            .map(|lock| format!("{} on {}", mode(lock.mode), lock.on))
            .collect(),
        transaction: step.transaction,
    }
}

fn mode(mode: LockMode) -> &'static str {
    match mode {
        LockMode::ShareUpdateExclusive => "share update exclusive",
        LockMode::Share => "share",
        LockMode::ShareRowExclusive => "share row exclusive",
        LockMode::AccessExclusive => "access exclusive",
    }
}
