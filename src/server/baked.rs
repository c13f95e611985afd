//! Baked images, for whoever need not know of the engine: what they are called, and what is done
//! with them.

use std::collections::BTreeMap;

use super::{Images, Kind, Server};
use crate::error::Result;
use crate::event::Events;

/// The label that makes an image a baked one: what decides its content.
pub(crate) const KEY: &str = "dev.devdb.baked";
/// The configured name of the image that it is made over.
pub(crate) const BASE: &str = "dev.devdb.baked.base";
/// And the id that had then.
pub(crate) const BASE_ID: &str = "dev.devdb.baked.base.id";
/// Where a baked image has its data directory: in no volume, so that it belongs to the image.
pub(crate) const PGDATA: &str = "/var/lib/devdb";

/// An image to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Repository and tag.
    pub image: String,
    /// What decides its content.
    pub key: String,
    /// Further labels.
    pub labels: Vec<(String, String)>,
}

/// An image that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baked {
    /// Repository and tag.
    pub image: String,
    /// What decided its content.
    pub key: String,
    /// With what it shares with its base.
    pub bytes: u64,
    /// Without; known where the base is here.
    pub own_bytes: Option<u64>,
    pub labels: BTreeMap<String, String>,
}

impl Server {
    /// The engine's images, where the server is in Docker and was never up: it could begin with one.
    pub async fn images_to_begin_with(&self) -> Result<Option<Images>> {
        match &self.kind {
            Kind::Docker(docker) if docker.is_new().await? => Ok(Some(docker.images())),
            _ => Ok(None),
        }
    }

    /// Makes a copy of what is in `baked` the data directory of a server that was never up.
    pub async fn begin_with(&self, baked: &Baked, events: &Events) -> Result<()> {
        match &self.kind {
            Kind::Docker(docker) => docker.begin_with(baked, events).await,
            _ => Ok(()),
        }
    }
}
