//! A server of its own for one command: made like the project's, gone with its owner.
//!
//! It is the server of a project that lives in `<state_dir>/ephemeral/<token>`, where its owner
//! holds a lock. Whoever can take the lock knows that the owner is dead, and removes what it left.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::baked::PGDATA;
use super::docker::Docker;
use super::state::{Kept, State};
use super::{Baked, Kind, Recipe, Server};
use crate::config::{self, Config, Data, Port, ServerKind};
use crate::error::{Error, Named, Result};
use crate::event::Events;
use crate::owner;
use crate::postgres::Target;

/// A running one. [`Ephemeral::close`] removes it; where the process dies first, the next
/// [`Ephemeral::start`] does.
pub struct Ephemeral {
    /// The project's settings, with this server in the place of the project's.
    pub config: Config,
    /// Its maintenance database.
    pub target: Target,
    /// The project's own.
    state_dir: PathBuf,
    token: String,
    server: Server,
    folder: PathBuf,
    _lock: File,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Ephemeral {
    /// Starts one like `server`, the project's own, with its data in memory where that can be.
    ///
    /// # Errors
    /// `Server` where the project's server is somebody else's, or none can be started.
    pub async fn start(config: &Config, server: &Server, events: &Events) -> Result<Self> {
        let kind = kind(server)?;
        Self::start_as(config, kind, |server| server.data = Data::Tmpfs, events).await
    }

    /// Starts one in Docker from a baked image: with all that is in it.
    pub async fn start_baked(config: &Config, baked: &Baked, events: &Events) -> Result<Self> {
        let change = |server: &mut config::Server| {
            server.image.clone_from(&baked.image);
            server.data = Data::Image;
            server.environment.remove("PGDATA");
        };
        Self::start_as(config, ServerKind::Docker, change, events).await
    }

    /// Starts one in Docker whose data directory lies where [`Ephemeral::bake`] needs it, and is as
    /// small as can be.
    pub async fn start_to_bake(config: &Config, events: &Events) -> Result<Self> {
        let change = |server: &mut config::Server| {
            server.data = Data::Volume;
            server.environment.insert("PGDATA".into(), PGDATA.into());
        };
        Self::start_as(config, ServerKind::Docker, change, events).await
    }

    /// The same with its data on the disk, for [`Server::keep_prepared`].
    pub async fn start_to_keep(config: &Config, server: &Server, events: &Events) -> Result<Self> {
        let kind = kind(server)?;
        Self::start_as(config, kind, |server| server.data = Data::Volume, events).await
    }

    async fn start_as(
        config: &Config,
        kind: ServerKind,
        change: impl FnOnce(&mut config::Server),
        events: &Events,
    ) -> Result<Self> {
        sweep(config, kind, events).await;
        let (token, folder, lock) = claim(config)?;
        let project = &config.project;
        let (id, state_dir) = (project.id.clone(), project.state_dir.clone());
        let mut config = derived(config, &folder, &token, kind);
        change(&mut config.server);
        let task = events.begin("starting a server for this command alone", None);
        let silent = Events::silent();
        let server = Server::open(&config, &silent).await?;
        let up = server.ensure_up(&silent).await;
        let target = match up {
            Ok(target) => target,
            Err(error) => {
                let _ = server.remove(&silent, true).await;
                let _ = std::fs::remove_dir_all(&folder);
                return Err(error);
            }
        };
        task.end("");
        // Databases are called as on the project's server.
        config.project.id = id;
        Ok(Ephemeral {
            config,
            state_dir,
            token,
            target,
            server,
            folder,
            _lock: lock,
        })
    }

    /// Removes those whose owner is dead; on the engine also those of other projects, which may have
    /// lost the folder that told of them.
    pub async fn sweep(config: &Config, events: &Events) {
        let kind = match config.server.kind {
            ServerKind::Auto => match State::load(&config.project.state_dir) {
                Ok(state) if state.kind.as_deref() == Some("docker") => ServerKind::Docker,
                _ => ServerKind::Auto,
            },
            kind => kind,
        };
        sweep(config, kind, events).await;
    }

    /// Whether a command died without clearing up; asks nobody.
    pub fn any_dead(config: &Config) -> bool {
        let folders = std::fs::read_dir(all(config));
        let mut folders = folders.into_iter().flatten().flatten();
        folders.any(|entry| !is_unborn(&entry) && of_dead(&entry.path()).is_some())
    }

    /// Stops it and gives its data to the project; `None` where that is no place of devdb's own.
    pub(super) async fn give_data(self, data: &Data) -> Result<Option<Kept>> {
        self.server.stop(&Events::silent()).await?;
        let kept = match &self.server.kind {
            Kind::Docker(docker) => {
                let mut config = self.config.clone();
                config.server.data = data.clone();
                // It outlives this process.
                config.server.owner = None;
                docker.copy_data(&config, &self.token).await?
            }
            Kind::Local(local) => local.move_data(&self.state_dir, &self.token)?,
            Kind::Url(_) => None,
        };
        self.close().await?;
        Ok(kept)
    }

    /// Stops it and makes an image of its data; it is gone then.
    ///
    /// # Errors
    /// `Server`, with what the engine says.
    pub async fn bake(self, recipe: &Recipe) -> Result<Baked> {
        self.server.stop(&Events::silent()).await?;
        let baked = match &self.server.kind {
            Kind::Docker(docker) => docker.bake(recipe).await,
            _ => Err(Error::server("only a server in Docker becomes an image")),
        };
        self.close().await?;
        baked
    }

    /// Removes it with everything in it.
    pub async fn close(self) -> Result<()> {
        self.server.remove(&Events::silent(), true).await?;
        let what = format!("cannot remove {}", self.folder.display());
        std::fs::remove_dir_all(&self.folder).named(what)
    }
}

/// Like the project's.
fn kind(server: &Server) -> Result<ServerKind> {
    match server.kind() {
        "docker" => Ok(ServerKind::Docker),
        "local" => Ok(ServerKind::Local),
        _ => Err(Error::server(
            "a server of its own is needed, and the project's is given by URL: devdb does not know how to make another one like it",
        )),
    }
}

/// What the names of folders begin with that are being made. One that stays costs only its place.
const UNBORN: &str = ".new-";

fn is_unborn(entry: &std::fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with(UNBORN)
}

fn all(config: &Config) -> PathBuf {
    config.project.state_dir.join("ephemeral")
}

/// A folder of its own, locked.
fn claim(config: &Config) -> Result<(String, PathBuf, File)> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let token = format!("{}x{number}", std::process::id());
    let folder = all(config).join(&token);
    // Under its name only once it is locked: who looks for the dead must not take it before.
    let unborn = all(config).join(format!("{UNBORN}{token}"));
    let lock = lock(&unborn)?.ok_or_else(|| {
        Error::failed(format!("{} is in use by another process", unborn.display()))
    })?;
    std::fs::rename(&unborn, &folder).named(format!("cannot make {}", folder.display()))?;
    Ok((token, folder, lock))
}

