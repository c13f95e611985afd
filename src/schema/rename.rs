//! Renames: what went and what came may be one thing under two names. Found by structure and place;
//! whether it is so is for a person to say, except where a name is all that there is to lose.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::model::{Id, Kind, Object, Schema};
use super::plan::{LockMode, Plan, Step};
use super::{locks, plan, render, text};

/// One thing under two names. Displays as `column public.users.name → full_name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Rename {
    pub from: Id,
    pub to: Id,
    /// For a value of an enum: the old and the new one; `from` and `to` are the enum.
    pub value: Option<(String, String)>,
    /// Nothing but the name is at stake (a constraint, an index), so nobody has to be asked.
    pub certain: bool,
}

impl Rename {
    fn new(from: &Id, to: &Id, certain: bool) -> Self {
        Rename {
            from: from.clone(),
            to: to.clone(),
            value: None,
            certain,
        }
    }

    /// The old name in full: `public.users.name`, `public.mood.sad`.
    pub fn old(&self) -> String {
        match &self.value {
            Some((old, _)) => format!("{}.{old}", self.from.path()),
            None => self.from.path(),
        }
    }

    /// The new name in full.
    pub fn new_name(&self) -> String {
        match &self.value {
            Some((_, new)) => format!("{}.{new}", self.to.path()),
            None => self.to.path(),
        }
    }

    /// The new name by itself.
    pub fn short(&self) -> &str {
        match &self.value {
            Some((_, new)) => new,
            None => own_name(&self.to),
        }
    }

    /// Whether `old` and `new` as a person types them mean this one: full names, names without
    /// `public.`, or for the new one its own name alone.
    pub fn is_meant_by(&self, old: &str, new: &str) -> bool {
        let fits =
            |typed: &str, full: &str| typed == full || full.strip_prefix("public.") == Some(typed);
        fits(old, &self.old()) && (fits(new, &self.new_name()) || new == self.short())
    }

    /// The statement.
    pub fn sql(&self) -> String {
        let target = match self.from.kind() {
            Kind::Column => format!(
                "TABLE {} RENAME COLUMN {}",
                table(&self.from).path(),
                text::ident(self.from.part())
            ),
            Kind::Constraint => format!(
                "TABLE {} RENAME CONSTRAINT {}",
                table(&self.from).path(),
                text::ident(self.from.part())
            ),
            Kind::Enum if self.value.is_some() => {
                let (old, new) = self.value.clone().unwrap_or_default();
                return format!(
                    "ALTER TYPE {} RENAME VALUE {} TO {}",
                    self.from.path(),
                    text::literal(&old),
                    text::literal(&new)
                );
            }
            Kind::Enum | Kind::Composite | Kind::Range => {
                format!("TYPE {} RENAME", self.from.path())
            }
            Kind::Domain => format!("DOMAIN {} RENAME", self.from.path()),
            Kind::Index => format!("INDEX {} RENAME", self.from.path()),
            Kind::Sequence => format!("SEQUENCE {} RENAME", self.from.path()),
            _ => format!("TABLE {} RENAME", self.from.path()),
        };
        format!("ALTER {target} TO {}", text::ident(own_name(&self.to)))
    }

    /// The same, the other way round.
    pub fn back(&self) -> Rename {
        Rename {
            from: self.to.clone(),
            to: self.from.clone(),
            value: self.value.clone().map(|(old, new)| (new, old)),
            certain: self.certain,
        }
    }

    fn step(&self) -> Step {
        let on = match self.from.kind() {
            Kind::Column | Kind::Constraint => table(&self.from),
            _ => self.from.clone(),
        };
        let step = Step::alter(&self.from, self.sql());
        match self.from.kind() {
            Kind::Table | Kind::Column | Kind::Constraint => {
                step.locking(LockMode::AccessExclusive, &on)
            }
            _ => step,
        }
    }
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.value {
            Some(_) => "value",
            None => self.from.kind().name(),
        };
        write!(f, "{what} {} → {}", self.old(), self.short())
    }
}

fn table(part: &Id) -> Id {
    part.beside(Kind::Table, "")
}

fn own_name(id: &Id) -> &str {
    match id.part() {
        "" => id.name(),
        part => part,
    }
}

/// The plan for what remains after the renames: `after` is what the database is once they ran.
pub fn plan_after(renames: &[Rename], after: &Schema, to: &Schema) -> Plan {
    let rest = plan(after, to);
    join(renames.iter().map(Rename::step).collect(), rest)
}

