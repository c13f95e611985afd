//! Replays that need not run: the state after each replay is kept on the server as a baseline, and
//! a clone of the longest known beginning of the chain takes the place of replaying it.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{ServerKind, Tool};
use crate::databases::{self, BaselineKey, Mark, Scratch, ServerWide, Workshop};
use crate::error::{Named, Result};
use crate::migrations::{Chain, MigrationTool, Ran};
use crate::postgres::{Connection, Target, database};

use super::{Context, bake, provision, ready, roles};

pub use crate::databases::Baseline;

/// The keys of a project's replay, as far as they are known without replaying.
pub(super) struct Keys {
    /// After 0, 1, 2 … migrations.
    keys: Vec<BaselineKey>,
    /// The ids of the migrations.
    ids: Vec<String>,
    /// And their checksums.
    checksums: Vec<String>,
    /// Their files.
    files: Vec<PathBuf>,
}

impl Keys {
    /// `None` for a tool that does not tell its migrations, for chains with several heads, and on
    /// a server of somebody else: what others do there at the same time cannot be told from what
    /// the chain does to the server.
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
        // An image is what its server and its extensions are: those that a chain makes are made in
        // the version that lies there.
        let image = "select pg_catalog.version() || pg_catalog.string_agg(name || ' ' || default_version, ',' order by name) \
                     from pg_catalog.pg_available_extensions";
        let mut surroundings: String = on.fetch_value(image, &[]).await?.unwrap_or_default();
        for (name, value) in &migrations.variables {
            surroundings.push_str(&format!("\n${name}={value:?}"));
        }
        // The environment is what the data directory was made with: `POSTGRES_INITDB_ARGS`.
        let server = &context.config().server;
        for (name, value) in server.settings.iter().chain(&server.environment) {
            surroundings.push_str(&format!("\n{name}={value}"));
        }
        if let MigrationTool::Alembic(alembic) = tool {
            surroundings.push('\n');
            surroundings.push_str(&alembic.surroundings().unwrap_or_default());
        }
        let base = provision::key(context.config())?;
        let before = BaselineKey::before(&base, surroundings.as_bytes());
        Ok(Some(Keys::new(before, &chain)))
    }

    fn new(before: BaselineKey, chain: &Chain) -> Self {
        let mut keys = vec![before];
        for migration in &chain.migrations {
            let last = keys[keys.len() - 1].clone();
            keys.push(last.after(&migration.id, &migration.checksum));
        }
        Keys {
            keys,
            ids: chain.migrations.iter().map(|m| m.id.clone()).collect(),
            checksums: chain
                .migrations
                .iter()
                .map(|m| m.checksum.clone())
                .collect(),
            files: chain.migrations.iter().map(|m| m.file.clone()).collect(),
        }
    }

    /// Those of the chain up to `to`.
    pub(super) fn up_to(mut self, to: Option<&str>) -> Option<Keys> {
        if let Some(to) = to {
            let count = self.ids.iter().position(|id| id == to)? + 1;
            self.ids.truncate(count);
            self.checksums.truncate(count);
            self.keys.truncate(count + 1);
            self.files.truncate(count);
        }
        Some(self)
    }

    /// Whether both are of the same files.
    pub(super) fn is_same_chain(&self, other: &Keys) -> bool {
        self.ids == other.ids && self.checksums == other.checksums
    }

    /// The key of the whole chain.
    pub(super) fn whole(&self) -> Option<String> {
        self.keys.last().map(|key| key.text().to_owned())
    }

    /// Whether `count` migrations are all of them.
    pub(super) fn is_whole(&self, count: usize) -> bool {
        count == self.ids.len()
    }

    /// Whether what follows the first `count` migrations can be replayed under another name than
    /// the dev database's.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub(super) fn may_go_on_from(&self, count: usize) -> Result<bool> {
        self.is_silent_about(&["database"], count)
    }

    /// Whether that leaves the server as it is, too.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub(super) fn stays_inside_from(&self, count: usize) -> Result<bool> {
        self.is_silent_about(SERVER_WIDE, count)
    }

    fn is_silent_about(&self, kinds: &[&str], count: usize) -> Result<bool> {
        for file in &self.files[count..] {
            let text = std::fs::read(file).named(format_args!("cannot read {}", file.display()))?;
            if speaks_of(&String::from_utf8_lossy(&text), kinds) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What is not one database's alone.
const SERVER_WIDE: &[&str] = &[
    "database",
    "role",
    "user",
    "group",
    "tablespace",
    "system",
    "subscription",
    "parameter",
];

/// Whether a migration creates, alters, drops, grants on or comments on one of these `kinds`. Too
/// many are found rather than too few.
fn speaks_of(text: &str, kinds: &[&str]) -> bool {
    let mut last = "";
    for word in text.split_whitespace() {
        let ends = |end: &&str| {
            let from = last.len().saturating_sub(end.len());
            let tail = last.get(from..);
            tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        let name = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let is = |kind: &&str| name.eq_ignore_ascii_case(kind);
        // "on user" and "on role" are said of tables, and in comments.
        let verbs: &[&str] = match ["database", "tablespace", "parameter"].iter().any(is) {
            true => &["create", "alter", "drop", "on"],
            false => &["create", "alter", "drop"],
        };
        if kinds.iter().any(is) && verbs.iter().any(ends) {
            return true;
        }
        last = word;
    }
    false
}

/// Where a replay begins.
pub(super) struct Start {
    /// A baseline, or the base.
    pub name: String,
    /// How many migrations it holds.
    pub count: usize,
    /// What the server must have besides.
    pub server: ServerWide,
}

/// The longest known beginning whose server-wide state is what the server has (`exactly`: and
/// nothing more); else the base.
pub(super) async fn start(
    context: &Context,
    on: &mut Connection,
    keys: Option<&Keys>,
    server: &ServerWide,
    exactly: bool,
) -> Result<Start> {
    let names = context.names();
    if let Some(keys) = keys {
        let fits = |mark: &Mark| match exactly {
            true => *server == mark.server,
            false => server.contains(&mark.server),
        };
        if let Some(known) = databases::longest(on, &names, &keys.keys[1..], fits).await? {
            return Ok(Start {
                name: known.name,
                count: known.count,
                server: known.server,
            });
        }
    }
    Ok(Start {
        name: provision::base(context, on).await?,
        count: 0,
        server: ServerWide::default(),
    })
}

/// What is replayed faster than this is replayed again behind the user's back for a baseline,
/// rather than have the user wait for one more clone.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether [`tidy`](super::tidy()) makes the baseline of what was replayed (`ran`) after the first
/// `count` migrations.
///
/// # Errors
/// Where a file cannot be read.
pub(super) fn is_left_to_tidy(
    context: &Context,
    keys: &Keys,
    count: usize,
    ran: &[Ran],
) -> Result<bool> {
    let took = ran.iter().map(|ran| ran.took).sum::<Duration>();
    Ok(took <= AGAIN && is_replayed_behind(context, keys, count)?)
}

/// Whether [`tidy`](super::tidy()) replays what follows the first `count` migrations, behind the
/// user's back: where it keeps spares, that takes no program of the project, and stays in one
/// database.
pub(super) fn is_replayed_behind(context: &Context, keys: &Keys, count: usize) -> Result<bool> {
    let is_sqlx = context.migrations()?.tool == Tool::Sqlx;
    Ok(context.config().database.spare && is_sqlx && keys.stays_inside_from(count)?)
}

/// What the server has besides its databases.
pub(super) async fn server_wide(context: &Context, on: &mut Connection) -> Result<ServerWide> {
    let wide = ServerWide::read(on, &context.names(), &context.config().database.name).await?;
    Ok(wide.without_roles(&roles::names(context.config())))
}

/// Keeps `database`, which the chain was just replayed in up to `to`, as a baseline, where a clone of
/// it on a server like this one is all that a replay gives. Only speed is lost where it cannot be
/// kept. Callers know that the replay began on a clean server, or on one that its start fits;
/// `before` is what the chain was then.
pub(super) async fn keep(
    context: &Context,
    tool: &mut MigrationTool,
    on: &mut Connection,
    before: &Keys,
    database: &str,
    to: Option<&str>,
) {
    let kept = async {
        // Only now does an Alembic project tell all that its revisions depend on.
        let keys = Keys::of(context, tool, on).await?;
        let Some(keys) = keys.and_then(|keys| keys.up_to(to)) else {
            return Ok(());
        };
        if !keys.is_same_chain(before) {
            let why = "migrations changed while they were replayed: no baseline is kept";
            context.events.detail(why.to_owned());
            return Ok(());
        }
        let (Some(key), Some(at)) = (keys.keys.last(), keys.ids.last()) else {
            return Ok(());
        };
        let server = server_wide(context, on).await?;
        if server.has_content() {
            let why = "the migrations make more than roles and settings besides their database: no baseline is kept";
            context.events.detail(why.to_owned());
            return Ok(());
        }
        databases::keep(on, &context.names(), &Mark::new(key, at, server), database).await
    };
    if let Err(error) = kept.await {
        context
            .events
            .detail(format!("no baseline is kept: {error}"));
    }
}

/// What a replay up to some migration has to stand on.
pub(super) struct Ground {
    pub keys: Keys,
    /// What the server has now.
    pub server: ServerWide,
    pub start: Start,
}

impl Ground {
    /// Why a replay on it would not be one on a clean server.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub(super) fn why_not_here(&self) -> Result<Option<String>> {
        if self.keys.is_whole(self.start.count) {
            return Ok(None);
        }
        if !self.keys.stays_inside_from(self.start.count)? {
            return Ok(Some(
                "its migrations are about more than one database".into(),
            ));
        }
        let besides = self.server.differences(&self.start.server);
        Ok((!besides.is_empty()).then(|| {
            format!(
                "this one has what no migration made: {}",
                besides.join(", ")
            )
        }))
    }

    /// `None` where baselines cannot be told apart; see [`Keys::of`].
    pub(super) async fn of(
        context: &Context,
        on: &mut Connection,
        tool: &mut MigrationTool,
        to: Option<&str>,
    ) -> Result<Option<Self>> {
        let keys = Keys::of(context, tool, on).await?;
        let Some(keys) = keys.and_then(|keys| keys.up_to(to)) else {
            return Ok(None);
        };
        let server = server_wide(context, on).await?;
        let start = start(context, on, Some(&keys), &server, false).await?;
        Ok(Some(Ground {
            keys,
            server,
            start,
        }))
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
    let ground = Ground::of(context, workshop.connection(), tool, to).await?;
    scratch_on(context, workshop, tool, purpose, to, ground).await
}

/// The same on a ground that was looked at just now.
pub(super) async fn scratch_on(
    context: &Context,
    workshop: &mut Workshop,
    tool: &mut MigrationTool,
    purpose: &str,
    to: Option<&str>,
    ground: Option<Ground>,
) -> Result<Scratch> {
    let Some(ground) = ground else {
        let base = provision::base(context, workshop.connection()).await?;
        let scratch = workshop.make(purpose, &base).await?;
        ready::apply(context, tool, &scratch.target, to).await?;
        return Ok(scratch);
    };
    let Ground {
        keys,
        server,
        start,
    } = ground;
    if keys.is_whole(start.count) {
        let scratch = workshop.make(purpose, &start.name).await?;
        context
            .events
            .detail(format!("a clone of the baseline {}", start.name));
        return Ok(scratch);
    }
    let scratch = workshop.make(purpose, &start.name).await?;
    if keys.may_go_on_from(start.count)? {
        ready::apply(context, tool, &scratch.target, to).await?;
    } else {
        // For the time of the replay it is what its migrations take it for.
        let dev = context.dev(&scratch.target);
        let on = workshop.connection();
        database::rename(on, &scratch.name, &dev.database).await?;
        let applied = ready::apply(context, tool, &dev, to).await;
        database::rename(workshop.connection(), &dev.database, &scratch.name).await?;
        applied?;
    }
    if server == start.server {
        let on = workshop.connection();
        keep(context, tool, on, &keys, &scratch.name, to).await;
    }
    Ok(scratch)
}

/// The baseline of the whole chain, where there is one that fits the server.
pub(super) async fn whole(
    context: &Context,
    tool: &mut MigrationTool,
    on: &mut Connection,
) -> Result<Option<String>> {
    let Some(keys) = Keys::of(context, tool, on).await? else {
        return Ok(None);
    };
    let server = server_wide(context, on).await?;
    let fits = |mark: &Mark| server.contains(&mark.server);
    let last = keys.keys.len().max(2) - 1;
    let known = databases::longest(on, &context.names(), &keys.keys[last..], fits).await?;
    Ok(known.map(|known| known.name))
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
    let maintenance: Target = bake::up(context, &context.server().await?).await?;
    crate::postgres::connect(&maintenance).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_server_is_seen() {
        for (text, database, server) in [
            ("alter database app set timezone = 'UTC';", true, true),
            ("grant connect\n ON DATABASE app to x", true, true),
            ("op.execute(\"CREATE ROLE reader\")", false, true),
            ("do $$ begin create user x; end $$", false, true),
            (
                "create table users (role text, database text)",
                false,
                false,
            ),
            (
                "create index i on role (name); -- based on user input",
                false,
                false,
            ),
        ] {
            assert_eq!(speaks_of(text, &["database"]), database, "{text}");
            assert_eq!(speaks_of(text, SERVER_WIDE), server, "{text}");
        }
    }
}
