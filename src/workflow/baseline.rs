//! Replays that need not run: the state after each replay is kept on the server as a baseline, and
//! a clone of the longest known beginning of the chain takes the place of replaying it.

use crate::config::{ServerKind, Tool};
use crate::databases::{self, BaselineKey, Scratch, Workshop};
use crate::error::{Named, Result};
use crate::migrations::{Chain, MigrationTool};
use crate::postgres::{Connection, Target};

use super::{Context, provision, ready};

pub use crate::databases::Baseline;

/// The keys of a project's replay, as far as they are known without replaying.
pub(super) struct Keys {
    /// After 0, 1, 2 … migrations.
    keys: Vec<BaselineKey>,
    /// The ids of the migrations.
    ids: Vec<String>,
}

impl Keys {
    /// `None` for a tool that does not tell its migrations, for chains with several heads, for those
    /// that [speak of databases](speaks_of_databases), and on a server of somebody else: what others do there at the same time cannot be told from what the
    /// chain does to the server.
    ///
    /// # Errors
    /// What reading the chain gives.
    pub(super) async fn of(
        context: &Context,
        tool: &mut MigrationTool,
        on: &mut Connection,
    ) -> Result<Option<Keys>> {
        let migrations = context.migrations()?;
        let is_ours = context.config().server.kind != ServerKind::Url;
        if migrations.tool == Tool::Command || !is_ours {
            return Ok(None);
        }
        let variables = context.variables(&context.dev(on.target()));
        let chain = tool.chain(&variables, &context.events).await?;
        if chain.heads.len() != 1 || chain.problems.iter().any(|p| p.blocks) {
            return Ok(None);
        }
        if speaks_of_databases(&chain)? {
            let why = "migrations speak of databases by name: only a replay in the dev database itself is sure";
            context.events.detail(why.to_owned());
            return Ok(None);
        }
        let version: Option<String> = on.fetch_value("select pg_catalog.version()", &[]).await?;
        let mut surroundings = version.unwrap_or_default();
        for (name, value) in &context.config().server.settings {
            surroundings.push_str(&format!("\n{name}={value}"));
        }
        if let MigrationTool::Alembic(alembic) = tool {
            surroundings.push('\n');
            surroundings.push_str(&alembic.surroundings().unwrap_or_default());
        }
        let base = provision::key(context.config())?;
        Ok(Some(Keys::new(
            BaselineKey::before(&base, surroundings.as_bytes()),
            &chain,
        )))
    }

    fn new(before: BaselineKey, chain: &Chain) -> Self {
        let mut keys = vec![before];
        for migration in &chain.migrations {
            let last = keys[keys.len() - 1].clone();
            keys.push(last.after(&migration.id, &migration.checksum));
        }
        let ids = chain.migrations.iter().map(|m| m.id.clone()).collect();
        Keys { keys, ids }
    }

    /// Those of the chain up to `to`.
    pub(super) fn up_to(mut self, to: Option<&str>) -> Option<Keys> {
        if let Some(to) = to {
            let count = self.ids.iter().position(|id| id == to)? + 1;
            self.ids.truncate(count);
            self.keys.truncate(count + 1);
        }
        Some(self)
    }

    /// Whether `count` migrations are all of them.
    pub(super) fn is_whole(&self, count: usize) -> bool {
        count == self.ids.len()
    }
}

/// Whether a migration alters, grants on or comments on a database: replayed under another name it
/// would do that to the wrong one. Too many are found rather than too few.
fn speaks_of_databases(chain: &Chain) -> Result<bool> {
    for migration in &chain.migrations {
        let file = &migration.file;
        let text = std::fs::read(file).named(format_args!("cannot read {}", file.display()))?;
        let text = String::from_utf8_lossy(&text).to_lowercase();
        let mut last = "";
        for word in text.split_whitespace() {
            let before = last.ends_with("alter") || last.ends_with("on");
            if before && word.trim_end_matches(|c: char| !c.is_alphanumeric()) == "database" {
                return Ok(true);
            }
            last = word;
        }
    }
    Ok(false)
}

/// The name of the database to begin a replay with, and how many migrations it holds: the baseline
/// of the longest known beginning, or the base.
pub(super) async fn start(
    context: &Context,
    on: &mut Connection,
    keys: Option<&Keys>,
) -> Result<(String, usize)> {
    let names = context.names();
    if let Some(keys) = keys
        && let Some((count, name)) = databases::longest(on, &names, &keys.keys[1..]).await?
    {
        return Ok((name, count));
    }
    Ok((provision::base(context, on).await?, 0))
}

/// Keeps `database`, which the whole chain was just replayed in, where a clone of it is all that a
/// replay gives. `before` is what the server had besides, before the replay. Only speed is lost
/// where it cannot be kept.
pub(super) async fn keep(
    context: &Context,
    on: &mut Connection,
    keys: Option<&Keys>,
    database: &str,
    before: &[String],
) {
    let Some(keys) = keys else { return };
    let names = context.names();
    let kept = async {
        let (Some(key), Some(at)) = (keys.keys.last(), keys.ids.last()) else {
            return Ok(());
        };
        let after = databases::beyond(on, &names, &context.config().database.name).await?;
        if after != before || databases::has_more_than_a_clone(on, database).await? {
            let why = "the migrations change more than their database: no baseline is kept";
            context.events.detail(why.to_owned());
            return Ok(());
        }
        databases::keep(on, &names, key, at, database).await
    };
    if let Err(error) = kept.await {
        context
            .events
            .detail(format!("no baseline is kept: {error}"));
    }
}

/// A scratch database with the chain replayed in it, up to `to`; from a baseline where there is one.
pub(super) async fn scratch(
    context: &Context,
    workshop: &mut Workshop,
    tool: &mut MigrationTool,
    purpose: &str,
    to: Option<&str>,
) -> Result<Scratch> {
    let keys = Keys::of(context, tool, workshop.connection()).await?;
    let keys = keys.and_then(|keys| keys.up_to(to));
    let names = context.names();
    let dev = &context.config().database.name;
    let before = databases::beyond(workshop.connection(), &names, dev).await?;
    let (start, count) = start(context, workshop.connection(), keys.as_ref()).await?;
    let scratch = workshop.make(purpose, &start).await?;
    if keys.as_ref().is_some_and(|keys| keys.is_whole(count)) {
        context
            .events
            .detail(format!("a clone of the baseline {start}"));
        return Ok(scratch);
    }
    ready::apply(context, tool, &scratch.target, to).await?;
    keep(
        context,
        workshop.connection(),
        keys.as_ref(),
        &scratch.name,
        &before,
    )
    .await;
    Ok(scratch)
}

/// The baselines of the project.
///
/// # Errors
/// `Server` where no server can be had.
pub async fn baselines(context: &Context) -> Result<Vec<Baseline>> {
    let mut on = session(context).await?;
    let found = databases::baselines(&mut on, &context.names()).await;
    on.close().await;
    found
}

/// Drops all baselines but the `keep` most recently used; gives the names of the dropped.
///
/// # Errors
/// `Server` where no server can be had.
pub async fn prune_baselines(context: &Context, keep: usize) -> Result<Vec<String>> {
    let _lock = context.lock("baseline prune").await?;
    let mut on = session(context).await?;
    let gone = databases::prune(&mut on, &context.names(), keep).await;
    on.close().await;
    gone
}

async fn session(context: &Context) -> Result<Connection> {
    let maintenance: Target = context.server().await?.ensure_up(&context.events).await?;
    crate::postgres::connect(&maintenance).await
}
