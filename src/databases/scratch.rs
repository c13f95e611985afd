//! Scratch databases: made for one command, gone with it.
//!
//! The owner holds an advisory lock in the maintenance database for as long as it lives. Whoever
//! can take the lock knows that the owner is dead, and drops what it left.

use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::Names;
use super::base::clone_from;
use crate::error::{ErrorKind, Result};
use crate::owner;
use crate::postgres::{self, Connection, Row, Target, database, error_from};

/// A session that may make scratch databases. All of them are dropped by [`Workshop::close`]; where
/// the process dies first, the next [`Workshop::open`] does it.
pub struct Workshop {
    connection: Connection,
    names: Names,
    token: String,
    made: Vec<String>,
    spares: Spares,
}

/// Whether a workshop takes the spare of a baseline instead of making one more clone of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spares {
    Leave,
    Take,
    Taken,
}

/// A database of a [`Workshop`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scratch {
    pub name: String,
    pub target: Target,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// "devd" in ASCII: the first half of the lock's key, so that it meets no lock of an application.
const LOCK_CLASS: &str = "1684371044";

impl Workshop {
    /// Opens a session on the server and sweeps what dead sessions of the project left.
    /// `maintenance` is a database that is always there, such as `postgres`.
    pub async fn open(maintenance: &Target, names: &Names) -> Result<Self> {
        Self::open_on(postgres::connect(maintenance).await?, names).await
    }

    /// The same in a session that is there already.
    pub async fn open_on(mut connection: Connection, names: &Names) -> Result<Self> {
        sweep(&mut connection, names).await?;
        let token = format!(
            "{}x{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        // Waits for nobody: process ids are unique while they live, and the dead hold no lock.
        lock(&mut connection, names, &token).await?;
        Ok(Workshop {
            connection,
            names: names.clone(),
            token,
            made: Vec::new(),
            spares: Spares::Leave,
        })
    }

    /// From now on [`Workshop::make`] may take the spare of a baseline. Whoever says this sees to
    /// it that another one is made, and holds the project's lock.
    pub fn take_spares(&mut self) {
        self.spares = Spares::Take;
    }

    /// Whether that happened.
    pub fn took_spare(&self) -> bool {
        self.spares == Spares::Taken
    }

    /// Whether the spare of `baseline` is called `name` now.
    async fn spare_becomes(&mut self, name: &str, baseline: &str) -> Result<bool> {
        if self.spares != Spares::Take || !baseline.starts_with(&self.names.baseline_prefix()) {
            return Ok(false);
        }
        let spare = self.names.spare(baseline);
        match database::rename(&mut self.connection, &spare, name).await {
            Ok(()) => {
                self.spares = Spares::Taken;
                Ok(true)
            }
            // 3D000: there is none; 55006: Postgres is at work in it.
            Err(error) if matches!(error.sqlstate(), Some("3D000" | "55006")) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a database from `template`, with its database-level settings.
    ///
    /// # Errors
    /// `Server` with a hint where the disk is full; otherwise what Postgres says.
    pub async fn make(&mut self, purpose: &str, template: &str) -> Result<Scratch> {
        let name = self.names.scratch(&self.token, purpose);
        self.made.push(name.clone());
        let scratch = Scratch {
            target: self.connection.target().with_database(&name),
            name: name.clone(),
        };
        if self.spare_becomes(&name, template).await? {
            return Ok(scratch);
        }
        if self.made.iter().any(|made| made == template) {
            // A pool of the application's that outlived its use.
            database::disconnect(&mut self.connection, &[template]).await?;
        }
        clone_from(&mut self.connection, &name, template)
            .await
            .map_err(|e| match e.sqlstate() {
                Some("53100") => e
                    .with_kind(ErrorKind::Server)
                    .hint("free some disk space for the server's data"),
                _ => e.context(format!("cannot make the scratch database {name}")),
            })?;
        Ok(scratch)
    }

    /// Makes one anew from `template`, under the same name.
    ///
    /// # Errors
    /// As [`Workshop::make`].
    pub async fn replace(&mut self, scratch: &Scratch, template: &str) -> Result<()> {
        database::drop(&mut self.connection, &scratch.name).await?;
        clone_from(&mut self.connection, &scratch.name, template).await
    }

    /// Gives one another purpose.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn rename(&mut self, scratch: &Scratch, purpose: &str) -> Result<Scratch> {
        let name = self.name(purpose);
        let renamed = Scratch {
            target: self.connection.target().with_database(&name),
            name,
        };
        self.rename_to(scratch, &renamed).await
    }

    /// Gives one the name of another, which must have been renamed before.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn rename_to(&mut self, scratch: &Scratch, to: &Scratch) -> Result<Scratch> {
        database::disconnect(&mut self.connection, &[&scratch.name]).await?;
        database::rename(&mut self.connection, &scratch.name, &to.name).await?;
        self.made.retain(|name| *name != scratch.name);
        if !self.made.contains(&to.name) {
            self.made.push(to.name.clone());
        }
        Ok(to.clone())
    }

    /// Drops one.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn discard(&mut self, scratch: &Scratch) -> Result<()> {
        database::drop(&mut self.connection, &scratch.name).await?;
        self.made.retain(|name| *name != scratch.name);
        Ok(())
    }

