//! What has to happen because something else happens: a view in the way of a column's new type is
//! dropped and made again, a column lets go of its enum while that is made anew, an index goes
//! with its table unasked. Knows no kind; what it does follows from needs and from the rules.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::diff;
use super::model::{Dependents, Id, Kind, Object, Schema};
use super::plan::{Action, Step};
use super::rules::{self, Alter, Changed, Claim, Loss};
use super::text;

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
                for (dependent, _) in dependents {
                    self.lose(dependent, id, todo);
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
                        self.lose(keeper, id, todo);
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

    /// `dependent` needs `lost`, which goes.
    fn lose(&mut self, dependent: &Object, lost: &Id, todo: &mut Vec<Id>) {
        let id = &dependent.id;
        let Some(wanted) = self.to.get(id) else {
            return;
        };
        if self.fates.get(id) == Some(&Fate::Rebuild) {
            return;
        }
        // What is altered anyway and then needs it no longer just has to come first.
        let lets_go = self.fates.get(lost) == Some(&Fate::Drop)
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

    /// The one whose step makes it: itself, or the whole that it is made with.
    fn maker(&self, object: &Object) -> Id {
        let mut id = object.id.clone();
        for _ in 0..4 {
            let next = self
                .to
                .get(&id)
                .and_then(|object| rules::of(id.kind()).maker(self, object));
            match next {
                Some(next) if next != id => id = next,
                _ => break,
            }
        }
        id
    }

    /// The one whose step drops it: itself, or what it goes with unasked.
    fn destroyer(&self, object: &Object) -> Id {
        let mut id = object.id.clone();
        let mut seen = BTreeSet::from([id.clone()]);
        'up: while let Some(object) = self.from.get(&id) {
            // Apart from its whole, it still goes with what it was inherited from.
            let apart = self.is_apart(&id);
            let needs = object.needs.iter().filter(|need| need.auto);
            for need in needs.filter(|need| !apart || need.id.kind() == id.kind()) {
                let goes = rules::of(id.kind()).goes_with(self, object, &need.id);
                if goes && self.destroyed(&need.id) && seen.insert(need.id.clone()) {
                    id = need.id.clone();
                    continue 'up;
                }
            }
            break;
        }
        id
    }

    /// All steps, not yet in order, and the names that each takes and frees.
    pub fn steps(&self) -> (Vec<Step>, super::order::Claims) {
        let mut steps: Vec<Step> = Vec::new();
        let mut made: Vec<(Id, Id)> = Vec::new();
        let mut gone: Vec<(Id, Id)> = Vec::new();
        for (id, fate) in &self.fates {
            let (old, new) = (self.from.get(id), self.to.get(id));
            let rules = rules::of(id.kind());
            match (fate, old, new) {
                (Fate::Alter, Some(old), Some(new)) => {
                    if let Alter::Steps(alter) = self.alter(id) {
                        steps.extend(alter);
                    }
                    steps.extend(rules::details(self, Some(old), new));
                }
                (Fate::Drop | Fate::Rebuild, Some(old), new) if self.aside.contains(id) => {
                    self.move_aside(old, new, &mut steps);
                    if let Some(new) = new.filter(|_| self.created(id)) {
                        steps.extend(rules.finish(self, new));
                        steps.extend(rules::details(self, None, new));
                    }
                }
                _ => {
                    if let (Fate::Drop | Fate::Rebuild, Some(old)) = (fate, old) {
                        let destroyer = self.destroyer(old);
                        if destroyer == *id {
                            steps.extend(rules.drop(self, old));
                        } else {
                            gone.push((id.clone(), destroyer));
                        }
                    }
                    if let (Fate::Create | Fate::Rebuild, Some(new)) = (fate, new) {
                        let maker = self.maker(new);
                        if maker == *id {
                            steps.extend(rules.create(self, new));
                        } else {
                            made.push((id.clone(), maker));
                        }
                        steps.extend(rules.finish(self, new));
                        steps.extend(rules::details(self, None, new));
                    }
                }
            }
        }
        self.add_parts(&mut steps, made, gone);
        self.connect(&mut steps);
        let claims = self.claims(&steps);
        (steps, claims)
    }

    /// Tells each step which parts it makes and drops besides its object. Both lists are pairs of
    /// a part and the whole that it is made or dropped with.
    fn add_parts(&self, steps: &mut [Step], made: Vec<(Id, Id)>, gone: Vec<(Id, Id)>) {
        let mut makers: HashMap<Id, Vec<usize>> = HashMap::new();
        let mut destroyers: HashMap<Id, Vec<usize>> = HashMap::new();
        for (i, step) in steps.iter().enumerate() {
            for id in &step.makes {
                makers.entry(id.clone()).or_default().push(i);
            }
            for id in &step.destroys {
                destroyers.entry(id.clone()).or_default().push(i);
            }
            // A view that is replaced makes its new columns, too.
            if step.action == Action::Alter {
                makers.entry(step.object.clone()).or_default().push(i);
            }
        }
        for (part, whole) in made {
            for &i in makers.get(&whole).into_iter().flatten() {
                if self.created(&whole) == (steps[i].action == Action::Create) {
                    steps[i].makes.push(part.clone());
                }
            }
        }
        for (part, whole) in gone {
            for &i in destroyers.get(&whole).into_iter().flatten() {
                steps[i].destroys.push(part.clone());
            }
        }
    }

    /// A name that nothing beside it has on either side, and that fits.
    pub fn free_name(&self, id: &Id) -> String {
        let taken = |name: &str| {
            let beside = |o: &Object| o.id.schema() == id.schema() && o.id.name() == name;
            self.from.objects().any(beside) || self.to.objects().any(beside)
        };
        let names = (1..).map(|n| match n {
            1 => text::with_suffix(id.name(), "__old"),
            n => text::with_suffix(id.name(), &format!("__old{n}")),
        });
        let mut free = names.skip_while(|name| taken(name));
        free.next().unwrap_or_default()
    }

    /// Renames the old one, makes the new one, and drops the old one when nobody holds on to it.
    fn move_aside(&self, old: &Object, new: Option<&Object>, steps: &mut Vec<Step>) {
        let rules = rules::of(old.id.kind());
        let name = self.free_name(&old.id);
        let aside = self.old(&old.id);
        for sql in rules.rename(old, &name) {
            let mut rename = Step::alter(&old.id, sql);
            rename.action = Action::Drop;
            steps.push(rename);
        }
        if let Some(rename) = steps.last_mut() {
            rename.makes.push(aside.clone());
            rename.destroys.push(old.id.clone());
            // Its statements call what it needs by its old name.
            let needs = old.needs.iter().map(|need| need.id.clone());
            rename
                .releases
                .extend(needs.filter(|id| self.aside.contains(id)));
        }
        if let Some(new) = new {
            steps.extend(rules.create(self, new));
        }
        let mut renamed = old.clone();
        renamed.id = Id::new(old.id.kind(), old.id.schema(), &name, old.id.part());
        for mut step in rules.drop(self, &renamed) {
            step.object = old.id.clone();
            // No alteration of the new one: nobody has to wait for it.
            step.action = Action::Detail;
            step.destroys = vec![aside.clone()];
            step.needs.push(aside.clone());
            for object in self.with_parts(&old.id) {
                step.releases.extend(self.released(object));
            }
            step.releases.retain(|id| *id != aside);
            steps.push(step);
        }
    }

    /// Fills in what follows from the objects themselves: what a step must wait for.
    fn connect(&self, steps: &mut [Step]) {
        for step in steps {
            let mut needs = std::mem::take(&mut step.needs);
            let mut releases = std::mem::take(&mut step.releases);
            if matches!(step.action, Action::Create) {
                for object in step.makes.iter().filter_map(|id| self.to.get(id)) {
                    let rules = rules::of(object.id.kind());
                    let waits = object.needs.iter().map(|need| &need.id);
                    needs.extend(waits.filter(|need| rules.waits_for(object, need)).cloned());
                }
            }
            if step.action == Action::Alter {
                if let Some(object) = self.to.get(&step.object) {
                    // A parent gets what its child has already when that is as it shall be.
                    let same =
                        |id: &Id| id.kind() == object.id.kind() && id.part() == object.id.part();
                    let comes = |id: &Id| id.kind() == Kind::Column && same(id) && self.created(id);
                    let ids = object.needs.iter().map(|need| &need.id);
                    needs.extend(ids.filter(|id| !comes(id)).cloned());
                }
                let wanted = self.to.get(&step.object);
                if let Some(object) = self.from.get(&step.object) {
                    let leaves = |id: &Id| {
                        self.destroyed_for_good(id) || wanted.is_none_or(|o| !o.needs_id(id))
                    };
                    releases.extend(self.released(object).filter(leaves));
                }
            }
            if step.action == Action::Detail {
                // The end of something that stood aside, with its parts.
                for object in step.destroys.iter().filter_map(|id| self.from.get(id)) {
                    releases.extend(self.released(object));
                }
            }
            if step.action == Action::Drop {
                for object in step.destroys.iter().filter_map(|id| self.from.get(id)) {
                    let rules = rules::of(object.id.kind());
                    let minds = object.needs.iter().map(|need| &need.id);
                    let minds = minds.filter(|need| rules.waits_for(object, need));
                    // A statement that names types in full has to come before their renaming.
                    let kind = object.id.kind();
                    let names = kind.takes_arguments() || kind.is_sentence();
                    releases.extend(minds.map(|need| match names {
                        true => need.clone(),
                        false => self.held_as(need),
                    }));
                }
            }
            let own: BTreeSet<&Id> = step.makes.iter().collect();
            needs.retain(|id| !own.contains(id));
            needs.sort();
            needs.dedup();
            releases.sort();
            releases.dedup();
            step.needs = needs;
            step.releases = releases;
        }
    }

    /// What an old object needs, under the names that it has while it waits to be dropped.
    fn released<'b>(&'b self, object: &'b Object) -> impl Iterator<Item = Id> + 'b {
        object.needs.iter().map(|need| self.held_as(&need.id))
    }

    /// The id under which an old object, or the whole that it goes with, stands aside, or its own.
    fn held_as(&self, id: &Id) -> Id {
        let object = self.from.get(id).filter(|_| self.destroyed(id));
        let whole = object.filter(|_| !self.aside.is_empty());
        let whole = whole.map(|object| self.destroyer(object));
        match whole.filter(|whole| self.aside.contains(whole)) {
            Some(whole) => self.old(&whole),
            None => id.clone(),
        }
    }

    fn destroyed_for_good(&self, id: &Id) -> bool {
        self.fates.get(id) != Some(&Fate::Rebuild)
    }

    fn claims(&self, steps: &[Step]) -> super::order::Claims {
        let of = |schema: &Schema, ids: &[Id]| -> Vec<Claim> {
            ids.iter()
                .filter_map(|id| schema.get(id))
                .flat_map(rules::claims)
                .collect()
        };
        let mut takes = Vec::new();
        let mut frees = Vec::new();
        for step in steps {
            let mut take = of(self.to, &step.makes);
            let mut free = of(self.from, &step.destroys);
            if step.action == Action::Alter && self.stays(&step.object) {
                let object = std::slice::from_ref(&step.object);
                let (old, new) = (of(self.from, object), of(self.to, object));
                take.extend(new.iter().filter(|c| !old.contains(c)).cloned());
                free.extend(old.iter().filter(|c| !new.contains(c)).cloned());
            }
            takes.push(take);
            frees.push(free);
        }
        super::order::Claims { takes, frees }
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
