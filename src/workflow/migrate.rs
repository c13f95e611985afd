//! `devdb migrate` and `devdb rollback`, on the dev database.

use std::time::Instant;

use serde::Serialize;

use crate::error::Result;
use crate::migrations::{Ran, Rollback};

use super::snapshot::{forget, last_applied, save_automatically};
use super::{Context, bake, guard, provision, switch};

/// The migrations that ran, in order.
#[derive(Debug, Serialize)]
pub struct Moved {
    pub database: String,
    pub migrations: Vec<Step>,
    /// Seconds.
    pub took: f64,
}

/// One of them.
#[derive(Debug, Serialize)]
pub struct Step {
    pub id: String,
    pub name: String,
    /// Seconds.
    pub took: f64,
}

fn moved(database: String, ran: Vec<Ran>, started: Instant) -> Moved {
    Moved {
        database,
        migrations: ran
            .into_iter()
            .map(|r| Step {
                id: r.id,
                name: r.name,
                took: r.took.as_secs_f64(),
            })
            .collect(),
        took: started.elapsed().as_secs_f64(),
    }
}

/// Applies what is pending, up to and including `to`.
pub async fn migrate(context: &Context, to: Option<&str>) -> Result<Moved> {
    let started = Instant::now();
    let _lock = context.lock("migrate").await?;
    let mut tool = context.tool()?;
    let server = context.server().await?;
    let maintenance = bake::up(context, &server).await?;
    switch::heal(context, &maintenance).await?;
    let (target, _) = provision::dev_database(context, &maintenance).await?;
    let ran = guard::apply(context, &mut tool, &target, to).await?;
    context.keep_learned(&tool);
    Ok(moved(target.database, ran, started))
}

/// Takes migrations back, newest first. What they made is lost; with `save` the dev database is kept
/// as an automatic snapshot before, where devdb may make databases.
pub async fn rollback(context: &Context, how_far: &Rollback, save: bool) -> Result<Moved> {
    let started = Instant::now();
    let _lock = context.lock("rollback").await?;
    let mut tool = context.tool()?;
    let server = context.server().await?;
    let maintenance = bake::up(context, &server).await?;
    switch::heal(context, &maintenance).await?;
    let (target, _) = provision::dev_database(context, &maintenance).await?;
    let variables = context.variables(&target);
    let mut saved = None;
    if save && provision::allow_databases(context.config(), "save a snapshot").is_ok() {
        saved = Some(save_automatically(context, "before a rollback").await?);
    }
    let ran = tool
        .rollback(&target, &variables, how_far, &context.events)
        .await;
    if let Some(saved) = saved {
        let name = &saved.mark.name;
        // What was refused has lost nothing.
        let at = last_applied(context, &target).await;
        match ran.is_err() && at.is_some() && at == saved.mark.at {
            true => forget(context, &saved).await?,
            false => context.events.note(format!(
                "the dev database was saved before: `devdb snapshot restore {name}`"
            )),
        }
    }
    let ran = ran?;
    Ok(moved(target.database, ran, started))
}
