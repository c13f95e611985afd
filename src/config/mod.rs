//! Settings: flags > environment > `.env` > `devdb.toml` > detection. Each value knows its origin.
//!
//! The only room that reads the environment, and `.env` only as a map.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::{Named as _, Result};

mod compose;
mod contradictions;
mod detect;
mod driver;
pub mod env;
mod file;
mod layers;
mod model;
mod project;
mod resolve;
mod settings;
mod sqlx_toml;
mod target;
mod typed;

pub use layers::{Entry, Layers, Origin, Value};
pub use model::*;
pub use resolve::{DEFAULT_IMAGE, load};
pub use sqlx_toml::SqlxToml;
pub use target::Target;

/// What the process was started with.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Where to look for the project, upwards from here. Absolute.
    pub folder: PathBuf,
    /// `--config`: this file instead of the nearest `devdb.toml`. Absolute.
    pub file: Option<PathBuf>,
    pub environment: BTreeMap<String, String>,
    /// Setting, text, and the flag as it was typed.
    pub flags: Vec<(&'static str, String, String)>,
}

impl Surroundings {
    /// The surroundings of this very process, with the given folder. Variables that are not UTF-8
    /// are left out: no setting has such a value.
    pub fn of_process(folder: PathBuf) -> Self {
        Surroundings {
            folder,
            environment: std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
            ..Surroundings::default()
        }
    }

    /// Those of a process that runs a crate's tests: the folder is the crate's, where cargo says it.
    ///
    /// # Errors
    /// Where the process has no folder.
    pub fn of_tests() -> Result<Self> {
        let folder = match std::env::var_os("CARGO_MANIFEST_DIR") {
            Some(folder) => folder.into(),
            None => std::env::current_dir().named("cannot tell the current folder")?,
        };
        Ok(Self::of_process(folder))
    }

    /// Of the databases that `devdb run --databases N` made, the one of the nextest slot or xdist
    /// worker that this process runs in; the first where it is in none. `None`: not below `devdb
    /// run`, or it made fewer.
    pub fn worker_url() -> Option<String> {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            text.trim_start_matches("gw").parse::<usize>().ok()
        };
        let slot = number("NEXTEST_TEST_GLOBAL_SLOT").or_else(|| number("PYTEST_XDIST_WORKER"));
        std::env::var(format!("DEVDB_URL_{}", slot.unwrap_or(0) + 1)).ok()
    }

    /// Takes `PGOPTIONS` out of this process's environment: the driver would give them to every
    /// session, and a `search_path` of the caller's would change what a replay makes.
    ///
    /// # Safety
    /// To be called before any other thread runs.
    pub unsafe fn forget_session_options() {
        // SAFETY: the caller says that no other thread runs.
        unsafe { std::env::remove_var("PGOPTIONS") }
    }

    /// The step at which a debug build is to die, see [`crate::fault`]; 0 for none.
    pub fn fault() -> u32 {
        let text = std::env::var("DEVDB_TEST_FAULT").unwrap_or_default();
        text.parse().unwrap_or(0)
    }

    /// What clients of `devdb serve` have to show, where the command line does not say it: what
    /// stands there everybody on the machine can read.
    pub fn serve_token() -> Option<String> {
        let token = std::env::var("DEVDB_SERVE_TOKEN").ok();
        token.filter(|token| !token.is_empty())
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// The settings with everything that `devdb config` tells about them.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    pub layers: Layers,
    /// The `devdb.toml` that was read.
    pub file: Option<PathBuf>,
    /// What was found by looking, as sentences.
    pub found: Vec<String>,
    /// What was seen and not used, as sentences.
    pub skipped: Vec<String>,
    /// The virtual environment that is active in the calling shell.
    pub virtual_env: Option<PathBuf>,
}
