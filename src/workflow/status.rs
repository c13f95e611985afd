//! `devdb status` and `devdb history`: looking, changing nothing.

use serde::Serialize;

use crate::config::Target;
use crate::error::Result;
use crate::migrations::Standing;
use crate::postgres;
use crate::server::{self, Condition, Server};

use super::Context;

/// Server, dev database and chain.
#[derive(Debug, Serialize)]
pub struct Status {
    pub project: String,
    pub server: server::Status,
    /// What runs Postgres, for people.
    pub server_name: String,
    /// `None` where the server does not run or the database is not there.
    pub database: Option<DatabaseStatus>,
}

/// The dev database beside the chain.
#[derive(Debug, Serialize)]
pub struct DatabaseStatus {
    pub url: String,
    pub name: String,
    /// Bytes on disk.
    pub size: i64,
    /// The last migration that is applied, as `id name`.
    pub at: Option<String>,
    pub applied: usize,
    pub pending: Vec<String>,
    /// What is wrong or odd, one sentence each.
    pub problems: Vec<String>,
}

/// Looks at everything.
pub async fn status(context: &Context) -> Result<Status> {
    let server = context.server().await?;
    let state = server.status().await?;
    let database = match (state.condition, Server::remembered(context.config())) {
        (Condition::Ready, Some(maintenance)) => {
            database(context, &context.dev(&maintenance)).await?
        }
        _ => None,
    };
    Ok(Status {
        project: context.config().project.name.clone(),
        server_name: server.describe(),
        server: state,
        database,
    })
}

async fn database(context: &Context, target: &Target) -> Result<Option<DatabaseStatus>> {
    let mut connection = match postgres::connect(target).await {
        Ok(connection) => connection,
        // 3D000: there is no such database.
        Err(e) if e.sqlstate() == Some("3D000") => return Ok(None),
        Err(e) => return Err(e),
    };
    let size = connection
        .fetch_value::<i64>(
            "select pg_catalog.pg_database_size(pg_catalog.current_database())",
            &[],
        )
        .await?
        .unwrap_or(0);
    let mut standing = standing(context, target, &mut connection).await?;
    context.explain(&mut standing);
    connection.close().await;
    Ok(Some(DatabaseStatus {
        url: target.url("postgresql"),
        name: target.database.clone(),
        size,
        at: standing
            .applied
            .last()
            .map(|a| format!("{} {}", a.id, a.name).trim_end().to_owned()),
        applied: standing.applied.len(),
        pending: standing
            .pending
            .iter()
            .map(|m| format!("{} {}", m.id, m.name).trim_end().to_owned())
            .collect(),
        problems: standing.problems.iter().map(ToString::to_string).collect(),
    }))
}

async fn standing(
    context: &Context,
    target: &Target,
    connection: &mut postgres::Connection,
) -> Result<Standing> {
    if context.config().migrations.is_none() {
        return Ok(Standing::default());
    }
    if let Some(standing) = context.quick_standing(connection).await? {
        return Ok(standing);
    }
    let mut tool = context.tool()?;
    let standing = tool
        .standing(connection, &context.variables(target), &context.events)
        .await;
    context.keep_learned(&tool);
    standing
}

/// One migration of the chain.
#[derive(Debug, Serialize)]
pub struct HistoryEntry {
    pub id: String,
    pub name: String,
    /// `None` where no database could be asked.
    pub applied: Option<bool>,
    /// When, where the tool keeps it.
    pub when: Option<String>,
    pub reversible: bool,
    /// Relative to the project's root, where it lies below it.
    pub file: Option<String>,
    /// Ids that it builds on.
    pub parents: Vec<String>,
    /// Alembic: ids that have to be applied before.
    pub depends_on: Vec<String>,
    /// Alembic: names of the branch that begins here.
    pub labels: Vec<String>,
    /// Whether nothing builds on it.
    pub head: bool,
}

/// The chain in the order of application; applied migrations without a file come last.
pub async fn history(context: &Context) -> Result<Vec<HistoryEntry>> {
    let mut tool = context.tool()?;
    let target = Server::remembered(context.config()).map(|m| context.dev(&m));
    let mut standing = None;
    if let Some(target) = &target
        && let Ok(mut connection) = postgres::connect(target).await
    {
        standing = Some(
            tool.standing(&mut connection, &context.variables(target), &context.events)
                .await?,
        );
        connection.close().await;
    }
    let placeholder = context.dev(&Server::placeholder(context.config()));
    let variables = context.variables(target.as_ref().unwrap_or(&placeholder));
    let chain = tool.chain(&variables, &context.events).await?;
    let root = &context.config().project.root;
    let applied = |id: &str| {
        standing
            .as_ref()
            .map(|s| s.applied.iter().find(|a| a.id == id))
    };
    let mut entries: Vec<HistoryEntry> = chain
        .migrations
        .iter()
        .map(|m| HistoryEntry {
            id: m.id.clone(),
            name: m.name.clone(),
            applied: applied(&m.id).map(|a| a.is_some()),
            when: applied(&m.id).flatten().and_then(|a| a.when.clone()),
            reversible: m.reversible,
            parents: m.parents.clone(),
            depends_on: m.depends_on.clone(),
            labels: m.labels.clone(),
            head: chain.heads.contains(&m.id),
            file: Some(
                m.file
                    .strip_prefix(root)
                    .unwrap_or(&m.file)
                    .display()
                    .to_string(),
            ),
        })
        .collect();
    let strangers = standing.iter().flat_map(|s| &s.applied);
    for stranger in strangers.filter(|a| chain.get(&a.id).is_none()) {
        entries.push(HistoryEntry {
            id: stranger.id.clone(),
            name: stranger.name.clone(),
            applied: Some(true),
            when: stranger.when.clone(),
            reversible: false,
            parents: Vec::new(),
            depends_on: Vec::new(),
            labels: Vec::new(),
            head: false,
            file: None,
        });
    }
    Ok(entries)
}
