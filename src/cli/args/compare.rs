//! Two schemas beside each other: check, drift, diff, schema.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The branch that this shall go into [default: the main branch]
    #[arg(long, value_name = "BRANCH")]
    pub base: Option<String>,

    /// Refuse new migrations with such a hazard: data-loss, table-rewrite, … (repeatable)
    #[arg(long, value_name = "HAZARD")]
    pub deny: Vec<String>,

    /// Alembic: replay the chain on SQLite as well, and name what SQLite cannot do
    #[arg(long)]
    pub sqlite: bool,

    /// How findings are printed
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,

    /// Try what is pending in this database instead, in a transaction that is rolled back or, where the
    /// chain does not allow that, on a database made from its schema
    #[arg(long, value_name = "URL", conflicts_with_all = ["base", "deny", "format"])]
    pub against: Option<String>,

    /// Then apply it there for good
    #[arg(long, requires = "against")]
    pub apply: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    Text,
    /// Workflow commands: GitHub shows them beside the lines
    Github,
    /// XML on stdout
    Junit,
}

#[derive(Debug, Args)]
pub struct Drift {
    /// Look at this database instead (it is only read)
    #[arg(long, value_name = "URL")]
    pub against: Option<String>,

    /// Only objects that fit, by kind, schema or name; `!` in front leaves out (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub filter: Vec<String>,

    /// Print the SQL that removes the drift, or that makes it elsewhere
    #[arg(long, value_enum, value_name = "WHAT")]
    pub sql: Option<DriftSql>,

    /// Write the drift as a migration
    #[arg(long, value_name = "MESSAGE", conflicts_with = "sql")]
    pub as_migration: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DriftSql {
    Remove,
    Keep,
}

#[derive(Debug, Args)]
pub struct Diff {
    /// The present side
    pub from: String,

    /// The wanted side
    pub to: String,

    /// One line for each change instead of SQL
    #[arg(long)]
    pub summary: bool,

    /// Exit with 3 where the sides differ
    #[arg(long)]
    pub exit_code: bool,

    /// Only objects that fit, by kind, schema or name; `!` in front leaves out (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub filter: Vec<String>,

    /// Write a page with the changes, the plan and a picture of the tables into this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,

    /// Do not prove the plan on a clone
    #[arg(long)]
    pub no_proof: bool,

    #[command(flatten)]
    pub plan: PlanOptions,
}

#[derive(Debug, Args)]
pub struct PlanOptions {
    /// One thing under two names: public.users.name=full_name (repeatable; also devdb.renames)
    #[arg(long, value_name = "OLD=NEW")]
    pub rename: Vec<String>,

    /// Refuse a plan with such a hazard: data-loss, table-rewrite, lock, … (repeatable)
    #[arg(long, value_name = "HAZARD")]
    pub deny: Vec<String>,

    /// Let others write meanwhile: indexes CONCURRENTLY, constraints validated in a second step
    #[arg(long)]
    pub online: bool,
}

#[derive(Debug, Subcommand)]
pub enum Schema {
    /// SQL that makes a schema from nothing
    Dump(Dump),

    /// Its tables and foreign keys as a diagram in Mermaid or Graphviz
    #[command(
        after_help = "Sides are those of `devdb diff`.\n\nExamples:\n  devdb schema graph > schema.mmd\n  devdb schema graph baseline --format dot | dot -Tsvg > schema.svg\n  devdb schema graph --filter 'billing.*'"
    )]
    Graph(Graph),
}

#[derive(Debug, Args)]
pub struct Graph {
    /// Which schema: a side as of `devdb diff`
    #[arg(default_value = "dev")]
    pub side: String,

    /// The language of the diagram
    #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
    pub format: GraphFormat,

    /// Only objects that fit, by kind, schema or name; `!` in front leaves out (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub filter: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    Mermaid,
    Dot,
}

#[derive(Debug, Args)]
pub struct Dump {
    /// Which schema: a side as of `devdb diff`
    #[arg(default_value = "dev")]
    pub side: String,

    /// Only objects that fit, by kind, schema or name; `!` in front leaves out (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub filter: Vec<String>,

    /// Write one file for each schema and kind into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub split: Option<PathBuf>,
}
