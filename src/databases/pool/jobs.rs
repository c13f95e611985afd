//! What is to be done on the server, and in which order: first for those who wait, then what makes
//! room for them, then ahead of need.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Database, Id, Job, Pool, State, TemplateId, Terms};

/// How long one that is lent [`Terms::WhileUsed`] is left alone after it was seen in use: a client
/// does not connect at once. IntegreSQL's default.
const LEFT_ALONE: Duration = Duration::from_millis(250);

impl Pool {
    /// What is to be done next, which is then taken to be under way.
    pub fn next_job(&mut self, now: Instant) -> Option<Job> {
        if self.pause.is_some_and(|(until, _)| now < until) {
            return None;
        }
        let has_room = self.databases.len() < self.limits.max;
        let wanted = self.wanted();
        let dirty: Vec<Id> = self.ids(|d| d.state == State::Dirty).collect();
        // As many go as come: what stays longer than it has to is written to the disk for nothing.
        if dirty.len() > wanted.len() + self.limits.ahead {
            return Some(self.drop(dirty[0]));
        }
        if let Some(first) = wanted.first() {
            return match has_room {
                true => self.make(*first),
                false => self.make_room(wanted.len(), now),
            };
        }
        if has_room && let Some(template) = self.short() {
            return self.make(template);
        }
        dirty.first().map(|id| self.drop(*id))
    }

    /// For each of those who wait and for whom none is being made, the template.
    fn wanted(&self) -> Vec<TemplateId> {
        let mut making: BTreeMap<TemplateId, usize> = BTreeMap::new();
        for database in self.databases.values() {
            if database.state == State::Making {
                *making.entry(database.template).or_default() += 1;
            }
        }
        let mut wanted = Vec::new();
        for waiter in &self.waiting {
            let is_open = self.templates.get(&waiter.template).is_some_and(|t| t.open);
            match making.get_mut(&waiter.template) {
                Some(left) if *left > 0 => *left -= 1,
                _ if is_open => wanted.push(waiter.template),
                _ => {}
            }
        }
        wanted
    }

    /// A template of which too few stand ready.
    fn short(&self) -> Option<TemplateId> {
        let making = |of: TemplateId| {
            let making = |d: &Database| d.template == of && d.state == State::Making;
            self.ids(making).count()
        };
        let mut open = self.templates.iter().filter(|(_, t)| t.open);
        open.find(|(id, t)| t.ready.len() + making(**id) < self.limits.ahead)
            .map(|(id, _)| *id)
    }

    fn make(&mut self, template: TemplateId) -> Option<Job> {
        let known = self.templates.get(&template)?;
        let (name, generation) = (known.database.clone(), known.generation);
        let id = self.number();
        let database = Database {
            template,
            state: State::Making,
            generation,
        };
        self.databases.insert(id, database);
        Some(Job::Make { id, template: name })
    }

    fn make_room(&mut self, wanted: usize, now: Instant) -> Option<Job> {
        if self.ids(|d| d.state == State::Dropping).count() >= wanted {
            return None;
        }
        let dirty = self.ids(|d| d.state == State::Dirty).next();
        if let Some(id) = dirty {
            return Some(self.drop(id));
        }
        // One that stands ready for nobody.
        let idle = self.templates.values_mut();
        if let Some(id) = idle
            .max_by_key(|t| t.ready.len())
            .and_then(|t| t.ready.pop_front())
        {
            return Some(self.drop(id));
        }
        let unused = self.databases.iter().filter_map(|(id, d)| match d.state {
            State::Lent {
                terms: Terms::WhileUsed,
                seen,
                ..
            } if now.duration_since(seen) >= LEFT_ALONE => Some((seen, *id)),
            _ => None,
        });
        let (_, id) = unused.min()?;
        self.set(id, State::Dropping);
        Some(Job::DropUnused { id })
    }

    fn drop(&mut self, id: Id) -> Job {
        self.set(id, State::Dropping);
        Job::Drop { id }
    }
}
