//! A server in a Docker container: `devdb-<project id>`, with its data in a volume, a folder or
//! memory. The only owner of the `bollard` crate.

mod baked;
mod container;
mod credentials;
mod data;
mod engine;
mod folder;
mod guard;
mod helper;
mod image;
mod orphan;
mod reset;
mod spec;
mod ssh;
mod up;
mod volume;

use std::sync::Mutex;
use std::time::Duration;

pub use self::baked::Images;
use self::container::Found;
use super::ready::{self, Attempt};
use super::spec::Spec;
use super::state::State;
use super::{Command, Condition, Status, port};
use crate::config::{Config, Port};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::postgres::Target;

pub(super) struct Docker {
    config: Config,
    docker: bollard::Docker,
    /// The container's.
    name: String,
    /// The image that the container was seen to have been made from.
    seen: Mutex<Option<String>>,
}

impl Docker {
    pub(super) async fn open(config: &Config) -> Result<Self> {
        Ok(Docker {
            docker: engine::connect(&config.server).await?,
            name: format!("devdb-{}", config.project.id),
            seen: Mutex::new(None),
            config: config.clone(),
        })
    }

    /// Removes what dead commands left on the engine, those of other projects too.
    pub(super) async fn sweep_ownerless(config: &Config) -> Result<()> {
        let docker = engine::connect(&config.server).await?;
        container::sweep_ownerless(&docker).await
    }

    pub(super) fn describe(&self) -> String {
        let seen = self.seen.lock().ok().and_then(|seen| seen.clone());
        let image = seen.unwrap_or_else(|| self.config.server.image.clone());
        format!("Docker container {} ({image})", self.name)
    }

    /// Names the configured image beside the container's where another stands in for it.
    fn image_text(&self, found: &Found) -> String {
        let wanted = &self.config.server.image;
        // A container made from another configuration has its image by that.
        if found.image == *wanted || found.spec.get("image") != Some(wanted) {
            found.image.clone()
        } else {
            format!("{}, in place of {wanted}", found.image)
        }
    }

    fn load(&self) -> Result<State> {
        State::load(&self.config.project.state_dir)
    }

    async fn find(&self) -> Result<Option<Found>> {
        let found = container::find(&self.docker, &self.name, &self.config.project.id).await?;
        if let Ok(mut seen) = self.seen.lock() {
            *seen = found.as_ref().map(|found| self.image_text(found));
        }
        Ok(found)
    }

    fn target(&self, port: u16) -> Target {
        super::docker_target(&self.config, port)
    }

    /// The engine's machine is another one: what is free there only it can tell.
    fn is_elsewhere(&self) -> bool {
        self.config.server.engine_host.is_some()
    }

    fn is_free(&self, port: u16) -> bool {
        self.is_elsewhere() || port::is_free(port)
    }

    /// Where the container's port is to be published.
    ///
    /// # Errors
    /// `Server` where the engine's machine has no address.
    async fn publish_on(&self) -> Result<String> {
        let server = &self.config.server;
        let host = match (&server.publish, &server.engine_host) {
            (Some(address), _) => return Ok(address.clone()),
            (None, None) => return Ok("127.0.0.1".into()),
            (None, Some(host)) => host,
        };
        let found = tokio::net::lookup_host((host.as_str(), 0)).await;
        let address = found.ok().and_then(|mut all| all.next());
        let address = address.ok_or_else(|| {
            Error::server(format!("the Docker engine's machine {host} has no address"))
                .hint("set `host` under [server] to a name or an address that it is reached by")
        })?;
        Ok(address.ip().to_string())
    }

    /// The port to publish; `None` where one is still to be chosen.
    fn port(&self, state: &State, found: Option<&Found>) -> Option<u16> {
        match self.config.server.port {
            Port::Fixed(port) => Some(port),
            Port::Auto => match found {
                Some(found) if found.running => found.port(),
                _ => state.port.or_else(|| found?.port()),
            },
        }
    }

    /// What the container should have been made from.
    fn wanted(&self, state: &State, found: &Found) -> Spec {
        let port = self.port(state, Some(found)).unwrap_or_default();
        spec::of(&self.config, port, &self.place(state, Some(found)))
    }

    pub(super) async fn status(&self) -> Result<Status> {
        let state = self.load()?;
        let found = self.find().await?;
        let slot = self.slot(&state);
        let mut status = Status {
            condition: Condition::Missing,
            port: self.port(&state, found.as_ref()),
            image: Some(self.config.server.image.clone()),
            data: self.place(&state, found.as_ref()),
            drift: Vec::new(),
            major: slot.and_then(|slot| slot.current.major),
            started: None,
            aside: slot.and_then(|slot| Some(slot.aside.as_ref()?.place.clone())),
            pending_reset: slot.is_some_and(|slot| slot.pending),
        };
        let Some(found) = found else {
            return Ok(status);
        };
        status.drift = found.spec.drift(&self.wanted(&state, &found));
        status.image = Some(self.image_text(&found));
        status.port = found.port();
        status.major = status.major.or(found.major());
        status.started = found.started;
        status.condition = if !found.running || found.paused {
            Condition::Stopped {
                exit_code: Some(found.exit_code),
            }
        } else {
            let target = self.target(found.port().unwrap_or_default());
            match ready::attempt(&target, Duration::from_secs(2)).await {
                Attempt::Ready => Condition::Ready,
                _ => Condition::Running,
            }
        };
        Ok(status)
    }

    pub(super) async fn stop(&self, events: &Events) -> Result<()> {
        if self.find().await?.is_none_or(|found| !found.running) {
            orphan::end(&self.docker, &self.name).await;
            return Ok(());
        }
        let task = events.begin("stopping Postgres", None);
        self.halt(&mut self.load()?).await?;
        task.end("");
        Ok(())
    }

    pub(super) fn pending_reset(&self) -> bool {
        self.load()
            .is_ok_and(|state| self.slot(&state).is_some_and(|slot| slot.pending))
    }

    pub(super) async fn logs(
        &self,
        follow: bool,
        tail: Option<u32>,
        each: impl FnMut(&str),
    ) -> Result<()> {
        if self.find().await?.is_none() {
            return Err(
                Error::server(format!("there is no container {} to read", self.name))
                    .hint("`devdb up` makes it"),
            );
        }
        container::logs(&self.docker, &self.name, follow, tail, None, each).await
    }

    /// `psql` inside the container, over its unix socket.
    pub(super) fn psql(&self, target: &Target, terminal: bool) -> Command {
        let mut command = self.inside("psql", target);
        if terminal {
            command.args.insert(2, "-t".into());
        }
        command
    }

    /// A client program in the container.
    pub(super) fn inside(&self, program: &str, target: &Target) -> Command {
        let args = [
            "exec",
            "-i",
            &self.name,
            program,
            "-U",
            &target.user,
            "-d",
            &target.database,
        ];
        Command {
            program: "docker".into(),
            args: args.iter().map(ToString::to_string).collect(),
            env: Vec::new(),
        }
    }
}
