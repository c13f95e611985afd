//! The steps that the fates of all objects ask for, and what each must wait for.

use std::collections::{BTreeSet, HashMap};

use super::super::model::{Id, Kind, Object, Schema};
use super::super::order;
use super::super::plan::{Action, Step};
use super::super::rules::{self, Alter, Claim};
use super::super::text;
use super::{Context, Fate};

impl Context<'_> {
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
    pub fn steps(&self) -> (Vec<Step>, order::Claims) {
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

    fn claims(&self, steps: &[Step]) -> order::Claims {
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
        order::Claims { takes, frees }
    }
}
