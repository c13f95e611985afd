//! Databases beside the dev database: baselines, snapshots, branches, clones, and what lends them.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::serve::ServeOptions;
use crate::workflow::PoolOptions;

#[derive(Debug, Subcommand)]
pub enum Baseline {
    /// Which replays are kept on the server, how large they are, and when they were used
    List,

    /// Drop all but the most recently used
    Prune {
        /// How many stay
        #[arg(long, default_value_t = 0, value_name = "N")]
        keep: usize,
    },
}

#[derive(Debug, Subcommand)]
pub enum Snapshot {
    /// Save the dev database as it is
    Save {
        /// How to call it
        name: String,

        /// What for
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },

    /// All snapshots: name, size, age, migration, note
    List,

    /// Make the dev database what it was; what it is now is put aside for `devdb undo`
    Restore {
        name: String,

        /// Apply the migrations that it does not have
        #[arg(long)]
        migrate: bool,
    },

    /// Give a snapshot another name; an automatic one then stays
    Rename { name: String, to: String },

    /// Drop a snapshot
    Remove { name: String },

    /// Write a snapshot into a file (pg_dump's custom format)
    Export {
        name: String,

        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },

    /// Make a snapshot from a file (pg_dump's custom format)
    Import {
        name: String,

        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct Run {
    /// So many databases, for so many workers
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub databases: usize,

    /// Keep the databases where the command fails
    #[arg(long)]
    pub keep_on_failure: bool,

    #[command(flatten)]
    pub content: Content,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Content {
    /// Begin with this snapshot instead of the head of the chain
    #[arg(long, value_name = "SNAPSHOT")]
    pub from: Option<String>,

    /// Run this SQL file before
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub seed: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen; others than this machine's own want --token
    #[arg(long, value_name = "IP", default_value_t = ServeOptions::LOCAL)]
    pub address: IpAddr,

    /// What clients have to send as `Authorization: Bearer SECRET`
    #[arg(
        long,
        value_name = "SECRET",
        env = "DEVDB_SERVE_TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,

    /// So many stand ready [default: two for each processor, 4 to 16]
    #[arg(long, value_name = "N")]
    pub pool: Option<usize>,

    /// So many there are at most, lent ones included [default: four times --pool, at least 64]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max: Option<usize>,

    /// So many are made or dropped at the same time, each over a connection of its own
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = PoolOptions::WORKERS)]
    pub jobs: usize,

    /// How long a client waits for a database before it gets a 503
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub wait: std::time::Duration,

    /// Take back what was lent for so long [default: never]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub lease: Option<std::time::Duration>,

    /// End when stdin is closed: with the program that started it
    #[arg(long)]
    pub while_stdin: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "it is a number from 1".into())
}

#[derive(Debug, Args)]
pub struct Bake {
    /// Push it to its registry, with what `docker login` left
    #[arg(long)]
    pub push: bool,

    /// Write it into a file, as `docker save` does
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub export: Option<PathBuf>,

    /// Make it also where it is here already
    #[arg(long)]
    pub again: bool,

    /// Make nothing: only print what it would be called
    #[arg(long, conflicts_with_all = ["push", "export", "again"])]
    pub name: bool,
}

#[derive(Debug, Args)]
pub struct CloneArgs {
    /// How to call it
    pub name: Option<String>,

    /// Drop it by itself after so long: 30m, 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub ttl: Option<std::time::Duration>,

    #[command(flatten)]
    pub content: Content,
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("write it as 30m, 2h or 7d".into()),
    };
    let number: u64 = number.parse().map_err(|_| "write it as 30m, 2h or 7d")?;
    let seconds = number.checked_mul(seconds).ok_or("that is too long")?;
    Ok(std::time::Duration::from_secs(seconds))
}

#[derive(Debug, Args)]
pub struct Switch {
    /// The branch; the one that is checked out unless given
    pub branch: Option<String>,

    /// A branch that has no database yet gets a clean one
    #[arg(long, conflicts_with = "copy")]
    pub clean: bool,

    /// It gets a copy of the present one, however large that is
    #[arg(long)]
    pub copy: bool,

    /// Called by the git hook: does nothing where the server does not run
    #[arg(long, hide = true)]
    pub hook: bool,
}
