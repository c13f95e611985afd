//! A database of its own for each test, at the head of the project's migrations.
//!
//! ```no_run
//! # async fn doc() -> devdb::error::Result<()> {
//! // #[tokio::test]
//! // async fn an_order_has_lines() -> devdb::error::Result<()> {
//! let db = devdb::testing::database().await?;
//! sqlx::query("insert into orders default values").execute(db.pool()).await.unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! The project is the one that the crate under test lies in (`CARGO_MANIFEST_DIR`). Its server is
//! started where it does not run; its chain is replayed where no baseline of it is known, by the
//! first test that comes; every other test costs one clone. Processes that run tests at the same
//! time share the server and the baseline, and no database.
//!
//! The database goes with the value: at the latest when the last value of the process is dropped,
//! and that waits for it. What a killed process leaves, the next test or devdb command drops.
//!
//! Chains that speak of more than one database (roles, for one) are cloned only from a baseline,
//! which `devdb ready` leaves; without one, and on a server given by URL, which keeps none, each
//! process replays the chain once. `devdb serve` does so once for all of them.

use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::config::{self, Surroundings, Target};
use crate::databases::pool::Terms;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::postgres::{self, PgPool};
use crate::workflow::{Context, Lender, Lent, OpenPool, PoolOptions};

#[cfg(feature = "testcontainers")]
mod image;
#[cfg(feature = "testcontainers")]
pub use image::PostgresImage;

/// How many databases there may be of one process; far more than tests run at the same time.
const MOST: usize = 512;

/// A database that goes with this value.
pub struct Database {
    pool: PgPool,
    lent: Lent,
    lender: Lender,
    /// Whoever drops the last one closes the pool.
    _opened: Arc<Opened>,
}

/// A database of its own, at head.
///
/// # Errors
/// `Usage` where the project's settings are wrong; `Server` where no server can be had; `Migration`
/// where the chain does not replay.
pub async fn database() -> Result<Database> {
    let opened = open().await?;
    let lender = opened.lender.clone();
    let lent = lender.lend(lender.head(), Terms::UntilReturned).await?;
    Ok(Database {
        pool: postgres::pool(&lent.target)?,
        lent,
        lender,
        _opened: opened,
    })
}

/// The URL of the database that tests in this nextest slot share, below `devdb run --databases N --
/// cargo nextest run -j N`; no two tests run in one slot at the same time. `None` elsewhere.
pub fn worker_url() -> Option<String> {
    Surroundings::worker_url()
}

impl Database {
    /// A pool of connections to it, of the version of sqlx that devdb uses; others connect to
    /// [`Database::url`]. Connections are opened when they are used, ten at most.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// `postgresql://user:password@host:port/database`
    pub fn url(&self) -> String {
        self.lent.target.url("postgresql")
    }

    pub fn target(&self) -> &Target {
        &self.lent.target
    }

    /// The project's `[env]` for it: names and values.
    pub fn variables(&self) -> &[(String, String)] {
        &self.lent.variables
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.lender.give_back(self.lent.id, None, false);
    }
}

/// The pool of this process. It lives in a thread of its own: each test has a runtime, and what is
/// made in one ends with it.
struct Opened {
    lender: Lender,
    /// Dropped, it ends the thread.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // What it could not drop others will.
            let _ = thread.join();
        }
    }
}

/// The one that is open in this process, else a new one.
async fn open() -> Result<Arc<Opened>> {
    // Opening blocks, and whoever else comes meanwhile waits for it.
    let opened = tokio::task::spawn_blocking(|| {
        static OPENED: Mutex<Weak<Opened>> = Mutex::new(Weak::new());
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = opened.upgrade() {
            return Ok(opened);
        }
        let new = Arc::new(start()?);
        *opened = Arc::downgrade(&new);
        Ok(new)
    });
    opened
        .await
        .map_err(|e| Error::failed(format!("cannot open a pool of databases: {e}")))?
}

fn start() -> Result<Opened> {
    let (end, ended) = oneshot::channel();
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(e) => {
                let _ = tell.send(Err(Error::failed(format!("cannot start a runtime: {e}"))));
                return;
            }
        };
        runtime.block_on(async {
            let pool = match open_pool().await {
                Ok(pool) => pool,
                Err(error) => {
                    let _ = tell.send(Err(error));
                    return;
                }
            };
            let _ = tell.send(Ok(pool.lender.clone()));
            let _ = ended.await;
            // A server that went away took the databases with it, or the next devdb drops them.
            let _ = pool.close().await;
        });
    });
    let lender = told
        .recv()
        .unwrap_or_else(|_| Err(Error::failed("the pool of databases panicked")))?;
    Ok(Opened {
        lender,
        end: Some(end),
        thread: Some(thread),
    })
}

fn context() -> Result<Context> {
    Ok(Context {
        loaded: config::load(&Surroundings::of_tests()?)?,
        events: Events::silent(),
    })
}

async fn open_pool() -> Result<OpenPool> {
    let options = PoolOptions {
        ahead: 0,
        max: MOST,
        workers: PoolOptions::WORKERS,
        wait: Duration::from_secs(120),
        lease: None,
        own_server: false,
    };
    OpenPool::open(&context()?, options).await
}
