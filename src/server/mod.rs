//! Where Postgres runs: in a Docker container, from local binaries, or somewhere else by URL.
//!
//! A [`Server`] is opened from the configuration, brought up, and gives a [`Target`]. What it
//! remembers between commands is in `<state_dir>/server.json`; callers hold the project's lock.

/// Runs the same call on whichever kind it is.
macro_rules! each_kind {
    ($self:expr, $server:ident => $call:expr) => {
        match &$self.kind {
            Kind::Docker($server) => $call,
            Kind::Local($server) => $call,
            Kind::Url($server) => $call,
        }
    };
}

mod baked;
mod data;
mod docker;
mod ephemeral;
mod local;
mod port;
mod program;
mod ready;
pub(crate) mod settings;
mod spec;
mod state;
mod url;

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use self::baked::{Baked, Recipe};
pub use self::data::{DataReset, Undone};
pub use self::docker::Images;
pub use self::ephemeral::{Ephemeral, Presence};
pub use self::program::Command;
pub use self::spec::Drift;

use crate::config::{Config, Data, Port, ServerKind};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::postgres::Target;

/// The server of a project, running or not.
pub struct Server {
    kind: Kind,
    /// Where programs are looked for.
    path: Vec<PathBuf>,
    state_dir: PathBuf,
    fingerprint: String,
}

enum Kind {
    Docker(docker::Docker),
    Local(local::Local),
    Url(url::Url),
}

/// How a server is right now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    pub condition: Condition,
    /// On 127.0.0.1 (on the URL's host for `url`); `None` where none was chosen yet.
    pub port: Option<u16>,
    /// The image for Docker, with `, in place of <the configured one>` where that is another; the folder of the binaries for `local`.
    pub image: Option<String>,
    /// The volume, the folder, or `tmpfs`; for `url` the URL, without its password.
    pub data: String,
    /// What the running server was made from and the configuration now says otherwise.
    pub drift: Vec<Drift>,
    /// The major version of Postgres, where it is known.
    pub major: Option<u32>,
    /// Since when it runs, or when it ran last.
    pub started: Option<Timestamp>,
    /// The data directory that `undo` would bring back.
    pub aside: Option<String>,
    /// A reset was begun and not finished: the data may be incomplete.
    pub pending_reset: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Never made, or removed.
    Missing,
    Stopped {
        exit_code: Option<i64>,
    },
    /// Nobody answers at that URL.
    Unreachable,
    /// The process runs but does not answer (yet), or not to the configured user.
    Running,
    /// `select 1` was answered.
    Ready,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Missing => f.write_str("not made yet"),
            Condition::Stopped {
                exit_code: Some(code @ 1..),
            } => write!(f, "stopped with exit code {code}"),
            Condition::Stopped { .. } => f.write_str("stopped"),
            Condition::Unreachable => f.write_str("not reachable"),
            Condition::Running => f.write_str("running, but it does not answer"),
            Condition::Ready => f.write_str("ready"),
        }
    }
}

impl Server {
    /// Finds out which kind of server it is; starts nothing. `auto` stays what it was the first
    /// time, since the data is there; then it is Docker where an engine answers, else local.
    ///
    /// # Errors
    /// `Server` where the engine cannot be reached or no binaries are found (all the places are
    /// named), `Usage` for a bad URL.
    pub async fn open(config: &Config, events: &Events) -> Result<Self> {
        let kind = match config.server.kind {
            ServerKind::Docker => Kind::Docker(docker::Docker::open(config).await?),
            ServerKind::Local => Kind::Local(local::Local::open(config)?),
            ServerKind::Url => Kind::Url(url::Url::open(config)?),
            ServerKind::Auto => Self::choose(config, events).await?,
        };
        Ok(Server {
            kind,
            path: config.server.path.clone(),
            state_dir: config.project.state_dir.clone(),
            fingerprint: fingerprint(config),
        })
    }

    /// Where the server answered when it was last brought up with this very configuration; asks
    /// nobody whether it still does. `None` where only [`Server::open`] can tell.
    pub fn remembered(config: &Config) -> Option<Target> {
        if config.server.kind == ServerKind::Url {
            return Target::parse(config.server.url.as_deref()?).ok();
        }
        let state = state::State::load(&config.project.state_dir).ok()?;
        let port = match config.server.port {
            Port::Fixed(port) => port,
            Port::Auto => state.port?,
        };
        let pending = state.slots.values().any(|slot| slot.pending);
        let target = match state.kind.as_deref() {
            Some("local") => local_target(config, port),
            _ => docker_target(config, port),
        };
        (!pending && state.answered == Some(fingerprint(config))).then_some(target)
    }

    /// Whether devdb made the data of the server with this identifier (`pg_control_system()`), by
    /// what it remembers; also where the data is in memory.
    pub fn is_known(config: &Config, system_identifier: &str) -> bool {
        Self::knows(config, system_identifier, |_| true)
    }

    /// The same, and with the settings that only count when a data directory is made as they are now.
    pub fn is_known_as_configured(config: &Config, system_identifier: &str) -> bool {
        let made_with = state::made_with(config);
        Self::knows(config, system_identifier, |kept| {
            kept.made_with.as_ref().is_none_or(|was| *was == made_with)
        })
    }

    fn knows(
        config: &Config,
        system_identifier: &str,
        also: impl Fn(&state::Kept) -> bool,
    ) -> bool {
        let state = state::State::load(&config.project.state_dir).unwrap_or_default();
        let fits = |kept: &state::Kept| {
            let known = kept.system_identifier.as_deref();
            kept.ours && known.is_none_or(|known| known == system_identifier) && also(kept)
        };
        // Data in memory was made when the server was started, as it was configured then.
        let fleeting = state.fleeting.filter(|_| config.server.data == Data::Tmpfs);
        fleeting.is_some_and(|fleeting| fleeting.system_identifier == system_identifier)
            || state.slots.values().any(|slot| fits(&slot.current))
    }

