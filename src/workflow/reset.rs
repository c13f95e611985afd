//! `devdb reset` and `devdb undo`.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::config::{ServerKind, Target};
use crate::databases::{self, ServerWide};
use crate::error::{Error, Result};
use crate::migrations::{MigrationTool, Ran};
use crate::postgres::{self, Connection, database};
use crate::server::{DataReset, Server};

use super::Context;
use super::baseline::{self, Keys, Start};
use super::prepared;
use super::provision::{self, allow_databases};
use super::ready::{Keep, bring_to_head, first_replay, tool_if_any};
use super::switch;
use super::verify::verify;

/// What a reset did.
#[derive(Debug, Serialize)]
pub struct Reset {
    pub url: String,
    pub database: String,
    /// How many migrations were replayed.
    pub migrations: usize,
    /// How many more came with a baseline.
    pub from_baseline: usize,
    /// What was put aside, for people.
    pub aside: Option<String>,
    /// Whether a full replay on another server gave the same.
    pub verified: bool,
    /// What two replays do not agree about: values that are drawn or read from the clock.
    pub random: Vec<String>,
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
pub async fn reset(context: &Context, options: &ResetOptions) -> Result<Reset> {
    let _lock = context.lock("reset").await?;
    let mut tool = tool_if_any(context)?;
    let short = match &mut tool {
        Some(tool) if !options.full && !options.adopt => {
            short_way(context, tool, options.to.as_deref()).await?
        }
        _ => None,
    };
    let mut reset = match short {
        Some(reset) => reset,
        None => {
            let server = context.server().await?;
            with_server(context, tool.as_mut(), &server, options).await?
        }
    };
    if options.verify {
        let task = context
            .events
            .begin("replaying everything to compare", None);
        reset.random = verify(context, &reset.target, options.to.as_deref()).await?;
        reset.verified = true;
        task.end("the same server-wide state, schema and rows");
    }
    Ok(reset)
}

/// How `devdb reset` goes about it.
#[derive(Debug, Default)]
pub struct ResetOptions {
    /// Take over a data folder that devdb did not make.
    pub adopt: bool,
    /// Wipe the data directory and replay everything, whatever is known already.
    pub full: bool,
    /// Stop after this migration.
    pub to: Option<String>,
    /// Replay everything once more on a server of its own, and compare.
    pub verify: bool,
}

/// A clone of a baseline, where that gives what a wiped server and a replay would: on a server that
/// holds nothing besides databases of devdb's. `None` where it does not, or is not known to.
async fn short_way(
    context: &Context,
    tool: &mut MigrationTool,
    to: Option<&str>,
) -> Result<Option<Reset>> {
    let started = Instant::now();
    let config = context.config();
    if config.server.kind == ServerKind::Url {
        return Ok(None);
    }
    let long = |why: &str| {
        context.events.detail(format!("the long way: {why}"));
        Ok(None)
    };
    let Some(maintenance) = Server::remembered(config) else {
        return long("no server is known to run as it is configured now");
    };
    let limit = Duration::from_secs(1);
    let mut on = match postgres::connect_within(&maintenance, limit).await {
        Ok(on) => on,
        Err(error) => return long(&error.to_string()),
    };
    let identifier = "select system_identifier::text from pg_catalog.pg_control_system()";
    let identifier: Option<String> = on.fetch_value(identifier, &[]).await?;
    if !identifier.is_some_and(|id| Server::is_known_as_configured(config, &id)) {
        return long("the data directory is not one that devdb made as it is configured now");
    }
    let keys = Keys::of(context, tool, &mut on).await?;
    let Some(keys) = keys.and_then(|keys| keys.up_to(to)) else {
        return long("this chain has no baselines");
    };
    let server = baseline::server_wide(context, &mut on).await?;
    // A base that cannot be made from what stands here is made on a fresh server.
    let start = match baseline::start(context, &mut on, Some(&keys), &server, true).await {
        Ok(start) => start,
        Err(error) => return long(&error.to_string()),
    };
    let besides = server.differences(&start.server);
    if !besides.is_empty() {
        let besides = besides.join(", ");
        return long(&format!(
            "the server has what no replay is known to make: {besides}"
        ));
    }
    if !keys.may_go_on_from(start.count)? {
        return long(
            "migrations speak of databases by name, so they are replayed in the dev database itself",
        );
    }
    let ran = from_start(context, tool, &mut on, &start, Some(&keys), to).await?;
    context.events.detail(format!(
        "the short way: a clone of {}, which holds {} migrations",
        start.name, start.count
    ));
    let mut reset = replace(context, &mut on, &maintenance, ran, started).await?;
    reset.from_baseline = start.count;
    Ok(Some(reset))
}

/// Makes the database that will be the dev database, as a clone of `start` with everything after it
/// replayed. With `keys`, the server is one that `start` fits, and what comes out is kept.
async fn from_start(
    context: &Context,
    tool: &mut MigrationTool,
    on: &mut Connection,
    start: &Start,
    keys: Option<&Keys>,
    to: Option<&str>,
) -> Result<Vec<Ran>> {
    let names = context.names();
    databases::begin_fresh(on, &names, &start.name).await?;
    if keys.is_some_and(|keys| keys.is_whole(start.count)) {
        return Ok(Vec::new());
    }
    let fresh = on.target().with_database(names.fresh());
    let ran = bring_to_head(context, Some(tool), &fresh, to).await?;
    if let Some(keys) = keys {
        let goes_on = to.is_none() && start.count > 0;
        if !goes_on || !baseline::is_left_to_tidy(context, keys, start.count, &ran)? {
            baseline::keep(context, tool, on, keys, &names.fresh(), to).await;
        }
    }
    Ok(ran)
}

/// The finished database becomes the dev database, and that one goes aside.
async fn replace(
    context: &Context,
    on: &mut Connection,
    maintenance: &Target,
    ran: Vec<Ran>,
    started: Instant,
) -> Result<Reset> {
    let names = context.names();
    let dev = &context.config().database.name;
    switch::heal(context, maintenance).await?;
    tell_clients(context, on).await;
    let was_there = database::exists(on, dev).await?;
    databases::put_aside(on, &names, dev).await?;
    Ok(report(
        context.dev(maintenance),
        ran,
        was_there.then(|| format!("database {}", names.aside())),
        started,
    ))
}

/// A chain that cannot run is found before anything is put aside.
async fn check_chain(context: &Context, tool: &mut MigrationTool, to: Option<&str>) -> Result<()> {
    let dev = context.dev(&Server::placeholder(context.config()));
    let chain = tool
        .chain(&context.variables(&dev), &context.events)
        .await?;
    chain.ensure_sound()?;
    match to {
        Some(to) if chain.get(to).is_none() => Err(Error::usage(format!(
            "there is no migration {to} in the chain"
        ))
        .hint("`devdb history` lists them by their ids")),
        _ => chain.head().map(|_| ()),
    }
}

pub(super) async fn with_server(
    context: &Context,
    mut tool: Option<&mut MigrationTool>,
    server: &Server,
    options: &ResetOptions,
) -> Result<Reset> {
    let started = Instant::now();
    let to = options.to.as_deref();
    if let Some(tool) = tool.as_deref_mut() {
        check_chain(context, tool, to).await?;
    }
    let key = match tool.as_deref_mut() {
        Some(tool) if !options.full && to.is_none() => prepared::key(context, tool).await,
        _ => None,
    };
    tell_who_goes(context).await;
    let (events, adopt) = (&context.events, options.adopt);
    match server.reset_to(events, adopt, key.as_deref()).await? {
        DataReset::Fresh {
            target,
            aside,
            prepared: true,
        } => {
            server.end_reset()?;
            let mut reset = report(context.dev(&target), Vec::new(), aside, started);
            reset.from_baseline = applied(context, &reset.target).await;
            context
                .events
                .detail("a data directory that was prepared for this is swapped in");
            Ok(reset)
        }
        DataReset::Fresh { target, aside, .. } => {
            let (dev, _) = provision::dev_database(context, &target)
                .await
                .map_err(kept_aside)?;
            // Who asks for everything anew does not mean to do so again at once.
            let keep = match options.full {
                true => Keep::SoonAfter,
                false => Keep::Now,
            };
            let ran = first_replay(context, tool, &dev, to, keep)
                .await
                .map_err(kept_aside)?;
            server.end_reset()?;
            Ok(report(dev, ran, aside, started))
        }
        DataReset::Unsupported { why } => {
            context
                .events
                .detail(format!("{why}: the dev database alone is replaced"));
            replace_database(context, tool, server, options, started).await
        }
    }
}

/// How many migrations a database holds, as far as that can be told at once.
async fn applied(context: &Context, dev: &Target) -> usize {
    let Ok(mut connection) = postgres::connect(dev).await else {
        return 0;
    };
    let standing = context.quick_standing(&mut connection).await;
    connection.close().await;
    standing
        .ok()
        .flatten()
        .map_or(0, |standing| standing.applied.len())
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
        from_baseline: 0,
        aside,
        verified: false,
        random: Vec::new(),
        took: started.elapsed().as_secs_f64(),
        target,
        ran,
    }
}

