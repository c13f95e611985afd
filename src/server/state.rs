//! What devdb remembers about a project's server: `<state_dir>/server.json`.
//!
//! The file is the only place that says which data directory is the present one and which was put
//! aside, so that one atomic write switches between them: whatever a `kill -9` leaves behind, the
//! next command reads a state that was true at some moment.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{digest, ready::Identity};
use crate::config::Config;
use crate::error::{Error, Named, Result};
use crate::fault;

/// What is not written by then never will be. Not every file here is written under the lock.
const LONGEST_WRITE: Duration = Duration::from_secs(60);

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// What `kind = "auto"` became, `docker` or `local`: the data is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The port that `port = "auto"` became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Fingerprint of the configuration that the server answered under when it was last brought up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    /// The server whose data is in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleeting: Option<Fleeting>,
    /// By the way of keeping data (`volume`, `local`, `folder:/path`): changing the configuration
    /// back and forth loses nothing.
    #[serde(default)]
    pub slots: BTreeMap<String, Slot>,
    #[serde(skip)]
    file: PathBuf,
}

/// One way of keeping data: the present data directory and those put aside.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slot {
    /// The last number given out for a data directory or an aside.
    pub generation: u32,
    pub current: Kept,
    /// What `undo` brings back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<Kept>,
    /// A stopped data directory that the next reset may begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<Prepared>,
    /// To be destroyed once a reset has succeeded, unless something is saved in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub old: Vec<Kept>,
    /// A reset put data aside and has not been finished.
    #[serde(default)]
    pub pending: bool,
    /// What is being done to folders at this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
}

/// One data directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The name of a volume or an absolute path.
    pub place: String,
    /// devdb made it, or was told to adopt it: it may be destroyed.
    pub ours: bool,
    /// It was ready once. What never was is nobody's data.
    #[serde(default)]
    pub initialised: bool,
    /// From `pg_control_system()`: recognises a data directory that was exchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<u32>,
    /// Fingerprint of the settings that count only when a data directory is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_with: Option<String>,
    /// What lies in it and must outlive a reset, in words that only the owner understands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub saved: Vec<String>,
}

/// A server whose data goes with it: which one answered last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fleeting {
    /// When its container was started: with each start it is another server.
    pub started: String,
    /// From `pg_control_system()`.
    pub system_identifier: String,
}

/// A data directory that was filled ahead of need.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Prepared {
    /// What decides its content, in the caller's words.
    pub key: String,
    pub kept: Kept,
}

/// A change of folders that takes more than one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Intent {
    /// The present folder is renamed to `to`, which did not exist.
    PutAside { to: String },
    /// The present folder is renamed to `to`, and the one aside takes its place.
    SwapBack { to: String },
    /// The present folder or volume is being emptied, or filled for the first time.
    Empty,
}

/// What initdb and an image's entry point read. Another user or password is found when connecting,
/// another init script by the key of the base.
pub(crate) fn made_with(config: &Config) -> String {
    let environment = config.server.environment.iter();
    let initial = environment.filter(|(name, _)| name.starts_with("POSTGRES_"));
    digest(&format!("{:?}", initial.collect::<Vec<_>>()))
}

impl State {
    /// Reads the file; a missing one is an empty state.
    ///
    /// # Errors
    /// `Failed` where it cannot be read or is no such file.
    pub fn load(state_dir: &Path) -> Result<Self> {
        let file = state_dir.join("server.json");
        let mut state = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice::<State>(&bytes).map_err(|e| {
                Error::failed(format!("{} is damaged: {e}", file.display())).hint(
                    "repair it by hand, or remove it: devdb then treats existing folders as not its own",
                )
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => State::default(),
            Err(e) => return Err(e).named(format_args!("cannot read {}", file.display())),
        };
        state.file = file;
        Ok(state)
    }

    /// Writes the file as a whole or not at all, and removes what a `kill -9` left of an
    /// earlier write.
    pub fn save(&self) -> Result<()> {
        fault::step();
        let what = format!("cannot write {}", self.file.display());
        let dir = self.file.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(dir).named(&what)?;
        let mut text = serde_json::to_string_pretty(self).expect("plain data");
        text.push('\n');
        let mut temporary = tempfile::NamedTempFile::new_in(dir).named(&what)?;
        temporary.write_all(text.as_bytes()).named(&what)?;
        temporary.as_file().sync_all().named(&what)?;
        temporary
            .persist(&self.file)
            .map_err(|e| e.error)
            .named(&what)?;
        sweep(dir);
        Ok(())
    }

    pub fn slot(&self, key: &str) -> Option<&Slot> {
        self.slots.get(key)
    }

    /// Changes the slot in memory; the caller saves.
    pub fn slot_mut(&mut self, key: &str) -> Option<&mut Slot> {
        self.slots.get_mut(key)
    }
}

impl Kept {
    /// Notes that it was ready, and with which `identity`; asks for that only where it is not
    /// known yet.
    pub async fn note_ready(
        &mut self,
        config: &Config,
        identity: impl Future<Output = Result<Identity>>,
    ) -> Result<()> {
        if !self.initialised || self.system_identifier.is_none() {
            let identity = identity.await?;
            self.initialised = true;
            self.major = Some(identity.major);
            self.system_identifier = Some(identity.system_identifier);
        }
        self.made_with.get_or_insert_with(|| made_with(config));
        Ok(())
    }