    /// An address to put into variables where no database is asked: nobody needs to listen there.
    pub fn placeholder(config: &Config) -> Target {
        Self::remembered(config).unwrap_or_else(|| local_target(config, 1))
    }

    /// Whether the data directory can be exchanged as a whole ([`Server::reset_data`]).
    pub fn exchanges_data(&self) -> bool {
        match &self.kind {
            Kind::Docker(docker) => docker.exchanges_data(),
            Kind::Local(_) => true,
            Kind::Url(_) => false,
        }
    }

    async fn choose(config: &Config, events: &Events) -> Result<Kind> {
        let state = state::State::load(&config.project.state_dir)?;
        match state.kind.as_deref() {
            Some("local") => return Ok(Kind::Local(local::Local::open(config)?)),
            Some("docker") => {
                let docker = docker::Docker::open(config).await;
                return docker
                    .map(Kind::Docker)
                    .map_err(|e| e.context("this project's server is in Docker"));
            }
            _ => {}
        }
        let no_docker = match docker::Docker::open(config).await {
            Ok(docker) => return Ok(Kind::Docker(docker)),
            Err(error) => error,
        };
        match local::Local::open(config) {
            Ok(local) => {
                events.detail(format!("{no_docker}: using {}", local.describe()));
                Ok(Kind::Local(local))
            }
            Err(no_local) => Err(Error::server(format!(
                "nothing to run Postgres with: {no_docker}; {no_local}"
            ))
            .detail(no_local.detail_text().unwrap_or_default().to_string())
            .hint("start or install Docker, install PostgreSQL, or set `kind = \"url\"` and `url` under [server]")),
        }
    }

    /// One line for people: `Docker container devdb-shop-1a2b3c4d (pgvector/pgvector:pg17)`.
    pub fn describe(&self) -> String {
        each_kind!(self, server => server.describe())
    }

    /// `docker`, `local` or `url`.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Docker(_) => "docker",
            Kind::Local(_) => "local",
            Kind::Url(_) => "url",
        }
    }

    /// Whether devdb made it and may stop, reset and remove it.
    pub fn is_ours(&self) -> bool {
        !matches!(self.kind, Kind::Url(_))
    }

    /// Looks without changing anything.
    ///
    /// # Errors
    /// `Refused` where the container's name belongs to somebody else.
    pub async fn status(&self) -> Result<Status> {
        each_kind!(self, server => server.status().await)
    }

    /// Creates and starts what is missing, waits until it is ready, and gives the maintenance
    /// database `postgres` with the user that administers the server. Milliseconds where it is
    /// ready already. A server made from another configuration is made again over the same data.
    ///
    /// # Errors
    /// `Server`, with the last log lines as detail; `Refused` for what is not devdb's own.
    pub async fn ensure_up(&self, events: &Events) -> Result<Target> {
        let target = each_kind!(self, server => server.ensure_up(events).await)?;
        if self.is_ours() {
            let mut state = state::State::load(&self.state_dir)?;
            if state.answered.as_ref() != Some(&self.fingerprint) {
                state.answered = Some(self.fingerprint.clone());
                state.save()?;
            }
        }
        Ok(target)
    }

    /// Stops it where it runs; the data stays (tmpfs: is gone).
    pub async fn stop(&self, events: &Events) -> Result<()> {
        each_kind!(self, server => server.stop(events).await)
    }

    /// Stops and removes it; with `wipe` also its data and what was put aside.
    ///
    /// # Errors
    /// `Refused` where the data was not made by devdb; nothing is removed then.
    pub async fn remove(&self, events: &Events, wipe: bool) -> Result<()> {
        each_kind!(self, server => server.remove(events, wipe).await)
    }

    /// Gives the server's log line by line: the last `tail` ones, or all; with `follow` for as
    /// long as it runs.
    pub async fn logs(
        &self,
        follow: bool,
        tail: Option<u32>,
        each: impl FnMut(&str),
    ) -> Result<()> {
        each_kind!(self, server => server.logs(follow, tail, each).await)
    }
}

/// Changes whenever a setting of the server or its user changes. Where programs are looked for, and
/// for how long a server is waited for, makes no other server: two terminals differ in that.
fn fingerprint(config: &Config) -> String {
    let database = &config.database;
    let server = crate::config::Server {
        path: Vec::new(),
        wait: 0,
        ..config.server.clone()
    };
    digest(&format!(
        "{server:?} {:?} {:?}",
        database.user, database.password
    ))
}

/// Sixteen hex digits.
fn digest(text: &str) -> String {
    let hash = Sha256::digest(text);
    hash.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// A container's server, with the configured user.
fn docker_target(config: &Config, port: u16) -> Target {
    let mut target = local_target(config, port);
    if let Some(host) = &config.server.engine_host {
        target.host.clone_from(host);
    }
    target
}

/// A server on this machine, with the configured user.
fn local_target(config: &Config, port: u16) -> Target {
    Target {
        host: "127.0.0.1".into(),
        port,
        user: config.database.user.clone(),
        password: Some(config.database.password.clone()).filter(|text| !text.is_empty()),
        database: "postgres".into(),
        options: std::collections::BTreeMap::new(),
    }
}

fn exit_hint(config: &Config) -> &'static str {
    if config.server.settings.is_empty() && config.server.command.is_empty() {
        "the lines above are the server's own; `devdb logs` shows all of them"
    } else {
        "check `settings` under [server]; `devdb logs` shows the whole log"
    }
}
