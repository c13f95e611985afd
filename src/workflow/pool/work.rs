//! Those who make and drop the databases of a pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use crate::databases::clone_from;
use crate::databases::pool::Job;
use crate::error::{Error, Result};
use crate::postgres::{self, Connection, database, quote_ident};

/// A session that nobody needs for so long is closed: others may want it.
const IDLE: Duration = Duration::from_secs(10);

/// Works until the pool is closed.
pub(super) async fn work(shared: Arc<Shared>) {
    let mut session = None;
    loop {
        let woken = shared.wake.notified();
        tokio::pin!(woken);
        // From here on nothing is missed.
        woken.as_mut().enable();
        let job = {
            let mut books = shared.books();
            if books.closing {
                break;
            }
            books.pool.next_job(Instant::now())
        };
        match job {
            Some(job) => {
                let done = perform(&shared, &mut session, &job).await;
                if done.as_ref().is_err_and(ends_session) {
                    session = None;
                }
                settle(&shared, &job, done);
                shared.wake.notify_waiters();
            }
            None => {
                let woken = tokio::time::timeout(IDLE, woken).await;
                if woken.is_err()
                    && let Some(session) = session.take()
                {
                    Connection::close(session).await;
                }
            }
        }
    }
    if let Some(session) = session {
        session.close().await;
    }
}

/// Gives whether it was done.
async fn perform(shared: &Shared, session: &mut Option<Connection>, job: &Job) -> Result<bool> {
    let on = match session {
        Some(on) => on,
        None => {
            let target = shared.books().target.clone();
            session.insert(postgres::connect(&target).await?)
        }
    };
    match job {
        Job::Make { id, template } => clone_from(on, &shared.name(*id), template).await?,
        Job::Drop { id } => database::drop(on, &shared.name(*id)).await?,
        Job::DropUnused { id } => return drop_unused(on, &shared.name(*id)).await,
    }
    Ok(true)
}

async fn drop_unused(on: &mut Connection, name: &str) -> Result<bool> {
    // Postgres itself waits for five seconds before it says so.
    if !database::clients(on, name).await?.is_empty() {
        return Ok(false);
    }
    let sql = format!("drop database if exists {}", quote_ident(name));
    match on.execute(&sql).await {
        // 55006 object_in_use: somebody came in between.
        Err(error) if error.sqlstate() == Some("55006") => Ok(false),
        result => result.map(|()| true),
    }
}

fn settle(shared: &Shared, job: &Job, done: Result<bool>) {
    let now = Instant::now();
    let mut books = shared.books();
    if let Err(error) = &done {
        shared.context.events.detail(error.to_string());
        // 3D000: there is no such database.
        books.head_is_lost |= error.sqlstate() == Some("3D000");
        books.failure = Some(error.clone());
    }
    match (job, done) {
        (Job::Make { id, .. }, Ok(_)) => {
            books.failure = None;
            let grant = books.pool.made(*id, now);
            books.deliver(grant);
        }
        (Job::Make { id, .. }, Err(_)) => books.pool.not_made(*id, now),
        (Job::DropUnused { id }, Ok(false)) => books.pool.still_used(*id, now),
        (Job::Drop { id } | Job::DropUnused { id }, Ok(_)) => books.pool.dropped(*id),
        (Job::Drop { id } | Job::DropUnused { id }, Err(_)) => books.pool.not_dropped(*id, now),
    }
}

/// Whether the session is of no use any more: it broke, or the server ends it.
fn ends_session(error: &Error) -> bool {
    let state = error.sqlstate();
    state.is_none_or(|state| state.starts_with("57P") || state.starts_with("08"))
}
