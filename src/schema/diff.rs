//! What differs between two schemas. Knows no kind: objects are compared property by property.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

use super::model::{Id, Object, Schema, Value};
use super::text;

/// One object that is on one side only, or not the same on both. Displays as one line.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    pub kind: super::model::Kind,
    pub object: Id,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum What {
    /// `summary` is the most telling property (a type, a definition), or empty.
    Created {
        summary: String,
    },
    Dropped,
    Altered {
        properties: Vec<Property>,
    },
}

/// A property that is not the same on both sides; `None` means that it has no value there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Property {
    pub name: String,
    pub from: Option<Value>,
    pub to: Option<Value>,
}

/// Everything that differs, in the order of ids. Pure: the same input gives the same output.
pub fn diff(from: &Schema, to: &Schema) -> Vec<Change> {
    let change = |object: &Object, what| Change {
        kind: object.id.kind(),
        object: object.id.clone(),
        what,
    };
    let created = |object: &Object| {
        let summary = summary(object);
        change(object, What::Created { summary })
    };
    let mut changes = Vec::new();
    let mut left = from.objects().peekable();
    let mut right = to.objects().peekable();
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.id.cmp(&b.id),
        };
        match order {
            Ordering::Less => changes.extend(left.next().map(|o| change(o, What::Dropped))),
            Ordering::Greater => changes.extend(right.next().map(created)),
            Ordering::Equal => {
                let (Some(a), Some(b)) = (left.next(), right.next()) else {
                    return changes;
                };
                let properties = properties(a, b);
                if !properties.is_empty() {
                    changes.push(change(b, What::Altered { properties }));
                }
            }
        }
    }
}

/// The properties in which two objects differ, in the order of the query.
pub(super) fn properties(from: &Object, to: &Object) -> Vec<Property> {
    if from.same_shape(to) && from.same_values(to) {
        return Vec::new();
    }
    let known = |name: &str| !name.starts_with('_');
    let mut result: Vec<Property> = Vec::new();
    for (name, value) in to.properties().filter(|(name, _)| known(name)) {
        let before = from.value(name);
        if before != value && !same_options(name, before, value) {
            result.push(Property {
                name: name.to_owned(),
                from: before.cloned(),
                to: value.cloned(),
            });
        }
    }
    // Servers of different versions have different properties.
    for (name, value) in from.properties().filter(|(name, _)| known(name)) {
        if let Some(value) = value
            && to.properties().all(|(n, _)| n != name)
        {
            result.push(Property {
                name: name.to_owned(),
                from: Some(value.clone()),
                to: None,
            });
        }
    }
    result
}

/// Options have no order: what is set later just stands last.
fn same_options(name: &str, from: Option<&Value>, to: Option<&Value>) -> bool {
    let sorted = |value: &Option<&Value>| match value {
        Some(Value::List(list)) => {
            let mut list = list.clone();
            list.sort();
            Some(list)
        }
        _ => None,
    };
    name.ends_with("options") && sorted(&from).is_some() && sorted(&from) == sorted(&to)
}

fn summary(object: &Object) -> String {
    let telling = ["type", "definition", "labels"]
        .iter()
        .find_map(|name| object.value(name));
    telling
        .map(|v| text::one_line(&v.to_string()))
        .unwrap_or_default()
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Created { summary } if summary.is_empty() => write!(f, "+ {}", self.object),
            What::Created { summary } => write!(f, "+ {} {summary}", self.object),
            What::Dropped => write!(f, "- {}", self.object),
            What::Altered { properties } => {
                write!(f, "~ {}", self.object)?;
                for (i, property) in properties.iter().enumerate() {
                    f.write_str(if i == 0 { ": " } else { "; " })?;
                    property.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.replace('_', " ");
        let show = |value: &Option<Value>| match value {
            Some(value) => text::one_line(&value.to_string()),
            None => "none".to_owned(),
        };
        let is_true =
            |value: &Option<Value>| matches!(value, Some(Value::Text(t)) if &**t == "true");
        match (&self.from, &self.to) {
            (None, to) if is_true(to) => write!(f, "{name}"),
            (from, None) if is_true(from) => write!(f, "no longer {name}"),
            (None, to) => write!(f, "{name} {}", show(to)),
            (from, to) => write!(f, "{name} {} → {}", show(from), show(to)),
        }
    }
}
