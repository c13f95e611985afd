//! `devdb ready`: server up, database there, every migration applied.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::config::{ServerKind, Target};
use crate::databases::ServerWide;
use crate::error::Result;
use crate::event::Events;
use crate::migrations::{MigrationTool, ProblemKind, Ran, Standing};
use crate::postgres;
use crate::server::Server;

use super::baseline::{self, Keys};
use super::{Context, bake, guard, provision, switch};

/// The dev database as it is now.
#[derive(Debug, Serialize)]
pub struct Ready {
    pub url: String,
    pub database: String,
    pub port: u16,
    /// Ids of the migrations that were applied by this call.
    pub applied: Vec<String>,
    /// Whether there was nothing to do.
    pub was_ready: bool,
    /// Seconds.
    pub took: f64,
}

/// Brings the dev database to head, from whatever state server and database are in.
///
/// # Errors
/// `Server` where no server can be had; `Migration` where the chain does not fit the database or a
/// migration fails.
pub async fn ready(context: &Context) -> Result<Ready> {
    let started = Instant::now();
    if !switch::is_begun(context)
        && let Some(target) = already(context).await
    {
        return Ok(report(&target, &[], true, started));
    }
    let _lock = context.lock("ready").await?;
    let mut tool = tool_if_any(context)?;
    let server = context.server().await?;
    if server.pending_reset() {
        context
            .events
            .note("the last reset did not come to its end: it is done again");
        let options = super::reset::ResetOptions::default();
        let reset = super::reset::with_server(context, tool.as_mut(), &server, &options).await?;
        return Ok(report(&reset.target, &reset.ran, false, started));
    }
    let maintenance = bake::up(context, &server).await?;
    switch::heal(context, &maintenance).await?;
    let (target, made) = provision::dev_database(context, &maintenance).await?;
    let ran = match made {
        true => first_replay(context, tool.as_mut(), &target, None, Keep::Now).await?,
        false => catch_up(context, tool.as_mut(), &target).await?,
    };
    Ok(report(&target, &ran, false, started))
}

fn report(target: &Target, ran: &[Ran], was_ready: bool, started: Instant) -> Ready {
    Ready {
        url: target.url("postgresql"),
        database: target.database.clone(),
        port: target.port,
        applied: ran.iter().map(|r| r.id.clone()).collect(),
        was_ready,
        took: started.elapsed().as_secs_f64(),
    }
}

/// One connection and one look, without Docker and without Python. `None` where anything is
/// missing: the long way then finds out what.
async fn already(context: &Context) -> Option<Target> {
    let maintenance = Server::remembered(context.config())?;
    let target = context.dev(&maintenance);
    let limit = Duration::from_millis(1000);
    let mut connection = postgres::connect_within(&target, limit).await.ok()?;
    if !provision::extensions_stand(context, &mut connection)
        .await
        .ok()?
    {
        return None;
    }
    let standing = match &context.config().migrations {
        None => return Some(target),
        Some(_) => context.quick_standing(&mut connection).await.ok()??,
    };
    standing.at_head().then_some(target)
}

/// Applies what is pending to a dev database that people work in.
async fn catch_up(
    context: &Context,
    tool: Option<&mut MigrationTool>,
    dev: &Target,
) -> Result<Vec<Ran>> {
    let Some(tool) = tool else {
        return Ok(nothing_to_apply(context));
    };
    let ran = guard::apply(context, tool, dev, None).await?;
    context.keep_learned(tool);
    Ok(ran)
}

/// Applies what is pending to a database that nobody works in yet, up to `to`.
///
/// # Errors
/// `Migration`: what keeps the chain from running, or the migration that fails.
pub(super) async fn bring_to_head(
    context: &Context,
    tool: Option<&mut MigrationTool>,
    target: &Target,
    to: Option<&str>,
) -> Result<Vec<Ran>> {
    let Some(tool) = tool else {
        return Ok(nothing_to_apply(context));
    };
    let ran = apply(context, tool, target, to).await?;
    context.keep_learned(tool);
    Ok(ran)
}

fn nothing_to_apply(context: &Context) -> Vec<Ran> {
    context
        .events
        .note("no migrations are configured: the database stays as it is");
    Vec::new()
}

/// When the state after a replay becomes a baseline.
#[derive(Clone, Copy)]
pub(super) enum Keep {
    /// What comes next begins with it.
    Now,
    /// By `tidy`, where that replays the chain quickly.
    SoonAfter,
}

/// Applies the whole chain, or what of it leads `to`, to a dev database that was made just now, and
/// keeps what that gives as a baseline.
pub(super) async fn first_replay(
    context: &Context,
    tool: Option<&mut MigrationTool>,
    target: &Target,
    to: Option<&str>,
    keep: Keep,
) -> Result<Vec<Ran>> {
    let Some(tool) = tool else {
        return bring_to_head(context, None, target, None).await;
    };
    let mut on = postgres::connect(&target.with_database("postgres")).await?;
    let before = Keys::of(context, tool, &mut on).await?;
    let is_clean = match context.config().server.kind {
        ServerKind::Url => false,
        _ => baseline::server_wide(context, &mut on).await? == ServerWide::default(),
    };
    let ran = bring_to_head(context, Some(tool), target, to).await?;
    let before = before.and_then(|keys| keys.up_to(to));
    let is_left = |keys| match keep {
        Keep::SoonAfter if to.is_none() => baseline::is_left_to_tidy(context, keys, 0, &ran),
        _ => Ok(false),
    };
    if is_clean
        && let Some(before) = before
        && !is_left(&before)?
    {
        let dev = &context.config().database.name;
        baseline::keep(context, tool, &mut on, &before, dev, to).await;
    }
    on.close().await;
    Ok(ran)
}

/// The project's tool, where it has one.
pub(super) fn tool_if_any(context: &Context) -> Result<Option<MigrationTool>> {
    match context.config().migrations {
        Some(_) => context.tool().map(Some),
        None => Ok(None),
    }
}

/// Applies what is pending, up to `to`, and tells about what is odd.
pub(super) async fn apply(
    context: &Context,
    tool: &mut MigrationTool,
    target: &Target,
    to: Option<&str>,
) -> Result<Vec<Ran>> {
    sound(context, tool, target).await?;
    let variables = context.variables(target);
    tool.migrate(target, &variables, to, &context.events).await
}

/// Where a database stands, told about what is odd.
///
/// # Errors
/// `Migration`: what keeps migrations from running.
pub(super) async fn sound(
    context: &Context,
    tool: &mut MigrationTool,
    target: &Target,
) -> Result<Standing> {
    let variables = context.variables(target);
    let mut connection = postgres::connect(target).await?;
    let mut standing = tool
        .standing(&mut connection, &variables, &context.events)
        .await?;
    connection.close().await;
    context.explain(&mut standing);
    if standing
        .problems
        .iter()
        .any(|p| p.kind == ProblemKind::SeveralHeads)
    {
        let chain = tool.chain(&variables, &context.events).await?;
        context.explain_heads(&chain, &mut standing);
    }
    warn(&standing, &context.events);
    standing.ensure_sound()?;
    Ok(standing)
}

/// Says what is odd and not in the way.
pub(super) fn warn(standing: &Standing, events: &Events) {
    for problem in standing.problems.iter().filter(|p| !p.blocks) {
        events.warn(format!("{problem} ({})", problem.hint));
    }
}
