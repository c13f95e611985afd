//! What has to happen because something else happens: a view in the way of a column's new type is
//! dropped and made again, a column lets go of its enum while that is made anew, an index goes
//! with its table unasked. Knows no kind; what it does follows from needs and from the rules.

mod steps;

use std::collections::{BTreeMap, BTreeSet};

use super::diff;
use super::model::{Dependents, Id, Kind, Object, Schema};
use super::rules::{self, Alter, Changed, Claim, Loss};

/// What becomes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Create,
    Drop,
    /// Dropped and made again.
    Rebuild,
    Alter,
}

/// Both sides, and what becomes of every object that is touched. What rules may look at.
pub(super) struct Context<'a> {
    pub from: &'a Schema,
    pub to: &'a Schema,
    fates: BTreeMap<Id, Fate>,
    /// For an object that is altered: what it needs and loses.
    lost: BTreeMap<Id, BTreeSet<Id>>,
    /// Parts that are not made together with their whole.
    apart: BTreeSet<Id>,
    /// Objects that stand aside under another name until their columns have moved over.
    aside: BTreeSet<Id>,
    dependents: Dependents<'a>,
    wanted_dependents: Dependents<'a>,
    /// Those whose multirange may take a name that something else has now.
    wanted_ranges: Vec<&'a Object>,
}

impl<'a> Context<'a> {
    /// Works out what becomes of every object. `apart` are parts that cannot be made with their
    /// whole because of a circle.
    pub fn new(from: &'a Schema, to: &'a Schema, apart: BTreeSet<Id>) -> Self {
        let mut context = Context {
            from,
            to,
            fates: BTreeMap::new(),
            lost: BTreeMap::new(),
            apart,
            aside: BTreeSet::new(),
            dependents: Dependents::of(from),
            wanted_dependents: Dependents::of(to),
            wanted_ranges: to
                .objects()
                .filter(|o| o.id.kind() == Kind::Range)
                .collect(),
        };
        let mut todo: Vec<Id> = Vec::new();
        for change in diff::diff(from, to) {
            let fate = match change.what {
                diff::What::Created { .. } => Fate::Create,
                diff::What::Dropped => Fate::Drop,
                diff::What::Altered { .. } => Fate::Alter,
            };
            context.fates.insert(change.object.clone(), fate);
            todo.push(change.object);
        }
        // Later ones first out: the order does not matter, the result is the same.
        while let Some(id) = todo.pop() {
            context.settle(&id, &mut todo);
        }
        context.aside = context.find_aside();
        context
    }

    /// Follows what one object's fate means for those that need it.
    fn settle(&mut self, id: &Id, todo: &mut Vec<Id>) {
        if self.fates.get(id) == Some(&Fate::Alter) {
            match self.alter(id) {
                Alter::Steps(_) => {}
                Alter::Rebuild => self.rebuild(id, todo),
                Alter::RebuildWhole(whole) => self.rebuild(&whole, todo),
            }
        }
        let dependents: Vec<(&Object, bool)> = self.dependents.on(id).collect();
        match self.fates.get(id) {
            Some(Fate::Drop | Fate::Rebuild) => {
                for (dependent, auto) in dependents {
                    self.lose(dependent, id, auto, todo);
                }
                let old = self.from.get(id);
                if let Some(holder) = old.and_then(|old| rules::of(id.kind()).holder(self, old)) {
                    self.rebuild(&holder, todo);
                }
            }
            Some(Fate::Alter) => {
                let (Some(old), Some(new)) = (self.from.get(id), self.to.get(id)) else {
                    return;
                };
                for (dependent, _) in dependents {
                    if rules::of(id.kind()).disturbs(self, old, new, dependent) {
                        self.rebuild(&dependent.id, todo);
                    }
                }
                for keeper in rules::of(id.kind()).keepers(self, old, new) {
                    if let Some(keeper) = self.from.get(&keeper) {
                        self.lose(keeper, id, false, todo);
                    }
                }
            }
            Some(Fate::Create) => {
                let whole = self.to.get(id);
                let whole = whole.and_then(|new| rules::of(id.kind()).remakes(self, new));
                if let Some(whole) = whole.filter(|whole| self.stays(whole)) {
                    self.rebuild(&whole, todo);
                }
            }
            None => {}
        }
    }

