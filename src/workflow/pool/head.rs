//! What the databases of a pool are clones of: the project's chain at head.

use super::super::bench::Bench;
use super::super::ready::tool_if_any;
use super::super::{Context, baseline, provision};
use super::PoolOptions;
use crate::databases::Workshop;
use crate::error::Result;
use crate::postgres::database;

/// A bench, and the name of a database at head on its server. Where a baseline of the whole chain
/// is known, that costs a few queries.
///
/// # Errors
/// `Server` where none can be had; `Migration` where the chain does not replay.
pub(super) async fn open(context: &Context, options: &PoolOptions) -> Result<(Bench, String)> {
    if !options.own_server
        && let Some(found) = known(context).await
    {
        return Ok(found);
    }
    let _lock = context.lock("serve").await?;
    let mut bench = match options.own_server {
        true => Bench::on_own_server_at_head(context).await?,
        false => Bench::for_replay(context, None).await?,
    };
    match prepare(&bench.context, &mut bench.workshop, "head").await {
        Ok(head) => Ok((bench, head)),
        Err(error) => {
            bench.close().await?;
            Err(error)
        }
    }
}

/// Without the project's lock: nothing is changed.
async fn known(context: &Context) -> Option<(Bench, String)> {
    let mut tool = tool_if_any(context).ok()??;
    let mut bench = Bench::on_running_server(context).await.ok()?;
    let on = bench.workshop.connection();
    match baseline::whole(context, &mut tool, on).await {
        Ok(Some(head)) => Some((bench, head)),
        _ => {
            // The long way finds out what is wrong.
            let _ = bench.close().await;
            None
        }
    }
}

/// The name of a database at head: a baseline, where one is known or can be kept, else a scratch
/// database called `purpose`. To be called with the project's lock.
pub(super) async fn prepare(
    context: &Context,
    workshop: &mut Workshop,
    purpose: &str,
) -> Result<String> {
    let Some(mut tool) = tool_if_any(context)? else {
        return provision::base(context, workshop.connection()).await;
    };
    if let Some(head) = baseline::whole(context, &mut tool, workshop.connection()).await? {
        return Ok(head);
    }
    let scratch = baseline::scratch(context, workshop, &mut tool, purpose, None).await?;
    context.keep_learned(&tool);
    let on = workshop.connection();
    if let Some(head) = baseline::whole(context, &mut tool, on).await? {
        database::drop(on, &scratch.name).await?;
        workshop.release(&scratch);
        return Ok(head);
    }
    on.execute(&database::allow_sql(&scratch.name, false))
        .await?;
    Ok(scratch.name)
}
