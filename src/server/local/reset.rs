//! Putting the data directory aside is beginning a new generation; bringing it back, naming the
//! old one as the present one. No file is moved.

use std::path::Path;

use super::{Local, Place, SLOT, data_major};
use crate::error::{Error, Named, Result};
use crate::event::Events;
use crate::server::state::{Kept, State};
use crate::server::{DataReset, Undone};

/// What the folders of prepared data directories begin with.
const PREPARED: &str = "prepared-";

impl Local {
    pub(in crate::server) async fn reset_data(
        &self,
        events: &Events,
        prepared: Option<&str>,
    ) -> Result<DataReset> {
        let mut state = self.load()?;
        let place = self.place(&state);
        let mut aside = None;
        let mut begun = false;
        if data_major(&place).is_some()
            && let Some(slot) = state.slot_mut(SLOT)
        {
            let task = events.begin("putting the data directory aside", None);
            self.shut_down(&place).await?;
            let fresh = self.fresh(slot.next_generation());
            let ready = slot.take_prepared(prepared);
            let ready = ready.filter(|kept| data_major(&Place::of(kept)).is_some());
            begun = ready.is_some();
            let fresh = ready.unwrap_or(fresh);
            let gone = slot.put_aside(fresh);
            aside = slot.aside.as_ref().map(|kept| kept.place.clone());
            state.save()?;
            if let Some(gone) = gone {
                self.destroy(Path::new(&gone.place))?;
                if let Some(slot) = state.slot_mut(SLOT) {
                    slot.old.retain(|kept| kept.place != gone.place);
                }
                state.save()?;
            }
            task.end(aside.clone().unwrap_or_default());
        }
        // A data directory of another version no longer decides which binaries to use.
        let fresh = Local::open(&self.config)?;
        let target = fresh.ensure_up(events).await?;
        Ok(DataReset::Fresh {
            target,
            aside,
            prepared: begun,
        })
    }

    /// Moves the data of this server, which is stopped, to the project in `state_dir`.
    pub(in crate::server) fn move_data(
        &self,
        state_dir: &Path,
        token: &str,
    ) -> Result<Option<Kept>> {
        let state = self.load()?;
        let Some(slot) = state.slot(SLOT) else {
            return Ok(None);
        };
        let place = state_dir.join("local").join(format!("{PREPARED}{token}"));
        std::fs::rename(&slot.current.place, &place)
            .named(format_args!("cannot move {}", slot.current.place))?;
        Ok(Some(Kept {
            place: place.to_string_lossy().into_owned(),
            ..slot.current.clone()
        }))
    }

    /// Removes prepared data directories that the state does not know.
    pub(in crate::server) fn sweep_prepared(&self, state: &State) -> Result<()> {
        for entry in std::fs::read_dir(self.folder())
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            let place = path.to_string_lossy();
            let is_prepared = entry.file_name().to_string_lossy().starts_with(PREPARED);
            if is_prepared && !state.slot(SLOT).is_some_and(|slot| slot.knows(&place)) {
                self.destroy(&path)?;
            }
        }
        Ok(())
    }

    pub(in crate::server) async fn undo_data(&self, events: &Events) -> Result<Undone> {
        let mut state = self.load()?;
        let present = self.place(&state);
        let nothing = || {
            Error::refused("there is no data directory put aside to bring back")
                .hint("`devdb reset` puts one aside")
        };
        let slot = state.slot_mut(SLOT).ok_or_else(nothing)?;
        let back = slot.aside.clone().ok_or_else(nothing)?;
        if data_major(&Place::of(&back)).is_none() {
            return Err(Error::server(format!(
                "{}, which was put aside, is gone",
                back.place
            )));
        }
        let task = events.begin("bringing the data directory back", None);
        self.shut_down(&present).await?;
        let gone = std::mem::replace(&mut slot.current, back);
        let aside = gone.place.clone();
        slot.aside = Some(gone);
        slot.pending = false;
        state.save()?;
        task.end("");
        let target = Local::open(&self.config)?.ensure_up(events).await?;
        Ok(Undone { target, aside })
    }

    pub(in crate::server) async fn finish_reset(&self) -> Result<()> {
        let mut state = self.load()?;
        let Some(slot) = state.slot_mut(SLOT) else {
            return Ok(());
        };
        let old = slot.to_destroy();
        slot.old.retain(|kept| !kept.saved.is_empty());
        if !slot.pending && old.is_empty() {
            return Ok(());
        }
        slot.pending = false;
        for kept in &old {
            self.destroy(Path::new(&kept.place))?;
        }
        state.save()
    }
}
