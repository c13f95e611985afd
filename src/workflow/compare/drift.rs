//! `devdb drift`: a database beside the baseline of the migration that it says it is at.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use crate::config::{Target, Tool};
use crate::error::{Error, Result};
use crate::migrations::sqlx::Sqlx;
use crate::migrations::{ProblemKind, Standing};
use crate::postgres;
use crate::schema::{self, Change, Plan, What};

use super::super::generate::bodies;
use super::super::{Context, bake, provision, stakes};
use super::side::read_project;
use super::{Desk, Filter, Side, lines};

/// What a database has that no migration made, or lacks that one made.
#[derive(Debug, Serialize)]
pub struct Drift {
    /// The database, without its password.
    pub database: String,
    /// The migration that it says it is at.
    pub at: Option<String>,
    pub pending: usize,
    /// Made by no migration.
    pub extra: Vec<String>,
    /// Made by a migration and not there.
    pub missing: Vec<String>,
    /// There, but not as the migrations make it.
    pub changed: Vec<String>,
    /// Applied migrations that were edited or are gone from the chain.
    pub migrations: Vec<String>,
    /// What devdb does not compare, by name.
    pub unmodelled: Vec<String>,
    /// SQL that takes the drift away.
    pub remove: String,
    /// SQL that makes the drift, for a migration that keeps it.
    pub keep: String,
    /// Seconds.
    pub took: f64,
    #[serde(skip)]
    keep_plan: Plan,
    #[serde(skip)]
    remove_plan: Plan,
}

impl Drift {
    pub fn is_none(&self) -> bool {
        self.extra.is_empty()
            && self.missing.is_empty()
            && self.changed.is_empty()
            && self.migrations.is_empty()
    }
}

/// Compares the dev database, or the one at `against`, which is only read.
pub async fn drift(context: &Context, against: Option<&Target>, filter: &Filter) -> Result<Drift> {
    let started = Instant::now();
    let mut desk = Desk::new(context);
    let filter = filter.without(&context.config().drift_ignore);
    let result = find(context, &mut desk, against, &filter).await;
    desk.close().await?;
    let mut drift = result?;
    drift.took = started.elapsed().as_secs_f64();
    Ok(drift)
}

/// Writes the drift as a migration of the chain, so that it is drift no more once it is applied
/// everywhere. `now` is the time in UTC as `yyyymmddHHMMSS`.
///
/// # Errors
/// `Usage` where there is nothing to keep, where the database is behind the chain, and for tools
/// other than sqlx.
pub fn keep_drift(
    context: &Context,
    drift: &Drift,
    message: &str,
    now: &str,
) -> Result<Vec<PathBuf>> {
    let migrations = context.migrations()?;
    if migrations.tool != Tool::Sqlx {
        return Err(Error::usage(format!(
            "--as-migration writes SQL files, and this project's tool is {}",
            migrations.tool.name()
        ))
        .hint("put the SQL of `devdb drift --sql keep` into a revision of your own"));
    }
    if drift.pending > 0 {
        return Err(Error::usage(format!(
            "{} migrations are pending: the drift cannot be told from them",
            drift.pending
        ))
        .hint("run `devdb migrate` first"));
    }
    if drift.keep_plan.is_empty() {
        return Err(Error::usage("there is no drift to keep"));
    }
    let tool = Sqlx::open(migrations)?;
    // The whole way back is in the last file, which is run first; nothing is left for the others.
    let files = drift.keep_plan.transactions().len();
    let mut back = vec![Plan::default(); files.saturating_sub(1)];
    back.push(drift.remove_plan.clone());
    let back = tool.is_reversible()?.then_some(&back[..]);
    tool.write(now, message, &bodies(&drift.keep_plan, back))
}

async fn find(
    context: &Context,
    desk: &mut Desk<'_>,
    against: Option<&Target>,
    filter: &Filter,
) -> Result<Drift> {
    let target = match against {
        Some(target) => target.clone(),
        None => {
            let maintenance = bake::up(context, &context.server().await?).await?;
            provision::dev_database(context, &maintenance).await?.0
        }
    };
    let mut connection = postgres::connect(&target).await?;
    let standing = match context.quick_standing(&mut connection).await? {
        Some(standing) => standing,
        None => {
            let variables = context.variables(&target);
            let mut tool = context.tool()?;
            tool.standing(&mut connection, &variables, &context.events)
                .await?
        }
    };
    let there = filter.apply(read_project(context, &mut connection).await?);
    connection.close().await;

    let at = last_known(&standing);
    let baseline = match &at {
        Some(id) => {
            desk.read(&Side::Baseline {
                to: Some(id.clone()),
            })
            .await?
        }
        None => desk.base().await?,
    };
    let (here, elsewhere) = (baseline.version(), there.version());
    let baseline = filter.apply(baseline).as_on(elsewhere);
    let there = there.as_on(here);
    let (mut extra, mut missing, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    let changes = schema::diff(&baseline, &there);
    let only = |what: fn(&What) -> bool, list: &mut Vec<String>| {
        let some: Vec<Change> = changes.iter().filter(|c| what(&c.what)).cloned().collect();
        *list = lines(&some);
    };
    only(|what| matches!(what, What::Created { .. }), &mut extra);
    only(|what| matches!(what, What::Dropped), &mut missing);
    only(|what| matches!(what, What::Altered { .. }), &mut changed);
    let keep_plan = schema::plan(&baseline, &there);
    let mut remove_plan = schema::plan(&there, &baseline);
    stakes::count(&target, &[], &mut remove_plan).await?;
    Ok(Drift {
        database: target.to_string(),
        at,
        pending: standing.pending.len(),
        extra,
        missing,
        changed,
        migrations: strange_migrations(&standing),
        unmodelled: there.unmodelled.iter().map(ToString::to_string).collect(),
        remove: remove_plan.to_sql(),
        keep: keep_plan.to_sql(),
        took: 0.0,
        keep_plan,
        remove_plan,
    })
}

/// The last applied migration that the chain still has.
fn last_known(standing: &Standing) -> Option<String> {
    let gone = |id: &str| {
        standing
            .problems
            .iter()
            .any(|p| p.kind == ProblemKind::Missing && p.id.as_deref() == Some(id))
    };
    standing
        .applied
        .iter()
        .rfind(|a| !gone(&a.id))
        .map(|a| a.id.clone())
}

fn strange_migrations(standing: &Standing) -> Vec<String> {
    standing
        .problems
        .iter()
        .filter(|p| {
            matches!(
                p.kind,
                ProblemKind::Edited
                    | ProblemKind::Missing
                    | ProblemKind::UnknownRevision
                    | ProblemKind::Dirty
            )
        })
        .map(ToString::to_string)
        .collect()
}