    /// The name for a database that another session makes and that is the workshop's all the same:
    /// swept with its own where the process dies.
    pub fn name(&self, purpose: &str) -> String {
        self.names.scratch(&self.token, purpose)
    }

    /// What of those is on the server.
    pub async fn there(&mut self) -> Result<Vec<String>> {
        let all = self.name("");
        database::beginning_with(&mut self.connection, &all).await
    }

    /// Drops those, and its own.
    pub async fn clear(&mut self) -> Result<()> {
        for name in self.there().await? {
            database::drop(&mut self.connection, &name).await?;
        }
        self.made.clear();
        Ok(())
    }

    /// Takes up work again after the session was lost, as when the server was restarted: what was
    /// made before is still the workshop's.
    pub async fn reopen(&mut self, maintenance: &Target) -> Result<()> {
        self.connection = postgres::connect(maintenance).await?;
        lock(&mut self.connection, &self.names, &self.token).await
    }

    /// Takes one out: it is somebody else's from now on, who renames it.
    pub fn release(&mut self, scratch: &Scratch) {
        self.made.retain(|name| *name != scratch.name);
    }

    /// Drops all of them. Their other sessions are ended.
    pub async fn close(mut self) -> Result<()> {
        for name in std::mem::take(&mut self.made) {
            database::drop(&mut self.connection, &name).await?;
        }
        self.connection.close().await;
        Ok(())
    }

    /// The session, for questions about whole databases.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

/// The session is called like what it makes, so that it can be known as a dead owner's.
async fn lock(connection: &mut Connection, names: &Names, token: &str) -> Result<()> {
    let sql = format!(
        "select pg_catalog.set_config('application_name', $2, false), \
         pg_catalog.pg_advisory_lock({LOCK_CLASS}, pg_catalog.hashtext($1))"
    );
    let name = names.scratch(token, &owner::neighbourhood().unwrap_or_default());
    connection.fetch(&sql, &[token, &name]).await.map(|_| ())
}

/// The process of an owner, where it is not there any more.
fn is_gone(token: &str) -> bool {
    let process = token.split('x').next().and_then(|id| id.parse().ok());
    process.is_none_or(|id| kill(Pid::from_raw(id), None) == Err(Errno::ESRCH))
}

/// Whether the server was started so lately that an owner that lives may not have taken its lock
/// again ([`Workshop::reopen`]). By its process id alone nobody is known, but a few seconds later
/// the lock tells.
async fn may_come_back(connection: &mut Connection, token: &str) -> Result<bool> {
    if is_gone(token) {
        return Ok(false);
    }
    let sql = "select pg_catalog.now() - pg_catalog.pg_postmaster_start_time() < interval '10 s'";
    Ok(connection.fetch_value(sql, &[]).await? == Some(true))
}

/// The scratch databases of the project. Sessions whose owner was killed while they were at work are
/// ended before: the server would find out only when that is done, and until then they hold their
/// lock. Only those of this neighbourhood, where a pid says who is there.
async fn candidates(connection: &mut Connection, prefix: &str) -> Result<Vec<String>> {
    let sql = "select pid, application_name from pg_catalog.pg_stat_activity \
               where pg_catalog.starts_with(application_name, $1) \
               union all select null, datname::text from pg_catalog.pg_database \
               where pg_catalog.starts_with(datname::text, $1) order by 2";
    let (mut databases, mut ended) = (Vec::new(), false);
    let near = owner::neighbourhood().map(|near| format!("_{near}"));
    let is_near = |name: &str| near.as_ref().is_some_and(|near| name.ends_with(near));
    for row in connection.fetch(sql, &[prefix]).await? {
        let pid: Option<i32> = row.try_get(0).map_err(error_from)?;
        let name: String = row.try_get(1).map_err(error_from)?;
        match pid {
            None => databases.push(name),
            Some(pid) if is_near(&name) && is_gone(token(&name, prefix)) => {
                // Waits for it, in milliseconds.
                let end = format!("select pg_catalog.pg_terminate_backend({pid}, 5000)");
                connection.fetch(&end, &[]).await?;
                ended = true;
            }
            Some(_) => {}
        }
    }
    match ended {
        true => database::beginning_with(connection, prefix).await,
        false => Ok(databases),
    }
}

/// Whose a scratch database, or a session that makes them, is.
fn token<'n>(name: &'n str, prefix: &str) -> &'n str {
    name[prefix.len()..].split('_').next().unwrap_or_default()
}

/// Drops the scratch databases of the project whose owner is dead.
async fn sweep(connection: &mut Connection, names: &Names) -> Result<()> {
    let prefix = names.scratch_prefix();
    for name in candidates(connection, &prefix).await? {
        let token = token(&name, &prefix);
        let key = format!("{LOCK_CLASS}, pg_catalog.hashtext($1)");
        let free = connection
            .fetch_value::<bool>(
                &format!("select pg_catalog.pg_try_advisory_lock({key})"),
                &[token],
            )
            .await?;
        if free == Some(true) {
            if !may_come_back(connection, token).await? {
                database::drop(connection, &name).await?;
            }
            connection
                .fetch(
                    &format!("select pg_catalog.pg_advisory_unlock({key})"),
                    &[token],
                )
                .await?;
        }
    }
    Ok(())
}
