//! The schema room: the catalog of a database as a model, what differs between two models, and
//! the steps that turn one into the other.
//!
//! ```text
//! read/     one set-based query for each kind → Object { id, properties, needs }
//! model     Schema = objects by id
//! diff      Schema × Schema → changes, knows no kind
//! rules/    one file for each kind: what to do about a change
//! expand/   what must happen because of it: dependents dropped and made again, parts that go unasked
//! order     one stable topological sort; circles are broken by splitting steps
//! render    steps → SQL with transaction boundaries
//! ```
//!
//! Everything but `read` is pure. What Postgres prints is the truth about a definition; nothing
//! here parses SQL to understand it.

mod diff;
mod expand;
mod kind;
mod locks;
mod model;
mod online;
mod order;
mod plan;
mod read;
mod rename;
mod render;
mod rules;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;

pub use diff::{Change, Property, What, diff};
pub use model::{Id, Kind, Need, Object, Schema, Unmodelled, Value};
pub use plan::{Action, Hazard, HazardKind, Lock, LockMode, Plan, Step, Transaction};
pub use read::read;
pub use rename::{Rename, name_before, plan_after, plan_back, possible_renames, renames};

/// The steps that turn `from` into `to`, in an order that works. Pure: the same input gives the
/// same bytes. What devdb does not model on either side is named in the plan.
pub fn plan(from: &Schema, to: &Schema) -> Plan {
    let needs = |id: &Id| {
        let sides = [from.get(id), to.get(id)].into_iter().flatten();
        sides
            .flat_map(|o| o.needs.iter().map(|need| need.id.clone()))
            .collect()
    };
    let mut apart = BTreeSet::new();
    let mut steps = loop {
        let context = expand::Context::new(from, to, apart.clone());
        let (steps, claims) = context.steps();
        match order::order(steps, &claims, &apart, &needs) {
            Ok(mut steps) => {
                locks::claim(&context, &mut steps);
                break steps;
            }
            Err(parts) => apart.extend(parts),
        }
    };
    steps.splice(0..0, rules::missing_roles(from, to));
    render::number_transactions(&mut steps);
    let mut unmodelled = from.unmodelled.clone();
    unmodelled.extend(to.unmodelled.iter().cloned());
    unmodelled.sort();
    unmodelled.dedup();
    Plan { steps, unmodelled }
}
