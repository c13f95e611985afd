//! A server from binaries on this machine, with its data below `<state_dir>/local`.
//!
//! `<state_dir>/local/<generation>/` holds `data`, `postgres.log` and `spec.json`, what the
//! running server was started with. A reset is a new generation.

mod binaries;
mod process;
mod reset;
mod start;
mod user;

use std::io::{BufRead as _, Seek as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::binaries::Binaries;
use self::user::RunAs;
use super::ready::{self, Attempt};
use super::spec::Spec;
use super::state::{Kept, Slot, State};
use super::{Condition, Status};
use crate::config::{Config, Port};
use crate::error::{Error, Named as _, Result};
use crate::event::Events;
use crate::postgres::Target;

pub(super) const SLOT: &str = "local";

pub(super) struct Local {
    config: Config,
    binaries: Binaries,
    run_as: RunAs,
}

impl Local {
    pub(super) fn open(config: &Config) -> Result<Self> {
        let state = State::load(&config.project.state_dir)?;
        let data_major = state
            .slot(SLOT)
            .and_then(|slot| data_major(&Place::of(&slot.current)));
        Ok(Local {
            binaries: Binaries::find(config, data_major)?,
            run_as: RunAs::find()?,
            config: config.clone(),
        })
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "local PostgreSQL {} ({})",
            self.binaries.major,
            self.binaries.folder.display()
        )
    }

    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.binaries.program(name)).filter(|file| super::program::is_executable(file))
    }

    fn load(&self) -> Result<State> {
        State::load(&self.config.project.state_dir)
    }

    /// The folder of all generations.
    fn folder(&self) -> PathBuf {
        self.config.project.state_dir.join("local")
    }

    fn fresh(&self, generation: u32) -> Kept {
        let place = self.folder().join(generation.to_string());
        Kept {
            place: place.to_string_lossy().into_owned(),
            ours: true,
            ..Kept::default()
        }
    }

    /// The newest generation with data, for where server.json was lost; else the first.
    fn newest(&self) -> u32 {
        let entries = std::fs::read_dir(self.folder());
        let numbers = entries.into_iter().flatten().flatten().filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            data_major(&Place(entry.path())).map(|_| number)
        });
        numbers.max().unwrap_or(1)
    }

    fn place(&self, state: &State) -> Place {
        match state.slot(SLOT) {
            Some(slot) => Place::of(&slot.current),
            None => Place::of(&self.fresh(self.newest())),
        }
    }

    fn port(&self, state: &State) -> Option<u16> {
        match self.config.server.port {
            Port::Fixed(port) => Some(port),
            Port::Auto => state.port,
        }
    }

    fn wanted(&self, state: &State, place: &Place) -> Spec {
        let port = self.port(state).unwrap_or_default();
        self.spec(port, place)
    }

    fn spec(&self, port: u16, place: &Place) -> Spec {
        let mut spec = Spec::of_server(&self.config, port, &place.0.to_string_lossy());
        spec.set("binaries", self.binaries.folder.display());
        spec
    }

    pub(super) async fn status(&self) -> Result<Status> {
        let state = self.load()?;
        let place = self.place(&state);
        let slot = state.slot(SLOT);
        let mut status = Status {
            condition: Condition::Missing,
            port: self.port(&state),
            image: Some(self.binaries.folder.display().to_string()),
            data: place.data().display().to_string(),
            drift: Vec::new(),
            major: data_major(&place),
            started: None,
            aside: slot.and_then(|slot| Some(slot.aside.as_ref()?.place.clone())),
            pending_reset: slot.is_some_and(|slot| slot.pending),
        };
        if let Some(process) = process::find(&place.data()) {
            status.port = process.port.or(status.port);
            status.started = process.started;
            status.drift = place.spec().drift(&self.wanted(&state, &place));
            let target = super::local_target(&self.config, status.port.unwrap_or_default());
            status.condition = match ready::attempt(&target, Duration::from_secs(2)).await {
                Attempt::Ready => Condition::Ready,
                _ => Condition::Running,
            };
        } else if status.major.is_some() {
            status.condition = Condition::Stopped { exit_code: None };
        }
        Ok(status)
    }

    pub(super) async fn stop(&self, events: &Events) -> Result<()> {
        let place = self.place(&self.load()?);
        if process::find(&place.data()).is_none() {
            return Ok(());
        }
        let task = events.begin("stopping Postgres", None);
        self.shut_down(&place).await?;
        task.end("");
        Ok(())
    }

    async fn shut_down(&self, place: &Place) -> Result<()> {
        if process::find(&place.data()).is_none() {
            return Ok(());
        }
        crate::fault::step();
        let output = self
            .run_as
            .command(&self.binaries.program("pg_ctl"))
            .arg("-D")
            .arg(place.data())
            .args(["-m", "fast", "-w", "-t", "30", "stop"])
            .output()
            .await
            .named("cannot run pg_ctl")?;
        if output.status.success() || process::find(&place.data()).is_none() {
            return Ok(());
        }
        Err(Error::server(format!(
            "Postgres in {} does not stop",
            place.data().display()
        ))
        .detail(String::from_utf8_lossy(&output.stderr).trim().to_string())
        .hint("end the sessions that keep it busy, then try again"))
    }

    pub(super) async fn remove(&self, events: &Events, wipe: bool) -> Result<()> {
        self.stop(events).await?;
        if wipe {
            let mut state = self.load()?;
            // First the note, then the data: what is left over is no data directory any more.
            state.slots.remove(SLOT);
            state.kind = None;
            state.save()?;
            self.destroy(&self.folder())?;
        }
        Ok(())
    }

    /// Removes a folder below `<state_dir>/local`, and no other.
    fn destroy(&self, folder: &Path) -> Result<()> {
        if !folder.starts_with(self.folder()) {
            return Err(Error::refused(format!(
                "will not remove {}: it is not below {}",
                folder.display(),
                self.folder().display()
            )));
        }
        match std::fs::remove_dir_all(folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).named(format_args!("cannot remove {}", folder.display()))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn pending_reset(&self) -> bool {
        self.load()
            .is_ok_and(|state| state.slot(SLOT).is_some_and(|slot| slot.pending))
    }

    pub(super) async fn logs(
        &self,
        follow: bool,
        tail: Option<u32>,
        mut each: impl FnMut(&str),
    ) -> Result<()> {
        let place = self.place(&self.load()?);
        let what = format!("cannot read {}", place.log().display());
        let mut at = 0;
        let lines = read_from(&place.log(), &mut at).named(&what)?;
        let skip = tail.map_or(0, |tail| lines.len().saturating_sub(tail as usize));
        lines.iter().skip(skip).for_each(|line| each(line));
        if !follow {
            return Ok(());
        }
        loop {
            let running = process::find(&place.data()).is_some();
            for line in read_from(&place.log(), &mut at).named(&what)? {
                each(&line);
            }
            if !running {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub(super) async fn ensure_up(&self, events: &Events) -> Result<Target> {
        let mut state = self.load()?;
        let place = self.place(&state);
        if let Some(process) = process::find(&place.data())
            && let Some(port) = process.port
            && place.spec().drift(&self.wanted(&state, &place)).is_empty()
        {
            let target = super::local_target(&self.config, port);
            if let Attempt::Ready = ready::attempt(&target, Duration::from_secs(2)).await {
                self.remember(&mut state, &target).await?;
                return Ok(target);
            }
        }
        state.slots.entry(SLOT.into()).or_insert_with(|| Slot {
            generation: self.newest(),
            current: self.fresh(self.newest()),
            ..Slot::default()
        });
        let target = self.start(&mut state, &place, events).await?;
        self.remember(&mut state, &target).await?;
        Ok(target)
    }

    async fn remember(&self, state: &mut State, target: &Target) -> Result<()> {
        let before = state.clone();
        state.kind = Some("local".into());
        if let Some(slot) = state.slot_mut(SLOT) {
            slot.current
                .note_ready(&self.config, ready::identity(target))
                .await?;
        }
        if *state != before {
            state.save()?;
        }
        Ok(())
    }
}

/// The folder of one generation.
struct Place(PathBuf);

impl Place {
    fn of(kept: &Kept) -> Self {
        Place(PathBuf::from(&kept.place))
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    fn log(&self) -> PathBuf {
        self.0.join("postgres.log")
    }

    fn spec_file(&self) -> PathBuf {
        self.0.join("spec.json")
    }

    /// What the server was started with; empty where that is not known.
    fn spec(&self) -> Spec {
        std::fs::read_to_string(self.spec_file())
            .ok()
            .and_then(|text| Spec::from_json(&text))
            .unwrap_or_default()
    }
}

/// The major version in `PG_VERSION`; `None` where there is no data directory.
fn data_major(place: &Place) -> Option<u32> {
    let text = std::fs::read_to_string(place.data().join("PG_VERSION")).ok()?;
    text.trim().parse().ok()
}

/// The whole lines after `at`, which moves on.
fn read_from(file: &Path, at: &mut u64) -> std::io::Result<Vec<String>> {
    let mut file = std::fs::File::open(file)?;
    file.seek(std::io::SeekFrom::Start(*at))?;
    let mut reader = std::io::BufReader::new(file);
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok(lines);
        }
        *at += read as u64;
        lines.push(String::from_utf8_lossy(&line).trim_end().to_string());
    }
}
