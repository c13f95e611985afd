//! Prepared data directories: where a reset has to exchange the whole data directory, one that holds
//! the replayed chain already is swapped in.

use crate::config::{Data, ServerKind};
use crate::databases::{self, Names};
use crate::error::Result;
use crate::migrations::MigrationTool;
use crate::postgres::{self, Connection};
use crate::server::Ephemeral;

use super::Context;
use super::baseline::{self, Keys};
use super::bench::session;
use super::provision;
use super::ready::{Keep, first_replay, tool_if_any};

/// What decides the content of a data directory with the whole chain replayed; `None` where the
/// running server cannot be asked.
pub(super) async fn key(context: &Context, tool: &mut MigrationTool) -> Option<String> {
    let mut on = session(context).await?;
    let key = key_on(context, tool, &mut on).await;
    on.close().await;
    key.ok().flatten()
}

async fn key_on(
    context: &Context,
    tool: &mut MigrationTool,
    on: &mut Connection,
) -> Result<Option<String>> {
    let Some(keys) = Keys::of(context, tool, on).await? else {
        return Ok(None);
    };
    let database = &context.config().database;
    // The password is in the data directory, too.
    let login = Names::digest(&format!(
        "{} {} {}",
        database.name, database.user, database.password
    ));
    Ok(keys.whole().map(|key| format!("{key} {login}")))
}

/// Whether another data directory than the one that is prepared would be needed: after a first
/// reset of that kind, the next one may come.
pub(super) async fn is_wanted(context: &Context, on: &mut Connection) -> Result<bool> {
    let config = context.config();
    if config.server.kind == ServerKind::Url || config.server.data == Data::Tmpfs {
        return Ok(false);
    }
    let server = context.server().await?;
    if !server.was_exchanged() {
        return Ok(false);
    }
    let Some(mut tool) = tool_if_any(context)? else {
        return Ok(false);
    };
    let key = key_on(context, &mut tool, on).await?;
    Ok(key.is_some() && server.prepared() != key)
}

/// Replays the chain on a server of its own, whose data directory stays.
pub(super) async fn prepare(context: &Context) -> Result<()> {
    let server = context.server().await?;
    let own = Ephemeral::start_to_keep(context.config(), &server, &context.events).await?;
    let there = context.with_config(own.config.clone());
    context.lend_learned(&there);
    let filled = fill(&there, &own).await;
    let key = match filled {
        Ok(Some(key)) => key,
        other => {
            own.close().await?;
            return other.map(|_| ());
        }
    };
    let _lock = context.lock("tidy").await?;
    server.keep_prepared(context.config(), own, &key).await
}

async fn fill(there: &Context, own: &Ephemeral) -> Result<Option<String>> {
    let Some(mut tool) = tool_if_any(there)? else {
        return Ok(None);
    };
    let (dev, _) = provision::dev_database(there, &own.target).await?;
    let mut on = postgres::connect(&own.target).await?;
    let before = Keys::of(there, &mut tool, &mut on).await?;
    first_replay(there, Some(&mut tool), &dev, None, Keep::Now).await?;
    let key = key_on(there, &mut tool, &mut on).await?;
    let keys = Keys::of(there, &mut tool, &mut on).await?;
    let same = |before: &Keys| keys.as_ref().is_some_and(|keys| keys.is_same_chain(before));
    if !before.as_ref().is_some_and(same) {
        on.close().await;
        return Ok(None);
    }
    let wide = baseline::server_wide(there, &mut on).await?;
    if let Ok(start) = baseline::start(there, &mut on, keys.as_ref(), &wide, true).await
        && start.count > 0
    {
        databases::make_spare(&mut on, &there.names(), &start.name).await?;
    }
    on.close().await;
    Ok(key)
}