    fn rebuild(&mut self, id: &Id, todo: &mut Vec<Id>) {
        let fate = if self.to.contains(id) {
            Fate::Rebuild
        } else {
            Fate::Drop
        };
        if self.fates.insert(id.clone(), fate) != Some(fate) {
            todo.push(id.clone());
        }
    }

    /// `dependent` needs `lost`, which goes; `auto` where it goes with it unasked.
    fn lose(&mut self, dependent: &Object, lost: &Id, auto: bool, todo: &mut Vec<Id>) {
        let id = &dependent.id;
        let Some(wanted) = self.to.get(id) else {
            return;
        };
        if self.fates.get(id) == Some(&Fate::Rebuild) {
            return;
        }
        let goes = auto && rules::of(id.kind()).goes_with(self, dependent, lost);
        // What is altered anyway and then needs it no longer just has to come first.
        let lets_go = !goes
            && self.fates.get(lost) == Some(&Fate::Drop)
            && !wanted.needs_id(lost)
            && !self.is_remade(lost)
            && self.fates.get(id) == Some(&Fate::Alter)
            && matches!(self.alter(id), Alter::Steps(_));
        if lets_go {
            return;
        }
        match rules::of(id.kind()).loss(self, dependent, lost) {
            Loss::Rebuild => self.rebuild(id, todo),
            Loss::Alter => {
                let new = self
                    .lost
                    .entry(id.clone())
                    .or_default()
                    .insert(lost.clone());
                if self.fates.insert(id.clone(), Fate::Alter) != Some(Fate::Alter) || new {
                    todo.push(id.clone());
                }
            }
        }
    }

    fn alter(&self, id: &Id) -> Alter {
        let (Some(from), Some(to)) = (self.from.get(id), self.to.get(id)) else {
            return Alter::Steps(Vec::new());
        };
        let properties: Vec<_> = diff::properties(from, to)
            .into_iter()
            .filter(|p| !matches!(p.name.as_str(), "comment" | "owner" | "acl"))
            .collect();
        if properties.is_empty() && !self.lost.contains_key(id) {
            return Alter::Steps(Vec::new());
        }
        rules::of(id.kind()).alter(self, from, to, &Changed(&properties))
    }

    /// What an object that is altered holds on to until then, though its name must be free by then:
    /// all that goes and that it needs, directly or through others that go as well.
    fn find_aside(&self) -> BTreeSet<Id> {
        let mut aside = BTreeSet::new();
        let altered = self.fates.iter().filter(|(_, f)| **f == Fate::Alter);
        for (id, _) in altered {
            let needs = |side: &'a Schema| side.get(id).map_or(&[][..], |object| &object.needs);
            let old = self.held(needs(self.from).iter().map(|need| &need.id));
            if !old.iter().any(|id| self.is_remade(id)) {
                continue;
            }
            let new = needs(self.to).iter().map(|need| &need.id);
            let new = reach(new, self.to, &self.wanted_dependents, |id| self.created(id));
            let comes = |id: &Id| self.successors(id).any(|object| new.contains(&object.id));
            aside.extend(old.into_iter().filter(|id| self.is_remade(id) && comes(id)));
        }
        // What stands aside holds on to what it needs.
        let held = self.held(aside.iter());
        aside.extend(held.into_iter().filter(|id| self.is_remade(id)));
        aside
    }

