//! From whatever is there to a server that is ready.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Docker;
use super::container::{self, Created, Found, Started};
use super::image::{self, Image};
use super::{folder, spec};
use crate::config::{Data, Port};
use crate::error::{Error, Result};
use crate::event::{Events, Task};
use crate::postgres::Target;
use crate::server::ready::{self, Attempt, Stage};
use crate::server::spec::{Drift, names};
use crate::server::state::{Fleeting, State};
use crate::server::{exit_hint, port};

/// How often a port may be taken between finding it free and starting on it.
const PORT_ATTEMPTS: usize = 20;
/// How often to begin again where the container goes away while it starts.
const TRIES: usize = 3;
/// How many lines of the log an error shows.
const LOG_LINES: usize = 20;

/// Why one try did not come to a ready server.
enum Failure {
    /// The container went while it was being started: the last wish of a devdb that was killed
    /// may reach the engine late.
    Vanished,
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

impl Docker {
    pub(in crate::server) async fn ensure_up(&self, events: &Events) -> Result<Target> {
        for _ in 0..TRIES {
            match self.try_up(events).await {
                Ok(target) => return Ok(target),
                Err(Failure::Error(error)) => return Err(error),
                Err(Failure::Vanished) => {}
            }
        }
        Err(Error::server(format!(
            "somebody removes container {} again and again while it starts",
            self.name
        ))
        .hint("let the other program come to its end, then try again"))
    }

    async fn try_up(&self, events: &Events) -> Result<Target, Failure> {
        let mut state = self.load()?;
        self.heal(&mut state, events).await?;
        let found = self.find().await?;
        if let Some(found) = &found
            && found.running
            && !found.paused
            && let Some(port) = found.port()
            && found.spec.drift(&self.wanted(&state, found)).is_empty()
        {
            let target = self.target(port);
            if let Attempt::Ready = ready::attempt(&target, Duration::from_secs(2)).await {
                self.remember(&mut state, found, &target).await?;
                return Ok(target);
            }
        }
        self.bring_up(&mut state, found, events).await
    }

    async fn bring_up(
        &self,
        state: &mut State,
        found: Option<Found>,
        events: &Events,
    ) -> Result<Target, Failure> {
        self.refuse_shared().await?;
        let mut found = match found {
            Some(found) => self.with_its_data(state, found, events).await?,
            None => None,
        };
        if let Some(there) = &found
            && !there.running
            && there.started.is_some()
            && self.is_unfinished(state, there).await?
        {
            events.note("the data directory was never finished; making it again");
            self.retire(state, &there.image).await?;
            found = None;
        }
        if let Some(there) = &found {
            let drift = there.spec.drift(&self.wanted(state, there));
            if !drift.is_empty() && there.running && there.is_tmpfs() {
                events.warn(format!(
                    "the configuration changed ({}), but the running server's data is in memory \
                     only: it stays as it was until `devdb down`",
                    names(&drift)
                ));
            } else if !drift.is_empty() {
                self.make_way(state, there, &drift, events).await?;
                found = None;
            }
        }
        let task = events.begin("starting Postgres", None);
        let mut found = match found {
            Some(found) => found,
            None => self.create(state, &task, events).await?,
        };
        if !found.running || found.paused {
            found = self.start(state, found, &task, events).await?;
        }
        let target = self.target(found.port().unwrap_or_default());
        self.wait(&found, &target, &task).await?;
        self.remember(state, &found, &target).await?;
        task.end(format!("port {}", target.port));
        Ok(target)
    }

    /// Removes a container that was made from another configuration; its data stays.
    async fn make_way(
        &self,
        state: &mut State,
        there: &Found,
        drift: &[Drift],
        events: &Events,
    ) -> Result<()> {
        let image = image::get(&self.docker, &self.config.server.image, events).await?;
        // A server that runs is not given up for one that could not start.
        self.check_mounts()?;
        self.prepare(state, Some(there), &image, events).await?;
        let stays = if there.is_tmpfs() {
            ""
        } else {
            ", the data stays"
        };
        events.note(format!(
            "the configuration changed ({}): making the container again{stays}",
            names(drift)
        ));
        let initial: Vec<&Drift> = drift.iter().filter(|d| d.is_initial()).collect();
        if !initial.is_empty() {
            let reset = self.reset_command(there).await;
            events.note(format!(
                "{} counts only when a data directory is made: `{reset}`",
                names(initial)
            ));
        }
        self.retire(state, &there.image).await
    }