/// Names who will be disconnected when the server itself is exchanged. One that does not answer
/// has no clients.
async fn tell_who_goes(context: &Context) {
    let Some(maintenance) = Server::remembered(context.config()) else {
        return;
    };
    let Ok(mut connection) = postgres::connect(&maintenance).await else {
        return;
    };
    tell_clients(context, &mut connection).await;
    connection.close().await;
}

/// Names who will be disconnected.
pub(super) async fn tell_clients(context: &Context, connection: &mut Connection) {
    let dev = &context.config().database.name;
    if let Ok(clients) = database::clients(connection, dev).await
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
}

/// Where the server cannot be wiped: a new dev database from base and replay, and the old one
/// renamed aside. Roles and other databases stay, and are named.
async fn replace_database(
    context: &Context,
    tool: Option<&mut MigrationTool>,
    server: &Server,
    options: &ResetOptions,
    started: Instant,
) -> Result<Reset> {
    let to = options.to.as_deref();
    let config = context.config();
    allow_databases(config, &format!("reset {}", config.database.name))?;
    let maintenance = server.ensure_up(&context.events).await?;
    let names = context.names();
    let mut connection = postgres::connect(&maintenance).await?;
    context
        .events
        .note("only the dev database is replaced: roles and other databases of this server stay");
    let on = &mut connection;
    let (ran, count) = match tool {
        Some(tool) => {
            let keys = Keys::of(context, tool, on).await?;
            let mut keys = keys
                .and_then(|keys| keys.up_to(to))
                .filter(|_| !options.full);
            let mut server = ServerWide::default();
            if keys.is_some() {
                server = baseline::server_wide(context, on).await?;
            }
            let start = baseline::start(context, on, keys.as_ref(), &server, true).await?;
            // What a server that is not clean makes of the chain is no baseline.
            keys = keys.filter(|_| server == start.server);
            let ran = from_start(context, tool, on, &start, keys.as_ref(), to).await?;
            (ran, start.count)
        }
        None => {
            let base = provision::base(context, on).await?;
            databases::begin_fresh(on, &names, &base).await?;
            (bring_to_head(context, None, &maintenance, None).await?, 0)
        }
    };
    let mut reset = replace(context, on, &maintenance, ran, started).await?;
    connection.close().await;
    reset.from_baseline = count;
    Ok(reset)
}

