//! `up`, `down`, `logs`, `url`, `env`, `psql`: the server as it is, without migrations.

use serde::Serialize;

use crate::config::Target;
use crate::error::Result;
use crate::server::{Command, Ephemeral, Server};

use super::lock::ProjectLock;
use super::{Context, bake, provision, switch};

/// A server that runs.
#[derive(Debug, Serialize)]
pub struct Up {
    /// The maintenance database.
    pub url: String,
    pub host: String,
    pub port: u16,
    pub server: String,
}

/// Starts the server and waits until it answers.
pub async fn up(context: &Context) -> Result<Up> {
    let _lock = context.lock("up").await?;
    let server = context.server().await?;
    let target = bake::up(context, &server).await?;
    Ok(Up {
        url: target.url("postgresql"),
        host: target.host.clone(),
        port: target.port,
        server: server.describe(),
    })
}

/// What is left of the data when the server is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    Data,
    /// It was in memory, and goes with the server.
    Nothing,
    Wiped,
}

/// Stops the server; with `wipe` its data goes too, also what was put aside.
pub async fn down(context: &Context, wipe: bool) -> Result<Left> {
    let config = context.config();
    // What is made in the background goes too. Who tidies up takes the locks in this order.
    let _tidy = match wipe {
        true => Some(ProjectLock::acquire_tidy(&config.project, &context.events).await?),
        false => None,
    };
    let _lock = context.lock("down").await?;
    let server = context.server().await?;
    if wipe {
        Ephemeral::sweep(config, &context.events).await;
    }
    match wipe {
        true => server.remove(&context.events, true).await?,
        false => server.stop(&context.events).await?,
    }
    Ok(match (wipe, server.exchanges_data()) {
        (true, _) => Left::Wiped,
        (false, true) => Left::Data,
        (false, false) => Left::Nothing,
    })
}

/// Hands every line that the server logged to `each`, with `follow` until interrupted.
pub async fn logs(
    context: &Context,
    follow: bool,
    tail: Option<u32>,
    each: impl FnMut(&str),
) -> Result<()> {
    context.server().await?.logs(follow, tail, each).await
}

/// The dev database of a server that runs: remembered where it answers, else started.
async fn dev(context: &Context) -> Result<(Target, Server)> {
    let _lock = context.lock("up").await?;
    let server = context.server().await?;
    if server.pending_reset() {
        context.events.warn(
            "the last reset did not come to its end: `devdb ready` does it again, `devdb undo` brings the old data back",
        );
    }
    let maintenance = bake::up(context, &server).await?;
    switch::heal(context, &maintenance).await?;
    let (target, _) = provision::dev_database(context, &maintenance).await?;
    Ok((target, server))
}

/// The dev database's address. Starts nothing where the address is known.
pub async fn url(context: &Context) -> Result<Target> {
    match Server::remembered(context.config()) {
        Some(maintenance) => Ok(context.dev(&maintenance)),
        None => Ok(dev(context).await?.0),
    }
}

/// The variables of the configuration for the dev database.
pub async fn variables(context: &Context) -> Result<Vec<(String, String)>> {
    Ok(context.variables(&url(context).await?))
}

/// The psql to run, in the dev database; `terminal` says whether a person sits before it.
pub async fn psql(context: &Context, arguments: &[String], terminal: bool) -> Result<Command> {
    let (target, server) = dev(context).await?;
    let mut command = server.psql(&target, terminal)?;
    command.args.extend_from_slice(arguments);
    Ok(command)
}
