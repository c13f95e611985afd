//! The chain of migrations: what is written, applied and taken back.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::PlanOptions;

#[derive(Debug, Args)]
pub struct Generate {
    /// What the migration does, in a few words
    pub message: String,

    /// Keep the file although it could not be proved (the exit code is still 4)
    #[arg(long)]
    pub keep_unproved: bool,

    #[command(flatten)]
    pub plan: PlanOptions,

    /// Add what autogenerate does not see (checks, index parameters, enum values taken away …)
    #[arg(long, help_heading = "Alembic")]
    pub complete: bool,

    /// Write also what comes out of the main branch without your changes
    #[arg(long, help_heading = "Alembic")]
    pub with_inherited: bool,

    /// Compare nothing: a file to fill in by hand
    #[arg(long, help_heading = "Alembic", conflicts_with_all = ["complete", "with_inherited"])]
    pub empty: bool,

    /// The id of the revision
    #[arg(long, value_name = "ID", help_heading = "Alembic")]
    pub rev_id: Option<String>,

    /// The revision that it builds on
    #[arg(long, value_name = "ID", help_heading = "Alembic")]
    pub head: Option<String>,

    /// Allow a --head that others build on already
    #[arg(long, help_heading = "Alembic")]
    pub splice: bool,

    /// A name for the branch that begins with it
    #[arg(long, value_name = "LABEL", help_heading = "Alembic")]
    pub branch_label: Option<String>,

    /// The folder of version files that it goes to
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Alembic")]
    pub version_path: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Migrate {
    /// Stop after this migration
    #[arg(long, value_name = "ID")]
    pub to: Option<String>,

    /// Run nothing: print the SQL for a server that devdb does not reach
    #[arg(long)]
    pub sql: bool,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// Run nothing: print the SQL for a server that devdb does not reach
    #[arg(long)]
    pub sql: bool,

    /// How many migrations to take back
    #[arg(long, value_name = "N", conflicts_with_all = ["to", "base"])]
    pub steps: Option<u32>,

    /// Take back everything after this migration
    #[arg(long, value_name = "ID", conflicts_with = "base")]
    pub to: Option<String>,

    /// Take back everything
    #[arg(long)]
    pub base: bool,

    /// Save no automatic snapshot before (its copying disconnects clients)
    #[arg(long)]
    pub no_snapshot: bool,
}
