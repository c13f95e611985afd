//! Random schemas, and what a few random mutations make of them.
//!
//! A [`Model`] is a list of things; everything about a thing follows from its seed: what it is asked
//! (`"type"`, `"not null"`) is hashed with it. So a mutation is small and general: a thing comes or
//! goes, or one answer of one thing is turned. A thing refers to another by the likeness of two
//! hashes, so that what happens to a third changes nothing.
//!
//! The generator does not know every rule of Postgres: what the server refuses when a side is loaded
//! is not part of that side.

mod code;
mod details;
mod names;
mod relations;
mod rest;
mod tables;
mod types;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

pub use names::{ident, literal};

/// What a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Schema,
    Extension,
    Wrapper,
    Server,
    Collation,
    Enum,
    Composite,
    Range,
    Domain,
    Helper,
    TriggerFunction,
    Aggregate,
    Sequence,
    Operator,
    Cast,
    Dictionary,
    Configuration,
    Table,
    Constraint,
    ForeignKey,
    Index,
    Statistics,
    View,
    MaterializedView,
    Routine,
    Trigger,
    Rule,
    Policy,
    Publication,
    EventTrigger,
    Odd,
    DefaultPrivileges,
    /// A column, an attribute, the label of an enum, a constraint of a domain.
    Part,
}

type Render = fn(&Model, &Thing) -> Vec<String>;

/// How many of 100 things are of a kind, in the order in which they are made. Kinds with one number
/// are made together, in the order of the model.
const KINDS: &[(u8, What, u32, Render)] = &[
    (0, What::Schema, 3, rest::schema),
    (1, What::Extension, 1, rest::extension),
    (2, What::Wrapper, 1, rest::wrapper),
    (3, What::Server, 1, rest::server),
    (4, What::Collation, 1, types::collation),
    (5, What::Enum, 7, types::enumeration),
    (5, What::Composite, 4, types::composite),
    (5, What::Range, 2, types::range),
    (5, What::Domain, 4, types::domain),
    (6, What::Helper, 4, code::helper),
    (6, What::TriggerFunction, 2, code::trigger_function),
    (7, What::Sequence, 3, rest::sequence),
    (7, What::Aggregate, 1, code::aggregate),
    (7, What::Operator, 1, rest::operator),
    (7, What::Cast, 1, rest::cast),
    (8, What::Dictionary, 1, rest::dictionary),
    (9, What::Configuration, 1, rest::configuration),
    (10, What::Table, 18, tables::table),
    (11, What::Sequence, 0, rest::owned_sequence),
    (12, What::Constraint, 7, tables::constraint),
    (13, What::ForeignKey, 6, tables::foreign_key),
    (14, What::View, 9, relations::view),
    (14, What::MaterializedView, 4, relations::materialized_view),
    (14, What::Routine, 5, code::routine),
    (15, What::Index, 12, relations::index),
    (16, What::Statistics, 2, relations::statistics),
    (17, What::Trigger, 5, code::trigger),
    (17, What::Rule, 3, relations::rule),
    (17, What::Policy, 3, relations::policy),
    (18, What::Publication, 1, rest::publication),
    (19, What::DefaultPrivileges, 1, rest::default_privileges),
    (20, What::Odd, 1, rest::odd),
    (21, What::EventTrigger, 1, code::event_trigger),
];

#[derive(Debug, Clone)]
pub struct Thing {
    pub what: What,
    pub seed: u64,
    pub parts: Vec<Thing>,
    /// How often each answer was turned.
    turns: BTreeMap<&'static str, u64>,
    /// What it was asked while it was rendered.
    asked: RefCell<BTreeSet<&'static str>>,
}

impl Thing {
    fn new(what: What, rng: &mut Rng) -> Self {
        let parts = match what {
            What::Enum => rng.usize(1..6),
            What::Composite => rng.usize(1..5),
            What::Domain => rng.usize(0..3),
            What::Table => rng.usize(0..7),
            _ => 0,
        };
        Thing {
            what,
            seed: rng.u64(..),
            parts: (0..parts).map(|_| Thing::new(What::Part, rng)).collect(),
            turns: BTreeMap::new(),
            asked: RefCell::default(),
        }
    }