/// The way back: the plan from `to` to `after`, and then the names as they were.
pub fn plan_back(renames: &[Rename], after: &Schema, to: &Schema) -> Plan {
    let mut back = plan(to, after);
    back.steps
        .extend(renames.iter().rev().map(|rename| rename.back().step()));
    join(Vec::new(), back)
}

/// What was called `id` after the renames, before they ran.
pub fn name_before(renames: &[Rename], id: &Id) -> Id {
    renames.iter().rev().fold(id.clone(), |id, rename| {
        let (from, to) = (&rename.from, &rename.to);
        match to.kind() {
            _ if id == *to => from.clone(),
            Kind::Table if (id.schema(), id.name()) == (to.schema(), to.name()) => {
                from.beside(id.kind(), id.part())
            }
            _ => id,
        }
    })
}

fn join(mut steps: Vec<Step>, rest: Plan) -> Plan {
    steps.extend(rest.steps);
    locks::tell(&mut steps);
    render::number_transactions(&mut steps);
    Plan {
        steps,
        unmodelled: rest.unmodelled,
    }
}

/// What may be one thing under two names, each object at most once. Whole things come before their
/// parts: what a renamed table's parts are called is only told once the table has its name.
pub fn renames<'a>(from: &'a Schema, to: &'a Schema) -> Vec<Rename> {
    let gone: Vec<&Object> = from.objects().filter(|o| !to.contains(&o.id)).collect();
    let came: Vec<&Object> = to.objects().filter(|o| !from.contains(&o.id)).collect();
    let of = |kind: Kind| {
        let pick = |list: &[&'a Object]| -> Vec<&'a Object> {
            let of_kind = |o: &&&Object| o.id.kind() == kind;
            list.iter().filter(of_kind).copied().collect()
        };
        (pick(&gone), pick(&came))
    };
    let mut found = Vec::new();
    let (tables, new_tables) = of(Kind::Table);
    found.extend(alike_tables(from, to, &tables, &new_tables));
    for kind in [Kind::Enum, Kind::Composite, Kind::Range, Kind::Domain] {
        let (a, b) = of(kind);
        found.extend(same(&a, &b, false, |o| {
            format!("{} {}", o.id.schema(), properties(o, &[]))
        }));
    }
    if !found.is_empty() {
        return found;
    }
    found.extend(values(from, to));
    let (a, b) = of(Kind::Column);
    found.extend(same(&a, &b, false, |o| {
        let place = (o.id.schema(), o.id.name());
        format!("{place:?} {} {}", o.get("type"), o.get("generated"))
    }));
    if !found.is_empty() {
        return found;
    }
    let (a, b) = of(Kind::Constraint);
    found.extend(same(&a, &b, true, |o| {
        let place = (o.id.schema(), o.id.name());
        format!("{place:?} {}", properties(o, &[]))
    }));
    let (a, b) = of(Kind::Index);
    found.extend(same(&a, &b, true, |o| {
        let named = format!("INDEX {} ON", text::ident(o.id.name()));
        let definition = o.get("definition").replacen(&named, "INDEX ON", 1);
        format!("{definition} {}", properties(o, &["definition"]))
    }));
    let (a, b) = of(Kind::Sequence);
    let (a, b) = (owned(&a), owned(&b));
    found.extend(same(&a, &b, true, |o| properties(o, &[])));
    found
}

/// Every pair that could be one thing at all: of one kind and in one place. For what a person names,
/// however little alike the two are.
pub fn possible_renames(from: &Schema, to: &Schema) -> Vec<Rename> {
    let kinds = [
        Kind::Table,
        Kind::Column,
        Kind::Enum,
        Kind::Composite,
        Kind::Range,
        Kind::Domain,
        Kind::Constraint,
        Kind::Index,
        Kind::Sequence,
    ];
    let of_kinds = |o: &&Object| kinds.contains(&o.id.kind());
    let place = |id: &Id| match id.part() {
        "" => (id.kind(), id.schema().to_owned(), String::new()),
        _ => (id.kind(), id.schema().to_owned(), id.name().to_owned()),
    };
    let mut came: BTreeMap<_, Vec<&Id>> = BTreeMap::new();
    for object in to
        .objects()
        .filter(of_kinds)
        .filter(|o| !from.contains(&o.id))
    {
        came.entry(place(&object.id)).or_default().push(&object.id);
    }
    let gone = from
        .objects()
        .filter(of_kinds)
        .filter(|o| !to.contains(&o.id));
    let mut found: Vec<Rename> = gone
        .flat_map(|o| {
            let others = came.get(&place(&o.id)).into_iter().flatten();
            others.map(|other| Rename::new(&o.id, other, false))
        })
        .collect();
    for a in from.objects().filter(|o| o.id.kind() == Kind::Enum) {
        let Some(b) = to.get(&a.id) else { continue };
        let (old, new) = (a.list("labels"), b.list("labels"));
        for x in old.iter().filter(|x| !new.contains(x)) {
            for y in new.iter().filter(|y| !old.contains(y)) {
                found.push(Rename {
                    value: Some((x.clone(), y.clone())),
                    ..Rename::new(&a.id, &b.id, false)
                });
            }
        }
    }
    found
}

