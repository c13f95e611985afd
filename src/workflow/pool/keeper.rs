//! Who holds the lock that makes the databases of a pool this process's own, and sees to it that
//! the pool finds its way back after its server was away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::super::bench::Bench;
use super::{Shared, head};
use crate::error::Result;
use crate::postgres::database;
use crate::server::Server;

/// How often the keeper looks whether its session still stands.
const TICK: Duration = Duration::from_millis(200);

/// How often it tries to get another one. Whoever opens a workshop in this project on a server that
/// was just restarted leaves it ten seconds for that.
const RETRY: Duration = Duration::from_millis(50);

/// Keeps the pool until it is told to stop; gives the bench back.
pub(super) async fn keep(
    shared: Arc<Shared>,
    mut bench: Bench,
    mut stopped: watch::Receiver<bool>,
) -> Bench {
    let mut pause = TICK;
    loop {
        tokio::select! {
            _ = stopped.changed() => return bench,
            () = tokio::time::sleep(pause) => {}
        }
        pause = TICK;
        let looked = tokio::select! {
            _ = stopped.changed() => return bench,
            looked = look(&shared, &mut bench) => looked,
        };
        if let Err(error) = looked {
            shared.context.events.detail(error.to_string());
            shared.books().failure = Some(error);
            pause = RETRY;
        }
        shared.books().pool.expire(Instant::now());
        // Also for what was to be tried again after a pause.
        shared.wake.notify_waiters();
    }
}

async fn look(shared: &Shared, bench: &mut Bench) -> Result<()> {
    let on = bench.workshop.connection();
    if on.execute("select 1").await.is_err() {
        reopen(shared, bench).await?;
    }
    if shared.books().head_is_lost {
        renew_head(shared, bench).await?;
    }
    Ok(())
}

async fn reopen(shared: &Shared, bench: &mut Bench) -> Result<()> {
    let last = shared.books().target.clone();
    // It may have another port.
    let maintenance = Server::remembered(bench.context.config()).unwrap_or(last);
    bench.workshop.reopen(&maintenance).await?;
    let there = bench.workshop.there().await?;
    let number = |name: &String| name.strip_prefix(&shared.prefix)?[1..].parse().ok();
    let there: BTreeSet<u64> = there.iter().filter_map(number).collect();
    let mut books = shared.books();
    books.target = maintenance;
    books.failure = None;
    books.pool.keep_only(&there);
    books.drop_templates_but(&there);
    books.head_is_lost = true;
    Ok(())
}

/// Where the database that all others are clones of is gone, as after a reset of the server or
/// `devdb baseline prune`, another takes its place.
async fn renew_head(shared: &Shared, bench: &mut Bench) -> Result<()> {
    let name = shared.books().pool.template(shared.head).map(str::to_owned);
    let on = bench.workshop.connection();
    if !database::exists(on, &name.unwrap_or_default()).await? {
        let _lock = shared.context.lock("serve").await?;
        let purpose = format!("h{}", shared.books().pool.reserve());
        let head = head::prepare(&bench.context, &mut bench.workshop, &purpose).await?;
        shared.books().pool.renew_template(shared.head, head);
    }
    shared.books().head_is_lost = false;
    Ok(())
}