/// Says that a command is at work that leaves something where it is killed: the next one, whichever
/// it is, then sees to it. Gone when dropped.
pub struct Presence {
    folder: PathBuf,
    _lock: File,
}

impl Presence {
    /// # Errors
    /// `Failed` where the state folder cannot be written to.
    pub fn mark(config: &Config) -> Result<Self> {
        let (_, folder, lock) = claim(config)?;
        Ok(Presence {
            folder,
            _lock: lock,
        })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // What is left is swept.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn derived(config: &Config, folder: &Path, token: &str, kind: ServerKind) -> Config {
    let mut config = config.clone();
    config.project.id = format!("{}-{token}", config.project.id);
    config.project.state_dir = folder.to_owned();
    config.server.kind = kind;
    config.server.data = Data::Tmpfs;
    config.server.port = Port::Auto;
    config.server.owner = owner::this();
    config
}

/// `None` where somebody else holds it.
fn lock(folder: &Path) -> Result<Option<File>> {
    let what = format!("cannot lock {}", folder.display());
    std::fs::create_dir_all(folder).named(&what)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join("owner"))
        .named(&what)?;
    match file.try_lock() {
        Ok(()) => {
            std::fs::write(folder.join("owner"), std::process::id().to_string()).named(&what)?;
            Ok(Some(file))
        }
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error).named(&what),
    }
}

/// The lock of a folder whose owner is dead. Makes nothing: the owner may be removing it just now.
fn of_dead(folder: &Path) -> Option<File> {
    let file = OpenOptions::new()
        .write(true)
        .open(folder.join("owner"))
        .ok()?;
    file.try_lock().ok().map(|()| file)
}

/// Removes those whose owner is dead. What cannot be removed now is tried again next time.
/// An engine is asked only where `kind` says that the servers are there.
async fn sweep(config: &Config, kind: ServerKind, events: &Events) {
    if kind == ServerKind::Docker
        && let Err(error) = Docker::sweep_ownerless(config).await
    {
        events.detail(format!("nothing is swept on the engine: {error}"));
    }
    for entry in std::fs::read_dir(all(config))
        .into_iter()
        .flatten()
        .flatten()
    {
        let folder = entry.path();
        if is_unborn(&entry) {
            continue;
        }
        let Some(_lock) = of_dead(&folder) else {
            continue;
        };
        let token = entry.file_name().to_string_lossy().into_owned();
        let removed = async {
            for kind in [ServerKind::Docker, ServerKind::Local] {
                let config = derived(config, &folder, &token, kind);
                if let Ok(server) = Server::open(&config, &Events::silent()).await {
                    server.remove(&Events::silent(), true).await?;
                }
            }
            std::fs::remove_dir_all(&folder).named(format!("cannot remove {}", folder.display()))
        };
        if let Err(error) = removed.await {
            events.detail(format!("a server of a command that died is left: {error}"));
        }
    }
}
