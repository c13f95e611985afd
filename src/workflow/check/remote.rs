//! `devdb check --against URL`: the pending migrations tried against a database that others use.

use std::time::Instant;

use serde::Serialize;

use super::super::bench::Bench;
use super::super::compare::own_table;
use super::super::{Context, proof};
use crate::config::{ServerKind, Target};
use crate::databases::Scratch;
use crate::error::{Error, ErrorKind, Result};
use crate::migrations::{MigrationTool, Ran, Standing};
use crate::postgres::{self, Connection, quote_literal};
use crate::schema;

/// How it was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Nothing was pending.
    Nothing,
    /// There, in a transaction that was rolled back.
    Transaction,
    /// On a database made here from its schema.
    Clone,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Tried {
    /// The database, without its password.
    pub database: String,
    pub way: Way,
    /// Why not in a transaction.
    pub because: Option<String>,
    /// The migrations that were tried, with seconds.
    pub migrations: Vec<(String, f64)>,
    /// Whether they were applied for good afterwards.
    pub applied: bool,
    /// Seconds.
    pub took: f64,
}

/// Tries what is pending in the database at `target`. It is not written to, unless `apply` says that
/// what worked shall be done for good.
///
/// # Errors
/// `Migration` where the chain does not fit the database, or a migration fails there.
pub async fn try_remote(context: &Context, target: &Target, apply: bool) -> Result<Tried> {
    let started = Instant::now();
    let mut tool = context.tool()?;
    let variables = context.variables(target);
    let mut connection = postgres::connect(target).await?;
    let mut standing = tool
        .standing(&mut connection, &variables, &context.events)
        .await?;
    context.explain(&mut standing);
    standing.ensure_sound()?;
    let mut tried = Tried {
        database: target.to_string(),
        way: Way::Nothing,
        because: None,
        migrations: Vec::new(),
        applied: false,
        took: 0.0,
    };
    if !standing.pending.is_empty() {
        let ran = match in_transaction(context, &mut tool, target, &standing).await? {
            Ok(ran) => {
                tried.way = Way::Transaction;
                ran
            }
            Err(because) => {
                tried.way = Way::Clone;
                tried.because = Some(because);
                on_clone(context, &mut connection, &standing).await?
            }
        };
        tried.migrations = ran
            .into_iter()
            .map(|ran| (format!("{} {}", ran.id, ran.name), ran.took.as_secs_f64()))
            .collect();
        if apply {
            tool.migrate(target, &variables, None, &context.events)
                .await?;
            tried.applied = true;
        }
    }
    connection.close().await;
    tried.took = started.elapsed().as_secs_f64();
    Ok(tried)
}

/// The inner error says why one transaction does not do.
async fn in_transaction(
    context: &Context,
    tool: &mut MigrationTool,
    target: &Target,
    standing: &Standing,
) -> Result<std::result::Result<Vec<Ran>, String>> {
    match tool {
        MigrationTool::Sqlx(sqlx) => sqlx.try_out(target, &standing.pending).await,
        MigrationTool::Alembic(alembic) => {
            let variables = context.variables(target);
            alembic.try_out(target, &variables, &context.events).await
        }
        MigrationTool::Command(_) => Err(Error::usage(
            "`tool = \"command\"` does not tell its migrations",
        )),
    }
}

/// Makes a database of the same schema here, and applies what is pending there.
async fn on_clone(
    context: &Context,
    there: &mut Connection,
    standing: &Standing,
) -> Result<Vec<Ran>> {
    let wanted = schema::read(there).await?;
    let table = own_table(context)?.unwrap_or_default();
    let marks: Option<String> = there
        .fetch_value(
            &format!("select coalesce(pg_catalog.json_agg(t), '[]')::text from {table} t"),
            &[],
        )
        .await
        .unwrap_or_default();
    // Roles that own things there are made here: on a server of its own nobody sees them.
    let mut bench = match context.config().server.kind {
        ServerKind::Url => Bench::on_projects_server(context).await?,
        _ => Bench::on_own_server(context).await?,
    };
    let made = async {
        let scratch = bench.workshop.make("against", "template0").await?;
        build(&scratch, &wanted, &table, marks.as_deref()).await?;
        let mut tool = bench.context.tool()?;
        let variables = bench.context.variables(&scratch.target);
        tool.migrate(&scratch.target, &variables, None, &bench.context.events)
            .await
    }
    .await;
    bench.close().await?;
    made.map_err(|error| {
        error.with_kind(ErrorKind::Migration).context(format!(
            "on a database of the same schema, {} of the pending migrations",
            standing.pending.len()
        ))
    })
}

async fn build(
    scratch: &Scratch,
    wanted: &schema::Schema,
    table: &str,
    marks: Option<&str>,
) -> Result<()> {
    let mut connection = postgres::connect(&scratch.target).await?;
    let built = async {
        let empty = schema::read(&mut connection).await?;
        let plan = schema::plan(&empty, wanted);
        proof::run(&mut connection, &plan, "the schema of the other database").await?;
        if let Some(marks) = marks {
            let marks = quote_literal(marks);
            connection
                .execute(&format!(
                    "insert into {table} select * from pg_catalog.json_populate_recordset(null::{table}, {marks}::json)"
                ))
                .await?;
        }
        Ok(())
    }
    .await;
    connection.close().await;
    built
}
