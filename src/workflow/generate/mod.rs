//! `devdb generate`: a migration against a clean baseline, proved, without touching the dev
//! database.

mod alembic;
mod command;
mod sqlx;

pub(super) use alembic::disagreement;
pub(super) use sqlx::{bodies, schema_files};

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use crate::config::Tool;
use crate::databases::{Scratch, Workshop};
use crate::error::{Error, ErrorKind, Result};
use crate::migrations::MigrationTool;
use crate::migrations::alembic::Place;
use crate::postgres;
use crate::schema::HazardKind;

use super::bench::Bench;
use super::renames::Decisions;
use super::{Context, baseline, provision};

/// What came out.
#[derive(Debug, Serialize)]
pub struct Generated {
    /// The files that were written; empty where nothing differs.
    pub files: Vec<PathBuf>,
    /// What the migration does, one readable line each.
    pub changes: Vec<String>,
    /// Risks of single steps, as `step: hazard`.
    pub hazards: Vec<String>,
    /// What stands in the wanted schema or in the baseline and is not compared.
    pub unmodelled: Vec<String>,
    /// What comes out without the changes at hand, and is not in the file.
    pub left_out: Vec<String>,
    /// As of which commit that is.
    pub inherited_from: Option<String>,
    /// What Alembic would have written wrongly, and what became of it.
    pub mended: Vec<String>,
    /// What the models want, Alembic does not see, and is not in the file.
    pub missed: Vec<String>,
    pub proved: bool,
    /// Why not, where it is not proved.
    pub unproved_because: Option<String>,
    /// Seconds.
    pub took: f64,
    #[serde(skip)]
    started: Option<Instant>,
}

impl Generated {
    fn new(started: Instant) -> Self {
        Generated {
            files: Vec::new(),
            changes: Vec::new(),
            hazards: Vec::new(),
            unmodelled: Vec::new(),
            left_out: Vec::new(),
            inherited_from: None,
            mended: Vec::new(),
            missed: Vec::new(),
            proved: false,
            unproved_because: None,
            took: 0.0,
            started: Some(started),
        }
    }

    fn done(mut self) -> Self {
        self.took = self.started.map_or(0.0, |s| s.elapsed().as_secs_f64());
        self
    }
}

/// How `devdb generate` goes about it.
#[derive(Default)]
pub struct GenerateOptions {
    /// Keep a file that could not be proved; the result then says why it is not proved.
    pub keep_unproved: bool,
    /// Kinds of hazard that are an error.
    pub deny: Vec<HazardKind>,
    /// Whether others shall be able to write while the migration runs.
    pub online: bool,
    pub renames: Decisions,
    /// Alembic: add to the file what autogenerate does not see.
    pub complete: bool,
    /// Alembic: write what comes out without the changes at hand, too.
    pub with_inherited: bool,
    /// Alembic: compare nothing, write a file to fill in.
    pub empty: bool,
    /// Alembic: where the revision goes.
    pub place: Place,
    /// The time in UTC as `yyyymmddHHMMSS`, for the names of new files.
    pub now: String,
}

/// Writes the migration that leads from the head of the chain to the wanted schema.
///
/// # Errors
/// `Unproved` where the file could not be proved and was removed; `Migration` where the chain does
/// not replay; `Usage` where nothing says what is wanted.
pub async fn generate(
    context: &Context,
    message: &str,
    options: &GenerateOptions,
) -> Result<Generated> {
    let started = Instant::now();
    if message.trim().is_empty() {
        return Err(Error::usage("the message is empty")
            .hint("say what the migration does: devdb generate \"add tags\""));
    }
    let _lock = context.lock("generate").await?;
    let migrations = context.migrations()?;
    let about_plan = !options.deny.is_empty() || options.renames.is_typed() || options.online;
    if migrations.tool != Tool::Sqlx && about_plan {
        return Err(Error::usage(format!(
            "--deny, --rename and --online are about devdb's own plan; here {} writes the migration",
            migrations.tool.name()
        ))
        .hint("leave them out; `devdb diff` takes them for any two databases"));
    }
    let about_alembic = options.complete
        || options.with_inherited
        || options.empty
        || options.place != Place::default();
    if migrations.tool != Tool::Alembic && about_alembic {
        return Err(Error::usage(format!(
            "--complete, --with-inherited, --empty and the place of a revision are about Alembic; here tool = \"{}\"",
            migrations.tool.name()
        ))
        .hint("leave them out"));
    }
    let mut bench = Bench::for_replay(context, None).await?;
    let there = &bench.context;
    let workshop = &mut bench.workshop;
    let result = match migrations.tool {
        Tool::Sqlx => sqlx::generate(there, context, workshop, message, options).await,
        Tool::Alembic => alembic::generate(there, workshop, message, options).await,
        Tool::Command => command::generate(there, workshop, message, options).await,
    };
    let closed = bench.close().await;
    let mut generated = result?;
    closed?;
    generated.started = Some(started);
    Ok(generated.done())
}

/// A scratch database at the head of the chain.
async fn at_head(
    context: &Context,
    workshop: &mut Workshop,
    tool: &mut MigrationTool,
) -> Result<Scratch> {
    baseline::scratch(context, workshop, tool, "head", None).await
}

/// A scratch database with what stands in the dev database before the first migration.
async fn from_base(context: &Context, workshop: &mut Workshop, purpose: &str) -> Result<Scratch> {
    let base = provision::base(context, workshop.connection()).await?;
    workshop.make(purpose, &base).await
}

/// Removes the files of a migration that could not be proved, or keeps them where that was asked.
fn unproved(
    context: &Context,
    mut generated: Generated,
    why: Error,
    keep: bool,
) -> Result<Generated> {
    let names: Vec<String> = generated
        .files
        .iter()
        .map(|file| {
            let root = &context.config().project.root;
            file.strip_prefix(root)
                .unwrap_or(file)
                .display()
                .to_string()
        })
        .collect();
    if keep {
        generated.unproved_because = Some(match why.detail_text() {
            Some(detail) => format!("{}\n{detail}", why.message()),
            None => why.message().to_owned(),
        });
        return Ok(generated);
    }
    // One that was to be written once more may be gone already.
    for file in generated.files.iter().filter(|file| file.exists()) {
        std::fs::remove_file(file).map_err(|e| {
            Error::failed(format!("cannot remove {}: {e}", file.display()))
                .hint("remove it by hand: it is not proved")
        })?;
    }
    let hint = why
        .hint_text()
        .map(str::to_owned)
        .unwrap_or_else(|| "--keep-unproved keeps the file, to look at it or to mend it".into());
    Err(why
        .with_kind(ErrorKind::Unproved)
        .context(format!(
            "the migration could not be proved and was not kept ({})",
            names.join(", ")
        ))
        .hint(hint))
}

/// Runs `work` in a session on the scratch database and closes the session, so that the database
/// can be cloned or dropped.
async fn in_session<T>(
    scratch: &Scratch,
    work: impl AsyncFnOnce(&mut postgres::Connection) -> Result<T>,
) -> Result<T> {
    let mut connection = postgres::connect(&scratch.target).await?;
    let result = work(&mut connection).await;
    connection.close().await;
    result
}
