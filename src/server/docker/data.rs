//! Which data directory a container is to use, whose it is, and whether it fits the image.

use std::path::{Path, PathBuf};

use super::container::{self, Found};
use super::folder::{self, Content};
use super::image::{self, Image};
use super::{Docker, spec, volume};
use crate::config::Data;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::server::ready;
use crate::server::state::{Intent, Kept, Slot, State};

impl Docker {
    /// Names the slot in `server.json`; `None` for tmpfs, which keeps nothing.
    pub(in crate::server) fn key(&self) -> Option<String> {
        match &self.config.server.data {
            // Each engine has volumes of its own.
            Data::Volume => Some(match &self.config.server.engine_host {
                Some(host) => format!("volume@{host}"),
                None => "volume".into(),
            }),
            Data::Folder(folder) => Some(format!("folder:{}", folder.display())),
            Data::Tmpfs | Data::Image => None,
        }
    }

    /// A tmpfs goes with its container, so there is nothing to put aside.
    pub(in crate::server) fn exchanges_data(&self) -> bool {
        self.key().is_some()
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        match &self.config.server.data {
            Data::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    pub(super) fn slot<'s>(&self, state: &'s State) -> Option<&'s Slot> {
        state.slot(&self.key()?)
    }

    pub(super) fn slot_mut<'s>(&self, state: &'s mut State) -> Option<&'s mut Slot> {
        state.slot_mut(&self.key()?)
    }

    /// The volume or folder to use, without making sure that it is there.
    pub(super) fn place(&self, state: &State, found: Option<&Found>) -> String {
        if let Some(slot) = self.slot(state) {
            return slot.current.place.clone();
        }
        match &self.config.server.data {
            Data::Folder(folder) => folder.to_string_lossy().into_owned(),
            Data::Tmpfs => "tmpfs".into(),
            Data::Image => "image".into(),
            // Where server.json was lost, the container still knows its volume.
            Data::Volume => found
                .and_then(|f| f.data.clone())
                .filter(|name| volume::generation(&self.config, name).is_some())
                .unwrap_or_else(|| volume::name(&self.config, 1)),
        }
    }

    /// An image to run helpers with: the container's own, else the configured one.
    pub(super) async fn helper_image(
        &self,
        found: Option<&Found>,
        events: &Events,
    ) -> Result<String> {
        match found {
            Some(found) => Ok(found.image.clone()),
            None => Ok(image::get(&self.docker, &self.config.server.image, events)
                .await?
                .name),
        }
    }

    /// Makes sure that there is a slot for the configured way of keeping data, and says what is
    /// in it. Nothing is created yet.
    ///
    /// # Errors
    /// `Refused` where a folder holds something else than a data directory.
    pub(super) async fn take_stock(
        &self,
        state: &mut State,
        found: Option<&Found>,
        image: &str,
    ) -> Result<Content> {
        let Some(key) = self.key() else {
            return Ok(Content::Empty);
        };
        let known = state.slot(&key).is_some();
        let mut place = self.place(state, found);
        if !known && self.folder().is_none() && found.is_none() {
            let volumes = volume::all(&self.docker, &self.config).await?;
            if let Some(newest) = volumes.last() {
                place.clone_from(&newest.name);
            }
        }
        let content = match self.folder() {
            Some(folder) => folder::look(&self.docker, &self.config, image, folder).await?,
            None => self.look_into_volume(&place, image).await?,
        };
        if let Content::Other(name) = &content
            && self.folder().is_some()
        {
            return Err(Error::refused(format!(
                "{place} is no Postgres data directory: it holds {name}"
            ))
            .hint("set `data` under [server] to an empty or a new folder"));
        }
        if !known {
            let has_data = matches!(content, Content::Data { .. });
            let (major, system_identifier) = match &content {
                Content::Data {
                    major,
                    system_identifier,
                } => (*major, system_identifier.clone()),
                _ => (None, None),
            };
            let slot = Slot {
                generation: volume::generation(&self.config, &place).unwrap_or(1),
                current: Kept {
                    // A volume carries its label; a folder is devdb's where it began empty.
                    ours: self.folder().is_none() || !has_data,
                    initialised: has_data,
                    place,
                    system_identifier,
                    major,
                    ..Kept::default()
                },
                ..Slot::default()
            };
            state.slots.insert(key, slot);
        }
        Ok(content)
    }

    /// A volume's content as far as its label tells; without a label a container looks.
    async fn look_into_volume(&self, name: &str, image: &str) -> Result<Content> {
        match volume::find(&self.docker, &self.config, name).await? {
            None => Ok(Content::Missing),
            Some(volume) if volume.major.is_some() => Ok(Content::Data {
                major: volume.major,
                system_identifier: None,
            }),
            Some(_) => {
                let mount = spec::volume(name, "/target");
                folder::look_through(&self.docker, &self.config, image, mount).await
            }
        }
    }

    /// Takes stock, compares versions, and makes the volume or folder where it is missing.
    ///
    /// # Errors
    /// `Server` where the data was made by another major version than the image's.
    pub(super) async fn prepare(
        &self,
        state: &mut State,
        found: Option<&Found>,
        image: &Image,
        events: &Events,
    ) -> Result<String> {
        let content = self.take_stock(state, found, &image.name).await?;
        let place = self.place(state, found);
        if let Content::Data {
            major: Some(major), ..
        } = content
        {
            let ours = self.slot(state).is_none_or(|slot| slot.current.ours);
            self.check_major(&place, major, image, ours)?;
        }
        if matches!(content, Content::Missing | Content::Empty) {
            self.begin_anew(state, events);
        }
        state.save()?;
        match &self.config.server.data {
            Data::Volume if content == Content::Missing => {
                volume::create(&self.docker, &self.config, &place, image.major()).await?;
            }
            Data::Folder(folder) => folder::make(folder)?,
            _ => {}
        }
        Ok(place)
    }

    /// Where somebody removed the data by hand: what was known of it counts no more.
    pub(super) fn begin_anew(&self, state: &mut State, events: &Events) {
        let Some(slot) = self.slot_mut(state) else {
            return;
        };
        let place = slot.current.place.clone();
        if slot.current.initialised {
            events.warn(format!(
                "the data in {place} is gone; beginning with an empty data directory"
            ));
        }
        slot.current = Kept {
            place,
            ours: true,
            ..Kept::default()
        };
    }

    pub(super) fn check_major(
        &self,
        place: &str,
        data: u32,
        image: &Image,
        ours: bool,
    ) -> Result<()> {
        let adopt = if ours { "" } else { " --adopt" };
        match image.major() {
            Some(major) if major != data => Err(Error::server(format!(
                "the data in {place} was made by PostgreSQL {data}; image {} runs PostgreSQL {major}",
                image.name
            ))
            .hint(format!(
                "`devdb reset{adopt}` makes a new data directory and keeps this one aside; or go back to an image of PostgreSQL {data}"
            ))),
            _ => Ok(()),
        }
    }

    /// Whether the container's data directory was never ready: the image would take a half-made
    /// one for a whole one at the next start. Notes the readiness that a killed devdb could not.
    pub(super) async fn is_unfinished(&self, state: &mut State, found: &Found) -> Result<bool> {
        let Some(slot) = self.slot_mut(state) else {
            return Ok(false);
        };
        let current = &mut slot.current;
        if current.initialised || !current.ours || found.data.as_deref() != Some(&current.place) {
            return Ok(false);
        }
        // Only the log can tell that nobody ever worked there.
        let mut finished = false;
        container::logs(&self.docker, &self.name, false, None, None, |line| {
            finished |= line.contains(ready::INIT_COMPLETE) || line.contains(ready::INIT_SKIPPED);
        })
        .await?;
        if finished {
            current.initialised = true;
            state.save()?;
        }
        Ok(!finished)
    }

    /// Stops the container, if there is one, and says whether its data is half-made. The entry
    /// point does not heed a signal while `initdb` runs, and nothing is lost: then at once.
    pub(super) async fn halt(&self, state: &mut State) -> Result<bool> {
        let Some(found) = self.find().await? else {
            return Ok(false);
        };
        let unfinished = self.is_unfinished(state, &found).await?;
        let patience = if unfinished { 0 } else { spec::STOP_SECONDS };
        container::stop(&self.docker, &self.name, patience).await?;
        Ok(unfinished)
    }

    /// Stops and removes the container, and empties a data directory that was never ready.
    pub(super) async fn retire(&self, state: &mut State, image: &str) -> Result<()> {
        let unfinished = self.halt(state).await?;
        container::remove(&self.docker, &self.name).await?;
        if unfinished {
            self.empty_current(state, image).await?;
        }
        Ok(())
    }

    /// Makes the present data directory an empty one again. Only for what may be destroyed.
    pub(super) async fn empty_current(&self, state: &mut State, image: &str) -> Result<()> {
        let Some(slot) = self.slot_mut(state) else {
            return Ok(());
        };
        let fresh = Kept {
            place: slot.current.place.clone(),
            ours: true,
            ..Kept::default()
        };
        slot.intent = Some(Intent::Empty);
        state.save()?;
        match self.folder() {
            None => volume::destroy(&self.docker, &self.config, &fresh.place).await?,
            Some(folder) => folder::empty(&self.docker, &self.config, image, folder).await?,
        }
        if let Some(slot) = self.slot_mut(state) {
            slot.intent = None;
            slot.current = fresh;
        }
        state.save()
    }

    /// Brings a change of folders that was cut off to one of its two ends.
    pub(super) async fn heal(&self, state: &mut State, events: &Events) -> Result<()> {
        let Some(intent) = self.slot(state).and_then(|slot| slot.intent.clone()) else {
            return Ok(());
        };
        events.note(format!(
            "the last command was cut off while it changed {}; bringing that to its end",
            self.place(state, None)
        ));
        // Whatever is to be moved, nobody may work in it.
        self.refuse_shared().await?;
        let found = self.find().await?;
        let image = self.helper_image(found.as_ref(), events).await?;
        self.halt(state).await?;
        container::remove(&self.docker, &self.name).await?;
        container::sweep_helpers(&self.docker, &self.config.project.id).await?;
        match intent {
            Intent::Empty => return self.empty_current(state, &image).await,
            Intent::PutAside { to } => {
                // `to` did not exist before: where it does, the rename happened.
                if Path::new(&to).exists() {
                    self.commit_put_aside(state, to);
                } else if let Some(slot) = self.slot_mut(state) {
                    slot.intent = None;
                }
            }
            Intent::SwapBack { to } => self.swap_folders(state, &image, to).await?,
        }
        state.save()
    }

    /// Notes that the present folder is now at `to` and that the place is free.
    pub(super) fn commit_put_aside(&self, state: &mut State, to: String) {
        if let Some(slot) = self.slot_mut(state) {
            let fresh = Kept {
                place: std::mem::replace(&mut slot.current.place, to),
                ours: true,
                ..Kept::default()
            };
            slot.put_aside(fresh);
            slot.intent = None;
        }
    }

    /// Present → `to`, aside → present; each step only where it has not happened yet. Saved by
    /// the caller.
    pub(super) async fn swap_folders(
        &self,
        state: &mut State,
        image: &str,
        to: String,
    ) -> Result<()> {
        let Some(slot) = self.slot_mut(state) else {
            return Ok(());
        };
        let Some(aside) = slot.aside.clone() else {
            slot.intent = None;
            return Ok(());
        };
        let present = PathBuf::from(&slot.current.place);
        let (from, to) = (PathBuf::from(&aside.place), PathBuf::from(to));
        let rename = async |a: &Path, b: &Path| {
            folder::rename(&self.docker, &self.config, image, a, b).await
        };
        if from.exists() {
            if !to.exists() {
                if present.exists() {
                    rename(&present, &to).await?;
                } else {
                    folder::make(&to)?;
                }
            }
            rename(&from, &present).await?;
        } else if !to.exists() {
            // Nothing was moved, and somebody removed the aside meanwhile.
            slot.intent = None;
            return Ok(());
        }
        let back = Kept {
            place: slot.current.place.clone(),
            ..aside
        };
        let mut gone = std::mem::replace(&mut slot.current, back);
        gone.place = to.to_string_lossy().into_owned();
        slot.aside = Some(gone);
        slot.pending = false;
        slot.intent = None;
        Ok(())
    }
}
