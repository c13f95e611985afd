//! Putting the data directory aside, bringing it back, and destroying what may be destroyed.

use std::path::{Path, PathBuf};

use super::container::Found;
use super::folder::{self, Content};
use super::image::{self, Image};
use super::{Docker, container, helper, spec, volume};
use crate::config::{Config, Data};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::server::state::{Intent, Kept, State};
use crate::server::{DataReset, Undone};

impl Docker {
    pub(in crate::server) async fn reset_data(
        &self,
        events: &Events,
        adopt: bool,
        prepared: Option<&str>,
    ) -> Result<DataReset> {
        if !self.exchanges_data() {
            return Ok(DataReset::Unsupported {
                why: "its data is in memory only".into(),
            });
        }
        let mut state = self.load()?;
        self.refuse_shared().await?;
        self.heal(&mut state, events).await?;
        let found = self.find().await?;
        // Whatever could fail for want of an image fails before anything is changed.
        let image = image::get(&self.docker, &self.config.server.image, events).await?;
        let content = self
            .take_stock(&mut state, found.as_ref(), &image.name)
            .await?;
        let mut begun = false;
        let aside = match content {
            Content::Data {
                system_identifier, ..
            } => {
                if self.folder().is_some() {
                    self.may_reset_folder(&mut state, system_identifier, adopt)?;
                }
                let task = events.begin("putting the data directory aside", None);
                // Data of a reset that was not finished goes: no need to write it out.
                let pending = self.slot(&state).is_some_and(|slot| slot.pending);
                let unfinished = !pending && self.halt(&mut state).await?;
                container::remove(&self.docker, &self.name).await?;
                if unfinished {
                    // Nothing worth keeping, and no reason to give up what is aside.
                    self.empty_current(&mut state, &image.name).await?;
                } else if self.folder().is_some() {
                    begun = self.move_folder(&mut state, &image, prepared).await?;
                } else {
                    begun = self.next_volume(&mut state, prepared).await?;
                }
                let aside = self
                    .slot(&state)
                    .and_then(|slot| slot.aside.as_ref())
                    .filter(|_| !unfinished)
                    .map(|kept| kept.place.clone());
                task.end(aside.clone().unwrap_or_default());
                aside
            }
            _ => None,
        };
        let target = self.ensure_up(events).await?;
        Ok(DataReset::Fresh {
            target,
            aside,
            prepared: begun,
        })
    }

    /// devdb resets the folder that it initialised, as long as the same data is in it.
    fn may_reset_folder(
        &self,
        state: &mut State,
        present: Option<String>,
        adopt: bool,
    ) -> Result<()> {
        let Some(slot) = self.slot_mut(state) else {
            return Ok(());
        };
        let current = &mut slot.current;
        if adopt {
            current.ours = true;
            current.system_identifier = present;
            return Ok(());
        }
        let Some(why) = current.why_not_ours(present.as_ref()) else {
            return Ok(());
        };
        Err(
            Error::refused(format!("will not reset {}: {why}", current.place))
                .hint("`devdb reset --adopt` makes it devdb's own; it is put aside, not removed"),
        )
    }

