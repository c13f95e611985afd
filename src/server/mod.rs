//! Where Postgres runs: in a Docker container, from local binaries, or somewhere else by URL.
//!
//! A [`Server`] is opened from the configuration, brought up, and gives a [`Target`]. What it
//! remembers between commands is in `<state_dir>/server.json`; callers hold the project's lock.

mod baked;
mod docker;
mod ephemeral;
mod local;
mod port;
mod ready;
pub(crate) mod settings;
mod spec;
mod state;
mod url;

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use self::baked::{Baked, Recipe};
pub use self::docker::Images;
pub use self::ephemeral::{Ephemeral, Presence};
pub use self::spec::Drift;

use crate::config::{Config, Port, ServerKind};
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

/// What came of [`Server::reset_data`].
#[derive(Debug, Clone, PartialEq)]
pub enum DataReset {
    /// The server runs on a new, empty data directory.
    Fresh {
        target: Target,
        /// Where the former data is; `None` where there was none.
        aside: Option<String>,
        /// Whether it is not empty, but the one that was [prepared](Server::keep_prepared).
        prepared: bool,
    },
    /// This kind of server keeps no data directory that devdb could exchange.
    Unsupported { why: String },
}

/// What came of [`Server::undo_data`].
#[derive(Debug, Clone, PartialEq)]
pub struct Undone {
    pub target: Target,
    /// Where the data is that was the present one until now.
    pub aside: String,
}