    /// Why devdb may not reset it without being told to adopt it; `present` is the system
    /// identifier of what is there now.
    pub fn why_not_ours(&self, present: Option<&String>) -> Option<&'static str> {
        let known = self.system_identifier.as_ref();
        if !self.ours {
            Some("devdb did not make the data directory in it")
        } else if known.is_some() && present.is_some() && known != present {
            Some("the data directory in it is not the one that devdb made")
        } else {
            None
        }
    }
}

impl Slot {
    pub fn next_generation(&mut self) -> u32 {
        self.generation += 1;
        self.generation
    }

    /// Puts the present data directory aside and makes `fresh` the present one; gives the one
    /// that may be destroyed now. An unfinished reset's directory gives way instead of the data
    /// that it put aside.
    pub fn put_aside(&mut self, fresh: Kept) -> Option<Kept> {
        let present = std::mem::replace(&mut self.current, fresh);
        if self.pending {
            self.old.push(present.clone());
            return Some(present);
        }
        self.old.extend(self.aside.replace(present));
        self.pending = true;
        None
    }

    /// Takes the prepared data directory out, where it is the right one.
    pub fn take_prepared(&mut self, key: Option<&str>) -> Option<Kept> {
        let fits = |prepared: &Prepared| Some(prepared.key.as_str()) == key;
        let kept = self.prepared.as_ref().filter(|p| fits(p))?.kept.clone();
        self.prepared = None;
        Some(kept)
    }

    /// What a reset that succeeded may destroy.
    pub fn to_destroy(&self) -> Vec<Kept> {
        let old = self.old.iter().filter(|kept| kept.saved.is_empty());
        old.cloned().collect()
    }

    /// Makes the data directory at `place` the one that `undo` brings back. Gives whether there is
    /// one.
    pub fn choose_aside(&mut self, place: &str) -> bool {
        if self.aside.as_ref().is_some_and(|kept| kept.place == place) {
            return true;
        }
        let Some(at) = self.old.iter().position(|kept| kept.place == place) else {
            return false;
        };
        let chosen = self.old.remove(at);
        self.old.extend(self.aside.replace(chosen));
        true
    }

    /// Whether anything in this slot lies at `place`.
    pub fn knows(&self, place: &str) -> bool {
        let prepared = self.prepared.iter().map(|prepared| &prepared.kept);
        self.all().chain(prepared).any(|kept| kept.place == place)
    }

    /// Everything in this slot, the present one first.
    pub fn all(&self) -> impl Iterator<Item = &Kept> {
        std::iter::once(&self.current)
            .chain(&self.aside)
            .chain(&self.old)
    }
}

/// Removes temporary files that nobody writes any more. Best effort: they cost only their place.
fn sweep(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let temporary = entry.file_name().to_string_lossy().starts_with(".tmp");
        let left = entry.metadata().is_ok_and(|meta| {
            let age = meta.modified().ok().and_then(|at| at.elapsed().ok());
            meta.is_file() && age.is_some_and(|age| age > LONGEST_WRITE)
        });
        if temporary && left {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(place: &str) -> Kept {
        Kept {
            place: place.into(),
            ours: true,
            ..Kept::default()
        }
    }

    #[test]
    fn an_unfinished_reset_never_costs_the_aside() {
        let mut slot = Slot {
            current: kept("1"),
            aside: Some(kept("0")),
            ..Slot::default()
        };
        assert_eq!(slot.put_aside(kept("2")), None);
        assert_eq!(slot.aside, Some(kept("1")));
        assert_eq!(slot.old, [kept("0")]);
        assert_eq!(slot.put_aside(kept("3")), Some(kept("2")));
        assert_eq!(slot.aside, Some(kept("1")));
        assert_eq!(slot.current, kept("3"));
    }

    #[test]
    fn what_something_is_saved_in_is_not_destroyed() {
        let mut slot = Slot {
            current: kept("1"),
            aside: Some(kept("0")),
            ..Slot::default()
        };
        slot.current.saved = vec!["a snapshot".into()];
        slot.put_aside(kept("2"));
        slot.pending = false;
        slot.put_aside(kept("3"));
        assert_eq!(slot.to_destroy(), [kept("0")]);
        assert!(slot.choose_aside("1") && !slot.choose_aside("7"));
        assert_eq!(
            slot.aside.as_ref().map(|kept| kept.place.as_str()),
            Some("1")
        );
        assert_eq!(slot.to_destroy(), [kept("0"), kept("2")]);
    }

    #[test]
    fn what_a_kill_left_of_a_write_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * LONGEST_WRITE;
        for (name, old) in [(".tmpAbCdEf", true), (".tmpAtWork", false), ("kept", true)] {
            let file = std::fs::File::create(dir.path().join(name)).unwrap();
            if old {
                file.set_modified(long_ago).unwrap();
            }
        }
        State::load(dir.path()).unwrap().save().unwrap();
        let entries = std::fs::read_dir(dir.path()).unwrap().flatten();
        let mut left: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, [".tmpAtWork", "kept", "server.json"]);
    }

    #[test]
    fn the_file_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = State::load(dir.path()).unwrap();
        state.port = Some(20_001);
        state.slots.insert(
            "folder:/x".into(),
            Slot {
                current: kept("/x"),
                intent: Some(Intent::PutAside { to: "/y".into() }),
                ..Slot::default()
            },
        );
        state.save().unwrap();
        assert_eq!(State::load(dir.path()).unwrap(), state);
    }
}