    async fn create(
        &self,
        state: &mut State,
        task: &Task,
        events: &Events,
    ) -> Result<Found, Failure> {
        let image = image::get(&self.docker, &self.config.server.image, events).await?;
        // Said once for each project, not at every start.
        if image.name != self.config.server.image && state.kind.is_none() {
            events.note(format!(
                "image {} is not here; using {} in its place",
                self.config.server.image, image.name
            ));
        }
        task.advance(0, Stage::Creating.text());
        self.check_mounts()?;
        let place = self.prepare(state, None, &image, events).await?;
        let port = self.free_port(state, &[], events).await?;
        self.create_on(state, &image, &place, port, events).await
    }

    /// Files of this machine are not on the engine's.
    fn refuse_files_elsewhere(&self) -> Result<()> {
        let server = &self.config.server;
        let Some(host) = &server.engine_host else {
            return Ok(());
        };
        let file = match (&server.data, server.mounts.first()) {
            (Data::Folder(folder), _) => folder,
            (_, Some((file, _))) => file,
            _ => return Ok(()),
        };
        Err(Error::usage(format!(
            "{} is on this machine, and the Docker engine is on {host}",
            file.display()
        ))
        .hint("keep the data in a volume (`data = \"volume\"`), and name SQL files under `before` in [database]"))
    }

    /// A missing file would otherwise be refused by the engine in words of its own.
    pub(super) fn check_mounts(&self) -> Result<()> {
        self.refuse_files_elsewhere()?;
        match self
            .config
            .server
            .mounts
            .iter()
            .find(|(here, _)| !here.exists())
        {
            Some((here, there)) => Err(Error::usage(format!(
                "{} does not exist; it is to be mounted at {there}",
                here.display()
            ))
            .hint("correct the path in the compose file, or make the file")),
            None => Ok(()),
        }
    }

