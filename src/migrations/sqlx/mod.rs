//! sqlx projects: the same table, checksums, lock and order as sqlx-cli and `sqlx::migrate!`, so
//! that either continues what the other began.
//!
//! Where devdb does more: everything that is wrong is found before the first statement runs.
//! Where it differs: a byte order mark is passed over (sqlx fails at it), and the advisory lock of
//! `sqlx::migrate!` is taken, which sqlx-cli 0.9 leaves out.

mod apply;
mod excerpt;
mod files;
mod offline;
mod standing;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{Migrate as _, MigrateError};

use self::apply::Failure;
use self::files::{File, Files, name_of};
use super::{Chain, ProblemKind, Ran, Rollback, Standing};
use crate::config::{self, SqlxToml};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::postgres::{self, Connection, Target, error_from};

pub use self::write::FileBody;

/// The table where neither devdb.toml nor sqlx.toml names one.
const DEFAULT_TABLE: &str = "_sqlx_migrations";

/// A folder of sqlx migrations.
#[derive(Debug)]
pub struct Sqlx {
    dir: PathBuf,
    /// As written in SQL: may have a schema and quotes.
    table: String,
    /// The role that migrations run as, where it is not the one of the target.
    role: Option<String>,
    toml: SqlxToml,
}

impl Sqlx {
    /// Reads `sqlx.toml`, where there is one; the files are read anew by every call.
    ///
    /// # Errors
    /// What [`SqlxToml::find`] gives.
    pub fn open(config: &config::Migrations) -> Result<Self> {
        let toml = SqlxToml::find(&config.dir)?.unwrap_or_default();
        // devdb.toml has the last word, but cannot be told from its default.
        let table = match &toml.table_name {
            Some(table) if config.table == DEFAULT_TABLE => table.clone(),
            _ => config.table.clone(),
        };
        Ok(Sqlx {
            dir: config.dir.clone(),
            table,
            role: config.role.clone(),
            toml,
        })
    }

    /// A session as the role that migrations run as.
    async fn connect(&self, target: &Target) -> Result<Connection> {
        match &self.role {
            Some(role) => postgres::connect(&target.as_role(role)).await,
            None => postgres::connect(target).await,
        }
    }

