//! The migration tools: which migrations there are, which of them a database has, running them
//! forward and back, and writing a new one.
//!
//! [`MigrationTool`] has the shape that all tools share. What only one tool can do is on that
//! tool: [`sqlx::Sqlx::write`], [`alembic::Alembic::autogenerate`], [`command::Command::generate`].

pub mod alembic;
pub mod command;
pub mod sqlx;

mod chain;
mod process;

use std::path::Path;

use self::alembic::Alembic;
use self::command::Command;
use self::sqlx::Sqlx;
use crate::config::{self, Tool};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::postgres::{Connection, Target};

pub use chain::*;

/// Variables for child processes, over those of devdb's own environment.
pub type Env = [(String, String)];

/// The tool of a project.
#[derive(Debug)]
pub enum MigrationTool {
    Sqlx(Sqlx),
    Alembic(Box<Alembic>),
    Command(Command),
}

impl MigrationTool {
    /// Reads the tool's own settings; starts nothing. `virtual_env` is the active Python
    /// environment, for Alembic projects without one of their own.
    ///
    /// # Errors
    /// `Usage` where the configuration does not fit the tool.
    pub fn open(config: &config::Migrations, virtual_env: Option<&Path>) -> Result<Self> {
        Ok(match config.tool {
            Tool::Sqlx => MigrationTool::Sqlx(Sqlx::open(config)?),
            Tool::Alembic => MigrationTool::Alembic(Box::new(Alembic::open(config, virtual_env)?)),
            Tool::Command => MigrationTool::Command(Command::open(config)?),
        })
    }

    /// All migrations, in order; empty for a command, whose migrations nobody here knows. Nothing
    /// is run in a database. `env` are variables that the project's code may read.
    ///
    /// # Errors
    /// `Migration` where the files are no chain: see [`Sqlx::chain`] and [`Alembic::chain`].
    pub async fn chain(&mut self, env: &Env, events: &Events) -> Result<Chain> {
        match self {
            MigrationTool::Sqlx(sqlx) => sqlx.chain(),
            MigrationTool::Alembic(alembic) => alembic.chain(env, events).await,
            MigrationTool::Command(_) => Ok(Chain::default()),
        }
    }

    /// How the database of `connection` stands to the chain. `env` names the same database.
    ///
    /// # Errors
    /// See [`Sqlx::standing`] and [`Alembic::standing`].
    pub async fn standing(
        &mut self,
        connection: &mut Connection,
        env: &Env,
        events: &Events,
    ) -> Result<Standing> {
        match self {
            MigrationTool::Sqlx(sqlx) => sqlx.standing(connection).await,
            MigrationTool::Alembic(alembic) => alembic.standing(connection, env, events).await,
            MigrationTool::Command(_) => Ok(Standing::default()),
        }
    }

    /// Applies what is pending, to head or up to and including `to`. `env` names the database
    /// `target` in the way that the project reads it. Gives what ran, in order; a command gives
    /// nothing, whatever it did.
    ///
    /// # Errors
    /// See [`Sqlx::migrate`], [`Alembic::migrate`] and [`Command::up`].
    pub async fn migrate(
        &mut self,
        target: &Target,
        env: &Env,
        to: Option<&str>,
        events: &Events,
    ) -> Result<Vec<Ran>> {
        match self {
            MigrationTool::Sqlx(sqlx) => sqlx.migrate(target, to, events).await,
            MigrationTool::Alembic(alembic) => alembic.migrate(target, env, to, events).await,
            MigrationTool::Command(command) if to.is_none() => {
                command.up(env, events).await?;
                Ok(Vec::new())
            }
            MigrationTool::Command(_) => Err(only_forward()),
        }
    }

    /// Says that `target` is at migration `to` without running anything.
    ///
    /// # Errors
    /// See [`Sqlx::stamp`] and [`Alembic::stamp`]; `Usage` for a command.
    pub async fn stamp(
        &mut self,
        target: &Target,
        env: &Env,
        to: &str,
        events: &Events,
    ) -> Result<()> {
        match self {
            MigrationTool::Sqlx(sqlx) => sqlx.stamp(target, to).await,
            MigrationTool::Alembic(alembic) => alembic.stamp(target, env, to, events).await,
            MigrationTool::Command(_) => Err(only_forward()),
        }
    }

    /// The SQL that [`MigrationTool::migrate`] would run on a database with this standing.
    ///
    /// # Errors
    /// See [`Sqlx::up_sql`] and [`Alembic::up_sql`]; `Usage` for a command.
    pub async fn up_sql(
        &mut self,
        target: &Target,
        env: &Env,
        standing: &Standing,
        to: Option<&str>,
        events: &Events,
    ) -> Result<String> {
        match self {
            MigrationTool::Sqlx(sqlx) => sqlx.up_sql(&standing.pending, to),
            MigrationTool::Alembic(alembic) => {
                alembic.up_sql(target, env, standing, to, events).await
            }
            MigrationTool::Command(_) => Err(only_forward()),
        }
    }

    /// The SQL that [`MigrationTool::rollback`] would run.
    ///
    /// # Errors
    /// See [`Sqlx::down_sql`] and [`Alembic::down_sql`]; `Usage` for a command.
    pub async fn down_sql(
        &mut self,
        target: &Target,
        env: &Env,
        standing: &Standing,
        how_far: &Rollback,
        events: &Events,
    ) -> Result<String> {
        match self {
            MigrationTool::Sqlx(sqlx) => sqlx.down_sql(&standing.applied, how_far),
            MigrationTool::Alembic(alembic) => {
                alembic
                    .down_sql(target, env, standing, how_far, events)
                    .await
            }
            MigrationTool::Command(_) => Err(only_forward()),
        }
    }

    /// Takes applied migrations back, newest first. Gives what was taken back, in that order.
    ///
    /// # Errors
    /// See [`Sqlx::rollback`] and [`Alembic::rollback`]; `Usage` for a command.
    pub async fn rollback(
        &mut self,
        target: &Target,
        env: &Env,
        rollback: &Rollback,
        events: &Events,
    ) -> Result<Vec<Ran>> {
        match self {
            MigrationTool::Sqlx(sqlx) => sqlx.rollback(target, rollback, events).await,
            MigrationTool::Alembic(alembic) => {
                alembic.rollback(target, env, rollback, events).await
            }
            MigrationTool::Command(_) => Err(only_forward()),
        }
    }
}

fn only_forward() -> Error {
    Error::usage("`tool = \"command\"` can only bring a database to head")
        .hint("use the project's own tool to go back or to one migration")
}
