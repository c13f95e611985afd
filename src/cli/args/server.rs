//! The server and the dev database in it.

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct Reset {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    /// Take over a data folder that devdb did not make (it is put aside, not deleted)
    #[arg(long)]
    pub adopt: bool,

    /// Wipe the data directory and replay everything, whatever is known already
    #[arg(long)]
    pub full: bool,

    /// Stop after this migration
    #[arg(long, value_name = "ID")]
    pub to: Option<String>,

    /// Replay everything once more on a server of its own, and compare server, schema and rows
    #[arg(long)]
    pub verify: bool,
}

#[derive(Debug, Args)]
pub struct Down {
    /// Delete the data too, also what was put aside
    #[arg(long)]
    pub wipe: bool,

    /// Do not ask before deleting data
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Logs {
    /// Go on until interrupted
    #[arg(short, long)]
    pub follow: bool,

    /// Only the last lines
    #[arg(short = 'n', long = "tail", value_name = "LINES")]
    pub tail: Option<u32>,
}

#[derive(Debug, Args)]
pub struct Url {
    /// The URL's scheme, for a driver of your own
    #[arg(long, default_value = "postgresql")]
    pub scheme: String,
}

#[derive(Debug, Args)]
pub struct Env {
    #[arg(long, value_enum, default_value_t = EnvFormat::Shell)]
    pub format: EnvFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EnvFormat {
    /// `export NAME='value'`
    Shell,
    /// `NAME="value"`
    Dotenv,
}

#[derive(Debug, Args)]
pub struct Psql {
    /// Arguments for psql
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Init {
    /// Replace a devdb.toml that is there
    #[arg(long)]
    pub force: bool,

    /// Write no devdb.toml, but a git hook that runs `devdb switch` on every checkout
    #[arg(long, conflicts_with = "force")]
    pub git_hook: bool,
}
