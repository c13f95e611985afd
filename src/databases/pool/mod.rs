//! Which databases of a pool are ready, lent, wanted and on their way out. Pure: whoever makes and
//! drops them asks for the [next job](Pool::next_job) and says how it ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

mod jobs;

/// A database of a pool. Numbers are never used twice, so that one that is returned late cannot be
/// taken for somebody else's.
pub type Id = u64;

/// What databases are clones of; numbered like them.
pub type TemplateId = u64;

/// Somebody who waits for a database.
pub type Ticket = u64;

/// How many databases there are and how long they are lent.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Made before anybody asks, of each template.
    pub ahead: usize,
    /// Of all templates together, whatever their state.
    pub max: usize,
    /// After so long a lent one is taken back; `None`: never.
    pub lease: Option<Duration>,
}

/// How a database is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// Until it is returned.
    UntilReturned,
    /// Until it is returned, or somebody else wants one while no room is left and nobody is
    /// connected to it: borrowers of this kind often never return theirs.
    WhileUsed,
}

/// What came of asking for a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Lent(Id),
    Wait(Ticket),
    NoTemplate,
}

/// Somebody who waited gets a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub ticket: Ticket,
    pub id: Id,
}

/// Something to do on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Then call [`Pool::made`] or [`Pool::not_made`].
    Make { id: Id, template: String },
    /// Whoever is connected is disconnected. Then call [`Pool::dropped`] or [`Pool::not_dropped`].
    Drop { id: Id },
    /// Only if nobody is connected. Then call [`Pool::dropped`] or [`Pool::still_used`].
    DropUnused { id: Id },
}

/// How a database stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Making,
    Ready,
    Lent {
        since: Instant,
        terms: Terms,
        /// When it was last found in use, or lent.
        seen: Instant,
    },
    /// Returned, to be dropped.
    Dirty,
    Dropping,
}

#[derive(Debug)]
struct Template {
    database: String,
    /// Clones may be made of it.
    open: bool,
    generation: u32,
    /// Taken from the back: one that comes back clean is still in the server's memory.
    ready: VecDeque<Id>,
}

