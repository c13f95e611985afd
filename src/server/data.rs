//! The data directories of a server: the present one, those put aside, one that is prepared.

use super::{Ephemeral, Kind, Server, local, state};
use crate::config::Config;
use crate::error::Result;
use crate::event::Events;
use crate::postgres::Target;

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

impl Server {
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
}
