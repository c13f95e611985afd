//! A pool of databases at head that are made ahead of need and lent to whoever asks.
//!
//! [`databases::pool`](crate::databases::pool) decides, and does nothing; here its jobs are done,
//! by a few workers with a session each, and a keeper holds the lock that makes the databases this
//! process's own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

use crate::config::Target;
use crate::databases::pool::{Answer, Grant, Id, Limits, Pool, State, TemplateId, Terms, Ticket};
use crate::error::{Error, Result};

use super::Context;
use super::bench::Bench;

mod head;
mod keeper;
mod templates;
mod work;

/// How a pool is to be.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// So many stand ready before anybody asks.
    pub ahead: usize,
    /// So many there are at most, lent ones included.
    pub max: usize,
    /// So many are made or dropped at the same time; each takes a session.
    pub workers: usize,
    /// So long one waits for a database before it is refused.
    pub wait: Duration,
    /// So long a database is lent at most; `None`: until it is returned.
    pub lease: Option<Duration>,
    /// On a server of its own, which goes with the pool.
    pub own_server: bool,
}

impl PoolOptions {
    /// Four do as well where the data is in memory; a disk keeps more of them waiting
    /// (benches/serve.py).
    pub const WORKERS: usize = 8;
}

/// A database that was lent.
#[derive(Debug, Clone)]
pub struct Lent {
    pub id: Id,
    pub target: Target,
    /// The project's `[env]` for it.
    pub variables: Vec<(String, String)>,
}

/// Why there is no database, or nothing was done.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// No such template.
    NoTemplate,
    /// There is such a template.
    TemplateExists,
    /// The template was discarded while one waited.
    Discarded,
    /// No database became free in time, with the reason.
    NoneFree(Error),
    /// The pool is being closed.
    Closing,
    /// What Postgres says.
    Failed(Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoTemplate => Error::failed("template not found"),
            Refusal::TemplateExists => Error::failed("template is already initialized"),
            Refusal::Discarded => Error::failed("template was just discarded"),
            Refusal::Closing => Error::server("devdb serve is ending"),
            Refusal::NoneFree(error) | Refusal::Failed(error) => error,
        }
    }
}

/// One database of a pool, for whoever lists them.
#[derive(Debug, Serialize)]
pub struct Listed {
    pub id: Id,
    pub database: String,
    /// The hash of its template; `None`: it is at the project's head.
    pub template: Option<String>,
    /// `making`, `ready`, `lent` or `dropping`.
    pub state: &'static str,
    /// For how many seconds it has been lent.
    pub lent_for: Option<f64>,
}

/// Lends databases of an open pool. Cheap to clone.
#[derive(Clone)]
pub struct Lender(Arc<Shared>);

/// An open pool. Ends with [`OpenPool::close`].
pub struct OpenPool {
    pub lender: Lender,
    workers: Vec<JoinHandle<()>>,
    keeper: JoinHandle<Bench>,
    stop: watch::Sender<bool>,
}

struct Shared {
    context: Context,
    /// What the names of its databases begin with.
    prefix: String,
    head: TemplateId,
    options: PoolOptions,
    books: Mutex<Books>,
    /// There may be something to do.
    wake: Notify,
}

struct Books {
    pool: Pool,
    target: Target,
    tickets: HashMap<Ticket, oneshot::Sender<Result<Id, Refusal>>>,
    /// Other templates than head.
    hashes: BTreeMap<String, TemplateId>,
    /// The last thing that went wrong, until something goes well.
    failure: Option<Error>,
    head_is_lost: bool,
    closing: bool,
}

impl OpenPool {
    /// Opens one and begins to make databases.
    ///
    /// # Errors
    /// `Server` where none can be had; `Migration` where the chain does not replay.
    pub async fn open(context: &Context, options: PoolOptions) -> Result<Self> {
        let (mut bench, head) = head::open(context, &options).await?;
        let mut pool = Pool::new(Limits {
            ahead: options.ahead.min(options.max),
            max: options.max,
            lease: options.lease,
        });
        let head = pool.add_template(head, true);
        let shared = Arc::new(Shared {
            context: bench.context.clone(),
            prefix: bench.workshop.name(""),
            head,
            books: Mutex::new(Books {
                pool,
                target: bench.workshop.connection().target().clone(),
                tickets: HashMap::new(),
                hashes: BTreeMap::new(),
                failure: None,
                head_is_lost: false,
                closing: false,
            }),
            wake: Notify::new(),
            options,
        });
        let (stop, stopped) = watch::channel(false);
        let workers = 0..shared.options.workers.max(1);
        Ok(OpenPool {
            workers: workers
                .map(|_| tokio::spawn(work::work(shared.clone())))
                .collect(),
            keeper: tokio::spawn(keeper::keep(shared.clone(), bench, stopped)),
            lender: Lender(shared),
            stop,
        })
    }

    /// Refuses whoever waits, and drops all databases, lent ones too. What cannot be dropped the
    /// next devdb command drops.
    ///
    /// # Errors
    /// What Postgres says, also where it does not answer any more.
    pub async fn close(self) -> Result<()> {
        self.lender.refuse_all();
        self.lender.0.wake.notify_waiters();
        for worker in self.workers {
            let _ = worker.await;
        }
        let _ = self.stop.send(true);
        let mut bench = self
            .keeper
            .await
            .map_err(|e| Error::failed(format!("the pool's keeper failed: {e}")))?;
        let cleared = bench.workshop.clear().await;
        bench.close().await.and(cleared)
    }
}