    /// The table of applied migrations, as written in SQL: may have a schema and quotes.
    pub fn table(&self) -> &str {
        &self.table
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn read(&self) -> Result<Files> {
        files::read(&self.dir, &self.toml.ignored_chars)
    }

    /// # Errors
    /// `Migration` for names and files that sqlx would stop at, and for two files of one version.
    pub fn chain(&self) -> Result<Chain> {
        Ok(self.read()?.chain())
    }

    /// Compares the files with the table; makes nothing in the database.
    ///
    /// # Errors
    /// Those of [`Sqlx::chain`]; `Postgres` where the table cannot be read.
    pub async fn standing(&self, connection: &mut Connection) -> Result<Standing> {
        let files = self.read()?;
        self.standing_of(&files, connection).await
    }

    async fn standing_of(&self, files: &Files, connection: &mut Connection) -> Result<Standing> {
        let rows = standing::applied(connection, &self.table).await?;
        Ok(standing::compare(files, rows, &self.table))
    }

    /// Applies what is pending, up to and including version `to`.
    ///
    /// # Errors
    /// `Migration` where the chain or the database is not sound (nothing was run), or where a
    /// migration fails (those before it stay), with an excerpt of the file.
    pub async fn migrate(
        &self,
        target: &Target,
        to: Option<&str>,
        events: &Events,
    ) -> Result<Vec<Ran>> {
        let files = self.read()?;
        let to = to.map(|to| existing_version(&files, to)).transpose()?;
        let mut connection = self.connect(target).await?;
        let result = self.migrate_on(&mut connection, &files, to, events).await;
        // Also gives the lock back.
        connection.close().await;
        result
    }

    async fn migrate_on(
        &self,
        connection: &mut Connection,
        files: &Files,
        to: Option<i64>,
        events: &Events,
    ) -> Result<Vec<Ran>> {
        self.prepare(connection, events).await?;
        let standing = self.standing_of(files, connection).await?;
        standing.ensure_sound()?;
        let latest = standing.applied.iter().filter_map(|a| a.id.parse().ok());
        if let (Some(to), Some(latest)) = (to, latest.max())
            && to < latest
        {
            return Err(Error::migration(format!(
                "version {to} is older than {latest}, which is already applied"
            ))
            .hint(format!("go back with `devdb rollback --to {to}`")));
        }
        let pending: Vec<&File> = standing
            .pending
            .iter()
            .filter_map(|m| m.id.parse::<i64>().ok())
            .filter(|version| to.is_none_or(|to| *version <= to))
            .map(|version| &files.steps[&version].up)
            .collect();
        self.run(
            "replaying migrations",
            Direction::Up,
            connection,
            &pending,
            events,
        )
        .await
    }

    /// Takes back applied migrations with their down files, newest first.
    ///
    /// # Errors
    /// `Migration` where a migration on the way has no down file or no file at all (nothing was
    /// run), or where a down file fails (those before it stay rolled back).
    pub async fn rollback(
        &self,
        target: &Target,
        rollback: &Rollback,
        events: &Events,
    ) -> Result<Vec<Ran>> {
        let files = self.read()?;
        let down_to = match rollback {
            Rollback::To(to) if to != "0" => Some(existing_version(&files, to)?),
            _ => None,
        };
        let mut connection = self.connect(target).await?;
        let result = self
            .rollback_on(&mut connection, &files, rollback, down_to, events)
            .await;
        connection.close().await;
        result
    }

    async fn rollback_on(
        &self,
        connection: &mut Connection,
        files: &Files,
        rollback: &Rollback,
        down_to: Option<i64>,
        events: &Events,
    ) -> Result<Vec<Ran>> {
        self.prepare(connection, events).await?;
        let mut standing = self.standing_of(files, connection).await?;
        // sqlx takes back edited migrations: that is how a migration in the works is changed.
        standing.problems.retain(|p| p.kind != ProblemKind::Edited);
        standing.ensure_sound()?;
        let mut versions: Vec<i64> = standing
            .applied
            .iter()
            .filter_map(|a| a.id.parse().ok())
            .collect();
        versions.sort_unstable_by(|a, b| b.cmp(a));
        if let Some(to) = down_to
            && versions.first().is_none_or(|latest| to > *latest)
        {
            return Err(Error::migration(format!("version {to} is not applied yet"))
                .hint(format!("go forward with `devdb migrate --to {to}`")));
        }
        match rollback {
            Rollback::Steps(steps) => versions.truncate(*steps as usize),
            Rollback::To(_) | Rollback::Base => {
                versions.retain(|version| down_to.is_none_or(|to| *version > to));
            }
        }
        let mut downs = Vec::new();
        for version in versions {
            let step = &files.steps[&version];
            downs.push(step.down.as_ref().ok_or_else(|| {
                Error::migration(format!(
                    "{} cannot be rolled back: it has no down file; nothing was run",
                    name_of(&step.up.path)
                ))
                .hint("write the .down.sql file, or use `devdb reset`")
            })?);
        }
        self.run("rolling back", Direction::Down, connection, &downs, events)
            .await
    }

    /// Lock, schemas and table: what sqlx does before it looks at anything.
    async fn prepare(&self, connection: &mut Connection, events: &Events) -> Result<()> {
        let target = connection.target().clone();
        take_lock(connection, &target.database, events).await?;
        let driver = connection.driver();
        for schema in &self.toml.create_schemas {
            driver
                .create_schema_if_not_exists(schema)
                .await
                .map_err(plain_error)?;
        }
        driver
            .ensure_migrations_table(&self.table)
            .await
            .map_err(|e| {
                plain_error(e).context(format_args!("cannot make the table {}", self.table))
            })
    }

    async fn run(
        &self,
        task: &str,
        direction: Direction,
        connection: &mut Connection,
        files: &[&File],
        events: &Events,
    ) -> Result<Vec<Ran>> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let task = events.begin(task, Some(files.len() as u64));
        let mut ran = Vec::new();
        for (done, file) in files.iter().enumerate() {
            let migration = &file.migration;
            task.advance(
                done as u64,
                format!("{} {}", migration.version, migration.description),
            );
            let took = match direction {
                Direction::Up => apply::apply(connection, &self.table, migration).await,
                Direction::Down => apply::revert(connection, &self.table, migration).await,
            };
            ran.push(Ran {
                id: migration.version.to_string(),
                name: migration.description.to_string(),
                took: took.map_err(|failure| self.failure(file, failure))?,
            });
        }
        task.end(match ran.len() {
            1 => "1 migration".to_string(),
            n => format!("{n} migrations"),
        });
        Ok(ran)
    }

    /// The error of a migration that did not run.
    fn failure(&self, file: &File, failure: Failure) -> Error {
        let error = match failure {
            Failure::Statement(error) => {
                return excerpt::failed_file(&file.path, &file.migration, error);
            }
            Failure::Record(error) => error.context(format_args!(
                "{} ran, but was not recorded",
                name_of(&file.path)
            )),
        };
        match error.sqlstate() {
            // The typical head of a pg_dump file.
            Some("42P01") => error.hint(format!(
                "the file changes search_path for the whole session, so that {} is not found; \
                 delete that line, or use `set local`",
                self.table
            )),
            _ => error,
        }
    }
}

/// sqlx's advisory lock; says so where it has to wait.
async fn take_lock(connection: &mut Connection, database: &str, events: &Events) -> Result<()> {
    let mut lock = connection.driver().lock();
    let locked = match tokio::time::timeout(Duration::from_secs(1), &mut lock).await {
        Ok(locked) => locked,
        Err(_) => {
            events.note(format!(
                "waiting for another process that migrates {database}"
            ));
            lock.await
        }
    };
    locked.map_err(plain_error)
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

fn plain_error(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) => {
            error_from(error).with_kind(crate::error::ErrorKind::Migration)
        }
        error => Error::migration(error.to_string()),
    }
}

fn existing_version(files: &Files, text: &str) -> Result<i64> {
    let known = text
        .parse::<i64>()
        .ok()
        .filter(|version| files.steps.contains_key(version));
    known.ok_or_else(|| {
        let error = Error::migration(format!("no migration has version {text}"));
        match files.steps.last_key_value() {
            Some((last, _)) => error.hint(format!("the last one is {last}; see `devdb history`")),
            None => error.hint("there are no migrations"),
        }
    })
}
