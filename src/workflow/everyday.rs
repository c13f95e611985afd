//! `devdb heads`, `show`, `merge` and `stamp`, and the SQL of a chain as text.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::migrations::{Chain, Migration, MigrationTool, Rollback, Standing};
use crate::postgres;
use crate::server::Server;

use super::bench::Bench;
use super::git;
use super::{Context, bake, baseline, provision, switch};

/// A migration with what git knows of it.
#[derive(Debug, Clone, Serialize)]
pub struct Known {
    pub id: String,
    pub name: String,
    /// Relative to the project's root, where it lies below it.
    pub file: String,
    pub parents: Vec<String>,
    pub depends_on: Vec<String>,
    pub labels: Vec<String>,
    pub reversible: bool,
    /// Who committed the file first, and when, as `yyyy-mm-dd`; `None` where nobody has.
    pub author: Option<String>,
    pub date: Option<String>,
    /// At most three branches that have that commit.
    pub branches: Vec<String>,
}

/// A head, and what only it builds on.
#[derive(Debug, Clone, Serialize)]
pub struct Head {
    #[serde(flatten)]
    pub migration: Known,
    /// The migrations that no other head has, in order, itself included.
    pub own: Vec<String>,
}

/// `left (Ann adds tags; by Ann on 2026-11-20, in feature/tags)`
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = &self.migration;
        let mut about: Vec<String> = Vec::new();
        if !known.name.is_empty() {
            about.push(known.name.clone());
        }
        about.push(match (&known.author, &known.date) {
            (Some(author), Some(date)) => {
                let branches = match known.branches.as_slice() {
                    [] => String::new(),
                    branches => format!(", in {}", branches.join(", ")),
                };
                format!("by {author} on {date}{branches}")
            }
            _ => "not committed".to_owned(),
        });
        write!(f, "{} ({})", known.id, about.join("; "))
    }
}

/// One migration in full.
#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    pub migration: Known,
    /// Ids of the migrations that build on it.
    pub children: Vec<String>,
    pub source: String,
}

fn known(root: &Path, migration: &Migration) -> Known {
    let added = git::added(root, &migration.file);
    let file = migration.file.strip_prefix(root).unwrap_or(&migration.file);
    Known {
        id: migration.id.clone(),
        name: migration.name.clone(),
        file: file.display().to_string(),
        parents: migration.parents.clone(),
        depends_on: migration.depends_on.clone(),
        labels: migration.labels.clone(),
        reversible: migration.reversible,
        author: added.as_ref().map(|a| a.author.clone()),
        date: added.as_ref().map(|a| a.date.clone()),
        branches: added.map(|a| a.branches).unwrap_or_default(),
    }
}

/// The heads of a chain, with what is only theirs.
pub(super) fn heads_of(root: &Path, chain: &Chain) -> Vec<Head> {
    let one = |id: &String| {
        let others = chain.heads.iter().filter(|other| *other != id);
        let shared = chain.ancestry(others.map(String::as_str));
        let mine = chain.ancestry([id.as_str()]);
        let own = chain.migrations.iter().map(|m| m.id.as_str());
        let own = own.filter(|id| mine.contains(id) && !shared.contains(id));
        Some(Head {
            migration: known(root, chain.get(id)?),
            own: own.map(str::to_owned).collect(),
        })
    };
    chain.heads.iter().filter_map(one).collect()
}

/// The heads; more than one keeps a chain from being applied.
///
/// # Errors
/// What reading the chain gives.
pub async fn heads(context: &Context) -> Result<Vec<Head>> {
    let (chain, _) = chain(context).await?;
    Ok(heads_of(&context.config().project.root, &chain))
}

/// One migration, by its id or the beginning of it, or by a part of its name.
///
/// # Errors
/// `Usage` where none fits, or several do: they are named.
pub async fn show(context: &Context, wanted: &str) -> Result<Shown> {
    let (chain, _) = chain(context).await?;
    let migration = find(&chain, wanted)?;
    let path = &migration.file;
    let source = std::fs::read_to_string(path)
        .map_err(|e| Error::failed(format!("cannot read {}: {e}", path.display())))?;
    let builds_on = |m: &&Migration| m.parents.contains(&migration.id);
    let children = chain.migrations.iter().filter(builds_on);
    Ok(Shown {
        migration: known(&context.config().project.root, migration),
        children: children.map(|m| m.id.clone()).collect(),
        source,
    })
}

fn find<'a>(chain: &'a Chain, wanted: &str) -> Result<&'a Migration> {
    if let Some(migration) = chain.get(wanted) {
        return Ok(migration);
    }
    let all = || chain.migrations.iter();
    let mut fits: Vec<&Migration> = match wanted {
        "head" => all().filter(|m| chain.heads.contains(&m.id)).collect(),
        _ => all().filter(|m| m.id.starts_with(wanted)).collect(),
    };
    if fits.is_empty() {
        let wanted = wanted.to_lowercase();
        fits = all()
            .filter(|m| m.name.to_lowercase().contains(&wanted))
            .collect();
    }
    match fits.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::usage(format!("no migration is called {wanted}"))
            .hint("`devdb history` lists them")),
        many => {
            let many = many.iter().map(|m| format!("{} {}", m.id, m.name));
            Err(Error::usage(format!("{wanted} fits several migrations"))
                .detail(many.collect::<Vec<_>>().join("\n"))
                .hint("give more of the id"))
        }
    }
}

