//! `devdb tidy`: what makes later commands faster and nobody needs to wait for. The other commands
//! have it done behind their back once they are through.

use std::time::Duration;

use serde::Serialize;

use crate::config::ServerKind;
use crate::databases::{self, KEPT, Workshop, clones, snapshot};
use crate::error::Result;
use crate::migrations::MigrationTool;
use crate::postgres::{self, Connection};
use crate::server::{Ephemeral, Server};

use super::Context;
use super::baseline::{self, Keys};
use super::lock::ProjectLock;
use super::prepared;
use super::ready::tool_if_any;

/// What was tidied up.
#[derive(Debug, Default, Serialize)]
pub struct Tidied {
    /// The databases that nobody needed any more.
    pub dropped: Vec<String>,
    /// The baseline that a spare clone stands ready of.
    pub spare_of: Option<String>,
}

/// Drops what resets replaced long ago, and keeps a clone of the newest baseline ready. Starts no
/// server; where none answers there is nothing to do. Holds up no other command: each step can be
/// cut off, and another `reset` at the same time finds it done or not done.
///
/// # Errors
/// What Postgres says.
pub async fn tidy(context: &Context) -> Result<Tidied> {
    let config = context.config();
    let _lock = ProjectLock::acquire_tidy(&config.project, &context.events).await?;
    if Ephemeral::any_dead(config) {
        Ephemeral::sweep(config, &context.events).await;
    }
    if Server::has_old_data(config) {
        let _lock = context.lock("tidy").await?;
        let server = context.server().await?;
        if !server.pending_reset() {
            server.finish_reset().await?;
        }
    }
    let Some(maintenance) = Server::remembered(config) else {
        return Ok(Tidied::default());
    };
    let Ok(mut on) = postgres::connect_within(&maintenance, Duration::from_secs(1)).await else {
        return Ok(Tidied::default());
    };
    let names = context.names();
    // Opening one sweeps what the dead left.
    Workshop::open(&maintenance, &names).await?.close().await?;
    let mut tidied = Tidied {
        dropped: databases::empty_trash(&mut on, &names).await?,
        spare_of: None,
    };
    tidied.dropped.extend(clones::sweep(&mut on, &names).await?);
    let is_ours = config.server.kind != ServerKind::Url;
    if is_ours && config.database.spare {
        tidied.spare_of = newest(context, &mut on).await?;
    }
    // What other commands may be about to use; next time will do, too.
    if let Some(_lock) = ProjectLock::try_acquire(&config.project, "tidy") {
        let spare_of = tidied.spare_of.as_deref();
        databases::drop_spares(&mut on, &names, spare_of).await?;
        snapshot::close(&mut on, &names).await?;
        let automatic = snapshot::prune_automatic(&mut on, &names).await?;
        tidied.dropped.extend(automatic);
        let baselines = databases::prune(&mut on, &names, KEPT).await?;
        tidied.dropped.extend(baselines);
    }
    if let Some(baseline) = &tidied.spare_of {
        databases::make_spare(&mut on, &names, baseline).await?;
    }
    // A chain that no clone can bring needs one most of all.
    if is_ours && config.database.spare && prepared::is_wanted(context, &mut on).await? {
        prepared::prepare(context).await?;
    }
    on.close().await;
    Ok(tidied)
}

/// Whether a command died that leaves something for [`tidy`]; asks no server.
pub fn is_anything_left(context: &Context) -> bool {
    Ephemeral::any_dead(context.config())
}

/// The baseline that the next reset begins with. Where the chain grew since, and that takes no
/// program of the project, the rest is replayed now and not then.
async fn newest(context: &Context, on: &mut Connection) -> Result<Option<String>> {
    let Some(mut tool) = tool_if_any(context)? else {
        return Ok(None);
    };
    let Some(keys) = Keys::of(context, &mut tool, on).await? else {
        return Ok(None);
    };
    let server = baseline::server_wide(context, on).await?;
    let mut start = baseline::start(context, on, Some(&keys), &server, true).await?;
    // What a server that is not clean makes of the chain is no baseline.
    if !keys.is_whole(start.count)
        && server == start.server
        && baseline::is_replayed_behind(context, &keys, start.count)?
    {
        replay(context, on, &mut tool).await?;
        let server = baseline::server_wide(context, on).await?;
        start = baseline::start(context, on, Some(&keys), &server, true).await?;
    }
    Ok((start.count > 0).then_some(start.name))
}

/// In a scratch database, which leaves a baseline. A chain that does not replay is for others to
/// complain about.
async fn replay(context: &Context, on: &mut Connection, tool: &mut MigrationTool) -> Result<()> {
    let mut workshop = Workshop::open(on.target(), &context.names()).await?;
    let replayed = baseline::scratch(context, &mut workshop, tool, "tidy", None).await;
    if let Err(error) = replayed {
        context.events.detail(error.to_string());
    }
    workshop.close().await
}