/// A program to run, for the caller to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub program: String,
    pub args: Vec<String>,
    /// To be set over the inherited environment.
    pub env: Vec<(String, String)>,
}

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

    /// Whether devdb made the data directory with this identifier (`pg_control_system()`), by what
    /// it remembers.
    pub fn made_data(config: &Config, system_identifier: &str) -> bool {
        let state = state::State::load(&config.project.state_dir).unwrap_or_default();
        let fits = |kept: &state::Kept| {
            let known = kept.system_identifier.as_deref();
            kept.ours && known.is_none_or(|known| known == system_identifier)
        };
        state.slots.values().any(|slot| fits(&slot.current))
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

    /// Puts the data directory aside and starts on an empty one. The reset stays pending until
    /// [`Server::finish_reset`]; another one before that replaces only the incomplete data.
    /// `adopt` makes a folder devdb's own that it did not initialise.
    ///
    /// # Errors
    /// `Refused` for a folder that devdb did not initialise; nothing is changed then.
    pub async fn reset_data(&self, events: &Events, adopt: bool) -> Result<DataReset> {
        self.reset_to(events, adopt, None).await
    }

    /// The same; begins with the data directory that was [prepared](Server::keep_prepared), where
    /// it has this key.
    pub async fn reset_to(
        &self,
        events: &Events,
        adopt: bool,
        prepared: Option<&str>,
    ) -> Result<DataReset> {
        match &self.kind {
            Kind::Docker(docker) => docker.reset_data(events, adopt, prepared).await,
            Kind::Local(local) => local.reset_data(events, prepared).await,
            Kind::Url(url) => url.reset_data(),
        }
    }

    /// Whether the data directory was exchanged before, so that preparing another one may pay.
    pub fn was_exchanged(&self) -> bool {
        let state = state::State::load(&self.state_dir).unwrap_or_default();
        let slot = self.slot().and_then(|key| state.slot(&key).cloned());
        slot.is_some_and(|slot| slot.aside.is_some())
    }

    /// The key of the data directory that is prepared.
    pub fn prepared(&self) -> Option<String> {
        let state = state::State::load(&self.state_dir).ok()?;
        let slot = self.slot().and_then(|key| state.slot(&key).cloned());
        Some(slot?.prepared?.key)
    }

    /// The data directory of a server that was filled for it stands ready for the next
    /// [`Server::reset_data`] with this key. Takes the place of an earlier one. `config` is the
    /// project's.
    pub async fn keep_prepared(&self, config: &Config, filled: Ephemeral, key: &str) -> Result<()> {
        let Some(kept) = filled.give_data(&config.server.data).await? else {
            return Ok(());
        };
        let mut state = state::State::load(&self.state_dir)?;
        let Some(slot) = self.slot().and_then(|key| state.slot_mut(&key)) else {
            return Ok(());
        };
        let prepared = state::Prepared {
            key: key.to_owned(),
            kept,
        };
        slot.prepared = Some(prepared);
        state.save()?;
        // The earlier one, and what was cut off before it was noted.
        match &self.kind {
            Kind::Docker(docker) => docker.sweep_prepared(&state).await,
            Kind::Local(local) => local.sweep_prepared(&state),
            Kind::Url(_) => Ok(()),
        }
    }

    /// Brings the data directory back that was put aside; the present one takes its place there.
    ///
    /// # Errors
    /// `Refused` where nothing was put aside.
    pub async fn undo_data(&self, events: &Events) -> Result<Undone> {
        each_kind!(self, server => server.undo_data(events).await)
    }

    /// The reset succeeded. What may be destroyed is left to [`Server::finish_reset`], when nobody
    /// waits for it.
    pub fn end_reset(&self) -> Result<()> {
        let mut state = state::State::load(&self.state_dir)?;
        let slot = self.slot().and_then(|key| state.slot_mut(&key));
        match slot {
            Some(slot) if slot.pending => {
                slot.pending = false;
                state.save()
            }
            _ => Ok(()),
        }
    }

    /// Whether [`Server::finish_reset`] has something to do; asks no server.
    pub fn has_old_data(config: &Config) -> bool {
        let state = state::State::load(&config.project.state_dir).unwrap_or_default();
        let mut slots = state.slots.values();
        slots.any(|slot| !slot.pending && !slot.to_destroy().is_empty())
    }

    /// The reset succeeded: destroys older asides and keeps the newest. Nothing where no reset
    /// is pending.
    pub async fn finish_reset(&self) -> Result<()> {
        each_kind!(self, server => server.finish_reset().await)
    }

    /// Whether [`Server::reset_data`] was not followed by [`Server::finish_reset`].
    pub fn pending_reset(&self) -> bool {
        each_kind!(self, server => server.pending_reset())
    }

    /// Names the slot of `server.json`; `None` where no data directory is kept.
    fn slot(&self) -> Option<String> {
        match &self.kind {
            Kind::Docker(docker) => docker.key(),
            Kind::Local(_) => Some(local::SLOT.into()),
            Kind::Url(_) => None,
        }
    }

    /// Notes what is saved in the present data directory, in the caller's words: while there is
    /// something, no reset destroys it.
    pub fn note_saved(&self, saved: Vec<String>) -> Result<()> {
        let mut state = state::State::load(&self.state_dir)?;
        let slot = self.slot().and_then(|key| state.slot_mut(&key));
        match slot {
            Some(slot) if slot.current.saved != saved => {
                slot.current.saved = saved;
                state.save()
            }
            _ => Ok(()),
        }
    }

    /// What is saved in data directories that are put aside: their places, and the caller's words.
    pub fn saved_elsewhere(&self) -> Result<Vec<(String, String)>> {
        let state = state::State::load(&self.state_dir)?;
        let slot = self.slot().and_then(|key| state.slot(&key));
        let all = slot.into_iter().flat_map(|slot| slot.all().skip(1));
        Ok(all
            .flat_map(|kept| {
                kept.saved
                    .iter()
                    .map(|word| (kept.place.clone(), word.clone()))
            })
            .collect())
    }

    /// Forgets one word about a data directory that is put aside. With the last one it is no longer
    /// kept from being destroyed.
    pub fn forget_saved(&self, place: &str, word: &str) -> Result<()> {
        let mut state = state::State::load(&self.state_dir)?;
        let slot = self.slot().and_then(|key| state.slot_mut(&key));
        for kept in slot
            .into_iter()
            .flat_map(|slot| slot.aside.iter_mut().chain(&mut slot.old))
        {
            if kept.place == place {
                kept.saved.retain(|other| other != word);
            }
        }
        state.save()
    }

    /// Brings that data directory back; the present one takes its place for `undo`.
    ///
    /// # Errors
    /// As [`Server::undo_data`].
    pub async fn bring_back(&self, place: &str, events: &Events) -> Result<Undone> {
        let mut state = state::State::load(&self.state_dir)?;
        let slot = self.slot().and_then(|key| state.slot_mut(&key));
        if slot.is_some_and(|slot| slot.choose_aside(place)) {
            state.save()?;
        }
        self.undo_data(events).await
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

    /// How to run `psql` on a database of this server: the one on this machine, else the one in
    /// the container. `terminal`: whether stdin and stdout are one. Further arguments go last.
    ///
    /// # Errors
    /// `Failed` where there is none.
    pub fn psql(&self, target: &Target, terminal: bool) -> Result<Command> {
        let found = match &self.kind {
            Kind::Local(local) => local.program("psql"),
            _ => None,
        };
        if let Some(psql) = found.or_else(|| which("psql", &self.path)) {
            return Ok(Command {
                program: psql.to_string_lossy().into_owned(),
                args: vec![target.to_string()],
                env: password(target),
            });
        }
        match &self.kind {
            Kind::Docker(docker) => Ok(docker.psql(target, terminal)),
            _ => Err(Error::failed("psql is not on PATH")
                .hint("install it: `apt-get install postgresql-client`, `brew install libpq`")),
        }
    }
}

impl Server {
    /// How to run a program of Postgres' own, such as `pg_dump`, on a database of this server: the
    /// server's own where that can be, since one of another version may refuse. It reads stdin and
    /// writes stdout.
    ///
    /// # Errors
    /// `Failed` where there is none.
    pub fn program(&self, name: &str, target: &Target, arguments: &[&str]) -> Result<Command> {
        let arguments = arguments.iter().map(|argument| argument.to_string());
        if let Kind::Docker(docker) = &self.kind {
            let mut command = docker.inside(name, target);
            command.args.extend(arguments);
            return Ok(command);
        }
        let found = match &self.kind {
            Kind::Local(local) => local.program(name),
            _ => None,
        };
        let Some(program) = found.or_else(|| which(name, &self.path)) else {
            return Err(Error::failed(format!("{name} is not on PATH"))
                .hint("install it: `apt-get install postgresql-client`, `brew install libpq`"));
        };
        let mut args = vec!["-d".to_string(), target.to_string()];
        args.extend(arguments);
        Ok(Command {
            program: program.to_string_lossy().into_owned(),
            args,
            env: password(target),
        })
    }
}

/// For programs that would ask for it. Arguments can be seen by every user.
fn password(target: &Target) -> Vec<(String, String)> {
    let password = target.password.iter();
    password
        .map(|password| ("PGPASSWORD".to_string(), password.clone()))
        .collect()
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
    let text = format!("{server:?} {:?} {:?}", database.user, database.password);
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

/// The first file of this name in `path` that can be run.
fn which(program: &str, path: &[PathBuf]) -> Option<PathBuf> {
    path.iter()
        .map(|folder| folder.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