/// Who waits for a database. Dropped before one came, it gives up its place; one that came in the
/// same moment goes back.
struct Waiting {
    shared: Arc<Shared>,
    ticket: Ticket,
    receiver: oneshot::Receiver<Result<Id, Refusal>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut books = self.shared.books();
        if books.tickets.remove(&self.ticket).is_some() {
            books.pool.give_up(self.ticket);
        } else if let Ok(Ok(id)) = self.receiver.try_recv() {
            books.give_back(id, true);
        }
    }
}

impl Lender {
    /// The template of databases at the project's head.
    pub fn head(&self) -> TemplateId {
        self.0.head
    }

    /// Lends a clone of `template`, waiting for one as long as the options say.
    pub async fn lend(&self, template: TemplateId, terms: Terms) -> Result<Lent, Refusal> {
        let mut waiting = {
            let mut books = self.0.books();
            if books.closing {
                return Err(Refusal::Closing);
            }
            match books.pool.ask(template, terms, Instant::now()) {
                Answer::NoTemplate => return Err(Refusal::NoTemplate),
                Answer::Lent(id) => {
                    drop(books);
                    self.0.wake.notify_waiters();
                    return Ok(self.lent(id));
                }
                Answer::Wait(ticket) => {
                    let (sender, receiver) = oneshot::channel();
                    books.tickets.insert(ticket, sender);
                    Waiting {
                        shared: self.0.clone(),
                        ticket,
                        receiver,
                    }
                }
            }
        };
        self.0.wake.notify_waiters();
        match tokio::time::timeout(self.0.options.wait, &mut waiting.receiver).await {
            Ok(Ok(granted)) => granted.map(|id| self.lent(id)),
            Ok(Err(_)) => Err(Refusal::Closing),
            Err(_) => Err(Refusal::NoneFree(self.0.why_none_is_free())),
        }
    }

    fn lent(&self, id: Id) -> Lent {
        let target = self.0.books().target.with_database(self.0.name(id));
        Lent {
            id,
            variables: self.0.context.variables(&target),
            target,
        }
    }

    /// Takes a database back; `clean` says that it was not written to, and it is lent again as it
    /// is. Gives whether it was lent: to anybody, or as a clone of `template`.
    pub fn give_back(&self, id: Id, template: Option<TemplateId>, clean: bool) -> bool {
        let mut books = self.0.books();
        let of = books.pool.database(id).map(|database| database.template);
        let was_lent = books.pool.is_lent(id) && (template.is_none() || of == template);
        if was_lent {
            books.give_back(id, clean);
        }
        drop(books);
        self.0.wake.notify_waiters();
        was_lent
    }

    /// Whether there may have been a database of this number.
    pub fn was_used(&self, id: Id) -> bool {
        self.0.books().pool.was_used(id)
    }

    /// All databases, in the order in which they were made.
    pub fn list(&self) -> Vec<Listed> {
        let books = self.0.books();
        let now = Instant::now();
        let hash = |template| books.hashes.iter().find(|(_, id)| **id == template);
        let all = books.pool.databases().map(|(id, database)| Listed {
            id,
            database: self.0.name(id),
            template: hash(database.template).map(|(hash, _)| hash.clone()),
            state: match database.state {
                State::Making => "making",
                State::Ready => "ready",
                State::Lent { .. } => "lent",
                State::Dirty | State::Dropping => "dropping",
            },
            lent_for: match database.state {
                State::Lent { since, .. } => Some(now.duration_since(since).as_secs_f64()),
                _ => None,
            },
        });
        all.collect()
    }

    /// How many wait, and what went wrong last, where nothing went well since.
    pub fn health(&self) -> (usize, Option<Error>) {
        let books = self.0.books();
        (books.pool.waiting(), books.failure.clone())
    }

    /// From now on nobody gets a database; who waits is told so.
    pub fn refuse_all(&self) {
        let mut books = self.0.books();
        books.closing = true;
        books.tickets.clear();
    }
}

impl Shared {
    fn books(&self) -> MutexGuard<'_, Books> {
        // Whoever panicked meanwhile had a number missing, nothing half written.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, id: Id) -> String {
        format!("{}d{id}", self.prefix)
    }

    fn why_none_is_free(&self) -> Error {
        let books = self.books();
        let seconds = self.options.wait.as_secs_f32();
        let what = format!("no database became free within {seconds} s");
        if let Some(failure) = &books.failure {
            let hint = match failure.sqlstate() {
                Some("53300") => "raise max_connections of the server, or close connections",
                _ => "`devdb status` and `devdb logs` tell about the server",
            };
            return failure.clone().context(what).hint(hint);
        }
        let all = books.pool.databases().count();
        let lent = books.pool.databases();
        let lent = lent.filter(|(id, _)| books.pool.is_lent(*id)).count();
        let other = all - lent;
        Error::server(format!(
            "{what}: {lent} are lent, {other} are being made or dropped"
        ))
        .hint(format!(
            "return databases when they are done with, raise --max ({}), or set --lease",
            self.options.max
        ))
    }
}

impl Books {
    fn give_back(&mut self, id: Id, clean: bool) {
        let grant = self.pool.give_back(id, clean, Instant::now());
        self.deliver(grant);
    }

    /// Who is not there any more to take it has it from hand to hand.
    fn deliver(&mut self, grant: Option<Grant>) {
        let mut next = grant;
        while let Some(grant) = next.take() {
            let taker = self.tickets.remove(&grant.ticket);
            let taken = taker.is_some_and(|taker| taker.send(Ok(grant.id)).is_ok());
            if !taken {
                next = self.pool.give_back(grant.id, true, Instant::now());
            }
        }
    }
}
