//! `devdb reset` and `devdb undo`.

use std::time::Instant;

use serde::Serialize;

use crate::config::Target;
use crate::databases;
use crate::error::{Error, Result};
use crate::migrations::{MigrationTool, Ran};
use crate::postgres::{self, database};
use crate::server::{DataReset, Server};

use super::Context;
use super::provision::{self, allow_databases};
use super::ready::{bring_to_head, tool_if_any};

/// What a reset did.
#[derive(Debug, Serialize)]
pub struct Reset {
    pub url: String,
    pub database: String,
    /// How many migrations were replayed.
    pub migrations: usize,
    /// What was put aside, for people.
    pub aside: Option<String>,
    /// Seconds.
    pub took: f64,
    #[serde(skip)]
    pub(super) target: Target,
    #[serde(skip)]
    pub(super) ran: Vec<Ran>,
}

/// What `undo` did.
#[derive(Debug, Serialize)]
pub struct Undone {
    pub url: String,
    pub database: String,
    /// Seconds.
    pub took: f64,
}

/// The state that a wiped data directory and a full replay give. The present data is put aside.
///
/// # Errors
/// `Refused` where server or data are not devdb's; `Migration` where the chain does not replay (the
/// old data stays aside, `undo` brings it back).
pub async fn reset(context: &Context, adopt: bool) -> Result<Reset> {
    let _lock = context.lock("reset").await?;
    let mut tool = tool_if_any(context)?;
    let server = context.server().await?;
    with_server(context, tool.as_mut(), &server, adopt).await
}

/// A chain that cannot run is found before anything is put aside.
async fn check_chain(context: &Context, tool: &mut MigrationTool) -> Result<()> {
    let dev = context.dev(&Server::placeholder(context.config()));
    let chain = tool
        .chain(&context.variables(&dev), &context.events)
        .await?;
    chain.ensure_sound()?;
    chain.head().map(|_| ())
}

pub(super) async fn with_server(
    context: &Context,
    mut tool: Option<&mut MigrationTool>,
    server: &Server,
    adopt: bool,
) -> Result<Reset> {
    let started = Instant::now();
    if let Some(tool) = tool.as_deref_mut() {
        check_chain(context, tool).await?;
    }
    tell_clients(context).await;
    match server.reset_data(&context.events, adopt).await? {
        DataReset::Fresh { target, aside } => {
            let (dev, _) = provision::dev_database(context, &target)
                .await
                .map_err(kept_aside)?;
            let ran = bring_to_head(context, tool, &dev)
                .await
                .map_err(kept_aside)?;
            server.finish_reset().await?;
            Ok(report(dev, ran, aside, started))
        }
        DataReset::Unsupported { why } => {
            context
                .events
                .detail(format!("{why}: the dev database alone is replaced"));
            replace_database(context, tool, server, started).await
        }
    }
}

fn kept_aside(error: Error) -> Error {
    let kept = "your data is kept aside: `devdb undo` brings it back";
    let hint = match error.hint_text() {
        Some(hint) => format!("{kept}; {hint}"),
        None => kept.to_owned(),
    };
    error.hint(hint)
}

fn report(target: Target, ran: Vec<Ran>, aside: Option<String>, started: Instant) -> Reset {
    Reset {
        url: target.url("postgresql"),
        database: target.database.clone(),
        migrations: ran.len(),
        aside,
        took: started.elapsed().as_secs_f64(),
        target,
        ran,
    }
}

/// Names who will be disconnected. A server that does not answer has no clients.
async fn tell_clients(context: &Context) {
    let Some(maintenance) = Server::remembered(context.config()) else {
        return;
    };
    let Ok(mut connection) = postgres::connect(&maintenance).await else {
        return;
    };
    let dev = &context.config().database.name;
    if let Ok(clients) = database::clients(&mut connection, dev).await
        && !clients.is_empty()
    {
        context.events.note(format!(
            "disconnecting {} from {dev}: {}",
            match clients.len() {
                1 => "1 client".to_owned(),
                n => format!("{n} clients"),
            },
            clients.join(", ")
        ));
    }
    connection.close().await;
}

/// Where the server cannot be wiped: a new dev database from base and replay, and the old one
/// renamed aside. Roles and other databases stay, and are named.
async fn replace_database(
    context: &Context,
    tool: Option<&mut MigrationTool>,
    server: &Server,
    started: Instant,
) -> Result<Reset> {
    let config = context.config();
    allow_databases(config, &format!("reset {}", config.database.name))?;
    let maintenance = server.ensure_up(&context.events).await?;
    let names = context.names();
    let mut connection = postgres::connect(&maintenance).await?;
    context
        .events
        .note("only the dev database is replaced: roles and other databases of this server stay");
    let base = provision::base(context, &mut connection).await?;
    databases::heal(&mut connection, &names).await?;
    databases::clone_from(&mut connection, &names.fresh(), &base).await?;
    let fresh = maintenance.with_database(names.fresh());
    let ran = bring_to_head(context, tool, &fresh).await?;
    let was_there = database::exists(&mut connection, &config.database.name).await?;
    databases::put_aside(&mut connection, &names, &config.database.name).await?;
    connection.close().await;
    Ok(report(
        context.dev(&maintenance),
        ran,
        was_there.then(|| format!("database {}", names.aside())),
        started,
    ))
}

/// Brings back what the last reset put aside; what is there now goes aside in its place.
///
/// # Errors
/// `Refused` where nothing stands aside.
pub async fn undo(context: &Context) -> Result<Undone> {
    let started = Instant::now();
    let _lock = context.lock("undo").await?;
    let server = context.server().await?;
    tell_clients(context).await;
    let maintenance = match server.exchanges_data() {
        true => server.undo_data(&context.events).await?.target,
        false => swap_database(context, &server).await?,
    };
    let dev = context.dev(&maintenance);
    Ok(Undone {
        url: dev.url("postgresql"),
        database: dev.database,
        took: started.elapsed().as_secs_f64(),
    })
}

async fn swap_database(context: &Context, server: &Server) -> Result<Target> {
    let config = context.config();
    allow_databases(config, &format!("bring {} back", config.database.name))?;
    let maintenance = server.ensure_up(&context.events).await?;
    let mut connection = postgres::connect(&maintenance).await?;
    let names = context.names();
    if !databases::is_aside(&mut connection, &names).await? {
        return Err(nothing_aside());
    }
    databases::swap_aside(&mut connection, &names, &config.database.name).await?;
    connection.close().await;
    Ok(maintenance)
}

fn nothing_aside() -> Error {
    Error::refused("there is nothing to undo: no reset has put anything aside")
        .hint("`devdb status` says what is kept")
}