    /// What cannot go before these do: what goes of them, and of what they need.
    fn held<'b>(&self, ids: impl Iterator<Item = &'b Id>) -> BTreeSet<Id> {
        reach(ids, self.from, &self.dependents, |id| self.destroyed(id))
    }

    /// An object as it stands, and what goes with it unasked.
    fn with_parts(&self, id: &Id) -> impl Iterator<Item = &'a Object> {
        let parts = self.dependents(id).filter(|(_, auto)| *auto);
        self.from
            .get(id)
            .into_iter()
            .chain(parts.map(|(part, _)| part))
    }

    /// Whether the object is made in this plan.
    pub fn created(&self, id: &Id) -> bool {
        matches!(self.fates.get(id), Some(Fate::Create | Fate::Rebuild))
    }

    /// Whether the object that stands there now goes in this plan.
    pub fn destroyed(&self, id: &Id) -> bool {
        matches!(self.fates.get(id), Some(Fate::Drop | Fate::Rebuild))
    }

    /// Whether it stands on both sides and is never dropped between.
    pub fn stays(&self, id: &Id) -> bool {
        self.from.contains(id) && self.to.contains(id) && !self.destroyed(id)
    }

    pub fn is_apart(&self, id: &Id) -> bool {
        self.apart.contains(id)
    }

    /// What an altered object needs and loses.
    pub fn lost(&self, id: &Id) -> impl Iterator<Item = &Id> {
        self.lost.get(id).into_iter().flatten()
    }

    /// The id under which the old object stands while its columns move over, or its own.
    pub fn old(&self, id: &Id) -> Id {
        if self.aside.contains(id) {
            Id::new(id.kind(), id.schema(), id.name(), "\u{1}aside")
        } else {
            id.clone()
        }
    }

    /// Whether a type or collation goes, and it or another one comes under the same name.
    pub fn is_remade(&self, id: &Id) -> bool {
        let old = self.from.get(id).filter(|_| self.destroyed(id));
        old.is_some_and(|old| !rules::of(id.kind()).rename(old, "x").is_empty())
            && self.successors(id).next().is_some()
    }

    /// What is made under a name of an object that goes: itself, or one of another kind.
    fn successors(&self, id: &Id) -> impl Iterator<Item = &'a Object> {
        let claims = self.from.get(id).map(rules::claims).unwrap_or_default();
        // A range's multirange has a name of its own.
        let others = claims.iter().filter_map(Claim::of_type);
        let mut names: BTreeSet<(&str, &str)> = others.collect();
        names.insert((id.schema(), id.name()));
        let ids = names.into_iter().flat_map(|(schema, name)| {
            let id = |kind: &Kind| Id::new(*kind, schema, name, id.part());
            Kind::ALL.iter().map(id).collect::<Vec<Id>>()
        });
        let mut made: Vec<&'a Object> = ids.filter_map(|id| self.to.get(&id)).collect();
        made.extend(&self.wanted_ranges);
        made.into_iter().filter(move |object| {
            let shares = || rules::claims(object).iter().any(|c| claims.contains(c));
            self.created(&object.id) && (object.id == *id || shares())
        })
    }

    /// Objects that need `id` now, and whether they go with it unasked.
    pub fn dependents(&self, id: &Id) -> impl Iterator<Item = (&'a Object, bool)> + '_ {
        self.dependents.on(id)
    }

    /// Objects that shall need `id`.
    pub fn wanted_dependents(&self, id: &Id) -> impl Iterator<Item = &'a Object> + '_ {
        self.wanted_dependents.on(id).map(|(object, _)| object)
    }
}

/// Those of the ids that are picked, and what they and their parts need, as far as that is picked.
fn reach<'a>(
    ids: impl Iterator<Item = &'a Id>,
    side: &Schema,
    dependents: &Dependents,
    pick: impl Fn(&Id) -> bool,
) -> BTreeSet<Id> {
    let mut seen = BTreeSet::new();
    let mut todo: Vec<Id> = ids.cloned().collect();
    while let Some(id) = todo.pop() {
        if !pick(&id) || !seen.insert(id.clone()) {
            continue;
        }
        let parts = dependents.on(&id).filter(|(_, auto)| *auto);
        let parts = parts.map(|(part, _)| part);
        for object in side.get(&id).into_iter().chain(parts) {
            todo.extend(object.needs.iter().map(|need| need.id.clone()));
        }
    }
    seen
}