/// One database, for whoever lists them.
#[derive(Debug, Clone, Copy)]
pub struct Database {
    pub template: TemplateId,
    pub state: State,
    generation: u32,
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    template: TemplateId,
    terms: Terms,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    templates: BTreeMap<TemplateId, Template>,
    databases: BTreeMap<Id, Database>,
    waiting: VecDeque<Waiter>,
    last: u64,
    /// After a failure nothing is begun until then; the pause doubles while failures go on.
    pause: Option<(Instant, Duration)>,
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Pool {
    pub fn new(limits: Limits) -> Self {
        Pool {
            limits,
            templates: BTreeMap::new(),
            databases: BTreeMap::new(),
            waiting: VecDeque::new(),
            last: 0,
            pause: None,
        }
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// A number for the name of a database that the pool does not count, such as a template.
    pub fn reserve(&mut self) -> u64 {
        self.number()
    }

    /// Adds one that is `open`, or will be.
    pub fn add_template(&mut self, database: String, open: bool) -> TemplateId {
        let id = self.number();
        let template = Template {
            database,
            open,
            generation: 0,
            ready: VecDeque::new(),
        };
        self.templates.insert(id, template);
        id
    }

    /// From now on clones are made of it.
    pub fn open_template(&mut self, id: TemplateId) {
        if let Some(template) = self.templates.get_mut(&id) {
            template.open = true;
        }
    }

    /// From now on `database` is what clones are made of. Those of before are not given out again.
    pub fn renew_template(&mut self, id: TemplateId, database: String) {
        let Some(template) = self.templates.get_mut(&id) else {
            return;
        };
        template.database = database;
        template.generation += 1;
        for old in std::mem::take(&mut template.ready) {
            self.set(old, State::Dirty);
        }
    }

    /// Removes it with all of its databases, lent ones too. Gives those who waited for one.
    pub fn remove_template(&mut self, id: TemplateId) -> Vec<Ticket> {
        self.templates.remove(&id);
        for database in self.databases.values_mut().filter(|d| d.template == id) {
            if matches!(database.state, State::Ready | State::Lent { .. }) {
                database.state = State::Dirty;
            }
        }
        let (gone, stay) = self.waiting.drain(..).partition(|w| w.template == id);
        self.waiting = stay;
        let gone: VecDeque<Waiter> = gone;
        gone.into_iter().map(|waiter| waiter.ticket).collect()
    }

    /// Asks for a clone of `template`.
    pub fn ask(&mut self, template: TemplateId, terms: Terms, now: Instant) -> Answer {
        let Some(known) = self.templates.get_mut(&template) else {
            return Answer::NoTemplate;
        };
        if let Some(id) = known.ready.pop_back() {
            self.lend(id, terms, now);
            return Answer::Lent(id);
        }
        let ticket = self.number();
        self.waiting.push_back(Waiter {
            ticket,
            template,
            terms,
        });
        Answer::Wait(ticket)
    }

    /// Nobody waits with this ticket any more.
    pub fn give_up(&mut self, ticket: Ticket) {
        self.waiting.retain(|waiter| waiter.ticket != ticket);
    }

    /// Takes back one that was lent, and only such a one; `clean`, not written to, it is lent again
    /// as it is.
    pub fn give_back(&mut self, id: Id, clean: bool, now: Instant) -> Option<Grant> {
        if !self.is_lent(id) {
            return None;
        }
        self.set(id, State::Dirty);
        match clean {
            true => self.ready(id, true, now),
            false => None,
        }
    }

    /// The database that clones of this template are made from.
    pub fn template(&self, id: TemplateId) -> Option<&str> {
        self.templates.get(&id).map(|t| t.database.as_str())
    }

    pub fn database(&self, id: Id) -> Option<&Database> {
        self.databases.get(&id)
    }

    pub fn is_lent(&self, id: Id) -> bool {
        let database = self.databases.get(&id);
        database.is_some_and(|d| matches!(d.state, State::Lent { .. }))
    }

    /// Takes back what was lent for too long; gives the numbers.
    pub fn expire(&mut self, now: Instant) -> Vec<Id> {
        let Some(limit) = self.limits.lease else {
            return Vec::new();
        };
        let is_over = |state: &State| matches!(state, State::Lent { since, .. } if now.duration_since(*since) >= limit);
        let over: Vec<Id> = self.ids(|d| is_over(&d.state)).collect();
        for id in &over {
            self.set(*id, State::Dirty);
        }
        over
    }

    /// After the server was away: only these are still there, as far as nobody is at work on them.
    pub fn keep_only(&mut self, there: &BTreeSet<Id>) {
        let at_work = |state: State| matches!(state, State::Making | State::Dropping);
        self.databases
            .retain(|id, database| there.contains(id) || at_work(database.state));
        for template in self.templates.values_mut() {
            template.ready.retain(|id| there.contains(id));
        }
    }

    /// The database is there.
    pub fn made(&mut self, id: Id, now: Instant) -> Option<Grant> {
        self.pause = None;
        self.ready(id, false, now)
    }

    /// It could not be made: after a pause, this or another is tried again.
    pub fn not_made(&mut self, id: Id, now: Instant) {
        // Where the answer got lost it may be there all the same.
        self.set(id, State::Dirty);
        self.pause(now);
    }

    pub fn dropped(&mut self, id: Id) {
        self.databases.remove(&id);
    }

    pub fn not_dropped(&mut self, id: Id, now: Instant) {
        self.set(id, State::Dirty);
        self.pause(now);
    }

    /// Somebody is connected to it: it stays lent.
    pub fn still_used(&mut self, id: Id, now: Instant) {
        self.lend(id, Terms::WhileUsed, now);
    }

    fn pause(&mut self, now: Instant) {
        let long = match self.pause {
            Some((_, last)) => (2 * last).min(LONGEST_PAUSE),
            None => SHORTEST_PAUSE,
        };
        self.pause = Some((now + long, long));
    }

    /// To whoever waits for one, else to those that stand ready.
    fn ready(&mut self, id: Id, first: bool, now: Instant) -> Option<Grant> {
        let database = *self.databases.get(&id)?;
        let Some(template) = self.templates.get_mut(&database.template) else {
            self.set(id, State::Dirty);
            return None;
        };
        if template.generation != database.generation {
            self.set(id, State::Dirty);
            return None;
        }
        let next = self
            .waiting
            .iter()
            .position(|w| w.template == database.template);
        if let Some(waiter) = next.and_then(|at| self.waiting.remove(at)) {
            self.lend(id, waiter.terms, now);
            let ticket = waiter.ticket;
            return Some(Grant { ticket, id });
        }
        match first {
            true => template.ready.push_back(id),
            false => template.ready.push_front(id),
        }
        self.set(id, State::Ready);
        None
    }

    fn lend(&mut self, id: Id, terms: Terms, now: Instant) {
        let (since, seen) = (now, now);
        self.set(id, State::Lent { since, terms, seen });
    }

    fn set(&mut self, id: Id, state: State) {
        if let Some(database) = self.databases.get_mut(&id) {
            database.state = state;
        }
    }

    fn ids(&self, fits: impl Fn(&Database) -> bool) -> impl Iterator<Item = Id> {
        let fitting = self.databases.iter().filter(move |(_, d)| fits(d));
        fitting.map(|(id, _)| *id)
    }

    /// All databases, in the order in which they were made.
    pub fn databases(&self) -> impl Iterator<Item = (Id, &Database)> {
        self.databases.iter().map(|(id, database)| (*id, database))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether such a number was given to a database, or may have been.
    pub fn was_used(&self, id: Id) -> bool {
        id > 0 && id <= self.last
    }
}

#[cfg(test)]
mod tests;