    async fn create_on(
        &self,
        state: &mut State,
        image: &Image,
        place: &str,
        port: u16,
        events: &Events,
    ) -> Result<Found, Failure> {
        let spec = spec::of(&self.config, port, place);
        let address = self.publish_on().await?;
        if self.is_elsewhere() && state.kind.is_none() {
            events.note(format!(
                "the server is published on {address}: whoever reaches that machine reaches it, with the password under [database]"
            ));
        }
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let body = spec::body(&self.config, image, &spec, (&address, port), place);
            let created = container::create(&self.docker, &self.name, body).await?;
            // Somebody else's container of that name is refused by `find`.
            let Some(found) = self.find().await? else {
                // The engine reserves a name before the container can be seen, and frees it
                // after it is gone.
                if created == Created::Done || Instant::now() >= until {
                    return Err(Failure::Vanished);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            if self.config.server.port == Port::Auto {
                state.port = found.port();
            }
            let drift = found.spec.drift(&self.wanted(state, &found));
            if drift.is_empty() {
                return Ok(found);
            }
            // The last wish of a devdb that was killed reached the engine after all.
            if Instant::now() >= until {
                return Err(Error::server(format!(
                    "somebody else makes container {} again and again, with another configuration ({})",
                    self.name,
                    names(&drift)
                ))
                .hint("let the other devdb come to its end, then try again")
                .into());
            }
            self.retire(state, &image.name).await?;
            self.prepare(state, None, image, events).await?;
        }
    }

    /// The configured port, or a free one; remembered before it is used.
    async fn free_port(&self, state: &mut State, avoid: &[u16], events: &Events) -> Result<u16> {
        let wish = match self.config.server.port {
            Port::Fixed(port) if self.is_free(port) && avoid.is_empty() => return Ok(port),
            Port::Fixed(port) => {
                let holder = match container::publisher(&self.docker, port).await {
                    Some(holder) => Some(holder),
                    None if self.is_elsewhere() => None,
                    None => port::holder(port),
                };
                return Err(port::taken(port, holder));
            }
            Port::Auto => state.port,
        };
        if let Some(port) = wish
            && !avoid.contains(&port)
            && self.is_free(port)
        {
            return Ok(port);
        }
        let port = port::choose(&self.config.project.id, avoid, |port| self.is_free(port))
            .ok_or_else(|| Error::server("no port between 20000 and 32000 is free"))?;
        if let Some(old) = wish {
            events.note(format!("port {old} is taken by now; using {port}"));
        }
        state.port = Some(port);
        state.save()?;
        Ok(port)
    }

    /// Starts it; where its port is taken, an automatic one gives way to another.
    async fn start(
        &self,
        state: &mut State,
        found: Found,
        task: &Task,
        events: &Events,
    ) -> Result<Found, Failure> {
        if let Some(folder) = self.folder()
            && folder::is_vacant(folder)
        {
            self.begin_anew(state, events);
            state.save()?;
            folder::make(folder)?;
        }
        let mut found = found;
        let mut avoid = Vec::new();
        for _ in 0..PORT_ATTEMPTS {
            task.advance(0, Stage::Starting.text());
            let mine = found.port().unwrap_or_default();
            let started = if found.paused || self.is_free(mine) {
                container::start(&self.docker, &found, &self.name).await?
            } else if self.find().await?.is_some_and(|now| now.running) {
                // A twin was faster.
                Started::Done
            } else {
                Started::PortTaken
            };
            match started {
                Started::Done => return self.find().await?.ok_or(Failure::Vanished),
                Started::PortTaken => avoid.push(mine),
                Started::Gone => {}
            }
            let port = self.free_port(state, &avoid, events).await?;
            let image = image::get(&self.docker, &self.config.server.image, events).await?;
            // By now it may run after all, by the last wish of a devdb that was killed.
            self.retire(state, &image.name).await?;
            let place = self.prepare(state, None, &image, events).await?;
            found = self.create_on(state, &image, &place, port, events).await?;
        }
        Err(Error::server("every port that was tried is taken")
            .hint("set `port` under [server]")
            .into())
    }

    /// Waits until `select 1` answers, the container exits, or the time is up.
    async fn wait(&self, found: &Found, target: &Target, task: &Task) -> Result<(), Failure> {
        let mut stage = Stage::Starting;
        let limit = Duration::from_secs(self.config.server.wait);
        let since = found.started;
        let follow = async {
            let read = container::logs(&self.docker, &self.name, true, None, since, |line| {
                if let Some(next) = Stage::of_line(line)
                    && next > stage
                {
                    stage = next;
                    task.advance(0, stage.text());
                }
            });
            // A log that cannot be read only costs the names of the stages.
            let _ = read.await;
            std::future::pending::<()>().await;
        };
        let reset = async || self.reset_command(found).await;
        let timed_out = tokio::select! {
            ready = ready::poll_with(target, reset) => return Ok(ready?),
            () = container::exited(&self.docker, &self.name) => false,
            () = tokio::time::sleep(limit) => true,
            () = follow => false,
        };
        let lines = self.last_lines(since).await;
        if timed_out {
            return Err(Error::server(format!(
                "Postgres in container {} is not ready after {} s ({})",
                self.name,
                limit.as_secs(),
                stage.text()
            ))
            .detail(lines)
            .hint("raise `wait` under [server], or look at `devdb logs`")
            .into());
        }
        let code = match self.find().await? {
            Some(found) => found.exit_code.to_string(),
            None => return Err(Failure::Vanished),
        };
        Err(Error::server(format!(
            "Postgres in container {} exited with code {code} ({})",
            self.name,
            stage.text()
        ))
        .detail(lines)
        .hint(exit_hint(&self.config))
        .into())
    }

    async fn last_lines(&self, since: Option<Timestamp>) -> String {
        let mut lines = Vec::new();
        let read = container::logs(&self.docker, &self.name, false, Some(200), since, |line| {
            lines.push(line.to_string());
        });
        match read.await {
            Ok(()) => ready::last_lines(&lines, LOG_LINES),
            Err(error) => error.message().to_string(),
        }
    }

    /// Notes what is known only once a server is ready; costs nothing where it is noted already.
    async fn remember(&self, state: &mut State, found: &Found, target: &Target) -> Result<()> {
        let before = state.clone();
        state.kind = Some("docker".into());
        if self.config.server.port == Port::Auto {
            state.port = Some(target.port);
        }
        if self.exchanges_data() && self.slot(state).is_none() {
            self.take_stock(state, Some(found), &found.image).await?;
        }
        let in_use = found.data.clone();
        if let Some(slot) = self.slot_mut(state)
            && in_use.as_deref().map(Path::new) == Some(Path::new(&slot.current.place))
        {
            slot.current
                .note_ready(&self.config, ready::identity(target))
                .await?;
        }
        let started = found.started.map(|at| at.to_string());
        let known = state.fleeting.as_ref().map(|fleeting| &fleeting.started);
        let server = &self.config.server;
        let lasts = server.data == Data::Tmpfs && server.owner.is_none();
        if let Some(started) = started.filter(|_| lasts)
            && known != Some(&started)
        {
            let system_identifier = ready::identity(target).await?.system_identifier;
            state.fleeting = Some(Fleeting {
                started,
                system_identifier,
            });
        }
        if *state != before {
            state.save()?;
        }
        Ok(())
    }
}
