//! `devdb run`, `devdb clone` and `devdb drop`: databases at head to throw away.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::databases::clones::{self, Clone as Kept};
use crate::databases::{Scratch, Workshop};
use crate::error::{Error, Result};
use crate::postgres::{self, database};
use crate::server::Presence;

use super::bench::Bench;
use super::{Context, attend, bake, provision, snapshot};

/// How `devdb run` and `devdb clone` make their databases.
#[derive(Debug, Default)]
pub struct RunOptions {
    /// How many, for so many workers; 0 counts as 1.
    pub databases: usize,
    /// Begin with this snapshot of the dev database instead of the head of the chain.
    pub from: Option<String>,
    /// An SQL file to run before.
    pub seed: Option<PathBuf>,
    /// On a server of its own, in memory, which goes with the command.
    pub own_server: bool,
    /// Keep the databases of a command that failed.
    pub keep_on_failure: bool,
}

/// How the command ended.
#[derive(Debug, Serialize)]
pub struct RunEnd {
    /// The command's; 128 and the signal's number where one ended it.
    pub exit_code: i32,
    /// Databases that were kept because it failed: name and URL.
    pub kept: Vec<(String, String)>,
    /// Whether the spare of the newest baseline was used up: [`tidy`](super::tidy()) makes another.
    #[serde(skip)]
    pub took_spare: bool,
}

/// Runs a command with throw-away databases at head: the URL of the first is in every variable of
/// the project's `[env]` and in `DEVDB_URL`, all of them are in `DEVDB_URL_1`, `DEVDB_URL_2` … They
/// are gone when it ends; where this process is killed, the next devdb drops them.
///
/// # Errors
/// `Usage` where the command cannot be started; what the replay gives.
pub async fn run(context: &Context, command: &[String], options: &RunOptions) -> Result<RunEnd> {
    let _presence = Presence::mark(context.config())?;
    let (mut bench, databases) = {
        let _lock = context.lock("run").await?;
        make(context, options, true).await?
    };
    let ended = attend::attend(&bench.context, command, &databases).await;
    let mut kept = Vec::new();
    if let Ok(code) = ended
        && code != 0
        && options.keep_on_failure
        && !options.own_server
    {
        for (at, scratch) in databases.iter().enumerate() {
            let name = format!("failed-{}-{}", std::process::id(), at + 1);
            kept.push(keep(&mut bench.workshop, context, scratch, &name, None).await?);
        }
    }
    let took_spare = bench.workshop.took_spare();
    bench.close().await?;
    Ok(RunEnd {
        exit_code: ended?,
        kept,
        took_spare,
    })
}

/// With `take_spare`, the one that stands ready may be used.
async fn make(
    context: &Context,
    options: &RunOptions,
    take_spare: bool,
) -> Result<(Bench, Vec<Scratch>)> {
    let mut bench = match (options.own_server, &options.from) {
        (true, None) => Bench::on_own_server_at_head(context).await?,
        (true, Some(_)) => {
            return Err(Error::usage("a snapshot is not on a server of its own")
                .hint("leave out --server ephemeral or --from"));
        }
        (false, Some(_)) => Bench::on_projects_server(context).await?,
        (false, None) => Bench::for_replay(context, None).await?,
    };
    let there = bench.context.clone();
    if take_spare {
        bench.workshop.take_spares();
    }
    let made = async {
        let first = match &options.from {
            Some(name) => {
                let server = there.server().await?;
                let on = bench.workshop.connection();
                let found = snapshot::here(snapshot::find(&there, &server, on, name).await?)?;
                bench.workshop.make("run1", &found.database).await?
            }
            None => {
                let mut tool = there.tool()?;
                let scratch = bench.scratch(&mut tool, "run1").await?;
                there.keep_learned(&tool);
                scratch
            }
        };
        if let Some(seed) = &options.seed {
            let mut session = postgres::connect(&first.target).await?;
            let seeded = provision::run_file(&mut session, seed).await;
            session.close().await;
            seeded?;
        }
        let mut all = vec![first];
        for number in 2..=options.databases {
            let template = all[0].name.clone();
            let purpose = format!("run{number}");
            all.push(bench.workshop.make(&purpose, &template).await?);
        }
        Ok(all)
    };
    match made.await {
        Ok(all) => Ok((bench, all)),
        Err(error) => {
            bench.close().await?;
            Err(error)
        }
    }
}

async fn keep(
    workshop: &mut Workshop,
    context: &Context,
    scratch: &Scratch,
    name: &str,
    ttl: Option<Duration>,
) -> Result<(String, String)> {
    workshop.release(scratch);
    let on = workshop.connection();
    let database = clones::keep(on, &context.names(), &scratch.name, name, ttl).await?;
    let url = scratch.target.with_database(&database).url("postgresql");
    Ok((name.to_owned(), url))
}

/// Makes a database at head that stays, for `ttl` or until it is dropped. Gives its name and URL.
///
/// # Errors
/// `Refused` where there is one of that name.
pub async fn clone(
    context: &Context,
    name: Option<&str>,
    ttl: Option<Duration>,
    options: &RunOptions,
) -> Result<(String, String)> {
    let _lock = context.lock("clone").await?;
    let (mut bench, databases) = make(context, options, false).await?;
    let made = async {
        let there = clones::all(bench.workshop.connection(), &context.names()).await?;
        let taken = |name: &str| there.iter().any(|clone| clone.mark.name == name);
        let name = match name {
            Some(name) if taken(name) => {
                return Err(Error::refused(format!("there is a clone {name} already"))
                    .hint(format!("`devdb drop {name}` drops it")));
            }
            Some(name) => name.to_owned(),
            None => {
                let free = (1..).map(|n| format!("clone-{n}")).find(|name| !taken(name));
                free.unwrap_or_default()
            }
        };
        let Some(scratch) = databases.first() else {
            return Err(Error::failed("no database was made"));
        };
        if bench.is_own() {
            return Err(Error::refused(
                "this chain is about more than one database, and can only be replayed on a server that goes with the command",
            )
            .hint("`devdb run -- COMMAND` gives it one; after `devdb reset` a baseline is known, and `devdb clone` works"));
        }
        keep(&mut bench.workshop, context, scratch, &name, ttl).await
    }
    .await;
    bench.close().await?;
    made
}

/// The clones that stay.
pub async fn clones(context: &Context) -> Result<Vec<Kept>> {
    let maintenance = bake::up(context, &context.server().await?).await?;
    let mut on = postgres::connect(&maintenance).await?;
    let found = clones::all(&mut on, &context.names()).await;
    on.close().await;
    found
}

/// Drops a clone.
///
/// # Errors
/// `Usage` where there is none of that name; those that there are are named.
pub async fn drop_clone(context: &Context, name: &str) -> Result<()> {
    let _lock = context.lock("drop").await?;
    let maintenance = bake::up(context, &context.server().await?).await?;
    let mut on = postgres::connect(&maintenance).await?;
    let all = clones::all(&mut on, &context.names()).await?;
    let Some(found) = all.iter().find(|clone| clone.mark.name == name) else {
        let names: Vec<&str> = all.iter().map(|clone| clone.mark.name.as_str()).collect();
        return Err(Error::usage(format!("there is no clone {name}")).hint(
            match names.is_empty() {
                true => "`devdb clone NAME` makes one".to_owned(),
                false => format!("there are {}", names.join(", ")),
            },
        ));
    };
    database::drop(&mut on, &found.database).await?;
    on.close().await;
    Ok(())
}