    /// The answer to a question, always the same until it is turned.
    pub fn value(&self, key: &'static str) -> u64 {
        self.asked.borrow_mut().insert(key);
        let turns = self.turns.get(key).copied().unwrap_or_default();
        let salt = key.bytes().fold(turns + 1, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        mix(self.seed, salt)
    }

    pub fn below(&self, key: &'static str, end: usize) -> usize {
        usize::try_from(self.value(key) % end.max(1) as u64).unwrap()
    }

    /// True once in `one_in`.
    pub fn chance(&self, key: &'static str, one_in: usize) -> bool {
        self.below(key, one_in) == 0
    }

    pub fn pick<'a, T>(&self, key: &'static str, list: &'a [T]) -> &'a T {
        &list[self.below(key, list.len())]
    }

    pub fn word(&self, key: &'static str, list: &[&'static str]) -> &'static str {
        list[self.below(key, list.len())]
    }

    pub fn name(&self) -> String {
        names::name(self.value("name"))
    }

    /// One of several things: the one that is most like the answer.
    fn choose<'a>(
        &self,
        key: &'static str,
        from: impl Iterator<Item = &'a Thing>,
    ) -> Option<&'a Thing> {
        let value = self.value(key);
        from.min_by_key(|thing| mix(value, thing.seed))
    }

    fn turn(&mut self, rng: &mut Rng) {
        let mut keys: Vec<&'static str> = self.asked.borrow().iter().copied().collect();
        // A new name is a new thing: most of the time the old one is the more telling case.
        if rng.u8(0..4) > 0 {
            keys.retain(|key| *key != "name");
        }
        if let Some(key) = rng.choice(keys) {
            *self.turns.entry(key).or_default() += 1;
        }
    }

    fn mutate(&mut self, rng: &mut Rng) {
        let parts = self.parts.len();
        match rng.u8(0..10) {
            0 if parts > 0 => {
                self.parts.remove(rng.usize(..parts));
            }
            1 | 2
                if matches!(
                    self.what,
                    What::Enum | What::Composite | What::Domain | What::Table
                ) =>
            {
                let part = Thing::new(What::Part, rng);
                // The order of columns is that of their making; only labels may come in between.
                let at = match self.what {
                    What::Enum => rng.usize(..=parts),
                    _ => parts,
                };
                self.parts.insert(at, part);
            }
            3 if self.what == What::Enum && parts > 1 => {
                let (a, b) = (rng.usize(..parts), rng.usize(..parts));
                self.parts.swap(a, b);
            }
            4..=7 if parts > 0 => self.parts[rng.usize(..parts)].turn(rng),
            _ => self.turn(rng),
        }
    }
}

fn mix(a: u64, b: u64) -> u64 {
    Rng::with_seed(a.rotate_left(17) ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15)).u64(..)
}

/// A schema in the making. The first thing is the schema `public`.
#[derive(Debug, Clone)]
pub struct Model {
    pub things: Vec<Thing>,
}

impl Model {
    pub fn random(rng: &mut Rng, size: usize) -> Self {
        let mut things = vec![Thing::new(What::Schema, rng)];
        things.extend((0..size).map(|_| random_thing(rng)));
        Model { things }
    }

    /// Another model, a few mutations away. What this one answered while it was rendered is what can
    /// be turned.
    pub fn mutated(&self, rng: &mut Rng, mutations: usize) -> Self {
        let mut model = self.clone();
        for _ in 0..mutations {
            let count = model.things.len();
            match rng.u8(0..20) {
                0..=2 => model.things.push(random_thing(rng)),
                3..=5 if count > 2 => {
                    model.things.remove(rng.usize(1..count));
                }
                _ => {
                    let thing = &mut model.things[rng.usize(..count)];
                    thing.mutate(rng);
                }
            }
        }
        model
    }

    /// The statements that make it, in an order that works.
    pub fn statements(&self) -> Vec<String> {
        let last = KINDS.last().map_or(0, |kind| kind.0);
        let mut statements = Vec::new();
        for stage in 0..=last {
            for thing in &self.things {
                for (_, _, _, render) in KINDS
                    .iter()
                    .filter(|kind| kind.0 == stage && kind.1 == thing.what)
                {
                    statements.extend(render(self, thing));
                }
            }
        }
        statements
    }

    /// Rows for its tables.
    pub fn rows(&self) -> Vec<String> {
        let tables = self.of(&[What::Table]);
        tables.flat_map(|table| tables::rows(self, table)).collect()
    }

    fn of<'a>(&'a self, what: &'a [What]) -> impl Iterator<Item = &'a Thing> {
        self.things
            .iter()
            .filter(|thing| what.contains(&thing.what))
    }

    /// Those that stand before this one in the model.
    fn before<'a>(&'a self, thing: &'a Thing, what: &'a [What]) -> impl Iterator<Item = &'a Thing> {
        self.of(what).take_while(|other| other.seed != thing.seed)
    }

    fn schema_of(&self, thing: &Thing) -> String {
        // Most things in one schema, so that they meet.
        let public = &self.things[0];
        let schema = match thing.chance("elsewhere", 3) {
            true => thing
                .choose("schema", self.of(&[What::Schema]))
                .unwrap_or(public),
            false => public,
        };
        rest::schema_name(self, schema)
    }

    /// `"schema"."name"`
    fn path(&self, thing: &Thing) -> String {
        format!("{}.{}", ident(&self.schema_of(thing)), ident(&thing.name()))
    }
}

fn random_thing(rng: &mut Rng) -> Thing {
    let total: u32 = KINDS.iter().map(|kind| kind.2).sum();
    let mut at = rng.u32(..total);
    for (_, what, share, _) in KINDS {
        match at.checked_sub(*share) {
            Some(rest) => at = rest,
            None => return Thing::new(*what, rng),
        }
    }
    unreachable!("the shares are counted")
}
