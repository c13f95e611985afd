//! From whatever is there to a postmaster that is ready and outlives devdb.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Child;

use super::{Local, Place, data_major, process, read_from};
use crate::config::{Data, Port};
use crate::error::{Error, Named as _, Result};
use crate::event::{Events, Task};
use crate::postgres::Target;
use crate::server::ready::{self, Stage};
use crate::server::spec::{Drift, names};
use crate::server::state::State;
use crate::server::{exit_hint, local_target, port, settings};

/// How the name of a data directory begins while it is being made.
const HALF_MADE: &str = "data.new";
const LOG_LINES: usize = 20;
const PORT_ATTEMPTS: usize = 20;

/// How one start ended.
enum Outcome {
    Ready,
    /// Between looking at the port and using it somebody took it.
    PortTaken,
    /// The shared memory of a killed postmaster goes with its last child; and one that was started
    /// a moment ago may be faster.
    StillInUse,
}

impl Local {
    /// Starts it where it does not run, restarts it where it runs with other settings.
    pub(super) async fn start(
        &self,
        state: &mut State,
        place: &Place,
        events: &Events,
    ) -> Result<Target> {
        if let Some(major) = data_major(place)
            && major != self.binaries.major
        {
            return Err(Error::server(format!(
                "the data in {} was made by PostgreSQL {major}; {} has PostgreSQL {}",
                place.data().display(),
                self.binaries.folder.display(),
                self.binaries.major
            ))
            .hint(format!(
                "`devdb reset` makes a new data directory and keeps this one aside; or install PostgreSQL {major}"
            )));
        }
        let running = process::find(&place.data());
        if running.is_some() {
            let drift = place.spec().drift(&self.wanted(state, place));
            if !drift.is_empty() {
                events.note(format!(
                    "the configuration changed ({}): starting Postgres again, the data stays",
                    names(&drift)
                ));
                let initial: Vec<&Drift> = drift.iter().filter(|d| d.is_initial()).collect();
                if !initial.is_empty() {
                    events.note(format!(
                        "{} counts only when a data directory is made: `devdb reset`",
                        names(initial)
                    ));
                }
                self.shut_down(place).await?;
            }
        }
        let task = events.begin("starting Postgres", None);
        self.make_folder(state, place)?;
        if data_major(place).is_none() {
            if self.config.server.data != Data::Volume {
                events.note(format!(
                    "a local server keeps its data in {}; `data` under [server] is for Docker",
                    place.data().display()
                ));
            }
            task.advance(0, Stage::Initialising.text());
            self.initialise(place).await?;
        }
        let mut avoid = Vec::new();
        let until = Instant::now() + Duration::from_secs(self.config.server.wait);
        while avoid.len() < PORT_ATTEMPTS && Instant::now() < until {
            if let Some(port) = process::find(&place.data()).and_then(|process| process.port) {
                // A devdb that was killed had started it, or it is still recovering.
                self.join(state, place, port).await?;
                task.end(format!("port {port}"));
                return Ok(local_target(&self.config, port));
            }
            let port = self.free_port(state, &avoid, events)?;
            let target = local_target(&self.config, port);
            match self.launch(place, &target, &task).await? {
                Outcome::Ready => {
                    task.end(format!("port {port}"));
                    return Ok(target);
                }
                Outcome::PortTaken => avoid.push(port),
                Outcome::StillInUse => {
                    process::end_orphans(&place.data());
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
        Err(Error::server(format!(
            "Postgres in {} does not start",
            place.data().display()
        ))
        .detail(self.last_lines(place, 0))
        .hint("look at `devdb logs`"))
    }

    /// Waits for a server that runs already.
    async fn join(&self, state: &mut State, place: &Place, port: u16) -> Result<()> {
        if self.config.server.port == Port::Auto && state.port != Some(port) {
            state.port = Some(port);
            self.write_spec(place, port)?;
        }
        let target = local_target(&self.config, port);
        self.bounded(place, 0, Stage::Starting, ready::poll(&target))
            .await
    }

    fn write_spec(&self, place: &Place, port: u16) -> Result<()> {
        std::fs::write(place.spec_file(), self.spec(port, place).json())
            .named(format_args!("cannot write {}", place.spec_file().display()))
    }

    fn make_folder(&self, state: &State, place: &Place) -> Result<()> {
        let what = format!("cannot make {}", place.0.display());
        std::fs::create_dir_all(&place.0).named(&what)?;
        std::fs::set_permissions(&place.0, std::fs::Permissions::from_mode(0o700)).named(&what)?;
        self.run_as
            .open_way(&self.config.project.state_dir, &place.0)?;
        self.run_as.give(&place.0)?;
        state.save()
    }

    /// Makes the data directory beside its place, so that a half-made one is never taken for one.
    async fn initialise(&self, place: &Place) -> Result<()> {
        self.clear_half_made(place);
        // The first name works wherever glibc or a recent macOS is; the second everywhere.
        let mut complaint = String::new();
        for locale in ["C.UTF-8", "C"] {
            let new = tempfile::Builder::new()
                .prefix(HALF_MADE)
                .tempdir_in(&place.0)
                .named(format_args!("cannot write into {}", place.0.display()))?;
            self.run_as.give(new.path())?;
            let mut command = self.run_as.command(&self.binaries.program("initdb"));
            command
                .kill_on_drop(true)
                .arg("-D")
                .arg(new.path())
                .arg("-U")
                .arg(&self.config.database.user)
                .args(["-E", "UTF8", "--no-sync"])
                .arg(format!("--locale={locale}"));
            let password = &self.config.database.password;
            let mut file = tempfile::NamedTempFile::new_in(&place.0)
                .named(format_args!("cannot write into {}", place.0.display()))?;
            if password.is_empty() {
                command.arg("--auth=trust");
            } else {
                writeln!(file, "{password}").named("cannot write the password for initdb")?;
                self.run_as.give(file.path())?;
                command
                    .arg("--auth=scram-sha-256")
                    .arg("--pwfile")
                    .arg(file.path());
            }
            if let Some(more) = self.config.server.environment.get("POSTGRES_INITDB_ARGS") {
                command.args(more.split_whitespace());
            }
            crate::fault::step();
            let output = command.output().await.named("cannot run initdb")?;
            crate::fault::step();
            if output.status.success() {
                let new = new.keep();
                return std::fs::rename(&new, place.data())
                    .named(format_args!("cannot rename {}", new.display()));
            }
            complaint = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            if !complaint.contains("locale") {
                break;
            }
        }
        let lines: Vec<String> = complaint.lines().map(String::from).collect();
        Err(Error::server(format!(
            "initdb cannot make a data directory in {}",
            place.0.display()
        ))
        .detail(ready::last_lines(&lines, LOG_LINES)))
    }

    /// What a killed devdb left behind. An `initdb` that outlived it may still be at work there:
    /// what cannot be removed now is only litter, and goes with the generation.
    fn clear_half_made(&self, place: &Place) {
        for entry in std::fs::read_dir(&place.0).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(HALF_MADE) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }

    fn free_port(&self, state: &mut State, avoid: &[u16], events: &Events) -> Result<u16> {
        let wish = match self.config.server.port {
            Port::Fixed(port) if port::is_free(port) && avoid.is_empty() => return Ok(port),
            Port::Fixed(port) => return Err(port::taken(port, port::holder(port))),
            Port::Auto => state.port,
        };
        if let Some(port) = wish
            && !avoid.contains(&port)
            && port::is_free(port)
        {
            return Ok(port);
        }
        let port = port::choose(&self.config.project.id, avoid, port::is_free)
            .ok_or_else(|| Error::server("no port between 20000 and 32000 is free"))?;
        if let Some(old) = wish {
            events.note(format!("port {old} is taken by now; using {port}"));
        }
        state.port = Some(port);
        state.save()?;
        Ok(port)
    }

    /// Starts the postmaster and waits for it.
    async fn launch(&self, place: &Place, target: &Target, task: &Task) -> Result<Outcome> {
        process::clear_stale(&place.data())?;
        let what = format!("cannot write {}", place.log().display());
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(place.log())
            .named(&what)?;
        let from = log.metadata().named(&what)?.len();
        self.write_spec(place, target.port)?;
        task.advance(0, Stage::Starting.text());
        crate::fault::step();
        let mut child = self
            .run_as
            .command(&self.binaries.program("postgres"))
            .arg("-D")
            .arg(place.data())
            .arg("-p")
            .arg(target.port.to_string())
            // Nobody needs a socket file, and its path may not be longer than 107 bytes.
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            .args(settings::arguments(&settings::merged(
                &self.config.server.settings,
            )))
            .stdin(Stdio::null())
            .stdout(log.try_clone().named(&what)?)
            .stderr(log)
            // Its own group: Ctrl-C in the terminal is for devdb, not for the server.
            .process_group(0)
            .spawn()
            .named("cannot run postgres")?;
        let wait = async {
            tokio::select! {
                ready = ready::poll(target) => ready.map(|()| None),
                status = exit(&mut child) => Ok(Some(status)),
            }
        };
        let Some(status) = self.bounded(place, from, Stage::Starting, wait).await? else {
            return Ok(Outcome::Ready);
        };
        let lines = self.last_lines(place, from);
        if lines.contains("Address already in use") && self.config.server.port == Port::Auto {
            return Ok(Outcome::PortTaken);
        }
        if lines.contains("is still in use")
            || lines.contains("lock file \"postmaster.pid\" already exists")
        {
            return Ok(Outcome::StillInUse);
        }
        Err(Error::server(format!(
            "Postgres in {} ended during its start ({status})",
            place.data().display()
        ))
        .detail(lines)
        .hint(exit_hint(&self.config)))
    }

    /// Waits as long as the configuration allows.
    async fn bounded<T>(
        &self,
        place: &Place,
        from: u64,
        stage: Stage,
        what: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let limit = Duration::from_secs(self.config.server.wait);
        tokio::time::timeout(limit, what).await.unwrap_or_else(|_| {
            Err(Error::server(format!(
                "Postgres in {} is not ready after {} s ({})",
                place.data().display(),
                limit.as_secs(),
                stage.text()
            ))
            .detail(self.last_lines(place, from))
            .hint("raise `wait` under [server], or look at `devdb logs`"))
        })
    }

    fn last_lines(&self, place: &Place, from: u64) -> String {
        let mut at = from;
        match read_from(&place.log(), &mut at) {
            Ok(lines) => ready::last_lines(&lines, LOG_LINES),
            Err(error) => format!("cannot read {}: {error}", place.log().display()),
        }
    }
}

async fn exit(child: &mut Child) -> String {
    match child.wait().await {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}