/// The chain, without a server.
pub(super) async fn chain(context: &Context) -> Result<(Chain, MigrationTool)> {
    let mut tool = context.tool()?;
    let target = dev_or_placeholder(context);
    let chain = tool
        .chain(&context.variables(&target), &context.events)
        .await?;
    Ok((chain, tool))
}

fn dev_or_placeholder(context: &Context) -> Target {
    let known = Server::remembered(context.config());
    context.dev(&known.unwrap_or_else(|| Server::placeholder(context.config())))
}

/// Joins the heads of an Alembic project by a revision that builds on all of them, and proves on a
/// clone that the chain then can be applied. Gives the file.
///
/// # Errors
/// `Usage` where there is one head; `Unproved` where the branches do not go together: the file is
/// not kept.
pub async fn merge(context: &Context, message: &str) -> Result<PathBuf> {
    let _lock = context.lock("merge").await?;
    let (_, mut tool) = chain(context).await?;
    let MigrationTool::Alembic(alembic) = &mut tool else {
        return Err(Error::usage("only Alembic's chains have several heads"));
    };
    let target = dev_or_placeholder(context);
    let variables = context.variables(&target);
    let file = alembic
        .merge(&target, &variables, message, &context.events)
        .await?;
    let proved = async {
        let mut bench = Bench::for_replay(context, None).await?;
        let there = bench.context.clone();
        let mut tool = there.tool()?;
        let made = baseline::scratch(&there, &mut bench.workshop, &mut tool, "merged", None).await;
        context.keep_learned(&tool);
        bench.close().await?;
        made
    };
    match proved.await {
        Ok(_) => Ok(file),
        Err(why) => {
            std::fs::remove_file(&file)
                .map_err(|e| Error::failed(format!("cannot remove {}: {e}", file.display())))?;
            Err(why
                .with_kind(ErrorKind::Unproved)
                .context("the branches do not go together, and the merge was not kept"))
        }
    }
}

/// Says that the dev database is at a migration without running anything. Gives the migration's id.
///
/// # Errors
/// As [`show`]; `Usage` for a tool that keeps no such mark.
pub async fn stamp(context: &Context, wanted: &str) -> Result<String> {
    let _lock = context.lock("stamp").await?;
    let (chain, mut tool) = chain(context).await?;
    let to = match wanted {
        "base" | "0" => "base".to_owned(),
        wanted => find(&chain, wanted)?.id.clone(),
    };
    let server = context.server().await?;
    let maintenance = bake::up(context, &server).await?;
    switch::heal(context, &maintenance).await?;
    let (target, _) = provision::dev_database(context, &maintenance).await?;
    let variables = context.variables(&target);
    let base = match tool {
        MigrationTool::Sqlx(_) => "0",
        _ => "base",
    };
    let id = if to == "base" { base } else { &to };
    tool.stamp(&target, &variables, id, &context.events).await?;
    context.keep_learned(&tool);
    Ok(to)
}

/// The SQL that `migrate` would run on the dev database as it is; on an empty one where it cannot
/// be asked. Nothing is run.
///
/// # Errors
/// `Migration` where Alembic's offline mode does not do for the project.
pub async fn up_sql(context: &Context, to: Option<&str>) -> Result<String> {
    let (mut tool, standing, target) = offline(context).await?;
    let variables = context.variables(&target);
    tool.up_sql(&target, &variables, &standing, to, &context.events)
        .await
}

/// The SQL that `rollback` would run.
///
/// # Errors
/// As [`up_sql`].
pub async fn down_sql(context: &Context, how_far: &Rollback) -> Result<String> {
    let (mut tool, standing, target) = offline(context).await?;
    let variables = context.variables(&target);
    tool.down_sql(&target, &variables, &standing, how_far, &context.events)
        .await
}

async fn offline(context: &Context) -> Result<(MigrationTool, Standing, Target)> {
    let (chain, mut tool) = chain(context).await?;
    let target = dev_or_placeholder(context);
    let variables = context.variables(&target);
    let standing = match postgres::connect(&target).await {
        Ok(mut connection) => {
            let standing = tool
                .standing(&mut connection, &variables, &context.events)
                .await?;
            connection.close().await;
            standing.ensure_sound()?;
            standing
        }
        Err(_) => {
            let why = "the dev database cannot be asked: this is for an empty one";
            context.events.note(why);
            Standing {
                pending: chain.migrations,
                ..Standing::default()
            }
        }
    };
    Ok((tool, standing, target))
}