    /// What to type for a new data directory: more where [`Docker::reset_data`] would refuse.
    pub(super) async fn reset_command(&self, found: &Found) -> &'static str {
        let slot = self
            .load()
            .ok()
            .and_then(|state| self.slot(&state).cloned());
        let (Some(folder), Some(slot)) = (self.folder(), slot) else {
            return "devdb reset";
        };
        let content = folder::look(&self.docker, &self.config, &found.image, folder).await;
        let present = match content {
            Ok(Content::Data {
                system_identifier, ..
            }) => system_identifier,
            _ => None,
        };
        match slot.current.why_not_ours(present.as_ref()) {
            Some(_) => "devdb reset --adopt",
            None => "devdb reset",
        }
    }

    /// Gives whether it is the prepared one.
    async fn next_volume(&self, state: &mut State, prepared: Option<&str>) -> Result<bool> {
        let taken = volume::all(&self.docker, &self.config).await?;
        let Some(slot) = self.slot_mut(state) else {
            return Ok(false);
        };
        // A lost server.json may count from one again: pass over what is there.
        for volume in &taken {
            let number = volume::generation(&self.config, &volume.name).unwrap_or(0);
            slot.generation = slot.generation.max(number);
        }
        let generation = slot.next_generation();
        let ready = slot.take_prepared(prepared);
        let ready = ready.filter(|kept| taken.iter().any(|volume| volume.name == kept.place));
        let begun = ready.is_some();
        let gone = slot.put_aside(ready.unwrap_or_else(|| Kept {
            place: volume::name(&self.config, generation),
            ours: true,
            ..Kept::default()
        }));
        state.save()?;
        if let Some(gone) = gone {
            volume::destroy(&self.docker, &self.config, &gone.place).await?;
            if let Some(slot) = self.slot_mut(state) {
                slot.old.retain(|kept| kept.place != gone.place);
            }
            state.save()?;
        }
        Ok(begun)
    }

    /// Copies the data of this server, which is stopped, into a volume of the project `config`.
    pub(in crate::server) async fn copy_data(
        &self,
        config: &Config,
        token: &str,
    ) -> Result<Option<Kept>> {
        let state = self.load()?;
        let Some(slot) = self.slot(&state) else {
            return Ok(None);
        };
        let present = slot.current.clone();
        let image = self.helper_image(None, &Events::silent()).await?;
        let mut mounts = vec![spec::volume(&present.place, "/from")];
        let place = match &config.server.data {
            Data::Folder(folder) => {
                let place = format!("{}{FOLDER}{token}", folder.display());
                folder::make(Path::new(&place))?;
                mounts.push(spec::bind(&place, "/to"));
                place
            }
            _ => {
                let place = format!("{}{token}", prepared_prefix(config));
                volume::create(&self.docker, config, &place, present.major).await?;
                mounts.push(spec::volume(&place, "/to"));
                place
            }
        };
        // Where the file system can, both share their blocks.
        let script = "cp -a --reflink=auto /from/. /to/ || cp -a /from/. /to/";
        helper::run(&self.docker, &self.config, &image, mounts, script, &[]).await?;
        Ok(Some(Kept { place, ..present }))
    }

    /// Destroys prepared data that the state does not know.
    pub(in crate::server) async fn sweep_prepared(&self, state: &State) -> Result<()> {
        if let Some(folder) = self.folder() {
            return self.sweep_prepared_folders(state, folder).await;
        }
        for volume in volume::all(&self.docker, &self.config).await? {
            let is_prepared = volume.name.starts_with(&prepared_prefix(&self.config));
            if is_prepared
                && !self
                    .slot(state)
                    .is_some_and(|slot| slot.knows(&volume.name))
            {
                volume::destroy(&self.docker, &self.config, &volume.name).await?;
            }
        }
        Ok(())
    }

    /// Gives whether the prepared folder takes the place of the present one.
    async fn move_folder(
        &self,
        state: &mut State,
        image: &Image,
        prepared: Option<&str>,
    ) -> Result<bool> {
        let Some(slot) = self.slot_mut(state) else {
            return Ok(false);
        };
        if slot.pending {
            self.empty_current(state, &image.name).await?;
            return Ok(false);
        }
        let from = slot.current.place.clone();
        let to = free_name(&from, || slot.next_generation());
        slot.intent = Some(Intent::PutAside { to: to.clone() });
        state.save()?;
        folder::rename(
            &self.docker,
            &self.config,
            &image.name,
            from.as_ref(),
            to.as_ref(),
        )
        .await?;
        self.commit_put_aside(state, to);
        state.save()?;
        self.move_prepared(state, image, prepared).await
    }

    /// The prepared folder becomes the present one, whose place is free. Where this is cut off, the
    /// reset is done again from nothing, as it is pending.
    async fn move_prepared(
        &self,
        state: &mut State,
        image: &Image,
        prepared: Option<&str>,
    ) -> Result<bool> {
        let Some(slot) = self.slot_mut(state) else {
            return Ok(false);
        };
        let Some(ready) = slot.take_prepared(prepared) else {
            return Ok(false);
        };
        let (from, to) = (PathBuf::from(&ready.place), slot.current.place.clone());
        if !from.exists() {
            return Ok(false);
        }
        folder::rename(
            &self.docker,
            &self.config,
            &image.name,
            &from,
            Path::new(&to),
        )
        .await?;
        if let Some(slot) = self.slot_mut(state) {
            slot.current = Kept { place: to, ..ready };
        }
        state.save()?;
        Ok(true)
    }

    pub(in crate::server) async fn undo_data(&self, events: &Events) -> Result<Undone> {
        let mut state = self.load()?;
        self.heal(&mut state, events).await?;
        let nothing = || {
            Error::refused("there is no data directory put aside to bring back")
                .hint("`devdb reset` puts one aside")
        };
        let slot = self.slot_mut(&mut state).ok_or_else(nothing)?;
        let aside = slot.aside.clone().ok_or_else(nothing)?;
        let image = image::get(&self.docker, &self.config.server.image, events).await?;
        if let Some(major) = aside.major {
            self.check_major(&aside.place, major, &image, true)?;
        }
        let there = match self.folder() {
            Some(_) => PathBuf::from(&aside.place).exists(),
            None => volume::find(&self.docker, &self.config, &aside.place)
                .await?
                .is_some(),
        };
        if !there {
            return Err(Error::server(format!(
                "{}, which was put aside, is gone",
                aside.place
            )));
        }
        self.refuse_shared().await?;
        if self.folder().is_some() {
            self.refuse_shared_folder(aside.place.as_ref()).await?;
        }
        let task = events.begin("bringing the data directory back", None);
        self.retire(&mut state, &image.name).await?;
        let Some(slot) = self.slot_mut(&mut state) else {
            return Err(nothing());
        };
        if self.folder().is_some() {
            let from = slot.current.place.clone();
            let to = free_name(&from, || slot.next_generation());
            slot.intent = Some(Intent::SwapBack { to: to.clone() });
            state.save()?;
            self.swap_folders(&mut state, &image.name, to).await?;
        } else {
            let present = std::mem::replace(&mut slot.current, aside);
            slot.aside = Some(present);
            slot.pending = false;
        }
        state.save()?;
        task.end("");
        let aside = self
            .slot(&state)
            .and_then(|slot| slot.aside.as_ref())
            .map(|kept| kept.place.clone())
            .unwrap_or_default();
        let target = self.ensure_up(events).await?;
        Ok(Undone { target, aside })
    }

    pub(in crate::server) async fn finish_reset(&self) -> Result<()> {
        let mut state = self.load()?;
        let Some(slot) = self.slot_mut(&mut state) else {
            return Ok(());
        };
        let old = slot.to_destroy();
        if !slot.pending && old.is_empty() {
            return Ok(());
        }
        slot.pending = false;
        state.save()?;
        for kept in old {
            self.destroy(&kept).await?;
            if let Some(slot) = self.slot_mut(&mut state) {
                slot.old.retain(|other| other.place != kept.place);
            }
            state.save()?;
        }
        Ok(())
    }

    /// Destroys one data directory that is not in use.
    async fn destroy(&self, kept: &Kept) -> Result<()> {
        if !kept.place.starts_with('/') {
            return volume::destroy(&self.docker, &self.config, &kept.place).await;
        }
        if let Some(image) = self.may_destroy_folder(kept).await? {
            folder::destroy(&self.docker, &self.config, &image, kept.place.as_ref()).await?;
        }
        Ok(())
    }

    /// The image to destroy a folder with; `None` where there is nothing to do.
    ///
    /// # Errors
    /// `Refused` where the folder is not devdb's own, or holds other data by now.
    async fn may_destroy_folder(&self, kept: &Kept) -> Result<Option<String>> {
        let folder = Path::new(&kept.place);
        if !folder.exists() {
            return Ok(None);
        }
        let refused = |why: &str| {
            Error::refused(format!("will not remove {}: {why}", kept.place))
                .hint("remove it by hand, or make it devdb's own with `devdb reset --adopt`")
        };
        if !kept.ours {
            return Err(refused("devdb did not make the data directory in it"));
        }
        self.refuse_shared_folder(folder).await?;
        let image = self.helper_image(None, &Events::silent()).await?;
        match folder::look(&self.docker, &self.config, &image, folder).await? {
            Content::Data {
                system_identifier: Some(present),
                ..
            } if kept
                .system_identifier
                .as_ref()
                .is_some_and(|known| *known != present) =>
            {
                Err(refused(
                    "the data directory in it is not the one that devdb made",
                ))
            }
            _ => Ok(Some(image)),
        }
    }

    pub(in crate::server) async fn remove(&self, events: &Events, wipe: bool) -> Result<()> {
        let mut state = self.load()?;
        let found = self.find().await?;
        let mut folders = Vec::new();
        if wipe {
            self.heal(&mut state, events).await?;
            folders = self.folders_to_wipe(&state).await?;
        }
        let task = events.begin("removing the server", None);
        if let Some(found) = &found {
            self.retire(&mut state, &found.image).await?;
        }
        container::sweep_helpers(&self.docker, &self.config.project.id).await?;
        if wipe {
            self.sweep_unfinished_image().await?;
            task.advance(0, "removing its data");
            for volume in volume::all(&self.docker, &self.config).await? {
                volume::destroy(&self.docker, &self.config, &volume.name).await?;
            }
            for (folder, image) in &folders {
                folder::destroy(&self.docker, &self.config, image, folder.as_ref()).await?;
            }
            state.slots.retain(|key, _| key == "local");
            state.kind = None;
            state.save()?;
        }
        task.end("");
        Ok(())
    }

    /// The folders that devdb made, each with an image to empty it.
    ///
    /// # Errors
    /// `Refused` where the configured folder, or one that changed since, may not be removed.
    async fn folders_to_wipe(&self, state: &State) -> Result<Vec<(String, String)>> {
        let mut folders: Vec<Kept> = state
            .slots
            .iter()
            .filter(|(key, slot)| key.starts_with("folder:") && slot.current.ours)
            .flat_map(|(_, slot)| {
                let prepared = slot.prepared.iter().map(|prepared| &prepared.kept);
                slot.all().chain(prepared).cloned()
            })
            .collect();
        if let Some(folder) = self.folder() {
            let unknown = Kept {
                place: folder.to_string_lossy().into_owned(),
                ..Kept::default()
            };
            let current = self
                .slot(state)
                .map_or(unknown, |slot| slot.current.clone());
            if !folders.contains(&current) {
                folders.push(current);
            }
        }
        let mut all = Vec::new();
        for kept in folders {
            if let Some(image) = self.may_destroy_folder(&kept).await? {
                all.push((kept.place, image));
            }
        }
        Ok(all)
    }
}

impl Docker {
    async fn sweep_prepared_folders(&self, state: &State, folder: &Path) -> Result<()> {
        let start = format!("{}{FOLDER}", folder.display());
        let beside = folder.parent().map(std::fs::read_dir);
        for entry in beside.into_iter().flatten().flatten().flatten() {
            let path = entry.path();
            let place = path.to_string_lossy();
            let is_known = self.slot(state).is_some_and(|slot| slot.knows(&place));
            if place.starts_with(&start) && !is_known {
                let image = self.helper_image(None, &Events::silent()).await?;
                folder::destroy(&self.docker, &self.config, &image, &path).await?;
            }
        }
        Ok(())
    }
}

/// Between the configured folder and the token of one that is prepared.
const FOLDER: &str = ".devdb-prepared-";

/// What the names of prepared volumes begin with.
fn prepared_prefix(config: &Config) -> String {
    format!("devdb-{}-prepared-", config.project.id)
}

/// `<folder>.devdb-aside-<n>`, with the first `n` that is free.
fn free_name(folder: &str, mut number: impl FnMut() -> u32) -> String {
    loop {
        let name = format!("{folder}.devdb-aside-{}", number());
        if !PathBuf::from(&name).exists() {
            return name;
        }
    }
}