/// Brings back what the last reset put aside; what is there now goes aside in its place.
///
/// # Errors
/// `Refused` where nothing stands aside.
pub async fn undo(context: &Context) -> Result<Undone> {
    let started = Instant::now();
    let _lock = context.lock("undo").await?;
    let server = context.server().await?;
    let maintenance = match server.exchanges_data() && !stands_aside(context, &server).await {
        true => undo_data(context, &server).await?,
        false => swap_database(context, &server).await?,
    };
    let dev = context.dev(&maintenance);
    Ok(Undone {
        url: dev.url("postgresql"),
        database: dev.database,
        took: started.elapsed().as_secs_f64(),
    })
}

/// Brings the data directory back. Of a database that an earlier reset put aside in it nobody
/// speaks any more once a later one succeeded.
async fn undo_data(context: &Context, server: &Server) -> Result<Target> {
    let succeeded = !server.pending_reset();
    tell_who_goes(context).await;
    let maintenance = server.undo_data(&context.events).await?.target;
    if succeeded {
        let mut connection = postgres::connect(&maintenance).await?;
        databases::forget_aside(&mut connection, &context.names()).await?;
        connection.close().await;
    }
    Ok(maintenance)
}

/// Whether the last reset put a database aside, and not the whole data directory. Only the server
/// itself can tell; where it cannot be had, its data is what there is to bring back.
async fn stands_aside(context: &Context, server: &Server) -> bool {
    if server.pending_reset() {
        return false;
    }
    let Ok(maintenance) = server.ensure_up(&context.events).await else {
        return false;
    };
    let Ok(mut connection) = postgres::connect(&maintenance).await else {
        return false;
    };
    let found = databases::is_aside(&mut connection, &context.names()).await;
    connection.close().await;
    found.unwrap_or_default()
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
    tell_clients(context, &mut connection).await;
    databases::swap_aside(&mut connection, &names, &config.database.name).await?;
    connection.close().await;
    Ok(maintenance)
}

fn nothing_aside() -> Error {
    Error::refused("there is nothing to undo: no reset has put anything aside")
        .hint("`devdb status` says what is kept")
}