fn owned<'a>(sequences: &[&'a Object]) -> Vec<&'a Object> {
    let is_owned = |o: &&&Object| o.value("owned_by").is_some();
    sequences.iter().filter(is_owned).copied().collect()
}

/// Everything that counts about an object, but for its name.
fn properties(object: &Object, but: &[&str]) -> String {
    let counts = |name: &str| !name.starts_with('_') && !but.contains(&name);
    object
        .properties()
        .filter(|(name, _)| counts(name))
        .map(|(name, value)| format!("{name}={value:?};"))
        .collect()
}

/// Pairs of equal key. A key that several share says nothing, unless only the name is at stake:
/// then any pairing does.
fn same(
    gone: &[&Object],
    came: &[&Object],
    certain: bool,
    key: impl Fn(&Object) -> String,
) -> Vec<Rename> {
    let mut by_key: BTreeMap<String, (Vec<&Id>, Vec<&Id>)> = BTreeMap::new();
    for object in gone {
        by_key.entry(key(object)).or_default().0.push(&object.id);
    }
    for object in came {
        by_key.entry(key(object)).or_default().1.push(&object.id);
    }
    by_key
        .values()
        .filter(|(gone, came)| certain || (gone.len() == 1 && came.len() == 1))
        .flat_map(|(gone, came)| gone.iter().zip(came))
        .map(|(from, to)| Rename::new(from, to, certain))
        .collect()
}

/// Tables of one schema that share most of their columns, each with its best match, if that is one.
fn alike_tables(from: &Schema, to: &Schema, gone: &[&Object], came: &[&Object]) -> Vec<Rename> {
    let columns = |schema: &Schema, table: &Object| -> Vec<String> {
        schema
            .parts(&table.id, Kind::Column)
            .map(|c| format!("{} {}", c.id.part(), c.get("type")))
            .collect()
    };
    let wanted: Vec<Vec<String>> = came.iter().map(|table| columns(to, table)).collect();
    let likeness = |a: &[String], b: &[String]| {
        let common = a.iter().filter(|c| b.contains(c)).count();
        (common * 100)
            .checked_div(a.len().max(b.len()))
            .unwrap_or(0)
    };
    let mut found = Vec::new();
    let mut taken = vec![0; came.len()];
    for table in gone {
        let present = columns(from, table);
        let best = (0..came.len())
            .filter(|i| came[*i].id.schema() == table.id.schema())
            .map(|i| (likeness(&present, &wanted[i]), i))
            .filter(|(score, _)| *score >= 60)
            .max_by_key(|(score, i)| (*score, usize::MAX - i));
        if let Some((_, i)) = best {
            taken[i] += 1;
            found.push((i, Rename::new(&table.id, &came[i].id, false)));
        }
    }
    found
        .into_iter()
        .filter(|(i, _)| taken[*i] == 1)
        .map(|(_, rename)| rename)
        .collect()
}

/// Enums in which one value stands in the place of another.
fn values(from: &Schema, to: &Schema) -> Vec<Rename> {
    let enums = from.objects().filter(|o| o.id.kind() == Kind::Enum);
    enums
        .filter_map(|a| {
            let b = to.get(&a.id)?;
            let (old, new) = (a.list("labels"), b.list("labels"));
            let mut differ = old.iter().zip(new).filter(|(x, y)| x != y);
            let (x, y) = differ.next()?;
            let alone = differ.next().is_none() && old.len() == new.len();
            (alone && !new.contains(x) && !old.contains(y)).then(|| Rename {
                value: Some((x.clone(), y.clone())),
                ..Rename::new(&a.id, &b.id, false)
            })
        })
        .collect()
}
